/* notify_room.h: what notify.c and notify_plan.c share; nobody else includes it. */
#ifndef BACKEND_NOTIFY_ROOM_H
#define BACKEND_NOTIFY_ROOM_H

#include "backend/notify.h"
#include "backend/search.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LETTER_ID = 80 };

struct letter { /* a document of the outbox */
    char id[LETTER_ID], target[DOC_ID];
    int64_t next_ms;
    bool busy;
};

struct mailbox { /* a target and how it does */
    struct target target;
    struct search *search; /* NULL: everything */
    struct notify_figures figures;
    int64_t hold_ms;
    int fails;
    bool busy;
};

struct notify {
    struct notify_settings settings;
    char owner[33];
    struct watch *watch;
    pthread_mutex_t lock; /* guards what follows; held for a search or a copy, never over the store or a delivery */
    pthread_cond_t wake;
    bool stop;
    struct mailbox *boxes[NOTIFY_TARGETS];
    size_t box_count;
    int64_t generation;     /* of the targets, as the boxes have them */
    struct letter *letters; /* room for NOTIFY_TARGETS * NOTIFY_PENDING, grown when needed */
    size_t count, room;
    _Atomic bool leads; /* written by the planner */
    /* the planner's own */
    bool more;
    int64_t lease_version, lease_until_ms, cursor;
    pthread_t threads[1 + NOTIFY_SENDERS];
    size_t thread_count;
};

/* Keeps a letter in memory and wakes a sender. False: memory is out. */
bool notify_letter_add(struct notify *notify, const char *id, const char *target, int64_t next_ms);
cJSON *notify_letter_doc(const char *target, const char *threat_json, const char *threat_id, int tries,
                         int64_t next_ms, const char *error);
/* Moves the dead letters that somebody wants replayed back into the outbox (the leading backend alone). */
bool notify_replays(void *context, struct err *err);

#endif
