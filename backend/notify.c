/* notify.c: see notify.h. */
#include "backend/notify.h"

#include "backend/notify_room.h"
#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/http_client.h"
#include "common/json.h"
#include "common/log.h"
#include "common/token.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUND_MS = 300, HOLD_MAX_MS = 300000 /* a target that fails is left alone for at most so long */ };

int64_t notify_pause_ms(int tries)
{
    static const int64_t seconds[NOTIFY_TRIES - 1] = {5,         300,       1800,      2 * 3600, 5 * 3600,
                                                      10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600};

    return tries < 1 || tries >= NOTIFY_TRIES ? -1 : seconds[tries - 1] * 1000;
}

/* Between 0.9 and 1.1 of it, so that what failed together does not come back together. */
static int64_t jittered(int64_t ms)
{
    uint32_t random;

    token_random(&random, sizeof random);
    return ms - ms / 10 + (int64_t)(random % 1000) * (ms / 5) / 1000;
}

/* --- targets --- */

static void box_free(struct mailbox *box)
{
    if (box == NULL)
        return;
    search_free(box->search);
    free(box);
}

static struct mailbox *box_find(struct notify *notify, const char *id)
{
    for (size_t i = 0; i < notify->box_count; i++)
        if (strcmp(notify->boxes[i]->target.id, id) == 0)
            return notify->boxes[i];
    return NULL;
}

struct boxes {
    const struct seal *seal;
    struct mailbox *items[NOTIFY_TARGETS];
    size_t count;
};

static bool box_row(void *context, const char *id, int64_t version, const char *json)
{
    struct boxes *boxes = context;
    struct mailbox *box = calloc(1, sizeof *box);
    size_t at;

    if (box == NULL || !target_read(&box->target, boxes->seal, id, version, json, NULL)) {
        free(box);
        return true;
    }
    if (box->target.filter[0] != '\0') {
        box->search = search_parse(box->target.filter, &at, NULL);
        if (box->search == NULL) /* was fine when it was made: an older or newer language */
            box->target.enabled = false;
    }
    boxes->items[boxes->count++] = box;
    return boxes->count < NOTIFY_TARGETS;
}

/* Called by the watch. How a target does is kept. */
static bool reload(void *context, struct err *err)
{
    struct notify *notify = context;
    struct boxes *fresh = calloc(1, sizeof *fresh);
    struct mailbox *old[NOTIFY_TARGETS];
    size_t old_count;
    int64_t generation = 0;

    if (fresh == NULL)
        return err_set(err, ERR_MEMORY, "notify: out of memory");
    fresh->seal = notify->settings.seal;
    if (!store_doc_generation(notify->settings.store, TARGET_KIND, &generation, err) ||
        !store_doc_list(notify->settings.store, TARGET_KIND, NULL, false, NOTIFY_TARGETS, box_row, fresh, err)) {
        free(fresh);
        return false;
    }
    pthread_mutex_lock(&notify->lock);
    for (size_t i = 0; i < fresh->count; i++) {
        const struct mailbox *before = box_find(notify, fresh->items[i]->target.id);
        if (before == NULL)
            continue;
        fresh->items[i]->figures = before->figures;
        fresh->items[i]->busy = before->busy;
        if (before->target.version != fresh->items[i]->target.version)
            continue; /* it was mended, perhaps: try it at once */
        fresh->items[i]->hold_ms = before->hold_ms;
        fresh->items[i]->fails = before->fails;
    }
    old_count = notify->box_count;
    memcpy(old, notify->boxes, sizeof old);
    notify->box_count = fresh->count;
    notify->generation = generation;
    memcpy(notify->boxes, fresh->items, sizeof notify->boxes);
    pthread_cond_broadcast(&notify->wake);
    pthread_mutex_unlock(&notify->lock);
    for (size_t i = 0; i < old_count; i++)
        box_free(old[i]);
    free(fresh);
    return true;
}

void notify_totals(struct notify *notify, struct notify_figures *out)
{
    *out = (struct notify_figures){0};
    pthread_mutex_lock(&notify->lock);
    for (size_t i = 0; i < notify->box_count; i++) {
        const struct notify_figures *box = &notify->boxes[i]->figures;

        out->sent += box->sent;
        out->failed += box->failed;
        out->dropped += box->dropped;
        out->pending += box->pending;
    }
    pthread_mutex_unlock(&notify->lock);
}

bool notify_figures(struct notify *notify, const char *target, struct notify_figures *out)
{
    const struct mailbox *box;

    pthread_mutex_lock(&notify->lock);
    box = box_find(notify, target);
    if (box != NULL)
        *out = box->figures;
    pthread_mutex_unlock(&notify->lock);
    return box != NULL;
}

/* --- letters in memory --- */

bool notify_letter_add(struct notify *notify, const char *id, const char *target, int64_t next_ms)
{
    struct mailbox *box;
    bool ok = true;

    pthread_mutex_lock(&notify->lock);
    if (notify->count == notify->room) {
        size_t room = notify->room == 0 ? 64 : notify->room * 2;
        struct letter *letters = realloc(notify->letters, room * sizeof *letters);
        if (letters != NULL) {
            notify->letters = letters;
            notify->room = room;
        } else {
            ok = false;
        }
    }
    if (ok) {
        struct letter *letter = &notify->letters[notify->count++];
        memset(letter, 0, sizeof *letter);
        snprintf(letter->id, sizeof letter->id, "%s", id);
        snprintf(letter->target, sizeof letter->target, "%s", target);
        letter->next_ms = next_ms;
        box = box_find(notify, target);
        if (box != NULL)
            box->figures.pending++;
        pthread_cond_signal(&notify->wake);
    }
    pthread_mutex_unlock(&notify->lock);
    return ok;
}

/* What is written for one notice: the outbox's document, and with other members the dead letter's. */
cJSON *notify_letter_doc(const char *target, const char *threat_json, const char *threat_id, int tries,
                         int64_t next_ms, const char *error)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "target", target);
    cJSON_AddStringToObject(o, "threatId", threat_id);
    cJSON_AddNumberToObject(o, "tries", tries);
    cJSON_AddNumberToObject(o, "next", (double)next_ms);
    cJSON_AddNumberToObject(o, "since", (double)clock_now_ms());
    cJSON_AddStringToObject(o, "error", error);
    cJSON_AddStringToObject(o, "threat", threat_json);
    return o;
}

/* With the lock held. */
static void letter_drop(struct notify *notify, const char *id)
{
    for (size_t i = 0; i < notify->count; i++) {
        struct mailbox *box;
        if (strcmp(notify->letters[i].id, id) != 0)
            continue;
        box = box_find(notify, notify->letters[i].target);
        if (box != NULL)
            box->figures.pending--;
        notify->letters[i] = notify->letters[--notify->count];
        return;
    }
}

/* --- the senders --- */

struct attempt {
    char id[LETTER_ID];
    struct target target;
    bool orphan; /* its target is gone */
};

/* Takes the letter that is due the longest and whose target is free. */
static bool attempt_take(struct notify *notify, int64_t now_ms, struct attempt *attempt)
{
    struct letter *best = NULL;
    struct mailbox *box;

    pthread_mutex_lock(&notify->lock);
    for (size_t i = 0; i < notify->count; i++) {
        struct letter *letter = &notify->letters[i];
        if (letter->busy || letter->next_ms > now_ms || (best != NULL && best->next_ms <= letter->next_ms))
            continue;
        box = box_find(notify, letter->target);
        if (box == NULL || (!box->busy && box->hold_ms <= now_ms && box->target.enabled))
            best = letter;
    }
    if (best != NULL) {
        best->busy = true;
        box = box_find(notify, best->target);
        attempt->orphan = box == NULL;
        if (box != NULL) {
            box->busy = true;
            attempt->target = box->target;
        }
        memcpy(attempt->id, best->id, sizeof attempt->id);
    }
    pthread_mutex_unlock(&notify->lock);
    return best != NULL;
}

static void attempt_settle(struct notify *notify, const struct attempt *attempt, bool sent, bool gone,
                           int64_t next_ms, int64_t now_ms, const char *error)
{
    struct mailbox *box;

    pthread_mutex_lock(&notify->lock);
    box = box_find(notify, attempt->target.id);
    if (box != NULL) {
        int64_t hold = 5000LL << (box->fails < 6 ? box->fails : 6);
        box->busy = false;
        box->figures.sent += sent;
        box->figures.failed += !sent;
        box->fails = sent ? 0 : box->fails + 1;
        box->hold_ms = sent ? 0 : now_ms + jittered(hold < HOLD_MAX_MS ? hold : HOLD_MAX_MS);
        snprintf(box->figures.last_error, sizeof box->figures.last_error, "%.199s", sent ? "" : error);
    }
    if (gone) {
        letter_drop(notify, attempt->id);
    } else {
        for (size_t i = 0; i < notify->count; i++)
            if (strcmp(notify->letters[i].id, attempt->id) == 0) {
                notify->letters[i].busy = false;
                notify->letters[i].next_ms = next_ms;
            }
    }
    pthread_mutex_unlock(&notify->lock);
}

/* A try that failed: written down for later, or as a dead letter. */
static bool put_off(struct notify *notify, const struct attempt *attempt, const cJSON *letter, const struct err *why,
                    int64_t now_ms, int64_t *next_ms)
{
    const cJSON *threat = json_member(letter, "threat"), *threat_id = json_member(letter, "threatId");
    int64_t tries = 0, pause;
    bool dead;

    json_integer(letter, "tries", 0, 1000, &tries, NULL);
    pause = why->code == ERR_NOT_FOUND ? -1 : notify_pause_ms((int)++tries);
    dead = pause < 0;
    *next_ms = now_ms + (dead ? 0 : jittered(pause));
    cJSON *doc = notify_letter_doc(attempt->target.id, threat->valuestring, threat_id->valuestring, (int)tries,
                                   *next_ms, why->text);
    if (!doc_put(notify->settings.store, dead ? "dead" : "outbox", attempt->id, NULL, doc, 0, -1, NULL, NULL))
        return false;
    if (dead) {
        log_warn("notify.dead", "letter=%s tries=%lld error=\"%s\"", attempt->id, (long long)tries, why->text);
        store_doc_remove(notify->settings.store, "outbox", attempt->id, NULL);
    }
    return dead;
}

static void attempt_run(struct notify *notify, const struct attempt *attempt, struct http_client *client,
                        int64_t now_ms)
{
    struct err err = {0};
    char *json = NULL;
    cJSON *letter = NULL;
    int64_t next_ms = now_ms + 60000; /* when the store is away */
    bool sent = false, gone = false;

    if (store_doc_get(notify->settings.store, "outbox", attempt->id, &json, NULL, &err))
        letter = json_parse(json, strlen(json), NULL);
    if (!cJSON_IsString(json_member(letter, "threat")) || !cJSON_IsString(json_member(letter, "threatId"))) {
        gone = err.code == ERR_NOT_FOUND || err.code == ERR_NONE;
    } else if (attempt->orphan) {
        gone = true;
    } else {
        struct notice notice = {attempt->id, "threat_detected", json_member(letter, "threat")->valuestring};
        sent = target_deliver(&attempt->target, &notice, client, notify->settings.all_addresses, &err);
        gone = sent || put_off(notify, attempt, letter, &err, now_ms, &next_ms);
    }
    if (sent || attempt->orphan)
        store_doc_remove(notify->settings.store, "outbox", attempt->id, NULL);
    attempt_settle(notify, attempt, sent, gone, next_ms, now_ms, err.text);
    cJSON_Delete(letter);
    free(json);
}

bool notify_try_one(struct notify *notify, struct http_client *client, int64_t now_ms)
{
    struct attempt *attempt = calloc(1, sizeof *attempt);
    bool found = attempt != NULL && attempt_take(notify, now_ms, attempt);

    if (found)
        attempt_run(notify, attempt, client, now_ms);
    free(attempt);
    return found;
}

/* --- replay --- */

static bool replay_one(struct notify *notify, const char *id, struct err *err)
{
    char *json = NULL, target[DOC_ID] = "";
    int64_t now = clock_now_ms();
    bool ok = store_doc_get(notify->settings.store, "dead", id, &json, NULL, err);
    cJSON *letter = ok ? json_parse(json, strlen(json), err) : NULL;
    const cJSON *threat = json_member(letter, "threat"), *threat_id = json_member(letter, "threatId");

    if (ok && (!json_text(letter, "target", target, sizeof target, NULL) || !cJSON_IsString(threat) ||
               !cJSON_IsString(threat_id)))
        ok = err_set(err, ERR_NOT_FOUND, "dead letter %.60s: cannot be read", id);
    ok = ok && doc_put(notify->settings.store, "outbox", id, NULL,
                       notify_letter_doc(target, threat->valuestring, threat_id->valuestring, 0, now, ""), 0, -1,
                       NULL, err);
    ok = ok && store_doc_remove(notify->settings.store, "dead", id, err);
    if (ok)
        notify_letter_add(notify, id, target, now);
    cJSON_Delete(letter);
    free(json);
    return ok;
}

struct wanted {
    char ids[64][LETTER_ID];
    size_t count;
};

static bool wanted_row(void *context, const char *id, int64_t version, const char *json)
{
    struct wanted *wanted = context;

    (void)version;
    (void)json;
    snprintf(wanted->ids[wanted->count++], LETTER_ID, "%s", id);
    return wanted->count < 64;
}

bool notify_replays(void *context, struct err *err)
{
    struct notify *notify = context;
    struct wanted *wanted;
    bool ok, more = true;

    if (!notify->leads)
        return true;
    wanted = calloc(1, sizeof *wanted);
    ok = wanted != NULL || err_set(err, ERR_MEMORY, "notify: out of memory");
    while (ok && more) {
        wanted->count = 0;
        ok = store_doc_list(notify->settings.store, "replay", NULL, false, 64, wanted_row, wanted, err);
        for (size_t i = 0; ok && i < wanted->count; i++) {
            struct err local = {0};
            ok = replay_one(notify, wanted->ids[i], &local) || local.code == ERR_NOT_FOUND ||
                 err_set(err, local.code, "%s", local.text);
            if (ok)
                store_doc_remove(notify->settings.store, "replay", wanted->ids[i], NULL);
        }
        more = wanted->count == 64;
    }
    free(wanted);
    return ok;
}

bool notify_replay(struct notify *notify, const char *id, struct err *err)
{
    char *json = NULL;
    bool ok = strlen(id) < LETTER_ID || err_set(err, ERR_NOT_FOUND, "dead letter: no such one");

    ok = ok && store_doc_get(notify->settings.store, "dead", id, &json, NULL, err) &&
         doc_put(notify->settings.store, "replay", id, NULL, cJSON_CreateObject(), 0, -1, NULL, err);
    free(json);
    if (ok)
        watch_changed(notify->watch, "replay");
    return ok;
}

/* --- a test --- */

struct trial {
    const struct target *target;
    bool all, ok;
    struct err err;
};

static void *trial_run(void *context)
{
    struct trial *trial = context;
    struct http_client *client = http_client_create();
    char time[CLOCK_TEXT], threat[640], id[DOC_ID];
    struct notice notice = {id, "test", threat};

    doc_new_id("test", clock_now_ms(), id);
    clock_text_us(clock_now_us(), time);
    snprintf(threat, sizeof threat,
             "{\"threat_id\":\"%s\",\"revision\":1,\"threat_type\":\"test_notice\",\"severity\":\"low\","
             "\"source_ip\":\"192.0.2.1\",\"destination_ip\":\"192.0.2.2\",\"source_port\":12345,"
             "\"destination_port\":80,\"protocol\":\"TCP\",\"confidence\":0.1,\"timestamp\":\"%s\","
             "\"sensor\":\"test\",\"details\":{\"source\":\"test\"}}",
             id, time);
    trial->ok = client != NULL && target_deliver(trial->target, &notice, client, trial->all, &trial->err);
    http_client_free(client);
    return NULL;
}

bool notify_test(struct notify *notify, const struct target *target, struct err *err)
{
    struct trial trial = {.target = target, .all = notify->settings.all_addresses};
    pthread_t thread;

    if (pthread_create(&thread, NULL, trial_run, &trial) != 0)
        return err_set(err, ERR_SYSTEM, "notify: cannot start a thread");
    pthread_join(thread, NULL);
    return trial.ok || err_set(err, trial.err.code, "%s", trial.err.text);
}

/* --- threads --- */

static bool wait_for(struct notify *notify, int ms)
{
    struct timespec until;
    bool go_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&notify->lock);
    if (!notify->stop)
        pthread_cond_timedwait(&notify->wake, &notify->lock, &until);
    go_on = !notify->stop;
    pthread_mutex_unlock(&notify->lock);
    return go_on;
}

static bool stopping(struct notify *notify)
{
    bool stop;

    pthread_mutex_lock(&notify->lock);
    stop = notify->stop;
    pthread_mutex_unlock(&notify->lock);
    return stop;
}

static void *planner_run(void *context)
{
    struct notify *notify = context;
    bool failing = false;

    while (wait_for(notify, ROUND_MS)) {
        struct err err = {0};
        bool ok;
        do
            ok = notify_plan(notify, &err);
        while (ok && notify->more && !stopping(notify));
        if (!ok && !failing)
            log_warn("notify.failed", "error=\"%s\"", err.text);
        failing = !ok;
    }
    return NULL;
}

static void *sender_run(void *context)
{
    struct notify *notify = context;
    struct http_client *client = http_client_create();

    while (client != NULL && wait_for(notify, ROUND_MS))
        while (!stopping(notify) && notify_try_one(notify, client, clock_now_ms()))
            ;
    http_client_free(client);
    return NULL;
}

struct notify *notify_create(const struct notify_settings *settings, struct watch *watch, struct err *err)
{
    struct notify *notify = calloc(1, sizeof *notify);
    pthread_condattr_t attributes;

    if (notify == NULL) {
        err_set(err, ERR_MEMORY, "notify: out of memory");
        return NULL;
    }
    notify->settings = *settings;
    token_text(notify->owner, sizeof notify->owner);
    pthread_mutex_init(&notify->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&notify->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    notify->watch = watch;
    if (!targets_seal(settings->store, settings->seal, err) || !watch_add(watch, TARGET_KIND, reload, notify, err) ||
        !watch_add(watch, "replay", notify_replays, notify, err)) {
        notify_free(notify);
        return NULL;
    }
    return notify;
}

bool notify_start(struct notify *notify, struct err *err)
{
    for (size_t i = 0; i < 1 + NOTIFY_SENDERS; i++) {
        if (pthread_create(&notify->threads[i], NULL, i == 0 ? planner_run : sender_run, notify) != 0)
            return err_set(err, ERR_SYSTEM, "notify: cannot start a thread");
        pthread_setname_np(notify->threads[i], i == 0 ? "notify-plan" : "notify-send");
        notify->thread_count++;
    }
    return true;
}

void notify_stop(struct notify *notify)
{
    if (notify == NULL)
        return;
    pthread_mutex_lock(&notify->lock);
    notify->stop = true;
    pthread_cond_broadcast(&notify->wake);
    pthread_mutex_unlock(&notify->lock);
    while (notify->thread_count > 0)
        pthread_join(notify->threads[--notify->thread_count], NULL);
}

void notify_free(struct notify *notify)
{
    if (notify == NULL)
        return;
    notify_stop(notify);
    for (size_t i = 0; i < notify->box_count; i++)
        box_free(notify->boxes[i]);
    pthread_cond_destroy(&notify->wake);
    pthread_mutex_destroy(&notify->lock);
    free(notify->letters);
    free(notify);
}
