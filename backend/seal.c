/* seal.c: see seal.h. */
#include "backend/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "sealed:"
enum {
    MARK_LENGTH = sizeof MARK - 1,
    HEAD = crypto_secretbox_NONCEBYTES,
    BOX_MAX = HEAD + crypto_secretbox_MACBYTES + SEAL_PLAIN,
    KEY_HEX = 2 * crypto_secretbox_KEYBYTES
};

_Static_assert(MARK_LENGTH + sodium_base64_ENCODED_LEN(BOX_MAX, sodium_base64_VARIANT_ORIGINAL) <= SEAL_TEXT,
               "room for the longest");

struct seal {
    unsigned char key[crypto_secretbox_KEYBYTES];
};

/* Written beside it and linked into place: nobody ever reads half a key, and the first to link wins. */
static bool make_key(const char *path, struct err *err)
{
    unsigned char key[crypto_secretbox_KEYBYTES];
    char hex[KEY_HEX + 2], name[1200];
    int fd;
    bool ok;

    if (snprintf(name, sizeof name, "%s.XXXXXX", path) >= (int)sizeof name)
        return err_set(err, ERR_INVALID, "%.200s: the name is too long", path);
    fd = mkostemp(name, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", name, strerror(errno));
    crypto_secretbox_keygen(key);
    sodium_bin2hex(hex, sizeof hex, key, sizeof key);
    hex[KEY_HEX] = '\n';
    ok = write(fd, hex, KEY_HEX + 1) == KEY_HEX + 1 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    ok = ok && (link(name, path) == 0 || errno == EEXIST);
    if (!ok)
        err_set(err, ERR_SYSTEM, "%s: cannot be made: %s", path, strerror(errno));
    unlink(name);
    sodium_memzero(key, sizeof key);
    sodium_memzero(hex, sizeof hex);
    return ok;
}

/* False with *missing: there is no such file. */
static bool read_key(const char *path, struct seal *seal, bool *missing, struct err *err)
{
    char hex[KEY_HEX + 2] = "";
    struct stat info;
    size_t length = 0;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;

    *missing = fd < 0 && errno == ENOENT;
    if (fd < 0 || fstat(fd, &info) != 0) {
        err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (info.st_mode & 077) {
        close(fd);
        return err_set(err, ERR_DENIED, "%s: others may read it; expected mode 0600", path);
    }
    got = read(fd, hex, sizeof hex - 1);
    close(fd);
    hex[got > 0 ? got : 0] = '\0';
    hex[strcspn(hex, "\r\n")] = '\0';
    ok = sodium_hex2bin(seal->key, sizeof seal->key, hex, strlen(hex), NULL, &length, NULL) == 0 &&
         length == sizeof seal->key;
    sodium_memzero(hex, sizeof hex);
    return ok || err_set(err, ERR_INVALID, "%s: expected %d hex digits", path, KEY_HEX);
}

struct seal *seal_open(const char *path, struct err *err)
{
    struct seal *seal = sodium_init() >= 0 ? calloc(1, sizeof *seal) : NULL;
    bool missing = false;

    if (seal == NULL) {
        err_set(err, ERR_MEMORY, "seal: out of memory");
        return NULL;
    }
    if (read_key(path, seal, &missing, err) ||
        (missing && make_key(path, err) && read_key(path, seal, &missing, err)))
        return seal;
    seal_close(seal);
    return NULL;
}

void seal_close(struct seal *seal)
{
    if (seal == NULL)
        return;
    sodium_memzero(seal, sizeof *seal);
    free(seal);
}

bool seal_close_text(const struct seal *seal, const char *text, char out[SEAL_TEXT])
{
    unsigned char box[BOX_MAX];
    size_t length = strlen(text);

    out[0] = '\0';
    if (length == 0)
        return true;
    if (length > SEAL_PLAIN)
        return false;
    randombytes_buf(box, HEAD);
    crypto_secretbox_easy(box + HEAD, (const unsigned char *)text, length, box, seal->key);
    memcpy(out, MARK, MARK_LENGTH + 1);
    sodium_bin2base64(out + MARK_LENGTH, SEAL_TEXT - MARK_LENGTH, box, HEAD + crypto_secretbox_MACBYTES + length,
                      sodium_base64_VARIANT_ORIGINAL);
    return true;
}

bool seal_open_text(const struct seal *seal, const char *text, char *out, size_t size, bool *plain)
{
    unsigned char box[BOX_MAX];
    size_t length = 0;

    if (strncmp(text, MARK, MARK_LENGTH) != 0) {
        *plain = *plain || text[0] != '\0';
        return snprintf(out, size, "%s", text) < (int)size;
    }
    out[0] = '\0';
    text += MARK_LENGTH;
    if (sodium_base642bin(box, sizeof box, text, strlen(text), NULL, &length, NULL, sodium_base64_VARIANT_ORIGINAL) !=
            0 ||
        length <= HEAD + crypto_secretbox_MACBYTES)
        return false;
    length -= HEAD + crypto_secretbox_MACBYTES;
    if (length >= size || crypto_secretbox_open_easy((unsigned char *)out, box + HEAD,
                                                     length + crypto_secretbox_MACBYTES, box, seal->key) != 0) {
        out[0] = '\0';
        return false;
    }
    out[length] = '\0';
    return true;
}
