/* store.h: where everything is kept. One interface, two stores (SQLite, MongoDB) that pass the same
 * conformance tests.
 *
 * Two kinds of things: threats, with the queries that the API offers, and small documents (users, sessions, keys,
 * suppressions, audit, ...), which are JSON under (kind, id) with a version. Every write that returned true is
 * durable (SQLite: WAL, synchronous=FULL; MongoDB: w majority, j true). Every function may be called from any thread
 * and waits at most a few seconds; ERR_UNAVAILABLE means: answer 503, try again later. JSON texts given
 * out are the caller's to free. */
#ifndef BACKEND_STORE_H
#define BACKEND_STORE_H

#include "backend/search.h"
#include "common/err.h"
#include "common/threat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store *store_open_sqlite(const char *path, struct err *err);
struct store *store_open_mongo(const char *uri, struct err *err);
bool store_check_mongo(const char *uri, struct err *err); /* can it be one? Connects to nothing */
void store_close(struct store *store);

const char *store_kind(const struct store *store); /* "sqlite" or "mongodb" */
const char *store_name(const struct store *store); /* random name made with the database; first half of stream ids */
bool store_ping(struct store *store, struct err *err); /* answers quickly whether it can be written */
bool store_takes_records(const struct store *store);   /* makes use of store_item.record */
bool store_shared(const struct store *store);          /* several backends may use it (MongoDB with change streams) */

/* --- threats --- */

struct triage {        /* as stored with each threat */
    char status[16];   /* "new", "acknowledged", "escalated", "closed" */
    char verdict[16];  /* "true_positive", "false_positive" or "" */
    char assignee[65]; /* user name or "" */
    int64_t version;   /* raised by every change; the API's ETag */
};

enum store_result {
    STORE_STORED,    /* a new threat */
    STORE_UPDATED,   /* a higher revision of a known one */
    STORE_DUPLICATE, /* known id and revision (or older): nothing changed */
    STORE_DIFFERENT, /* the same, but the body differs: nothing changed, counted */
    STORE_REFUSED    /* err text in message */
};

struct store_record;

struct store_item {
    const struct threat *threat;       /* in */
    const struct store_record *record; /* in: store_record_of it, made beforehand, or NULL */
    const char *address;               /* in: who sent it (ipAddress) */
    const char *user_agent;            /* in */
    const char *source;                /* in: the sensor, or "webhook" */
    const char *suppressed_by;         /* in: suppression id or NULL */
    int64_t received_ms;               /* in */
    enum store_result result;          /* out */
    int64_t seq;                       /* out: of the event (STORED, UPDATED), else 0 */
    char *json;        /* out: the stored threat as given out (STORED, UPDATED), freed by the caller */
    char message[160]; /* out: REFUSED */
};

/* All items in one durable transaction; results per item. The same id may occur twice in a batch. False: nothing was
 * stored. */
bool store_insert(struct store *store, struct store_item *items, size_t count, struct err *err);

/* What the API gives out for one threat: the record with "seq", "receivedAt", "triage" {status, verdict, assignee,
 * version, history[]} and, where set, "suppressedBy". */
bool store_threat(struct store *store, const char *id, char **json, int64_t *seq, struct triage *triage,
                  struct err *err);

struct store_query {
    const struct search *search; /* NULL: all */
    bool with_suppressed;        /* else suppressed ones are left out */
    int64_t before_seq;          /* > 0: only seq below it (cursor of newest-first) */
    bool oldest_first;           /* then before_seq means: only seq above it */
    size_t limit, offset;
};
/* Calls each with the threat's JSON (borrowed) in order of arrival, newest first; false from each ends it. *total:
 * how many fit in all, or -1 when counting would be dear; NULL: not wanted. */
bool store_find(struct store *store, const struct store_query *query,
                bool (*each)(void *context, int64_t seq, const char *json), void *context, int64_t *total,
                struct err *err);

struct store_span {
    int64_t from_us, to_us, bucket_us;
}; /* of timestamp; 0: open end; bucket 0: chosen */
/* The object "statistics" of the contract without models and monitoring; the caller frees. */
bool store_statistics(struct store *store, const struct store_span *span, char **json, struct err *err);

/* Durable events after seq, oldest first: for replay. A threat appears once, in its newest state, under its newest
 * event. */
enum store_event { EVENT_THREAT_DETECTED, EVENT_THREAT_UPDATED, EVENT_MONITORING };
bool store_events(struct store *store, int64_t after_seq, size_t limit,
                  bool (*each)(void *context, int64_t seq, enum store_event event, const char *json), void *context,
                  struct err *err);
bool store_last_seq(struct store *store, int64_t *seq, struct err *err);
bool store_first_seq(struct store *store, int64_t *seq,
                     struct err *err); /* oldest event that replay can still give */
bool store_add_monitoring(struct store *store, const char *json, int64_t *seq, struct err *err);

struct store_change {
    const char *status, *verdict, *assignee; /* NULL: as it is; verdict "" clears, assignee "" clears */
    const char *comment;                     /* NULL: none */
    const char *actor;                       /* who does it; for history */
    int64_t version;                         /* expected version, -1: any */
    int64_t now_ms;
};
/* Changes one; ERR_NOT_FOUND, ERR_CONFLICT (lost race). Raises version, appends to triage.history, makes a
 * threat_updated event: *seq and *json (freed by the caller). */
bool store_triage(struct store *store, const char *id, const struct store_change *change, int64_t *seq, char **json,
                  struct err *err);

/* Removes threats that fit (all: NULL, 0, false, SIZE_MAX); escalated or commented ones stay when keep_marked. Calls
 * each with every removed id, from within: it must not call the store. */
bool store_remove(struct store *store, const struct search *search, int64_t received_before_ms, bool keep_marked,
                  size_t limit, void (*each)(void *context, const char *id), void *context, int64_t *count,
                  struct err *err);

bool store_put_evidence(struct store *store, const char *threat_id, const void *bytes, size_t length,
                        struct err *err);
bool store_get_evidence(struct store *store, const char *threat_id, void **bytes, size_t *length, struct err *err);

/* --- small documents --- */

/* kind: "user", "session", "key", "suppression", "block", "target", "audit", "outbox", "upload", "asset", "search",
 * "meta", ... name: an optional second key, unique within the kind (user name, key hash); NULL: none. expires_ms: 0
 * never; an expired document may vanish at any time and is never given out. */
bool store_doc_put(struct store *store, const char *kind, const char *id, const char *name, const char *json,
                   int64_t expires_ms, int64_t expected_version, int64_t *version, struct err *err);
/* expected_version: 0 = must not exist yet (ERR_CONFLICT otherwise, also when name is taken), -1 = whatever, n =
 * exactly n. */
bool store_doc_get(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                   struct err *err);
bool store_doc_by_name(struct store *store, const char *kind, const char *name, char **id, char **json,
                       int64_t *version, struct err *err);
bool store_doc_remove(struct store *store, const char *kind, const char *id, struct err *err); /* ERR_NOT_FOUND */
/* In order of id (descending when newest_first), ids after/before *from when it is not NULL. */
bool store_doc_list(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                    bool (*each)(void *context, const char *id, int64_t version, const char *json), void *context,
                    struct err *err);
/* Raised by every write to kind, on every backend: caches compare it. */
bool store_doc_generation(struct store *store, const char *kind, int64_t *generation, struct err *err);

/* --- many backends --- */

/* Follows what all backends write, this one as well: each is called in sequence order, from a thread of the store's
 * own, for every event after after_seq. Only when store_shared; then events are published from here alone, since one
 * of another backend may come before an own one. Stops at store_close. */
bool store_follow(struct store *store, int64_t after_seq,
                  void (*each)(void *context, int64_t seq, enum store_event event, const char *json), void *context,
                  struct err *err);

/* --- upkeep --- */

/* How much it holds (what was freed inside of it not counted), and how large the disk is that it lies on (0: not
 * known). */
bool store_size(struct store *store, int64_t *bytes, int64_t *disk, struct err *err);

/* A whole copy of the running store into a new file, while it goes on working. SQLite only: MongoDB has mongodump
 * (ERR_DENIED says so). */
bool store_backup(struct store *store, const char *path, struct err *err);

#endif
