#include "common/signature.h"
#include "common/token.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The example of the Standard Webhooks reference libraries. */
static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const char id[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";
static const char body[] = "{\"test\": 2432232314}";
static const char good[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
enum { WHEN = 1614265330 };

static int setup(void **state)
{
    (void)state;
    return token_setup() ? 0 : -1;
}

static bool check(const char *header, const char *timestamp, int64_t now)
{
    struct signature_key keys[2];
    const struct signature_key *who = NULL;
    struct err err = {0};
    char other[SIGNATURE_SECRET];
    bool ok;

    signature_new_secret(other);
    assert_true(signature_key_from_text(other, &keys[0], NULL));
    assert_true(signature_key_from_text(secret, &keys[1], NULL));
    ok = signature_check(keys, 2, header, id, timestamp, now, body, sizeof body - 1, &who, &err);
    assert_ptr_equal(who, ok ? &keys[1] : NULL);
    assert_int_equal(err.code, ok ? ERR_NONE : ERR_DENIED);
    return ok;
}

static void a_signature_is_that_of_the_specification(void **state)
{
    struct signature_key key;
    char out[SIGNATURE_TEXT];

    (void)state;
    assert_true(signature_key_from_text(secret, &key, NULL));
    signature_make(&key, id, WHEN, body, sizeof body - 1, out);
    assert_string_equal(out, good);
}

static void one_good_signature_among_others_is_enough(void **state)
{
    char header[256];

    (void)state;
    assert_true(check(good, "1614265330", WHEN));
    snprintf(header, sizeof header, "v2,abc v1a,xyz v1,AAAA %s", good);
    assert_true(check(header, "1614265330", WHEN));
}

static void anything_else_is_refused(void **state)
{
    char header[256];

    (void)state;
    assert_false(check("", "1614265330", WHEN));
    assert_false(check(good + 3, "1614265330", WHEN));
    assert_false(check("v1,", "1614265330", WHEN));
    assert_false(check("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=", "1614265330", WHEN));
    assert_false(check(good, "1614265331", WHEN));
    assert_false(check(good, "01614265330", WHEN)); /* another text than was signed */
    assert_false(check(good, "", WHEN));
    assert_false(check(good, "now", WHEN));
    assert_false(check(good, "99999999999999999999", WHEN));
    assert_false(check(good, "-1", WHEN));
    assert_false(check(NULL, "1614265330", WHEN));
    assert_false(check(good, NULL, WHEN));
    snprintf(header, sizeof header, "%.40s", good);
    assert_false(check(header, "1614265330", WHEN));
}

static void five_minutes_are_allowed(void **state)
{
    (void)state;
    assert_true(check(good, "1614265330", WHEN + 300));
    assert_true(check(good, "1614265330", WHEN - 300));
    assert_false(check(good, "1614265330", WHEN + 301));
    assert_false(check(good, "1614265330", WHEN - 301));
}

static void a_secret_has_24_to_64_bytes(void **state)
{
    struct signature_key key;
    char made[SIGNATURE_SECRET];

    (void)state;
    signature_new_secret(made);
    assert_true(signature_key_from_text(made, &key, NULL));
    assert_int_equal(key.length, 32);
    assert_false(signature_key_from_text("whsec_", &key, NULL));
    assert_false(signature_key_from_text("whsec_AAAA", &key, NULL));
    assert_false(signature_key_from_text("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &key, NULL));
    assert_false(signature_key_from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", &key, NULL));
    assert_false(signature_key_from_text("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                         "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                         &key, NULL));
}

static bool read_keys(const char *text, struct signature_key *keys, size_t max, size_t *count, struct err *err)
{
    char path[] = "/tmp/signature_test_XXXXXX";
    int fd = mkstemp(path);
    bool ok;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    ok = signature_read_keys(path, keys, max, count, err);
    unlink(path);
    return ok;
}

static void a_file_has_a_secret_a_line(void **state)
{
    struct signature_key keys[2];
    struct err err = {0};
    size_t count = 0;

    (void)state;
    assert_true(read_keys("# sensors\n\n edge-1 \t whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw # old\r\n"
                          "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                          keys, 2, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(keys[0].sensor, "edge-1");
    assert_string_equal(keys[1].sensor, "");
    assert_memory_equal(keys[0].bytes, keys[1].bytes, 24);
    assert_false(read_keys("edge-1 whsec_x\n", keys, 2, &count, &err));
    assert_non_null(strstr(err.text, "line 1: secret: expected"));
    assert_false(read_keys("a/b whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", keys, 2, &count, &err));
    assert_false(read_keys("# none\n", keys, 2, &count, &err));
    assert_non_null(strstr(err.text, "no secret"));
    assert_false(read_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", keys,
                           1, &count, &err));
    assert_false(signature_read_keys("/nowhere", keys, 2, &count, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_that_of_the_specification),
        cmocka_unit_test(one_good_signature_among_others_is_enough),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(five_minutes_are_allowed),
        cmocka_unit_test(a_secret_has_24_to_64_bytes),
        cmocka_unit_test(a_file_has_a_secret_a_line),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
