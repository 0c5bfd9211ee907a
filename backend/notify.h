/* notify.h: tells the world outside: new threats that fit a target's filter go to it, at least once.
 *
 *   planner   reads the store's events behind a cursor that lives in the store, holds each new threat against the
 *             targets' filters and writes one document of kind "outbox" a notice; then moves the cursor
 *   senders   try what is due; a failure is tried again after 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h, each a
 *             little more or less; after the tenth try it becomes a document of kind "dead", which a person can
 * replay
 *
 * Of several backends on one store, one holds a lease and does all of it. A target that does not answer holds up
 * itself alone, and may have NOTIFY_PENDING notices waiting; what is more is counted as dropped. */
#ifndef BACKEND_NOTIFY_H
#define BACKEND_NOTIFY_H

#include "backend/notify_target.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { NOTIFY_TARGETS = 50, NOTIFY_PENDING = 1000, NOTIFY_TRIES = 10, NOTIFY_SENDERS = 2 };

struct notify;
struct store;
struct watch;
struct seal;

struct notify_settings {
    struct store *store;
    const struct seal *seal; /* of the targets' secrets */
    bool all_addresses;      /* also targets on loopback, private and link-local addresses */
};

/* Begins with what is stored from now on (or where the cursor stands). */
struct notify *notify_create(const struct notify_settings *settings, struct watch *watch, struct err *err);
bool notify_start(struct notify *notify, struct err *err);
void notify_stop(struct notify *notify); /* waits for tries under way */
void notify_free(struct notify *notify); /* NULL is fine */

struct notify_figures {
    int64_t sent, failed, dropped, pending; /* of one target, by this backend */
    char last_error[200];
};
/* All targets together; the outbox is that of the store. */
void notify_totals(struct notify *notify, struct notify_figures *out);
bool notify_figures(struct notify *notify, const char *target, struct notify_figures *out);

/* Puts a dead letter back into the outbox, due now. ERR_NOT_FOUND. */
bool notify_replay(struct notify *notify, const char *id, struct err *err);
/* Sends a made-up threat to the target, once, now, on a thread of its own. */
bool notify_test(struct notify *notify, const struct target *target, struct err *err);

/* How long to wait after the n-th failed try (1..9), without the jitter; -1: never again. */
int64_t notify_pause_ms(int tries);

/* Before the first target is made: what comes from now on is told, whichever backend plans first. */
bool notify_begin(struct store *store, struct err *err);

/* One round of the planner, and one try of whatever is due at now_ms (false: nothing was); the threads call these. */
bool notify_plan(struct notify *notify, struct err *err);
struct http_client;
bool notify_try_one(struct notify *notify, struct http_client *client, int64_t now_ms);

#endif
