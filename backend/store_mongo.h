/* store_mongo.h: what the files of the MongoDB store share; nobody else includes it.
 *
 * A client is popped from the pool for one call. On a replica set every change is one transaction, in which the
 * sequence is taken by $inc, so that commit order is sequence order over all backends; a lost race is tried again. A
 * standalone server has no transactions: then only one backend may use it, changes are ordered by write_lock
 * alone, and one that was cut short is taken back (store_mongo_intent.c). */
#ifndef BACKEND_STORE_MONGO_H
#define BACKEND_STORE_MONGO_H

#include "backend/securitylog.h"
#include "backend/store_ops.h"
#include "backend/store_record.h"
#include "backend/store_rollup.h"

#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>

struct mongo_follower;

enum { MONGO_SOCKET_MS = 5000 };

struct mongo_store {
    struct store base;
    mongoc_client_pool_t *pool;
    char *database;
    bool transactions;
    /* write_lock keeps this backend's own transactions from racing each other; held over one call. It guards rollup,
     * the intent and the writer. */
    pthread_mutex_t write_lock;
    struct rollup *rollup;
    /* The session of all transactions and its client, and when it was written down; NULL: to be made. */
    mongoc_client_t *writer;
    mongoc_client_session_t *writer_session;
    int64_t registered_ms;
    /* Without transactions: the latest intent's number, and whether it is not known to be closed. */
    int64_t intent_number, taken_seq;
    bool intent_open;
    _Atomic int64_t committed_seq; /* without transactions: no reader may see further */
    struct mongo_follower *follower;
};

#define MONGO_STORE(store) ((struct mongo_store *)(void *)(store))

/* One call's client with what it needs; mongo_leave gives it back. */
struct mongo_call {
    struct mongo_store *store;
    mongoc_client_t *client;
    mongoc_client_session_t *session; /* within a transaction, else NULL */
    bool met_known;                   /* a try that failed for a threat that is known: the next one looks first */
};

bool mongo_enter(struct mongo_store *store, struct mongo_call *call, struct err *err);
void mongo_leave(struct mongo_call *call);
mongoc_collection_t *mongo_collection(struct mongo_call *call, const char *name); /* destroyed by the caller */

/* False with err from what the driver says: ERR_UNAVAILABLE unless it is a duplicate key (ERR_CONFLICT). */
bool mongo_failed(const bson_error_t *error, const char *what, struct err *err);
/* options with the call's session appended; the caller destroys it. */
void mongo_options(struct mongo_call *call, bson_t *options);

/* Runs work in a transaction and again when it lost a race; work may run several times and must begin anew each
 * time. On false with *again set it is tried again. */
typedef bool mongo_work(struct mongo_call *call, void *context, bool *again, struct err *err);
bool mongo_transaction(struct mongo_store *store, mongo_work *work, void *context, struct err *err);
/* Sets *again when the error is one that a new attempt may heal. */
bool mongo_work_failed(const bson_error_t *error, const bson_t *reply, const char *what, bool *again,
                       struct err *err);

/* counters: raises the one of that name by count; *last is its new value. */
bool mongo_count_up(struct mongo_call *call, const char *name, int64_t count, int64_t *last, bool *again,
                    struct err *err);
bool mongo_read_counter(struct mongo_call *call, const char *name, int64_t *value, struct err *err);
bool mongo_update(struct mongo_call *call, const char *collection, const bson_t *which, const bson_t *change,
                  bool upsert, bool *again, struct err *err);

/* store_mongo_index.c: those that are missing; drops those of earlier versions that are not used any more. */
bool mongo_make_indexes(struct mongo_call *call, struct err *err);

/* store_mongo_writer.c, under write_lock: gives the call the client and the session of this backend's transactions.
 */
bool mongo_writer(struct mongo_call *call, struct err *err);
void mongo_writer_drop(struct mongo_store *store);
void mongo_end_others(struct mongo_store *store); /* what dead backends left open */

/* store_mongo_intent.c, without transactions; within one the first two do nothing. first_seq .. last_seq: numbers of
 * new threats; ids: known threats that will be altered or removed. */
struct mongo_intent {
    int64_t first_seq, last_seq;
    const char *const *ids;
    size_t count;
};
bool mongo_intend(struct mongo_call *call, const struct mongo_intent *intent, struct err *err);
bool mongo_intend_counts(struct mongo_call *call, const bson_t *plan, struct err *err);
bool mongo_intent_close(struct mongo_call *call, struct err *err);
bool mongo_intent_undo(struct mongo_call *call, struct err *err); /* nothing to undo is fine */

/* store_mongo_rollup.c: what store->rollup holds, within the call's transaction. */
bool mongo_rollup_flush(struct mongo_call *call, bool *again, struct err *err);
/* Takes out again what a plan of mongo_intend_counts added, from the buckets that it reached. */
bool mongo_rollup_take_back(struct mongo_call *call, const bson_t *plan, int64_t mark, struct err *err);
bool mongo_rollup_read(void *call, enum rollup_span span, enum rollup_dimension dimension, int64_t from, int64_t to,
                       rollup_visit *visit, void *context, struct err *err);

/* store_mongo_search.c: the search as a filter. False: memory is out. */
bool mongo_filter(bson_t *filter, const struct search *search);

/* store_mongo_threats.c */
bool mongo_insert(struct store *store, struct store_item *items, size_t count, struct err *err);
bool mongo_triage(struct store *store, const char *id, const struct store_change *change, int64_t *seq, char **json,
                  struct err *err);
bool mongo_add_monitoring(struct store *store, const char *json, int64_t *seq, struct err *err);
/* store_mongo_remove.c */
bool mongo_remove(struct store *store, const struct store_removal *removal, store_each_id *each, void *context,
                  int64_t *count, struct err *err);
bool mongo_put_evidence(struct store *store, const char *id, const void *bytes, size_t length, struct err *err);
bool mongo_get_evidence(struct store *store, const char *id, void **bytes, size_t *length, struct err *err);
struct rollup_fact mongo_fact(const struct securitylog *log);
bool mongo_find_one(struct mongo_call *call, const char *id, const bson_t **document, mongoc_cursor_t **cursor,
                    bool *again, struct err *err);

/* store_mongo_query.c */
bool mongo_threat(struct store *store, const char *id, char **json, int64_t *seq, struct triage *triage,
                  struct err *err);
bool mongo_find(struct store *store, const struct store_query *query, store_each_threat *each, void *context,
                int64_t *total, struct err *err);
bool mongo_statistics(struct store *store, const struct store_span *span, char **json, struct err *err);
bool mongo_events(struct store *store, int64_t after_seq, size_t limit, store_each_event *each, void *context,
                  struct err *err);
bool mongo_last_seq(struct store *store, int64_t *seq, struct err *err);
bool mongo_first_seq(struct store *store, int64_t *seq, struct err *err);

/* store_mongo_docs.c */
bool mongo_doc_put(struct store *store, const struct store_doc *doc, int64_t *version, struct err *err);
bool mongo_doc_get(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                   struct err *err);
bool mongo_doc_by_name(struct store *store, const char *kind, const char *name, char **id, char **json,
                       int64_t *version, struct err *err);
bool mongo_doc_remove(struct store *store, const char *kind, const char *id, struct err *err);
bool mongo_doc_list(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                    store_each_doc *each, void *context, struct err *err);
bool mongo_doc_generation(struct store *store, const char *kind, int64_t *generation, struct err *err);

/* store_mongo_follow.c */
bool mongo_follow(struct store *store, int64_t after_seq, store_follower *each, void *context, struct err *err);
void mongo_follow_stop(struct mongo_store *store);

#endif
