/* password.h: Argon2id (RFC 9106) by libsodium, a few at a time.
 *
 * Each hash takes 64 MiB and some 50 ms of a core for as long as it runs, so only PASSWORD_AT_ONCE run side by side
 * and only PASSWORD_WAITING may wait for them; the next is told to come back (ERR_UNAVAILABLE). */
#ifndef BACKEND_PASSWORD_H
#define BACKEND_PASSWORD_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PASSWORD_HASH = 128, PASSWORD_MIN = 8, PASSWORD_MAX = 256, PASSWORD_AT_ONCE = 2, PASSWORD_WAITING = 12 };

struct passwords;
struct passwords *passwords_create(void); /* NULL when memory is out */
void passwords_free(struct passwords *passwords);

bool passwords_hash(struct passwords *passwords, const char *text, char out[PASSWORD_HASH], struct err *err);
/* How often Argon2id ran for a login: the same for a name that exists and for one that does not. */
uint64_t passwords_runs(struct passwords *passwords);
/* hash NULL: there is no such user; takes the same time and does not fit. False: could not be tried. */
bool passwords_fit(struct passwords *passwords, const char *hash, const char *text, bool *fits, struct err *err);

#endif
