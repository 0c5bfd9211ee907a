/* store_ops.h: what a store has to be able to do, for the stores alone (store.h is for everybody else).
 *
 * Each store begins with a struct store and fills the table; the comments of store.h are the contract of every row.
 */
#ifndef BACKEND_STORE_OPS_H
#define BACKEND_STORE_OPS_H

#include "backend/store.h"

typedef bool store_each_threat(void *context, int64_t seq, const char *json);
typedef bool store_each_event(void *context, int64_t seq, enum store_event event, const char *json);
typedef void store_follower(void *context, int64_t seq, enum store_event event, const char *json);
typedef void store_each_id(void *context, const char *id);
typedef bool store_each_doc(void *context, const char *id, int64_t version, const char *json);

struct store_doc { /* arguments of store_doc_put */
    const char *kind, *id, *name, *json;
    int64_t expires_ms, expected_version;
};

struct store_removal { /* arguments of store_remove */
    const struct search *search;
    int64_t received_before_ms;
    bool keep_marked;
    size_t limit;
};

struct store_ops {
    const char *kind;
    bool takes_records; /* of items; false: it makes each anew */
    void (*close)(struct store *store);
    bool (*ping)(struct store *store, struct err *err);
    bool (*insert)(struct store *store, struct store_item *items, size_t count, struct err *err);
    bool (*threat)(struct store *store, const char *id, char **json, int64_t *seq, struct triage *triage,
                   struct err *err);
    bool (*find)(struct store *store, const struct store_query *query, store_each_threat *each, void *context,
                 int64_t *total, struct err *err);
    bool (*statistics)(struct store *store, const struct store_span *span, char **json, struct err *err);
    bool (*events)(struct store *store, int64_t after_seq, size_t limit, store_each_event *each, void *context,
                   struct err *err);
    bool (*last_seq)(struct store *store, int64_t *seq, struct err *err);
    bool (*first_seq)(struct store *store, int64_t *seq, struct err *err);
    bool (*add_monitoring)(struct store *store, const char *json, int64_t *seq, struct err *err);
    bool (*triage)(struct store *store, const char *id, const struct store_change *change, int64_t *seq, char **json,
                   struct err *err);
    bool (*remove)(struct store *store, const struct store_removal *removal, store_each_id *each, void *context,
                   int64_t *count, struct err *err);
    bool (*put_evidence)(struct store *store, const char *id, const void *bytes, size_t length, struct err *err);
    bool (*get_evidence)(struct store *store, const char *id, void **bytes, size_t *length, struct err *err);
    bool (*doc_put)(struct store *store, const struct store_doc *doc, int64_t *version, struct err *err);
    bool (*doc_get)(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                    struct err *err);
    bool (*doc_by_name)(struct store *store, const char *kind, const char *name, char **id, char **json,
                        int64_t *version, struct err *err);
    bool (*doc_remove)(struct store *store, const char *kind, const char *id, struct err *err);
    bool (*doc_list)(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                     store_each_doc *each, void *context, struct err *err);
    bool (*doc_generation)(struct store *store, const char *kind, int64_t *generation, struct err *err);
    bool (*follow)(struct store *store, int64_t after_seq, store_follower *each, void *context, struct err *err);
    bool (*size)(struct store *store, int64_t *bytes, int64_t *disk, struct err *err);
    bool (*backup)(struct store *store, const char *path, struct err *err);
};

enum { STORE_NAME = 17 };

struct store {
    const struct store_ops *ops;
    char name[STORE_NAME];
    bool shared;
};

#endif
