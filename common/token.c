/* token.c: see token.h. */
#include "common/token.h"

#include <sodium.h>
#include <string.h>

bool token_setup(void)
{
    return sodium_init() >= 0;
}

void token_random(void *out, size_t length)
{
    randombytes_buf(out, length);
}

void token_text(char *out, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    if (size == 0)
        return;
    for (size_t i = 0; i + 1 < size; i++)
        out[i] = letters[randombytes_uniform(sizeof letters - 1)];
    out[size - 1] = '\0';
}

static const char ulid_letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void token_ulid(int64_t time_ms, const uint8_t rest[10], char out[TOKEN_ULID])
{
    uint64_t time = (uint64_t)time_ms & 0xffffffffffffu;

    for (int i = 9; i >= 0; i--) {
        out[i] = ulid_letters[time & 31];
        time >>= 5;
    }
    for (int half = 0; half < 2; half++) { /* 5 bytes are 8 letters */
        const uint8_t *p = rest + half * 5;
        uint64_t bits =
            (uint64_t)p[0] << 32 | (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
        for (int i = 7; i >= 0; i--) {
            out[10 + half * 8 + i] = ulid_letters[bits & 31];
            bits >>= 5;
        }
    }
    out[TOKEN_ULID - 1] = '\0';
}

bool token_is_ulid(const char *text)
{
    return strlen(text) == TOKEN_ULID - 1 && strspn(text, ulid_letters) == TOKEN_ULID - 1;
}

void token_hash(const void *bytes, size_t length, char out[TOKEN_HASH])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, bytes, length);
    sodium_bin2hex(out, TOKEN_HASH, hash, sizeof hash);
}

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct token_hasher), "room for the library's state");

void token_hasher_begin(struct token_hasher *hasher)
{
    crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)hasher->state);
}

void token_hasher_add(struct token_hasher *hasher, const void *bytes, size_t length)
{
    crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)hasher->state, bytes, length);
}

void token_hasher_end(struct token_hasher *hasher, char out[TOKEN_HASH])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)hasher->state, hash);
    sodium_bin2hex(out, TOKEN_HASH, hash, sizeof hash);
}

bool token_equal(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    volatile unsigned char differ = la != lb;

    for (size_t i = 0; i < lb; i++)
        differ |= (unsigned char)(a[i < la ? i : la] ^ b[i]);
    return differ == 0;
}
