/* Tests of guess.h. */
#include "tests/unit/check.h"

#include "detector/guess.h"

#include <stdlib.h>
#include <string.h>

typedef bool (*reader)(const uint8_t *bytes, size_t length, struct guess *out);

/* In memory of just that size, so that what is read beyond it is seen. */
static bool reads(reader read, const char *text, size_t length, struct guess *out)
{
    uint8_t *copy = malloc(length + (length == 0));
    bool is;

    assert_non_null(copy);
    memcpy(copy, text, length);
    is = read(copy, length, out);
    free(copy);
    return is;
}

static bool has(reader read, const char *text)
{
    struct guess out;

    return reads(read, text, strlen(text), &out);
}

/* Both have a guess: of the same name or not, with the same password or not. */
static void compare(reader read, const char *one, const char *two, bool same_name, bool same_password)
{
    struct guess a, b;

    if (!reads(read, one, strlen(one), &a) || !reads(read, two, strlen(two), &b))
        fail_msg("no guess in %s", one);
    if ((a.name == b.name) != same_name || (a.password == b.password) != same_password)
        fail_msg("%s and %s", one, two);
}

static void a_form_has_a_name_and_a_password(void **state)
{
    (void)state;
    compare(guess_in_body, "username=a&password=1&Login=Login", "username=a&password=2&Login=Login", true, false);
    compare(guess_in_body, "log=a&pwd=1&wp-submit=Log+In", "log=b&pwd=1&wp-submit=Log+In", false, true);
    compare(guess_in_body, "pma_username=a&pma_password=1", "pma_username=a&pma_password=1&token=2", true, true);
    compare(guess_in_body, "email=a%40b&password=1&password2=1", "email=a%40b&password=1&password2=2", true, true);
    assert_false(has(guess_in_body, "password=1&again=1"));
    assert_false(has(guess_in_body, "username=a&password="));
    assert_false(has(guess_in_body, "name=paris&passengers=2"));
    compare(guess_in_body, "login=Log+In&usr=a&password=1", "login=Log+In&usr=b&password=1", false, true);
    compare(guess_in_body, "login=anna&password=1", "login=bob&password=1", false, true);
    compare(guess_in_body, "{\"username\":\"a\",\"password\":\"1\"}", "{\"password\": \"2\", \"username\": \"a\"}",
            true, false);
    compare(guess_in_body, "{\"email\":\"a@b\",\"password\":\"1\"}", "{\"email\":\"c@b\",\"password\":\"1\"}", false,
            true);
    assert_false(has(guess_in_body, "{\"username\":\"a\",\"password\":null}"));
    assert_false(has(guess_in_body, "{\"password\":\"a\",\"page\":\"b\"}"));
}

static void an_address_may_hold_them_or_the_body_behind_it(void **state)
{
    static const char seen[] = "GET /?username=a&page=2 HTTP/1.1\r\n\r\nusername=a&password=1";

    (void)state;
    compare(guess_in_request, "GET /brute/?username=a&password=1&Login=Login HTTP/1.1\r\n\r\n",
            "GET /brute/?username=a&password=2 HTTP/1.1\r\n\r\n", true, false);
    compare(guess_in_request, "POST /l?next=/ HTTP/1.1\r\nHost: a\r\n\r\nuser=a&pass=1",
            "POST /l?next=/ HTTP/1.1\r\nHost: a\r\n\r\nuser=a&pass=2", true, false);
    assert_false(has(guess_in_request, seen)); /* a question has no body */
}

static void other_protocols_have_them_too(void **state)
{
    (void)state;
    compare(guess_in_body,
            "<methodCall><methodName>wp.getUsersBlogs</methodName><string>a</string><string>1</string>",
            "<methodCall><methodName>wp.getUsersBlogs</methodName><string>a</string><string>2</string>", true, false);
    assert_false(has(guess_in_body, "<methodCall><methodName>pingback.ping</methodName><string>a</string>"));
    compare(guess_in_stream, "DESCRIBE rtsp://a/1 RTSP/1.0\r\nAuthorization: Basic YTox\r\n",
            "DESCRIBE rtsp://a/1 RTSP/1.0\r\nAuthorization: Basic YToy\r\n", true, false);
    compare(guess_in_registration,
            "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"a\",response=\"1\"\r\n",
            "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"a\",response=\"2\"\r\n", true, false);
    compare(guess_in_mail, "VRFY root\r\n", "VRFY admin\r\n", true, false);
    assert_false(has(guess_in_mail, "EHLO a.example\r\n"));
    assert_false(has(guess_in_registration, "INVITE sip:a SIP/2.0\r\nusername=\"a\",response=\"1\"\r\n"));
}

static void what_is_cut_is_read_to_its_end(void **state)
{
    static const char *const texts[] = {
        "POST /l?a=1 HTTP/1.1\r\nHost: a\r\n\r\nuser=a&pass=1",
        "<methodName>wp.getUsersBlogs</methodName><string>a</string><string>1</string>",
        "{\"username\": \"a\", \"password\": \"1\"}",
        "DESCRIBE rtsp://a/1 RTSP/1.0\r\nAuthorization: Basic YTox\r\n",
        "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"a\",response=\"1\"\r\n",
    };
    static const reader readers[] = {guess_in_request, guess_in_body, guess_in_body, guess_in_stream,
                                     guess_in_registration};
    struct guess out;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t length = 0; length <= strlen(texts[i]); length++)
            (void)reads(readers[i], texts[i], length, &out);
        assert_true(reads(readers[i], texts[i], strlen(texts[i]), &out));
    }
}

/* The name of the device is another each time; a will stands between. */
static void what_is_said_before_the_answer_is_read(void **state)
{
    static const char one[] = "\x10\x1d\0\4MQTT\4\xc6\0\x3c\0\2d1\0\1t\0\1w\0\1u\0\3old",
                      other[] = "\x10\x1d\0\4MQTT\4\xc6\0\x3c\0\2d2\0\1t\0\1w\0\1u\0\3old",
                      five[] = "\x10\x1c\0\4MQTT\5\xc2\0\x3c\5\x11\0\0\0\7\0\2d3\0\1u\0\3new";
    struct guess a, b, out;

    (void)state;
    compare(guess_in_command, "PASS old\r\n", "pass new\r\n", true, false);
    compare(guess_in_command, "USER a\r\n", "USER b\r\n", false, true);
    compare(guess_in_box, "a1 LOGIN anna old\r\n", "a2 login anna new\r\n", true, false);
    compare(guess_in_box, "a1 LOGIN anna old\r\n", "a9 LOGIN anna old\r\n", true, true);
    compare(guess_in_bind, "\x30\x14\2\1\1\x60\x0f\2\1\3\4\4cn=a\x80\4old1",
            "\x30\x14\2\1\2\x60\x0f\2\1\3\4\4cn=a\x80\4new1", true, false);
    assert_false(has(guess_in_bind, "\x30\x10\2\1\1\x60\x0b\2\1\3\4\4cn=a\xa3\4SASL"));
    assert_false(has(guess_in_command, "PASV\r\n"));
    assert_false(has(guess_in_box, "a1 LIST \"\" *\r\n"));
    assert_true(reads(guess_in_connect, one, sizeof one - 1, &a) &&
                reads(guess_in_connect, other, sizeof other - 1, &b));
    assert_true(a.password == b.password);
    assert_true(reads(guess_in_connect, five, sizeof five - 1, &b));
    assert_true(a.password != b.password);
    for (size_t length = 0; length < sizeof five; length++) {
        (void)reads(guess_in_connect, five, length, &out);
        (void)reads(guess_in_box, "a1 LOGIN anna old\r\n", length % 20, &out);
        (void)reads(guess_in_command, "PASS old\r\n", length % 10, &out);
        (void)reads(guess_in_bind, "\x30\x14\2\1\1\x60\x0f\2\1\3\4\4cn=a\x80\4old1", length % 23, &out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_has_a_name_and_a_password),
        cmocka_unit_test(an_address_may_hold_them_or_the_body_behind_it),
        cmocka_unit_test(other_protocols_have_them_too),
        cmocka_unit_test(what_is_cut_is_read_to_its_end),
        cmocka_unit_test(what_is_said_before_the_answer_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
