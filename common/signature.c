/* signature.c: see signature.h. */
#include "common/signature.h"
#include "common/token.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MIN = 24, HASH = crypto_auth_hmacsha256_BYTES, LINE_BYTES = 512, NEW_KEY = 32 };

static const char prefix[] = "whsec_";
static const char name_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";

bool signature_key_from_text(const char *text, struct signature_key *key, struct err *err)
{
    struct signature_key read = {0};
    const char *base64;

    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return err_set(err, ERR_INVALID, "secret: expected whsec_ and base64");
    base64 = text + sizeof prefix - 1;
    if (sodium_base642bin(read.bytes, sizeof read.bytes, base64, strlen(base64), NULL, &read.length, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        read.length < KEY_MIN) {
        sodium_memzero(&read, sizeof read);
        return err_set(err, ERR_INVALID, "secret: expected whsec_ and base64 of 24 to 64 bytes");
    }
    *key = read;
    sodium_memzero(&read, sizeof read);
    return true;
}

/* "name whsec_..." or "whsec_..."; *key untouched unless it is true. Blank lines and comments: *skip. */
static bool read_line(char *line, struct signature_key *key, bool *skip, struct err *err)
{
    struct signature_key read = {0};
    char *first = line + strspn(line, " \t\r\n"), *second;

    *skip = *first == '\0' || *first == '#';
    if (*skip)
        return true;
    second = first + strcspn(first, " \t\r\n");
    if (*second != '\0')
        *second++ = '\0';
    second += strspn(second, " \t\r\n");
    second[strcspn(second, " \t\r\n#")] = '\0';
    if (*second == '\0') {
        second = first;
        first = NULL;
    } else if (strlen(first) >= sizeof read.sensor || strspn(first, name_letters) != strlen(first)) {
        return err_set(err, ERR_INVALID, "name: expected 1 to 64 of A-Z a-z 0-9 . _ : -");
    }
    if (!signature_key_from_text(second, &read, err))
        return false;
    if (first != NULL)
        memcpy(read.sensor, first, strlen(first) + 1);
    *key = read;
    return true;
}

bool signature_read_keys(const char *path, struct signature_key *keys, size_t max, size_t *count, struct err *err)
{
    FILE *file = fopen(path, "re");
    char line[LINE_BYTES];
    size_t found = 0, number = 0;
    bool ok = false;

    if (file == NULL)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, "%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file) != NULL) {
        struct signature_key key;
        bool skip = false;

        number++;
        if (strlen(line) == sizeof line - 1) {
            err_set(err, ERR_INVALID, "%s: line %zu is too long", path, number);
            goto done;
        }
        if (!read_line(line, &key, &skip, err)) {
            err_prefix(err, "%s: line %zu", path, number);
            goto done;
        }
        if (skip)
            continue;
        if (found == max) {
            err_set(err, ERR_INVALID, "%s: expected at most %zu secrets", path, max);
            goto done;
        }
        keys[found++] = key;
    }
    if (ferror(file)) {
        err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
        goto done;
    }
    if (found == 0) {
        err_set(err, ERR_INVALID, "%s: no secret in it", path);
        goto done;
    }
    *count = found;
    ok = true;
done:
    sodium_memzero(line, sizeof line);
    fclose(file);
    return ok;
}

void signature_new_secret(char out[SIGNATURE_SECRET])
{
    uint8_t bytes[NEW_KEY];

    token_random(bytes, sizeof bytes);
    memcpy(out, prefix, sizeof prefix);
    sodium_bin2base64(out + sizeof prefix - 1, SIGNATURE_SECRET - (sizeof prefix - 1), bytes, sizeof bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(bytes, sizeof bytes);
}

static void hash(const struct signature_key *key, const char *id, const char *timestamp, const void *body,
                 size_t length, uint8_t out[HASH])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key->bytes, key->length);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)id, strlen(id));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)timestamp, strlen(timestamp));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
    crypto_auth_hmacsha256_update(&state, body, length);
    crypto_auth_hmacsha256_final(&state, out);
}

void signature_make(const struct signature_key *key, const char *id, int64_t timestamp_s, const void *body,
                    size_t length, char out[SIGNATURE_TEXT])
{
    uint8_t bytes[HASH];
    char timestamp[24];

    snprintf(timestamp, sizeof timestamp, "%lld", (long long)timestamp_s);
    hash(key, id, timestamp, body, length, bytes);
    memcpy(out, "v1,", 3);
    sodium_bin2base64(out + 3, SIGNATURE_TEXT - 3, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
}

/* Digits only, as many as cannot wrap. */
static bool read_timestamp(const char *text, int64_t *seconds)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 12 || text[digits] != '\0')
        return false;
    *seconds = strtoll(text, NULL, 10);
    return true;
}

/* True when one of the blank-separated "v1,BASE64" of header is this hash; other versions are passed over. */
static bool header_has(const char *header, const uint8_t expected[HASH])
{
    bool found = false;

    while (*header != '\0') {
        size_t length;
        uint8_t given[HASH];
        size_t given_length = 0;

        header += strspn(header, " ");
        length = strcspn(header, " ");
        if (length > 3 && memcmp(header, "v1,", 3) == 0 &&
            sodium_base642bin(given, sizeof given, header + 3, length - 3, NULL, &given_length, NULL,
                              sodium_base64_VARIANT_ORIGINAL) == 0 &&
            given_length == HASH)
            found |= sodium_memcmp(given, expected, HASH) == 0;
        header += length;
    }
    return found;
}

bool signature_check(const struct signature_key *keys, size_t count, const char *header, const char *id,
                     const char *timestamp, int64_t now_s, const void *body, size_t length,
                     const struct signature_key **who, struct err *err)
{
    int64_t seconds;

    if (header == NULL || id == NULL || timestamp == NULL)
        return err_set(err, ERR_DENIED, "expected the headers webhook-id, webhook-timestamp and webhook-signature");
    if (!read_timestamp(timestamp, &seconds))
        return err_set(err, ERR_DENIED, "webhook-timestamp: expected seconds since 1970");
    if (seconds < now_s - SIGNATURE_TOLERANCE_S || seconds > now_s + SIGNATURE_TOLERANCE_S)
        return err_set(err, ERR_DENIED, "webhook-timestamp: more than 5 minutes away from this clock");
    for (size_t i = 0; i < count; i++) {
        uint8_t expected[HASH];

        hash(&keys[i], id, timestamp, body, length, expected);
        if (header_has(header, expected)) {
            if (who != NULL)
                *who = &keys[i];
            return true;
        }
    }
    return err_set(err, ERR_DENIED, "webhook-signature: fits none of the secrets");
}
