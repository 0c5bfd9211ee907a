#include "common/token.h"
#include "tests/unit/check.h"

#include <ctype.h>
#include <string.h>

static int setup(void **state)
{
    (void)state;
    return token_setup() ? 0 : -1;
}

static void a_ulid_sorts_by_its_time_and_keeps_its_bits(void **state)
{
    static const uint8_t zeros[10], ones[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t count[10] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 31};
    char a[TOKEN_ULID], b[TOKEN_ULID];

    (void)state;
    token_ulid(INT64_C(1469918176385), zeros, a); /* the specification's example time */
    assert_string_equal(a, "01ARYZ6S410000000000000000");
    token_ulid(INT64_C(281474976710655), ones, a);
    assert_string_equal(a, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    token_ulid(0, count, a);
    assert_string_equal(a, "0000000000000000010000000Z");
    assert_true(token_is_ulid(a));
    assert_false(token_is_ulid("000000000000000001000000Z"));
    assert_false(token_is_ulid("0000000000000000010000000I"));
    token_ulid(1000, ones, a);
    token_ulid(1001, zeros, b);
    assert_true(strcmp(a, b) < 0);
}

static void a_text_has_the_length_asked_for_and_only_letters_and_digits(void **state)
{
    char out[41] = "", other[41] = "", one[1] = {'x'};

    (void)state;
    token_text(out, sizeof out);
    token_text(other, sizeof other);
    assert_int_equal(strlen(out), 40);
    for (size_t i = 0; i < 40; i++)
        assert_true(isalnum((unsigned char)out[i]));
    assert_string_not_equal(out, other);
    token_text(one, 1);
    assert_int_equal(one[0], '\0');
    token_text(NULL, 0);
}

static void a_hash_is_sha_256_in_hex(void **state)
{
    char out[TOKEN_HASH];

    (void)state;
    token_hash("abc", 3, out);
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    token_hash("", 0, out);
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void only_equal_texts_are_equal(void **state)
{
    (void)state;
    assert_true(token_equal("", ""));
    assert_true(token_equal("secret", "secret"));
    assert_false(token_equal("secret", "secreT"));
    assert_false(token_equal("secret", "secret1"));
    assert_false(token_equal("secret1", "secret"));
    assert_false(token_equal("", "secret"));
    assert_false(token_equal("secret", ""));
}

static void random_bytes_differ(void **state)
{
    uint8_t a[16] = {0}, b[16] = {0};

    (void)state;
    token_random(a, sizeof a);
    token_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ulid_sorts_by_its_time_and_keeps_its_bits),
        cmocka_unit_test(a_text_has_the_length_asked_for_and_only_letters_and_digits),
        cmocka_unit_test(a_hash_is_sha_256_in_hex),
        cmocka_unit_test(only_equal_texts_are_equal),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
