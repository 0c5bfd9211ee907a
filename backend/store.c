/* store.c: hands each call to the store that was opened. The stores themselves are store_sqlite and store_mongo. */
#include "backend/store.h"

#include "backend/store_ops.h"

void store_close(struct store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

const char *store_kind(const struct store *store)
{
    return store->ops->kind;
}

const char *store_name(const struct store *store)
{
    return store->name;
}

bool store_ping(struct store *store, struct err *err)
{
    return store->ops->ping(store, err);
}

bool store_takes_records(const struct store *store)
{
    return store->ops->takes_records;
}

bool store_shared(const struct store *store)
{
    return store->shared;
}

bool store_insert(struct store *store, struct store_item *items, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        items[i].result = STORE_REFUSED;
        items[i].seq = 0;
        items[i].json = NULL;
        items[i].message[0] = '\0';
    }
    return count == 0 || store->ops->insert(store, items, count, err);
}

bool store_threat(struct store *store, const char *id, char **json, int64_t *seq, struct triage *triage,
                  struct err *err)
{
    return store->ops->threat(store, id, json, seq, triage, err);
}

bool store_find(struct store *store, const struct store_query *query,
                bool (*each)(void *context, int64_t seq, const char *json), void *context, int64_t *total,
                struct err *err)
{
    return store->ops->find(store, query, each, context, total, err);
}

bool store_statistics(struct store *store, const struct store_span *span, char **json, struct err *err)
{
    static const struct store_span open_span = {0};

    return store->ops->statistics(store, span != NULL ? span : &open_span, json, err);
}

bool store_events(struct store *store, int64_t after_seq, size_t limit,
                  bool (*each)(void *context, int64_t seq, enum store_event event, const char *json), void *context,
                  struct err *err)
{
    return store->ops->events(store, after_seq, limit, each, context, err);
}

bool store_last_seq(struct store *store, int64_t *seq, struct err *err)
{
    return store->ops->last_seq(store, seq, err);
}

bool store_first_seq(struct store *store, int64_t *seq, struct err *err)
{
    return store->ops->first_seq(store, seq, err);
}

bool store_add_monitoring(struct store *store, const char *json, int64_t *seq, struct err *err)
{
    return store->ops->add_monitoring(store, json, seq, err);
}

bool store_triage(struct store *store, const char *id, const struct store_change *change, int64_t *seq, char **json,
                  struct err *err)
{
    return store->ops->triage(store, id, change, seq, json, err);
}

bool store_remove(struct store *store, const struct search *search, int64_t received_before_ms, bool keep_marked,
                  size_t limit, void (*each)(void *context, const char *id), void *context, int64_t *count,
                  struct err *err)
{
    const struct store_removal removal = {search, received_before_ms, keep_marked, limit};

    return store->ops->remove(store, &removal, each, context, count, err);
}

bool store_put_evidence(struct store *store, const char *threat_id, const void *bytes, size_t length, struct err *err)
{
    return store->ops->put_evidence(store, threat_id, bytes, length, err);
}

bool store_get_evidence(struct store *store, const char *threat_id, void **bytes, size_t *length, struct err *err)
{
    return store->ops->get_evidence(store, threat_id, bytes, length, err);
}

bool store_doc_put(struct store *store, const char *kind, const char *id, const char *name, const char *json,
                   int64_t expires_ms, int64_t expected_version, int64_t *version, struct err *err)
{
    const struct store_doc doc = {kind, id, name, json, expires_ms, expected_version};
    int64_t unwanted;

    return store->ops->doc_put(store, &doc, version != NULL ? version : &unwanted, err);
}

bool store_doc_get(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                   struct err *err)
{
    int64_t unwanted;

    return store->ops->doc_get(store, kind, id, json, version != NULL ? version : &unwanted, err);
}

bool store_doc_by_name(struct store *store, const char *kind, const char *name, char **id, char **json,
                       int64_t *version, struct err *err)
{
    int64_t unwanted;

    return store->ops->doc_by_name(store, kind, name, id, json, version != NULL ? version : &unwanted, err);
}

bool store_doc_remove(struct store *store, const char *kind, const char *id, struct err *err)
{
    return store->ops->doc_remove(store, kind, id, err);
}

bool store_doc_list(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                    bool (*each)(void *context, const char *id, int64_t version, const char *json), void *context,
                    struct err *err)
{
    return store->ops->doc_list(store, kind, from, newest_first, limit, each, context, err);
}

bool store_doc_generation(struct store *store, const char *kind, int64_t *generation, struct err *err)
{
    return store->ops->doc_generation(store, kind, generation, err);
}

bool store_follow(struct store *store, int64_t after_seq,
                  void (*each)(void *context, int64_t seq, enum store_event event, const char *json), void *context,
                  struct err *err)
{
    if (!store->shared)
        return err_set(err, ERR_DENIED, "this %s store serves one backend alone", store->ops->kind);
    return store->ops->follow(store, after_seq, each, context, err);
}

bool store_size(struct store *store, int64_t *bytes, int64_t *disk, struct err *err)
{
    return store->ops->size(store, bytes, disk, err);
}

bool store_backup(struct store *store, const char *path, struct err *err)
{
    return store->ops->backup(store, path, err);
}
