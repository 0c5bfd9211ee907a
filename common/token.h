/* token.h: random bytes and texts that nobody can guess.
 *
 * Random comes from libsodium. ULID: https://github.com/ulid/spec, Crockford's
 * base 32, 48 bits of milliseconds and 80 bits given by the caller. */
#ifndef COMMON_TOKEN_H
#define COMMON_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOKEN_ULID = 27, TOKEN_HASH = 65 };

bool token_setup(void); /* once in main; false when the library cannot start */
void token_random(void *out, size_t length);
void token_text(char *out, size_t size); /* fills out with size-1 characters of [A-Za-z0-9] */

void token_ulid(int64_t time_ms, const uint8_t rest[10], char out[TOKEN_ULID]);
bool token_is_ulid(const char *text);                                    /* as token_ulid writes them */
void token_hash(const void *bytes, size_t length, char out[TOKEN_HASH]); /* SHA-256, lower-case hex */
/* The same over many pieces. The struct is the caller's; its inside is the library's. */
struct token_hasher {
    _Alignas(16) unsigned char state[128];
};
void token_hasher_begin(struct token_hasher *hasher);
void token_hasher_add(struct token_hasher *hasher, const void *bytes, size_t length);
void token_hasher_end(struct token_hasher *hasher, char out[TOKEN_HASH]);
bool token_equal(const char *a, const char *b); /* constant time in the length of b */

#endif
