/* committer.h: group commit (invariants 3 and 4 of ARCHITECTURE.md).
 *
 * Requests hand in what they received; it is answered when it is durable. One thread takes all that waits, up to
 * max_batch items, writes it with one store_insert, tells stored of each new or updated threat in sequence order, and
 * only then tells the submitters. There is no pause on purpose: a batch is what came in during the commit before it.
 * While the store is away everything is refused at once (ERR_UNAVAILABLE) and the store is asked once a second. */
#ifndef BACKEND_COMMITTER_H
#define BACKEND_COMMITTER_H

#include "backend/store.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct committer;

struct committer_settings {
    size_t max_batch;   /* items in one commit; 0: 1000 */
    size_t max_waiting; /* items that may wait; more are refused; 0: 20000 */
    /* Called from the committer's thread for each STORED or UPDATED item, after its commit, before its submitter
     * wakes. Must not wait. NULL: nobody. */
    void (*stored)(void *context, const struct store_item *item);
    void *context;
};

struct committer_figures {
    int64_t batches, items;  /* committed */
    int64_t failed, refused; /* commits that failed; items refused because too much waited or the store is away */
    int64_t stored, updated, duplicate, different, invalid;
    int64_t commit_us, commit_us_max; /* sum and maximum over the batches */
    int64_t waiting;                  /* items now */
    bool away;                        /* the store did not answer last time */
};

/* The store must outlive it. */
struct committer *committer_start(struct store *store, const struct committer_settings *settings, struct err *err);

/* What one submitter hands in. It and its items stay where they are until done is called. */
struct committer_order {
    struct store_item *items;
    size_t count;
    /* From the committer's thread, when the items are durable and their results filled, or, with err, are not. Must
     * not wait; the order is the caller's again. */
    void (*done)(void *context, const struct err *err);
    void *context;
    /* the committer's own */
    struct committer_order *next;
    size_t taken, settled; /* items in the batch being written or before; items with an answer */
    bool failed;
    struct err err;
};

/* False, with err: it is refused, and done is not called. At least one item. Any thread. */
bool committer_order(struct committer *committer, struct committer_order *order, struct err *err);

/* Waits until the items are durable and their results are filled; any thread. The items stay the caller's
 * (items[i].json too). At most max_batch items: more are cut into several commits, and on false the first ones may be
 * stored (results tell: a repeated item is a duplicate). */
bool committer_submit(struct committer *committer, struct store_item *items, size_t count, struct err *err);

void committer_read(struct committer *committer, struct committer_figures *figures);

/* Refuses new items, commits what waits, ends the thread. After it nobody may submit. NULL is fine. */
void committer_stop(struct committer *committer);

#endif
