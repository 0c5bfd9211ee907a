/* Tests of http.h. */
#include "tests/unit/check.h"

#include "detector/http.h"

#include <string.h>

static const char *pattern(const char *text)
{
    return http_pattern((const uint8_t *)text, strlen(text));
}

static void honest_requests_hold_nothing(void **state)
{
    static const char *const honest[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /search?q=order+by+phone&select=all HTTP/1.1\r\n",
        "GET /union/select.html?page=1 HTTP/1.1\r\n",
        "POST /login HTTP/1.1\r\nContent-Length: 40\r\n\r\nuser=x' or 1=1",
        "GET /a%20b%2Fc?script=1&id=o%27neill HTTP/1.1\r\n",
        "GET /css/../img/logo.png HTTP/1.1\r\n",
        "\x16\x03\x01\x02",
        "GET",
        "",
        "GET ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof honest / sizeof honest[0]; i++)
        assert_null(pattern(honest[i]));
}

static void headers_tell_orders_and_tools(void **state)
{
    (void)state;
    assert_string_equal(pattern("POST /login HTTP/1.1\r\nUser-Agent: ${jndi:ldap://a/b}\r\n"), "command");
    assert_string_equal(pattern("GET /cgi HTTP/1.1\r\nReferer: () { :;}; ping -c1 a\r\n"), "command");
    assert_string_equal(pattern("GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: sqlmap/1.7\r\n"), "tool");
    assert_null(pattern("GET /a HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (like sqlmap/)\r\n"));
    assert_null(pattern("GET /a HTTP/1.1\r\nUser-Agent: sqlm"));
    assert_null(pattern("GET /nikto HTTP/1.1\r\nHost: DirBuster\r\n"));
}

static void bots_are_named_by_what_they_fetch(void **state)
{
    (void)state;
    assert_string_equal(pattern("POST /five/fre.php HTTP/1.0\r\n"), "bot");
    assert_string_equal(pattern("GET /bins/a.mpsl HTTP/1.0\r\n"), "bot");
    assert_null(pattern("GET /a.mpslx HTTP/1.0\r\n"));
    assert_null(pattern("GET /gateway.php HTTP/1.1\r\n"));
}

static void attacks_are_named_also_when_encoded_twice(void **state)
{
    (void)state;
    assert_string_equal(pattern("GET /p.php?id=-1+UNION/**/SELECT+1,2 HTTP/1.1\r\n"), "sql");
    assert_string_equal(pattern("GET /p?id=1%27%20or%20%271%27=%271 HTTP/1.1\r\n"), "sql");
    assert_string_equal(pattern("GET /p?q=%253Cscript%253E HTTP/1.1\r\n"), "script");
    assert_string_equal(pattern("GET /%2e%2e/%2e%2e/%2e%2e/x HTTP/1.1\r\n"), "traversal");
    assert_string_equal(pattern("GET /.env HTTP/1.1\r\n"), "probe");
    assert_string_equal(pattern("GET /?x=${jndi:ldap://h/a} HTTP/1.1\r\n"), "command");
}

static void every_cut_of_a_request_is_safe(void **state)
{
    const char *text = "GET /p?q=%3cscript%3e%2 HTTP/1.1\r\n";
    uint8_t *copy;

    (void)state;
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        copy = test_malloc(cut + 1);
        memcpy(copy, text, cut);
        (void)http_pattern(copy, cut);
        test_free(copy);
    }
}

static void an_answer_that_nothing_is_there_is_known_by_its_status(void **state)
{
    static const struct {
        const char *text;
        bool missing;
    } cases[] = {{"HTTP/1.1 404 Not Found\r\n", true},
                 {"HTTP/1.0 403 Forbidden", true},
                 {"HTTP/1.1 400", true},
                 {"HTTP/1.1 200 OK\r\n", false},
                 {"HTTP/1.1 40", false},
                 {"GET /404 HTTP/1.1", false},
                 {"HTTP/1.1x404", false},
                 {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(http_is_missing((const uint8_t *)cases[i].text, strlen(cases[i].text)), cases[i].missing);
}

static void a_password_of_basic_authentication_is_read_whole_or_not_at_all(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n";
    static const char proxy[] = "GET / HTTP/1.1\r\nProxy-Authorization: Basic YTpi\r\n\r\n";
    const char *at = NULL;
    size_t end = (size_t)(strstr(request, "YTpi") - request) + 4;

    (void)state;
    assert_int_equal(http_password((const uint8_t *)request, sizeof request - 1, &at), 4);
    assert_memory_equal(at, "YTpi", 4);
    assert_int_equal(http_password((const uint8_t *)proxy, sizeof proxy - 1, &at), 0);
    for (size_t cut = 0; cut <= end; cut++)
        assert_int_equal(http_password((const uint8_t *)request, cut, &at), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_of_basic_authentication_is_read_whole_or_not_at_all),
        cmocka_unit_test(an_answer_that_nothing_is_there_is_known_by_its_status),
        cmocka_unit_test(honest_requests_hold_nothing),
        cmocka_unit_test(headers_tell_orders_and_tools),
        cmocka_unit_test(bots_are_named_by_what_they_fetch),
        cmocka_unit_test(attacks_are_named_also_when_encoded_twice),
        cmocka_unit_test(every_cut_of_a_request_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
