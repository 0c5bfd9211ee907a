/* limiter.h: counts attempts by key (an address and a name) in a table that cannot grow.
 *
 * A try is counted before it is made, so that many at once cannot slip through; one that succeeded is taken back.
 * When the table is full, the oldest row makes room. Any thread may call. */
#ifndef BACKEND_LIMITER_H
#define BACKEND_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limiter;
/* At most tries for a key within window_ms of its first one. NULL when memory is out. */
struct limiter *limiter_create(size_t rows, int tries, int64_t window_ms);
void limiter_free(struct limiter *limiter);

/* 0: go on (and it was counted); else how many ms to wait. */
int64_t limiter_take(struct limiter *limiter, const char *key, int64_t now_ms);
void limiter_give_back(struct limiter *limiter, const char *key); /* that try was a good one */
void limiter_forget(struct limiter *limiter, const char *key);    /* all tries of the key */

#endif
