#include "common/json.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_good(const char *text)
{
    struct err err = {0};
    cJSON *json = json_parse(text, strlen(text), &err);

    if (json == NULL)
        fail_msg("%s: %s", text, err.text);
    cJSON_Delete(json);
}

static void check_bad(const char *text, size_t length, const char *said)
{
    struct err err = {0};
    cJSON *json = json_parse(text, length, &err);

    if (json != NULL)
        fail_msg("taken: %s", text);
    assert_true(err.code == ERR_INVALID || err.code == ERR_CUT_SHORT);
    if (strstr(err.text, said) == NULL)
        fail_msg("%s: said \"%s\", not \"%s\"", text, err.text, said);
}

static void what_the_rfc_allows_is_read(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " [ ] ",
        "null",
        "true",
        "\"\"",
        "0",
        "-0",
        "1.5e+10",
        "1E5",
        "-1.0e-3",
        "\t{\n\"a\" :\r1 }",
        "[1,[2,[3]]]",
        "\"\\u00e9\\n\\/\\\\\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\\ud83d\\ude00\"",
        "{\"a\":{\"a\":1}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check_good(good[i]);
}

static void what_it_does_not_allow_is_refused(void **state)
{
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"", "expected a value at byte 0"},
        {" ", "expected a value"},
        {"{", "expected a key"},
        {"[1,]", "expected a number at byte 3"},
        {"{\"a\":1,}", "expected a key at byte 7"},
        {"01", "expected a number"},
        {"+1", "expected a number"},
        {"1.", "expected a digit"},
        {".5", "expected a number"},
        {"1e", "expected a digit"},
        {"NaN", "expected a number"},
        {"nul", "expected a value"},
        {"1 2", "expected the end at byte 2"},
        {"{} x", "expected the end"},
        {"\"a", "without an end"},
        {"\"a\nb\"", "control character"},
        {"\"\\x\"", "unknown escape"},
        {"\"\\u12g4\"", "four hexadecimal"},
        {"\"\\u0000\"", "NUL"},
        {"\"\xff\"", "UTF-8"},
        {"\"\xc0\x80\"", "UTF-8"},
        {"\xef\xbb\xbf{}", "expected a number"},
        {"\"\\ud800\"", "surrogate"},
        {"{\"a\" 1}", "expected ':'"},
        {"{a:1}", "expected a key"},
        {"[1 2]", "expected ','"},
        {"{\"a\":1 \"b\":2}", "expected ','"},
        {"1e400", "too large"},
        {"[-1e999]", "too large"},
        {"{\"a\":1,\"a\":2}", "\"a\" stands twice"},
        {"[{\"x\":{\"b\":1,\"\\u0062\":2}}]", "\"b\" stands twice"},
        {"'a'", "expected a number"},
        {"[", "expected a value"},
        {"\"\\", "unknown escape"},
        {"\"\\u00", "four hex"},
    };
    char number[80];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_bad(bad[i].text, strlen(bad[i].text), bad[i].said);
    check_bad("\"a\0b\"", 5, "control character");
    check_bad("{}\0", 3, "expected the end");
    check_bad("\"\\\0\"", 4, "unknown escape");
    memset(number, '1', sizeof number);
    check_bad(number, 64, "number too long");
    number[63] = '\0';
    check_good(number);
}

static void thirty_two_levels_and_no_more(void **state)
{
    char text[256];

    (void)state;
    snprintf(text, sizeof text, "%.32s%.32s", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    check_good(text);
    snprintf(text, sizeof text, "[%.32s%.32s]", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
             "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    check_bad(text, strlen(text), "more than 32 levels");
}

static void a_key_twice_among_many_is_found(void **state)
{
    struct text text = {0};

    (void)state;
    text_add(&text, "{", 1);
    for (int i = 0; i < 5000; i++)
        text_addf(&text, "\"k%d\":%d,", i, i);
    text_add(&text, "\"last\":1}", 9);
    check_good(text.bytes);
    text.length--;
    text_addf(&text, ",\"k1234\":0}");
    check_bad(text.bytes, text.length, "\"k1234\" stands twice");
    free(text.bytes);
}

static void members_are_read_or_named(void **state)
{
    const char *source = "{\"text\":\"abc\",\"n\":1.5,\"i\":7,\"flag\":true,\"no\":null,\"s\":\"7\",\"big\":1e300}";
    cJSON *json = json_parse(source, strlen(source), NULL);
    struct err err = {0};
    char out[4] = "";
    double number = 0;
    int64_t integer = 0;
    bool flag = false;

    (void)state;
    assert_true(json_text(json, "text", out, sizeof out, &err));
    assert_string_equal(out, "abc");
    assert_false(json_text(json, "text", out, 3, &err));
    assert_string_equal(err.text, "text: expected a text of at most 2 bytes");
    assert_false(json_text(json, "TEXT", out, sizeof out, &err));
    assert_true(json_number(json, "n", 0, 2, &number, &err) && number == 1.5);
    assert_false(json_number(json, "n", 0, 1, &number, &err));
    assert_string_equal(err.text, "n: expected a number from 0 to 1");
    assert_false(json_number(json, "s", 0, 10, &number, &err));
    assert_true(json_integer(json, "i", 0, 7, &integer, &err) && integer == 7);
    assert_false(json_integer(json, "i", 0, 6, &integer, &err));
    assert_string_equal(err.text, "i: expected a whole number from 0 to 6");
    assert_false(json_integer(json, "n", 0, 6, &integer, &err));
    assert_false(json_integer(json, "big", INT64_MIN, INT64_MAX, &integer, &err));
    assert_true(json_flag(json, "flag", &flag, &err) && flag);
    assert_false(json_flag(json, "i", &flag, &err));
    assert_null(json_member(json, "no"));
    assert_null(json_member(json, "missing"));
    assert_non_null(json_member(json, "i"));
    cJSON_Delete(json);
}

static void what_was_read_is_printed_again(void **state)
{
    const char *source = "{\"a\":[1,0.93,\"x\\u0001\xc3\xa9\",true,null],\"b\":{}}";
    cJSON *json = json_parse(source, strlen(source), NULL);
    char *out = json_print(json);

    (void)state;
    assert_string_equal(out, source);
    free(out);
    cJSON_Delete(json);
}

static void a_tree_in_a_room_is_the_same_tree(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[1,2.5,-3e4]",
        "{\"a\":{\"b\":[true,false,null]},\"c\":\"\\u00e9\\n\"}",
        "\"text\"",
    };
    struct text large = {0}; /* more than a room holds at first, and a text of more than a block */
    struct json_room room;

    (void)state;
    text_add(&large, "[", 1);
    for (int i = 0; i < 3000; i++)
        text_addf(&large, "{\"n\":%d},", i);
    text_add(&large, "\"", 1);
    for (int i = 0; i < 5000; i++)
        text_addf(&large, "%010d", i);
    text_add(&large, "\"]", 2);
    for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
        const char *text = i < sizeof texts / sizeof *texts ? texts[i] : large.bytes;
        cJSON *usual = json_parse(text, strlen(text), NULL);
        const cJSON *inside;

        json_room_open(&room);
        inside = json_parse_in(&room, text, strlen(text), NULL);
        assert_non_null(inside);
        assert_true(cJSON_Compare(usual, inside, true));
        assert_non_null(json_parse_in(&room, text, strlen(text), NULL)); /* a second tree beside it */
        assert_true(cJSON_Compare(usual, inside, true));
        json_room_close(&room);
        cJSON_Delete(usual);
    }
    free(large.bytes);
}

static void a_text_that_is_refused_leaves_nothing_in_a_room(void **state)
{
    static const char *const texts[] = {"{\"a\":\"\\ud800\"}", "{\"a\":1,\"a\":2}", "[1e999]", "[1"};
    struct json_room room;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err err = {0};

        json_room_open(&room);
        assert_null(json_parse_in(&room, texts[i], strlen(texts[i]), &err));
        assert_int_not_equal(err.code, ERR_NONE);
        json_room_close(&room);
    }
    cJSON_Delete(json_parse("[1]", 3, NULL)); /* and the usual way is as it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_rfc_allows_is_read),
        cmocka_unit_test(what_it_does_not_allow_is_refused),
        cmocka_unit_test(thirty_two_levels_and_no_more),
        cmocka_unit_test(a_key_twice_among_many_is_found),
        cmocka_unit_test(members_are_read_or_named),
        cmocka_unit_test(what_was_read_is_printed_again),
        cmocka_unit_test(a_tree_in_a_room_is_the_same_tree),
        cmocka_unit_test(a_text_that_is_refused_leaves_nothing_in_a_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
