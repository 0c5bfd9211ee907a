#include "common/text.h"
#include "tests/unit/check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_number(double value, const char *expected)
{
    struct text text = {0};

    text_add_number(&text, value);
    assert_string_equal(text.bytes, expected);
    free(text.bytes);
}

static void a_number_gets_its_shortest_text(void **state)
{
    (void)state;
    check_number(0, "0");
    check_number(1, "1");
    check_number(-17, "-17");
    check_number(0.1, "0.1");
    check_number(0.93, "0.93");
    check_number(-0.005, "-0.005");
    check_number(1925.5, "1925.5");
    check_number(1e-7, "1e-07");
    check_number(123456789012345, "123456789012345");
    check_number(1e21, "1e+21");
    check_number(0.1 + 0.2, "0.30000000000000004");
    check_number(1.0 / 3.0, "0.3333333333333333");
    check_number(NAN, "null");
    check_number(INFINITY, "null");
}

static void every_number_reads_back_the_same(void **state)
{
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct text text = {0};
        double value;

        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        if (i % 2 == 0)
            memcpy(&value, &seed, sizeof value);
        else
            value = (double)(seed % 100000000) / pow(10, (double)(seed >> 60));
        if (!isfinite(value))
            continue;
        text_add_number(&text, value);
        assert_true(strtod(text.bytes, NULL) == value);
        free(text.bytes);
    }
    check_number(DBL_MAX, "1.7976931348623157e+308");
}

static void integers_are_exact(void **state)
{
    struct text text = {0};

    (void)state;
    text_add_integer(&text, INT64_MIN);
    text_add(&text, " ", 1);
    text_add_integer(&text, INT64_MAX);
    text_add(&text, " ", 1);
    text_add_integer(&text, 0);
    assert_string_equal(text.bytes, "-9223372036854775808 9223372036854775807 0");
    free(text.bytes);
}

static void a_string_is_escaped_and_always_valid(void **state)
{
    struct text text = {0};

    (void)state;
    text_add_json(&text, "a\"b\\c\n\t\r\b\f\x01\x0b\x7f\xc3\xa9\xff</script>");
    assert_string_equal(text.bytes,
                        "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u000b\\u007f\xc3\xa9\xef\xbf\xbd</script>\"");
    text_reset(&text);
    text_add_json(&text, NULL);
    assert_string_equal(text.bytes, "null");
    text_reset(&text);
    text_add_json(&text, "");
    assert_string_equal(text.bytes, "\"\"");
    free(text.bytes);
}

static void a_text_grows_up_to_its_ceiling(void **state)
{
    struct text text = {.max = 1000};

    (void)state;
    for (int i = 0; i < 100; i++)
        text_addf(&text, "%s", "0123456789");
    assert_false(text.failed);
    assert_int_equal(text.length, 1000);
    assert_int_equal(strlen(text.bytes), 1000);
    text_add(&text, "x", 1);
    assert_true(text.failed);
    text_addf(&text, "%s", "");
    text_add(&text, "", 0);
    assert_int_equal(text.length, 1000);
    free(text.bytes);
}

static void a_tree_is_written_without_blanks(void **state)
{
    cJSON *json = cJSON_Parse("{ \"a\": [1, 2.5, true, false, null, \"x\\n\", {}, []], \"b\": {\"c\": -1} }");
    struct text text = {0};

    (void)state;
    cJSON_AddItemToObject(json, "raw", cJSON_CreateRaw("{\"z\":1}"));
    text_add_tree(&text, json);
    assert_string_equal(text.bytes,
                        "{\"a\":[1,2.5,true,false,null,\"x\\n\",{},[]],\"b\":{\"c\":-1},\"raw\":{\"z\":1}}");
    free(text.bytes);
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_gets_its_shortest_text),
        cmocka_unit_test(every_number_reads_back_the_same),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(a_string_is_escaped_and_always_valid),
        cmocka_unit_test(a_text_grows_up_to_its_ceiling),
        cmocka_unit_test(a_tree_is_written_without_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
