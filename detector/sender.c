/* sender.c: see sender.h. Signature: standard-webhooks specification 1.0.0; Retry-After: RFC 9110, 10.2.3.
 *
 * Long because threats, their packets and heartbeats share one thread with its connection, key, pauses and counters.
 */
#include "detector/sender.h"

#include "common/clock.h"
#include "common/http_client.h"
#include "common/json.h"
#include "common/log.h"
#include "common/signature.h"
#include "common/token.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_MS = 10000,
    PAUSE_MIN_MS = 200,
    PAUSE_MAX_MS = 60000,
    KEPT_MS = 60000,
    HEARTBEAT_MS = 10000,
    HEARTBEAT_TIMEOUT_MS = 3000,
    LOOK_MS = 1000,
    RETRY_AFTER_MAX_S = 3600,
    KEYS_MAX = 16,
    EVIDENCE_EARLY = 5,             /* so many tries, a second apart: the threat may be on its way in the store */
    EVIDENCE_MAX_MS = 86400 * 1000, /* then it is given up */
    HEADER = 256
};

/* What an answer means for the rows that were sent. */
enum meaning { DELIVERED, REFUSED, KEPT, ITEM_BY_ITEM, AGAIN };

struct sender {
    struct sender_settings settings;
    char heartbeat_url[1024]; /* "": the receiver has no such route */
    char threats_url[1024];   /* its threats, for their packets; "" likewise */
    struct http_client *client;
    struct signature_key key;
    bool signs;
    pthread_t thread;

    /* the thread's own */
    struct spool_row rows[SENDER_BATCH];
    struct spool_answer answers[SENDER_BATCH];
    size_t singles;         /* so many rows go alone, because an array was refused as a whole */
    int tries;              /* failures in a row */
    int64_t pause_until;    /* monotonic ms */
    int64_t next_heartbeat; /* monotonic ms */
    bool heartbeat_failed;

    pthread_mutex_t lock; /* guards what follows; held for a copy, never over a call */
    pthread_cond_t news;  /* the sender has something to do */
    pthread_cond_t calm;  /* a round is over */
    bool woken, stopping, reloading;
    struct sender_counters counters;
};

static enum meaning meaning_of(int status)
{
    if (status == 207)
        return ITEM_BY_ITEM;
    if (status >= 200 && status < 300)
        return DELIVERED;
    switch (status) {
    case 400:
    case 409:
    case 413:
    case 415:
    case 422:
        return REFUSED;
    case 401:
    case 403:
    case 404:
    case 405:
        return KEPT;
    default:
        return AGAIN;
    }
}

/* --- signing --- */

/* The line of this sensor, else one that is for everybody. */
static bool load_key(const struct sender_settings *settings, struct signature_key *out, struct err *err)
{
    struct signature_key *keys = calloc(KEYS_MAX, sizeof *keys);
    size_t count = 0, pick = KEYS_MAX;
    bool ok = keys != NULL && signature_read_keys(settings->secret_file, keys, KEYS_MAX, &count, err);

    for (size_t i = 0; ok && i < count; i++) {
        bool own = strcmp(keys[i].sensor, settings->sensor) == 0;

        if (own || (keys[i].sensor[0] == '\0' && pick == KEYS_MAX))
            pick = i;
        if (own)
            break;
    }
    if (ok && pick == KEYS_MAX)
        ok =
            err_set(err, ERR_INVALID, "%s: no secret for the sensor \"%s\"", settings->secret_file, settings->sensor);
    if (ok)
        *out = keys[pick];
    if (keys != NULL)
        memset(keys, 0, KEYS_MAX * sizeof *keys);
    free(keys);
    return ok;
}

struct parcel {
    const char *method, *type, *url, *id;
    const void *body;
    size_t length;
    long timeout_ms;
};

static bool call(struct sender *sender, const struct parcel *parcel, struct http_reply *reply, struct err *err)
{
    char id_line[HEADER], time_line[64], signature_line[HEADER], signature[SIGNATURE_TEXT];
    const char *headers[6] = {parcel->type, "User-Agent: threatline-detector/" THREATLINE_VERSION};
    int64_t now_s = clock_now_ms() / 1000;
    struct http_call out = {.method = parcel->method,
                            .url = parcel->url,
                            .headers = headers,
                            .body = parcel->body,
                            .length = parcel->length,
                            .timeout_ms = parcel->timeout_ms,
                            .again = true};

    if (sender->signs) {
        signature_make(&sender->key, parcel->id, now_s, parcel->body, parcel->length, signature);
        snprintf(id_line, sizeof id_line, "webhook-id: %s", parcel->id);
        snprintf(time_line, sizeof time_line, "webhook-timestamp: %lld", (long long)now_s);
        snprintf(signature_line, sizeof signature_line, "webhook-signature: %s", signature);
        headers[2] = id_line;
        headers[3] = time_line;
        headers[4] = signature_line;
    }
    return http_client_call(sender->client, &out, reply, err);
}

static bool post(struct sender *sender, const char *url, const char *id, const char *body, size_t length,
                 long timeout_ms, struct http_reply *reply, struct err *err)
{
    const struct parcel parcel = {"POST", "Content-Type: application/json", url, id, body, length, timeout_ms};

    return call(sender, &parcel, reply, err);
}

/* --- the answer --- */

static void answer_all(struct sender *sender, size_t count, enum spool_outcome outcome, int status,
                       const char *message)
{
    for (size_t i = 0; i < count; i++)
        sender->answers[i] = (struct spool_answer){sender->rows[i].n, outcome, status, message,
                                                   clock_now_ms() + sender->settings.kept_ms};
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *member = json_member(object, name);

    return cJSON_IsString(member) ? member->valuestring : NULL;
}

/* The row that a result speaks of: the one at its place when the id fits, else the first of that id. */
static size_t row_of(const struct sender *sender, size_t count, size_t place, const char *id)
{
    if (id == NULL || (place < count && strcmp(sender->rows[place].id, id) == 0))
        return place;
    for (size_t i = 0; i < count; i++)
        if (strcmp(sender->rows[i].id, id) == 0)
            return i;
    return count;
}

/* Fills answers from "results"; returns how many rows it settles. */
static size_t answer_each(struct sender *sender, size_t count, int status, const cJSON *results)
{
    size_t settled = 0, place = 0;
    bool seen[SENDER_BATCH] = {false};
    const cJSON *item;

    cJSON_ArrayForEach(item, results)
    {
        const char *what = text_of(item, "status");
        size_t row = row_of(sender, count, place++, text_of(item, "threat_id"));
        bool refused = what != NULL && strcmp(what, "refused") == 0;

        if (row >= count || seen[row] || what == NULL)
            continue;
        if (!refused && strcmp(what, "stored") != 0 && strcmp(what, "duplicate") != 0 && strcmp(what, "updated") != 0)
            continue;
        seen[row] = true;
        sender->answers[settled++] = (struct spool_answer){
            sender->rows[row].n, refused ? SPOOL_REFUSED : SPOOL_DELIVERED, status, text_of(item, "message"), 0};
    }
    return settled;
}

static void count_settled(struct sender *sender, size_t settled, int status)
{
    pthread_mutex_lock(&sender->lock);
    for (size_t i = 0; i < settled; i++) {
        enum spool_outcome outcome = sender->answers[i].outcome;

        if (outcome == SPOOL_DELIVERED)
            sender->counters.last_delivered_ms = clock_now_ms();
        ++*(outcome == SPOOL_DELIVERED ? &sender->counters.delivered
            : outcome == SPOOL_REFUSED ? &sender->counters.refused
                                       : &sender->counters.kept);
    }
    sender->counters.last_status = status;
    pthread_mutex_unlock(&sender->lock);
}

static void set_trouble(struct sender *sender, const char *text)
{
    pthread_mutex_lock(&sender->lock);
    snprintf(sender->counters.trouble, sizeof sender->counters.trouble, "%.199s", text);
    pthread_mutex_unlock(&sender->lock);
}

static void all_is_well(struct sender *sender)
{
    struct err err = {0};
    bool healed = sender->tries > 0;

    pthread_mutex_lock(&sender->lock);
    healed = healed || sender->counters.trouble[0] != '\0';
    pthread_mutex_unlock(&sender->lock);
    if (!healed)
        return;
    log_info("sender.recovered", "tries=%d", sender->tries);
    sender->tries = 0;
    set_trouble(sender, "");
    if (!spool_wake(sender->settings.spool, &err)) /* what was kept has a chance now */
        log_warn("sender.wake_failed", "error=\"%s\"", err.text);
}

static void try_later(struct sender *sender, const char *why, long retry_after_s)
{
    int doublings = sender->tries < 12 ? sender->tries : 12;
    int64_t pause = (int64_t)sender->settings.pause_min_ms << doublings;
    uint32_t dice;

    token_random(&dice, sizeof dice);
    if (pause > sender->settings.pause_max_ms)
        pause = sender->settings.pause_max_ms;
    pause = pause / 2 + (int64_t)(dice % (uint32_t)(pause / 2 + 1));
    if (retry_after_s > RETRY_AFTER_MAX_S)
        retry_after_s = RETRY_AFTER_MAX_S;
    if (retry_after_s >= 0 && pause < retry_after_s * 1000)
        pause = retry_after_s * 1000;
    sender->pause_until = clock_monotonic_ms() + pause;
    /* the first failure is told, then each tenth */
    if (sender->tries % 10 == 0)
        log_warn("sender.waiting", "failures=%d pause_ms=%lld why=\"%s\"", sender->tries + 1, (long long)pause, why);
    sender->tries++;
    set_trouble(sender, why);
}

static void reload_key(struct sender *sender)
{
    struct err err = {0};

    if (sender->signs && !load_key(&sender->settings, &sender->key, &err))
        log_error("sender.secret", "error=\"%s\"", err.text);
}

static void tell_kept(struct sender *sender, int status)
{
    char why[120];

    snprintf(why, sizeof why, "the receiver answered %d: check secret, clock, URL", status);
    log_error("sender.refused", "status=%d url=\"%s\" advice=\"check secret, clock, URL\"", status,
              sender->settings.url);
    set_trouble(sender, why);
    reload_key(sender); /* the file may hold a new secret by now */
}

static void settle(struct sender *sender, size_t settled, int status)
{
    struct err err = {0};

    if (spool_settle(sender->settings.spool, sender->answers, settled, &err)) {
        count_settled(sender, settled, status);
        return;
    }
    log_error("sender.spool", "error=\"%s\"", err.text);
    try_later(sender, err.text, -1);
}

/* Deals with the answer to the first count rows. */
static void take_answer(struct sender *sender, size_t count, const struct http_reply *reply)
{
    enum meaning meaning = meaning_of(reply->status);
    cJSON *json =
        meaning == DELIVERED || meaning == ITEM_BY_ITEM ? json_parse(reply->body, reply->length, NULL) : NULL;
    const cJSON *results = json_member(json, "results");
    char why[80];
    size_t settled;

    if (count > 1 && (meaning == ITEM_BY_ITEM || (meaning == DELIVERED && cJSON_IsArray(results)))) {
        settled = answer_each(sender, count, reply->status, results);
        if (settled > 0) {
            all_is_well(sender);
            settle(sender, settled, reply->status);
        }
        if (settled < count)
            try_later(sender, "the receiver did not speak of every threat", -1);
    } else if (meaning == DELIVERED) {
        all_is_well(sender);
        answer_all(sender, count, SPOOL_DELIVERED, reply->status, NULL);
        settle(sender, count, reply->status);
    } else if (meaning == REFUSED && count > 1) {
        sender->singles = count; /* perhaps it knows no arrays, perhaps one of them is bad */
    } else if (meaning == REFUSED) {
        log_error("sender.dead_letter", "threat=%s revision=%u status=%d", sender->rows[0].id,
                  sender->rows[0].revision, reply->status);
        answer_all(sender, count, SPOOL_REFUSED, reply->status, reply->body);
        settle(sender, count, reply->status);
    } else if (meaning == KEPT) {
        tell_kept(sender, reply->status);
        answer_all(sender, count, SPOOL_KEPT, reply->status, reply->body);
        settle(sender, count, reply->status);
    } else {
        snprintf(why, sizeof why, "the receiver answered %d", reply->status);
        try_later(sender, why, reply->retry_after_s);
    }
    cJSON_Delete(json);
}

/* --- the round --- */

static bool array_of(const struct spool_row *rows, size_t count, struct text *body)
{
    text_add(body, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_add(body, ",", 1);
        text_add(body, rows[i].json, rows[i].length);
    }
    text_add(body, "]", 1);
    return !body->failed;
}

static void send_rows(struct sender *sender, size_t count)
{
    struct text body = {.max = SENDER_BODY_MAX + 2};
    struct http_reply reply = {0};
    struct err err = {0};
    char id[THREAT_ID + 12];
    int64_t start = clock_monotonic_ms();
    bool ok;

    snprintf(id, sizeof id, "%s.%u", sender->rows[0].id, sender->rows[0].revision);
    if (count > 1 && !array_of(sender->rows, count, &body)) {
        try_later(sender, "out of memory", -1);
        goto done;
    }
    ok = post(sender, sender->settings.url, id, count > 1 ? body.bytes : sender->rows[0].json,
              count > 1 ? body.length : sender->rows[0].length, sender->settings.timeout_ms, &reply, &err);
    pthread_mutex_lock(&sender->lock);
    sender->counters.attempts++;
    sender->counters.failures += !ok || meaning_of(reply.status) == AGAIN;
    pthread_mutex_unlock(&sender->lock);
    if (!ok) {
        try_later(sender, err.text, -1);
        goto done;
    }
    take_answer(sender, count, &reply);
    log_debug("sender.sent", "first=%s threats=%zu status=%d ms=%lld", id, count, reply.status,
              (long long)(clock_monotonic_ms() - start));
done:
    http_reply_clear(&reply);
    free(body.bytes);
}

/* True when it should be called again at once. */
static bool deliver(struct sender *sender)
{
    struct err err = {0};
    size_t count = 0;
    size_t max = sender->singles > 0 ? 1 : SENDER_BATCH;

    if (clock_monotonic_ms() < sender->pause_until)
        return false;
    if (!spool_take(sender->settings.spool, clock_now_ms(), sender->rows, max, SENDER_BODY_MAX - SENDER_BATCH, &count,
                    &err)) {
        log_error("sender.spool", "error=\"%s\"", err.text);
        try_later(sender, err.text, -1);
        return false;
    }
    if (count == 0)
        return false;
    if (sender->singles > 0)
        sender->singles--;
    send_rows(sender, count);
    spool_rows_clear(sender->rows, count);
    return true;
}

/* --- packets --- */

/* Whether the receiver may take them another time. 404: the threat is not there (yet). */
static bool may_take_later(int status)
{
    return status == 404 || status == 408 || status == 429 || (status >= 500 && status != 501);
}

/* 0: it is settled; else when it is tried again. Threats do not wait for that. */
static int64_t next_try(struct sender *sender, const struct spool_packets *packets, int status)
{
    int64_t now = clock_now_ms(), pause = sender->settings.kept_ms;
    bool taken = status >= 200 && status < 300;

    if (packets->tries < EVIDENCE_EARLY && pause > LOOK_MS)
        pause = LOOK_MS;
    if (may_take_later(status) && now - packets->since_ms < EVIDENCE_MAX_MS)
        return now + pause;
    if (!taken)
        log_warn("sender.evidence", "threat=%s status=%d state=given_up", packets->threat_id, status);
    pthread_mutex_lock(&sender->lock);
    ++*(taken ? &sender->counters.evidence : &sender->counters.evidence_refused);
    pthread_mutex_unlock(&sender->lock);
    return 0;
}

static void put_packets(struct sender *sender, const struct spool_packets *packets)
{
    char url[sizeof sender->threats_url + THREAT_ID + 16], id[THREAT_ID + 16];
    struct parcel parcel = {"PUT",
                            "Content-Type: application/vnd.tcpdump.pcap",
                            url,
                            id,
                            packets->bytes,
                            packets->length,
                            sender->settings.timeout_ms};
    struct http_reply reply = {0};
    struct err err = {0};

    snprintf(url, sizeof url, "%s/%s/evidence", sender->threats_url, packets->threat_id);
    snprintf(id, sizeof id, "%s.evidence", packets->threat_id);
    if (!call(sender, &parcel, &reply, &err)) {
        try_later(sender, err.text, -1);
    } else {
        all_is_well(sender);
        if (!spool_settle_evidence(sender->settings.spool, packets->n, next_try(sender, packets, reply.status),
                                   &err)) {
            log_error("sender.spool", "error=\"%s\"", err.text);
            try_later(sender, err.text, -1);
        }
    }
    http_reply_clear(&reply);
}

/* One at a time, so that threats do not wait behind packets. True when it should be called again at once. */
static bool deliver_packets(struct sender *sender)
{
    struct spool_packets packets;
    struct err err = {0};
    bool found = false;

    if (sender->threats_url[0] == '\0' || clock_monotonic_ms() < sender->pause_until)
        return false;
    if (!spool_take_evidence(sender->settings.spool, clock_now_ms(), &packets, &found, &err)) {
        log_error("sender.spool", "error=\"%s\"", err.text);
        try_later(sender, err.text, -1);
        return false;
    }
    if (!found)
        return false;
    put_packets(sender, &packets);
    free(packets.bytes);
    return true;
}

static void heartbeat(struct sender *sender)
{
    struct http_reply reply = {0};
    struct err err = {0};
    cJSON *figures = sender->settings.figures(sender->settings.context);
    char *body = figures ? json_print(figures) : NULL;
    char id[TOKEN_ULID + 8];
    uint8_t rest[10];
    bool ok;

    cJSON_Delete(figures);
    if (body == NULL)
        return;
    token_random(rest, sizeof rest);
    memcpy(id, "beat_", 5);
    token_ulid(clock_now_ms(), rest, id + 5);
    ok = post(sender, sender->heartbeat_url, id, body, strlen(body), HEARTBEAT_TIMEOUT_MS, &reply, &err) &&
         reply.status >= 200 && reply.status < 300;
    if (ok == sender->heartbeat_failed) { /* a change is told, not each time */
        if (ok)
            log_info("sender.heartbeat", "state=heard");
        else
            log_warn("sender.heartbeat", "state=unheard status=%d error=\"%s\"", reply.status, err.text);
        sender->heartbeat_failed = !ok;
    }
    http_reply_clear(&reply);
    free(body);
}

static int64_t next_look(const struct sender *sender)
{
    struct spool_counts counts;
    int64_t now = clock_monotonic_ms(), until = now + PAUSE_MAX_MS;

    spool_counts(sender->settings.spool, &counts);
    if (counts.waiting + counts.kept + counts.evidence + counts.evidence_kept > 0)
        until = sender->pause_until > now            ? sender->pause_until
                : sender->settings.kept_ms < LOOK_MS ? now + sender->settings.kept_ms
                                                     : now + LOOK_MS;
    if (sender->heartbeat_url[0] != '\0' && sender->next_heartbeat < until)
        until = sender->next_heartbeat;
    return until;
}

static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until)
{
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    pthread_cond_timedwait(condition, lock, &at);
}

static void *sender_loop(void *argument)
{
    struct sender *sender = argument;
    bool more = true, stopping = false, reloading = false;

    while (!stopping) {
        if (reloading)
            reload_key(sender);
        more = deliver(sender) || deliver_packets(sender);
        if (sender->heartbeat_url[0] != '\0' && clock_monotonic_ms() >= sender->next_heartbeat) {
            sender->next_heartbeat = clock_monotonic_ms() + sender->settings.heartbeat_ms;
            heartbeat(sender);
        }
        int64_t until = more ? 0 : next_look(sender);

        pthread_mutex_lock(&sender->lock);
        pthread_cond_broadcast(&sender->calm);
        while (!more && !sender->woken && !sender->stopping && clock_monotonic_ms() < until)
            wait_until(&sender->news, &sender->lock, until);
        reloading = sender->reloading;
        sender->woken = sender->reloading = false;
        stopping = sender->stopping;
        pthread_mutex_unlock(&sender->lock);
    }
    return NULL;
}

/* --- life --- */

/* ".../webhook" has its heartbeats and threats beside it; another receiver gets none of that. */
static void make_urls(struct sender *sender)
{
    static const char tail[] = "/api/network/webhook";
    const char *url = sender->settings.url;
    size_t length = strlen(url), base = length - strlen("/webhook");
    int written;

    if (length < sizeof tail || length > sizeof sender->threats_url - 80 ||
        strcmp(url + length - (sizeof tail - 1), tail) != 0)
        return;
    snprintf(sender->threats_url, sizeof sender->threats_url, "%.*s/threats", (int)base, url);
    if (sender->settings.figures == NULL)
        return;
    written = snprintf(sender->heartbeat_url, sizeof sender->heartbeat_url, "%.*s/sensors/%s/heartbeat", (int)base,
                       url, sender->settings.sensor);
    if (written < 0 || (size_t)written >= sizeof sender->heartbeat_url)
        sender->heartbeat_url[0] = '\0';
}

static void defaults(struct sender_settings *s)
{
    s->timeout_ms = s->timeout_ms ? s->timeout_ms : TIMEOUT_MS;
    s->pause_min_ms = s->pause_min_ms ? s->pause_min_ms : PAUSE_MIN_MS;
    s->pause_max_ms = s->pause_max_ms ? s->pause_max_ms : PAUSE_MAX_MS;
    s->kept_ms = s->kept_ms ? s->kept_ms : KEPT_MS;
    s->heartbeat_ms = s->heartbeat_ms ? s->heartbeat_ms : HEARTBEAT_MS;
}

bool sender_check(const struct sender_settings *settings, struct err *err)
{
    struct signature_key key;
    bool ok = settings->secret_file == NULL || load_key(settings, &key, err);

    memset(&key, 0, sizeof key);
    return ok;
}

struct sender *sender_start(const struct sender_settings *settings, struct err *err)
{
    struct sender *sender = calloc(1, sizeof *sender);
    pthread_condattr_t monotonic;

    if (sender == NULL) {
        err_set(err, ERR_MEMORY, "sender: out of memory");
        return NULL;
    }
    sender->settings = *settings;
    defaults(&sender->settings);
    make_urls(sender);
    sender->signs = settings->secret_file != NULL;
    if (sender->signs && !load_key(settings, &sender->key, err)) {
        free(sender);
        return NULL;
    }
    sender->client = http_client_create();
    pthread_mutex_init(&sender->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->news, &monotonic);
    pthread_cond_init(&sender->calm, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (sender->client == NULL || pthread_create(&sender->thread, NULL, sender_loop, sender) != 0) {
        err_set(err, ERR_SYSTEM, "sender: cannot start");
        http_client_free(sender->client);
        free(sender);
        return NULL;
    }
    pthread_setname_np(sender->thread, "sender");
    return sender;
}

void sender_wake(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    sender->woken = true;
    pthread_cond_signal(&sender->news);
    pthread_mutex_unlock(&sender->lock);
}

bool sender_wants_evidence(const struct sender *sender)
{
    return sender->threats_url[0] != '\0';
}

void sender_reload(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    sender->reloading = sender->woken = true;
    pthread_cond_signal(&sender->news);
    pthread_mutex_unlock(&sender->lock);
}

bool sender_drain(struct sender *sender, int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;
    struct spool_counts counts;

    spool_counts(sender->settings.spool, &counts);
    while (counts.waiting + counts.evidence > 0 && clock_monotonic_ms() < until) {
        int64_t step = clock_monotonic_ms() + 200; /* the calm may have been before this wait */

        pthread_mutex_lock(&sender->lock);
        wait_until(&sender->calm, &sender->lock, step < until ? step : until);
        pthread_mutex_unlock(&sender->lock);
        spool_counts(sender->settings.spool, &counts);
    }
    return counts.waiting + counts.evidence == 0;
}

void sender_stop(struct sender *sender)
{
    if (sender == NULL)
        return;
    pthread_mutex_lock(&sender->lock);
    sender->stopping = true;
    pthread_cond_signal(&sender->news);
    pthread_mutex_unlock(&sender->lock);
    pthread_join(sender->thread, NULL);
    http_client_free(sender->client);
    pthread_mutex_destroy(&sender->lock);
    pthread_cond_destroy(&sender->news);
    pthread_cond_destroy(&sender->calm);
    memset(&sender->key, 0, sizeof sender->key);
    free(sender);
}

void sender_counters(struct sender *sender, struct sender_counters *out)
{
    pthread_mutex_lock(&sender->lock);
    *out = sender->counters;
    pthread_mutex_unlock(&sender->lock);
}
