/* fake_store.h: the small documents of a store, in memory, with the same promises; for tests of what stands on them.
 * Included once by a test program. */
#ifndef TESTS_UNIT_BACKEND_FAKE_STORE_H
#define TESTS_UNIT_BACKEND_FAKE_STORE_H

#include "backend/store.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_DOCS = 4096 };

struct fake_doc {
    char *kind, *id, *name, *json;
    int64_t expires_ms, version;
};

struct store {
    struct fake_doc docs[FAKE_DOCS];
    size_t count;
    int64_t generation; /* of all kinds together */
    struct {
        char kind[32];
        int64_t value;
    } kinds[16];
    bool away; /* every call fails with ERR_UNAVAILABLE */
    bool shared;
    const char *events[64]; /* records of threats; the sequence is the index + 1 */
    int64_t last_seq;
    int writes, reads; /* how often it was asked */
};

/* A kind's own generation; a new kind takes a free place. */
static int64_t *fake_generation(struct store *store, const char *kind)
{
    size_t i = 0;

    while (store->kinds[i].kind[0] != '\0' && strcmp(store->kinds[i].kind, kind) != 0)
        i++;
    snprintf(store->kinds[i].kind, sizeof store->kinds[i].kind, "%s", kind);
    return &store->kinds[i].value;
}

static struct store *fake_store(void)
{
    return calloc(1, sizeof(struct store));
}

static void fake_drop(struct store *store, size_t i)
{
    free(store->docs[i].kind);
    free(store->docs[i].id);
    free(store->docs[i].name);
    free(store->docs[i].json);
    store->docs[i] = store->docs[--store->count];
}

static void fake_store_free(struct store *store)
{
    while (store->count > 0)
        fake_drop(store, 0);
    free(store);
}

static struct fake_doc *fake_find(struct store *store, const char *kind, const char *id, const char *name)
{
    for (size_t i = 0; i < store->count; i++) {
        struct fake_doc *doc = &store->docs[i];
        if (doc->expires_ms != 0 && doc->expires_ms <= clock_now_ms())
            continue;
        if (strcmp(doc->kind, kind) == 0 && (id == NULL || strcmp(doc->id, id) == 0) &&
            (name == NULL || (doc->name != NULL && strcmp(doc->name, name) == 0)))
            return doc;
    }
    return NULL;
}

static bool fake_away(struct store *store, struct err *err)
{
    if (store->away)
        err_set(err, ERR_UNAVAILABLE, "store: away");
    return store->away;
}

bool store_doc_put(struct store *store, const char *kind, const char *id, const char *name, const char *json,
                   int64_t expires_ms, int64_t expected_version, int64_t *version, struct err *err)
{
    struct fake_doc *doc = fake_find(store, kind, id, NULL);
    struct fake_doc *other = name != NULL ? fake_find(store, kind, NULL, name) : NULL;
    int64_t now = doc != NULL ? doc->version : 0;

    if (fake_away(store, err))
        return false;
    store->writes++;
    if ((other != NULL && other != doc) || (expected_version >= 0 && expected_version != now))
        return err_set(err, ERR_CONFLICT, "%s %s: it exists, or has changed", kind, id);
    if (doc == NULL) {
        if (store->count == FAKE_DOCS)
            return err_set(err, ERR_MEMORY, "fake store: full");
        doc = &store->docs[store->count++];
        memset(doc, 0, sizeof *doc);
        doc->kind = strdup(kind);
        doc->id = strdup(id);
    }
    free(doc->name);
    free(doc->json);
    doc->name = name != NULL ? strdup(name) : NULL;
    doc->json = strdup(json);
    doc->expires_ms = expires_ms;
    doc->version = ++store->generation;
    ++*fake_generation(store, kind);
    if (version != NULL)
        *version = doc->version;
    return true;
}

bool store_doc_get(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                   struct err *err)
{
    const struct fake_doc *doc = fake_find(store, kind, id, NULL);

    if (fake_away(store, err))
        return false;
    store->reads++;
    if (doc == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s %s: no such one", kind, id);
    *json = strdup(doc->json);
    if (version != NULL)
        *version = doc->version;
    return true;
}

bool store_doc_by_name(struct store *store, const char *kind, const char *name, char **id, char **json,
                       int64_t *version, struct err *err)
{
    const struct fake_doc *doc = fake_find(store, kind, NULL, name);

    if (fake_away(store, err))
        return false;
    store->reads++;
    if (doc == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s %s: no such one", kind, name);
    *id = strdup(doc->id);
    *json = strdup(doc->json);
    *version = doc->version;
    return true;
}

bool store_doc_remove(struct store *store, const char *kind, const char *id, struct err *err)
{
    struct fake_doc *doc = fake_find(store, kind, id, NULL);

    if (fake_away(store, err))
        return false;
    if (doc == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s %s: no such one", kind, id);
    store->writes++;
    ++*fake_generation(store, kind);
    fake_drop(store, (size_t)(doc - store->docs));
    return true;
}

static int fake_by_id(const void *a, const void *b)
{
    return strcmp((*(const struct fake_doc *const *)a)->id, (*(const struct fake_doc *const *)b)->id);
}

bool store_doc_list(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                    bool (*each)(void *context, const char *id, int64_t version, const char *json), void *context,
                    struct err *err)
{
    const struct fake_doc **found;
    size_t count = 0;

    if (fake_away(store, err))
        return false;
    store->reads++;
    found = calloc(FAKE_DOCS, sizeof *found);
    for (size_t i = 0; i < store->count; i++) {
        const struct fake_doc *doc = &store->docs[i];
        int order = from != NULL ? strcmp(doc->id, from) : 0;
        if (strcmp(doc->kind, kind) == 0 && (doc->expires_ms == 0 || doc->expires_ms > clock_now_ms()) &&
            (from == NULL || (newest_first ? order < 0 : order > 0)))
            found[count++] = doc;
    }
    qsort(found, count, sizeof *found, fake_by_id);
    for (size_t i = 0; i < count && i < limit; i++) {
        const struct fake_doc *doc = found[newest_first ? count - 1 - i : i];
        if (!each(context, doc->id, doc->version, doc->json))
            break;
    }
    free(found);
    return true;
}

bool store_doc_generation(struct store *store, const char *kind, int64_t *generation, struct err *err)
{
    if (fake_away(store, err))
        return false;
    *generation = *fake_generation(store, kind);
    return true;
}

bool store_shared(const struct store *store)
{
    return store->shared;
}

bool store_last_seq(struct store *store, int64_t *seq, struct err *err)
{
    *seq = store->last_seq;
    return !fake_away(store, err);
}

bool store_events(struct store *store, int64_t after_seq, size_t limit,
                  bool (*each)(void *context, int64_t seq, enum store_event event, const char *json), void *context,
                  struct err *err)
{
    if (fake_away(store, err))
        return false;
    for (int64_t seq = after_seq + 1; seq <= store->last_seq && limit > 0; seq++, limit--)
        if (!each(context, seq, EVENT_THREAT_DETECTED, store->events[seq - 1]))
            break;
    return true;
}

#endif
