/* signature.h: Standard Webhooks 1.0.0 (standard-webhooks spec, symmetric "v1").
 *
 * Signed text: "id.timestamp.body"; HMAC-SHA256 with the decoded secret; header
 * values "v1,BASE64", blank-separated for rotation. A secret is "whsec_" + base64 of
 * 24 to 64 bytes. Timestamps are Unix seconds; 300 s of difference are allowed. */
#ifndef COMMON_SIGNATURE_H
#define COMMON_SIGNATURE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_KEY_MAX = 64, SIGNATURE_TEXT = 64, SIGNATURE_SECRET = 128, SIGNATURE_TOLERANCE_S = 300 };

struct signature_key {
    uint8_t bytes[SIGNATURE_KEY_MAX];
    size_t length;
    char sensor[65]; /* who may sign with it; "" for anybody */
};

/* Secrets file: one line a key, "name whsec_..." or "whsec_..." alone, "#" comments. Fills keys[0..*count). */
bool signature_read_keys(const char *path, struct signature_key *keys, size_t max, size_t *count, struct err *err);
bool signature_key_from_text(const char *text, struct signature_key *key, struct err *err);
void signature_new_secret(char out[SIGNATURE_SECRET]); /* "whsec_..." of 32 random bytes */

/* "v1,..." for the header webhook-signature. */
void signature_make(const struct signature_key *key, const char *id, int64_t timestamp_s, const void *body,
                    size_t length, char out[SIGNATURE_TEXT]);

/* True when one of the signatures in header fits one of the keys and the timestamp is within the
 * tolerance of now_s; *who then points to that key. */
bool signature_check(const struct signature_key *keys, size_t count, const char *header, const char *id,
                     const char *timestamp, int64_t now_s, const void *body, size_t length,
                     const struct signature_key **who, struct err *err);

#endif
