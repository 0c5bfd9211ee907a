#include "common/http_text.h"
#include "tests/unit/check.h"

#include <string.h>

static void check_path(const char *raw, const char *expected)
{
    char out[32] = "x";

    assert_int_equal(http_text_path(raw, out, sizeof out), expected != NULL);
    assert_string_equal(out, expected != NULL ? expected : "");
}

static void a_path_is_decoded_once_and_kept_safe(void **state)
{
    (void)state;
    check_path("/", "/");
    check_path("/a/b", "/a/b");
    check_path("/a%20b+c", "/a b+c");
    check_path("/%c3%a9", "/\xc3\xa9");
    check_path("/%2541", "/%41");
    check_path("/a..b/.c", "/a..b/.c");
    check_path("/123456789012345678901234567890", "/123456789012345678901234567890");
    check_path("/1234567890123456789012345678901", NULL);
    check_path("", NULL);
    check_path("a", NULL);
    check_path(NULL, NULL);
    check_path("/%00", NULL);
    check_path("/a%2Fb", NULL);
    check_path("/a%5cb", NULL);
    check_path("/a\\b", NULL);
    check_path("/%", NULL);
    check_path("/%4", NULL);
    check_path("/%4g", NULL);
    check_path("/%0a", NULL);
    check_path("/%7f", NULL);
    check_path("/%ff", NULL);
    check_path("/..", NULL);
    check_path("/a/../b", NULL);
    check_path("/%2e%2e/a", NULL);
    check_path("/./a", NULL);
    check_path("/a/.", NULL);
}

static void a_pattern_names_segments(void **state)
{
    struct http_match match;

    (void)state;
    assert_true(http_text_match("/a/{id}/b", "/a/7/b", &match));
    assert_int_equal(match.count, 1);
    assert_memory_equal(match.captures[0].name, "id", match.captures[0].name_length);
    assert_memory_equal(match.captures[0].value, "7", match.captures[0].length);
    assert_true(http_text_match("/a/{id}", "/a/x y", &match));
    assert_true(http_text_match("/a/{rest*}", "/a/b/c", &match));
    assert_true(match.rest);
    assert_int_equal(match.captures[0].length, 3);
    assert_int_equal(match.captures[0].name_length, 4);
    assert_false(http_text_match("/a/{id}", "/a/", &match));
    assert_false(http_text_match("/a/{id}", "/a/b/c", &match));
    assert_false(http_text_match("/a/{id}/b", "/a/7", &match));
    assert_false(http_text_match("/a", "/a/", &match));
    assert_false(http_text_match("/a", "/", &match));
    assert_false(http_text_match("/{a}{b}{c}", "/x", &match));
}

static void a_query_value_is_found_by_its_whole_name(void **state)
{
    char out[8];

    (void)state;
    assert_true(http_text_query("aq=1&q=2&q=3", "q", out, sizeof out));
    assert_string_equal(out, "2");
    assert_true(http_text_query("q", "q", out, sizeof out));
    assert_string_equal(out, "");
    assert_true(http_text_query("%71=a+b%26", "q", out, sizeof out));
    assert_string_equal(out, "a b&");
    assert_true(http_text_query("q=1234567", "q", out, sizeof out));
    assert_false(http_text_query("q=12345678", "q", out, sizeof out));
    assert_string_equal(out, "");
    assert_false(http_text_query("q=%zz", "q", out, sizeof out));
    assert_false(http_text_query("q=%00", "q", out, sizeof out));
    assert_false(http_text_query("q=%ff", "q", out, sizeof out));
    assert_false(http_text_query("&&=&", "q", out, sizeof out));
    assert_false(http_text_query(NULL, "q", out, sizeof out));
}

static void a_cookie_is_found_by_its_whole_name(void **state)
{
    char out[8];

    (void)state;
    assert_true(http_text_cookie("xs=1; s=abc; s=d", "s", out, sizeof out));
    assert_string_equal(out, "abc");
    assert_true(http_text_cookie("s=\"abc\" ", "s", out, sizeof out));
    assert_string_equal(out, "abc");
    assert_true(http_text_cookie("s=", "s", out, sizeof out));
    assert_false(http_text_cookie("s=12345678", "s", out, sizeof out));
    assert_string_equal(out, "");
    assert_false(http_text_cookie("s", "s", out, sizeof out));
    assert_false(http_text_cookie(NULL, "s", out, sizeof out));
}

static void a_word_counts_unless_its_quality_is_zero(void **state)
{
    (void)state;
    assert_true(http_text_has_word("br, gzip", "gzip"));
    assert_true(http_text_has_word("GZIP;q=0.5", "gzip"));
    assert_false(http_text_has_word("gzip;q=0", "gzip"));
    assert_false(http_text_has_word("gzip; q=0.000", "gzip"));
    assert_false(http_text_has_word("x-gzip, gzipped", "gzip"));
    assert_false(http_text_has_word("", "gzip"));
    assert_false(http_text_has_word(NULL, "gzip"));
}

static void header_parts_are_checked(void **state)
{
    (void)state;
    assert_true(http_text_is_token("X-Test_1"));
    assert_false(http_text_is_token(""));
    assert_false(http_text_is_token("a b"));
    assert_true(http_text_is_value("a\tb \xc3\xa9"));
    assert_false(http_text_is_value("a\nb"));
    assert_true(http_text_is_request_id("abc-1"));
    assert_false(http_text_is_request_id(""));
    assert_false(http_text_is_request_id("a_b"));
    assert_false(http_text_is_request_id("12345678901234567890123456789012345678901234567890123456789012345"));
    assert_string_equal(http_text_reason(413), "Content Too Large");
    assert_string_equal(http_text_type_of("/a/app.JS"), "text/javascript; charset=utf-8");
    assert_string_equal(http_text_type_of("/js"), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_decoded_once_and_kept_safe),
        cmocka_unit_test(a_pattern_names_segments),
        cmocka_unit_test(a_query_value_is_found_by_its_whole_name),
        cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
        cmocka_unit_test(a_word_counts_unless_its_quality_is_zero),
        cmocka_unit_test(header_parts_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
