/* reverse.h: host names of addresses, asked of the system's name service in the background.
 *
 * A look into the table never waits: what is not known is noted, one thread asks, and the next look finds it. Answers
 * are kept for a day, silence for an hour, REVERSE_KEPT of them; the oldest go first. Addresses that are not public
 * are never asked for: who runs the name service would learn of them, and could answer anything. */
#ifndef BACKEND_REVERSE_H
#define BACKEND_REVERSE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REVERSE_NAME = 254, REVERSE_KEPT = 4096, REVERSE_WAITING = 256 };

struct reverse;

/* The asking itself: false when there is no name. Called on a thread of reverse.c, one at a time. */
typedef bool reverse_ask(void *context, const char *address, char *out, size_t size);
bool reverse_ask_system(void *context, const char *address, char *out, size_t size);

struct reverse *reverse_start(reverse_ask *ask, void *context, struct err *err);
void reverse_stop(struct reverse *reverse); /* waits for a question under way (some seconds at most); NULL is fine */

/* False: not known (yet). address is canonical text. */
bool reverse_find(struct reverse *reverse, const char *address, int64_t now_ms, char out[REVERSE_NAME]);

#endif
