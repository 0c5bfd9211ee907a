/* seal.h: keeps the secrets of others (a mailbox's password, a webhook's secret) closed in the store: libsodium's
 * secretbox with a key that lies in a file of its own, so that a copy of the store alone opens nothing.
 *
 * A sealed text is "sealed:" and base64 of nonce and box. Any thread may call. */
#ifndef BACKEND_SEAL_H
#define BACKEND_SEAL_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { SEAL_TEXT = 512, SEAL_PLAIN = 256 /* the longest text that can be sealed */ };

struct seal;

/* Reads the key of path. Where there is no file it is made, 0600; of several that make it at once, one wins and all
 * read that one. */
struct seal *seal_open(const char *path, struct err *err);
void seal_close(struct seal *seal); /* NULL is fine */

/* "" stays "". False: text is longer than SEAL_PLAIN. */
bool seal_close_text(const struct seal *seal, const char *text, char out[SEAL_TEXT]);
/* What is not sealed (an older program wrote it) is given as it is and *plain set. False: another key closed it. */
bool seal_open_text(const struct seal *seal, const char *text, char *out, size_t size, bool *plain);

#endif
