#include "common/utf8.h"
#include "tests/unit/check.h"

#include <stdint.h>

static size_t encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void every_character_but_surrogates_passes(void **state)
{
    char bytes[4];

    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        size_t length = encode(c, bytes);
        size_t expected = (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff ? 0 : length;
        if (utf8_char(bytes, length) != expected)
            fail_msg("U+%04X", (unsigned)c);
        if (length > 1 && utf8_char(bytes, length - 1) != 0)
            fail_msg("U+%04X cut", (unsigned)c);
    }
}

static void overlong_and_stray_bytes_are_refused(void **state)
{
    (void)state;
    assert_false(utf8_valid("\xc0\x80", 2));
    assert_false(utf8_valid("\xc1\xbf", 2));
    assert_false(utf8_valid("\xe0\x9f\xbf", 3));
    assert_false(utf8_valid("\xf0\x8f\xbf\xbf", 4));
    assert_false(utf8_valid("\x80", 1));
    assert_false(utf8_valid("a\xff", 2));
    assert_false(utf8_valid("\xe2\x82(", 3));
    assert_true(utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10));
    assert_true(utf8_valid("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_but_surrogates_passes),
        cmocka_unit_test(overlong_and_stray_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
