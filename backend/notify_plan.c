/* notify_plan.c: which notices have to be sent; see notify.h. */
#include "backend/notify.h"
#include "backend/notify_room.h"
#include "backend/search_eval.h"
#include "backend/store.h"
#include "backend/store_record.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 100 /* events in one round */, LEASE_MS = 10000 };

struct found {
    int64_t seq;
    char *json;
};

struct harvest {
    struct found items[BATCH];
    size_t count;
    int64_t last;
    bool failed;
};

static bool harvest_row(void *context, int64_t seq, enum store_event event, const char *json)
{
    struct harvest *harvest = context;

    if (event == EVENT_THREAT_DETECTED) {
        struct found *found = &harvest->items[harvest->count];
        found->seq = seq;
        found->json = strdup(json);
        harvest->failed = found->json == NULL;
        if (harvest->failed)
            return false;
        harvest->count++;
    }
    harvest->last = seq;
    return harvest->count < BATCH;
}

static bool box_wants(const struct mailbox *box, const struct threat *threat, const struct store_record *record,
                      int64_t received_ms)
{
    return box->target.enabled && box->target.created_ms <= received_ms &&
           (box->search == NULL || search_fits(box->search, threat, record));
}

/* The targets that want it, copied out from under the lock. */
static size_t choose(struct notify *notify, const struct threat *threat, const struct store_record *record,
                     int64_t received_ms, char chosen[NOTIFY_TARGETS][DOC_ID])
{
    size_t count = 0;

    pthread_mutex_lock(&notify->lock);
    for (size_t i = 0; i < notify->box_count; i++) {
        struct mailbox *box = notify->boxes[i];
        if (!box_wants(box, threat, record, received_ms))
            continue;
        if (box->figures.pending >= NOTIFY_PENDING) {
            if (box->figures.dropped++ == 0)
                log_warn("notify.dropping", "target=%s pending=%d", box->target.id, NOTIFY_PENDING);
            continue;
        }
        memcpy(chosen[count++], box->target.id, DOC_ID);
    }
    pthread_mutex_unlock(&notify->lock);
    return count;
}

static int64_t time_of(const cJSON *record, const char *name)
{
    const cJSON *value = json_member(record, name);
    int64_t us;

    return cJSON_IsString(value) && clock_parse_us(value->valuestring, &us) ? us / 1000 : 0;
}

/* Writes the letters of one threat; the same id twice is the same letter. */
static bool plan_letters(struct notify *notify, const struct found *found, const struct threat *threat,
                         const struct store_record *record, int64_t received_ms, struct err *err)
{
    char(*chosen)[DOC_ID] = calloc(NOTIFY_TARGETS, sizeof *chosen);
    int64_t now = clock_now_ms();
    size_t count;
    bool ok = chosen != NULL || err_set(err, ERR_MEMORY, "notify: out of memory");

    count = ok ? choose(notify, threat, record, received_ms, chosen) : 0;
    for (size_t i = 0; ok && i < count; i++) {
        char id[LETTER_ID];
        struct err local = {0};
        snprintf(id, sizeof id, "%016lld.%s", (long long)found->seq, chosen[i]);
        if (doc_put(notify->settings.store, "outbox", id, NULL,
                    notify_letter_doc(chosen[i], found->json, threat->id, 0, now, ""), 0, 0, NULL, &local))
            ok = notify_letter_add(notify, id, chosen[i], now) || err_set(err, ERR_MEMORY, "notify: out of memory");
        else if (local.code != ERR_CONFLICT)
            ok = err_set(err, local.code, "%s", local.text);
    }
    free(chosen);
    return ok;
}

static bool plan_one(struct notify *notify, const struct found *found, struct err *err)
{
    cJSON *json = json_parse(found->json, strlen(found->json), NULL);
    struct store_record *record = calloc(1, sizeof *record);
    struct threat threat = {0};
    bool ok = true;

    if (json != NULL && record != NULL && json_member(json, "suppressedBy") == NULL &&
        threat_from_json(&threat, json, NULL, NULL, NULL) && store_record_make(record, &threat, NULL)) {
        ok = plan_letters(notify, found, &threat, record, time_of(json, "receivedAt"), err);
        store_record_clear(record);
    }
    threat_clear(&threat);
    free(record);
    cJSON_Delete(json);
    return ok;
}

static bool cursor_write(struct notify *notify, int64_t seq, struct err *err)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddNumberToObject(o, "seq", (double)seq);
    if (!doc_put(notify->settings.store, "meta", "notify_cursor", NULL, o, 0, -1, NULL, err))
        return false;
    notify->cursor = seq;
    return true;
}

static bool cursor_read(struct notify *notify, struct err *err)
{
    char *json = NULL;
    struct err local = {0};
    cJSON *o;

    if (store_doc_get(notify->settings.store, "meta", "notify_cursor", &json, NULL, &local)) {
        o = json_parse(json, strlen(json), NULL);
        json_integer(o, "seq", 0, INT64_MAX / 2, &notify->cursor, NULL);
        cJSON_Delete(o);
        free(json);
        return true;
    }
    if (local.code != ERR_NOT_FOUND)
        return err_set(err, local.code, "%s", local.text);
    return store_last_seq(notify->settings.store, &notify->cursor, err);
}

static bool outbox_row(void *context, const char *id, int64_t version, const char *json)
{
    struct notify *notify = context;
    cJSON *o = json_parse(json, strlen(json), NULL);
    char target[DOC_ID];
    int64_t next = 0;

    (void)version;
    if (o != NULL && json_text(o, "target", target, sizeof target, NULL) &&
        json_integer(o, "next", 0, INT64_MAX / 2, &next, NULL) && strlen(id) < LETTER_ID)
        notify_letter_add(notify, id, target, next);
    cJSON_Delete(o);
    return true;
}

/* Whoever takes the lease reads what the one before left in the outbox. */
static bool take_over(struct notify *notify, struct err *err)
{
    pthread_mutex_lock(&notify->lock);
    notify->count = 0;
    for (size_t i = 0; i < notify->box_count; i++)
        notify->boxes[i]->figures.pending = 0;
    pthread_mutex_unlock(&notify->lock);
    return cursor_read(notify, err) &&
           store_doc_list(notify->settings.store, "outbox", NULL, false, (size_t)NOTIFY_TARGETS * NOTIFY_PENDING,
                          outbox_row, notify, err);
}

/* True while this backend holds the lease. A store of one backend needs none. */
static bool lead(struct notify *notify, struct err *err)
{
    int64_t now = clock_now_ms(), version = 0;
    struct err local = {0};
    cJSON *o;

    if (notify->leads && (!store_shared(notify->settings.store) || now < notify->lease_until_ms - LEASE_MS / 2))
        return true;
    if (store_shared(notify->settings.store)) {
        o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "owner", notify->owner);
        if (!doc_put(notify->settings.store, "meta", "notify_lease", NULL, o, now + LEASE_MS,
                     notify->leads ? notify->lease_version : 0, &version, &local)) {
            notify->leads = false;
            return local.code == ERR_CONFLICT ? false : err_set(err, local.code, "%s", local.text);
        }
        notify->lease_version = version;
        notify->lease_until_ms = now + LEASE_MS;
    }
    if (!notify->leads && !take_over(notify, err))
        return false;
    notify->leads = true;
    return notify_replays(notify, err);
}

bool notify_begin(struct store *store, struct err *err)
{
    struct err local = {0};
    int64_t last = 0;
    cJSON *o = cJSON_CreateObject();

    if (!store_last_seq(store, &last, err)) {
        cJSON_Delete(o);
        return false;
    }
    cJSON_AddNumberToObject(o, "seq", (double)last);
    return doc_put(store, "meta", "notify_cursor", NULL, o, 0, 0, NULL, &local) || local.code == ERR_CONFLICT ||
           err_set(err, local.code, "%s", local.text);
}

/* Whether every target that the store has by now is known here: another backend's takes a moment. What was read from
 * the store before may be passed then, since whoever made a target later does not ask for it. */
static bool knows_all(struct notify *notify, bool *all, struct err *err)
{
    int64_t generation = 0;

    if (!store_doc_generation(notify->settings.store, TARGET_KIND, &generation, err))
        return false;
    pthread_mutex_lock(&notify->lock);
    *all = generation == notify->generation;
    pthread_mutex_unlock(&notify->lock);
    return true;
}

static bool somebody_listens(struct notify *notify)
{
    bool some = false;

    pthread_mutex_lock(&notify->lock);
    for (size_t i = 0; !some && i < notify->box_count; i++)
        some = notify->boxes[i]->target.enabled;
    pthread_mutex_unlock(&notify->lock);
    return some;
}

bool notify_plan(struct notify *notify, struct err *err)
{
    struct harvest *harvest;
    struct err local = {0};
    int64_t last = 0;
    bool ok = true, all = false;

    if (!lead(notify, &local))
        return local.code == ERR_NONE || err_set(err, local.code, "%s", local.text);
    if (!somebody_listens(notify)) { /* then the cursor need not be durable: no target is older than what is passed */
        ok = store_last_seq(notify->settings.store, &last, err) && knows_all(notify, &all, err);
        notify->cursor = ok && all ? last : notify->cursor;
        return ok;
    }
    harvest = calloc(1, sizeof *harvest);
    if (harvest == NULL)
        return err_set(err, ERR_MEMORY, "notify: out of memory");
    harvest->last = notify->cursor;
    notify->more = false;
    ok = store_events(notify->settings.store, notify->cursor, BATCH, harvest_row, harvest, err) &&
         knows_all(notify, &all, err);
    for (size_t i = 0; ok && all && i < harvest->count; i++)
        ok = plan_one(notify, &harvest->items[i], err);
    if (ok && all && harvest->last > notify->cursor)
        ok = cursor_write(notify, harvest->last, err);
    notify->more = ok && all && harvest->count == BATCH;
    for (size_t i = 0; i < harvest->count; i++)
        free(harvest->items[i].json);
    free(harvest);
    return ok;
}
