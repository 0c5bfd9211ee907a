/* outlet.c: see outlet.h. */
#include "detector/outlet.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { DETAILS_MAX = THREAT_JSON_MAX };

struct outlet {
    struct spool *spool;
    struct sender *sender;
    pthread_mutex_t lock;        /* guards what follows; held for a copy */
    char *recent[OUTLET_RECENT]; /* a ring */
    size_t first, count;
    struct outlet_counters counters;
};

struct outlet *outlet_create(struct spool *spool, struct err *err)
{
    struct outlet *outlet = calloc(1, sizeof *outlet);

    if (outlet == NULL) {
        err_set(err, ERR_MEMORY, "outlet: out of memory");
        return NULL;
    }
    outlet->spool = spool;
    pthread_mutex_init(&outlet->lock, NULL);
    return outlet;
}

void outlet_attach(struct outlet *outlet, struct sender *sender)
{
    outlet->sender = sender;
}

void outlet_free(struct outlet *outlet)
{
    if (outlet == NULL)
        return;
    outlet_clear(outlet);
    pthread_mutex_destroy(&outlet->lock);
    free(outlet);
}

/* A file's name is bytes, JSON is text: what is none becomes '?'. */
static void add_name(struct text *text, const char *name)
{
    size_t length = strlen(name);
    char *copy = strdup(name);

    if (copy == NULL) {
        text->failed = true;
        return;
    }
    for (size_t i = 0; i < length;) {
        size_t n = utf8_char(copy + i, length - i);

        if (n == 0)
            copy[i] = '?';
        i += n ? n : 1;
    }
    text_add_json(text, copy);
    free(copy);
}

/* Puts members in front of those that the details have; the rest of the text stays as it is, byte for byte. */
static char *with_origin(const char *details, const char *file, const char *job)
{
    struct text text = {.max = DETAILS_MAX};
    const char *rest = details != NULL && details[0] == '{' ? details + 1 : "}";

    text_add(&text, "{", 1);
    if (file != NULL) {
        text_addf(&text, "\"file\":");
        add_name(&text, file);
    }
    if (job != NULL) {
        text_addf(&text, "%s\"job\":", file ? "," : "");
        text_add_json(&text, job);
    }
    if (rest[0] != '}')
        text_add(&text, ",", 1);
    text_add(&text, rest, strlen(rest));
    if (text.failed) {
        free(text.bytes);
        return NULL;
    }
    return text.bytes;
}

char *outlet_json(const struct threat *threat, const char *file, const char *job)
{
    struct threat copy = *threat; /* shallow: only details is replaced */
    char *details = NULL, *json;

    if (file != NULL || job != NULL) {
        details = with_origin(threat->details, file, job);
        if (details == NULL)
            return NULL;
        copy.details = details;
    }
    json = threat_to_json(&copy);
    free(details);
    return json;
}

static void remember(struct outlet *outlet, const struct threat *threat, char *json)
{
    size_t place;

    pthread_mutex_lock(&outlet->lock);
    if (outlet->count == OUTLET_RECENT) {
        free(outlet->recent[outlet->first]);
        outlet->first = (outlet->first + 1) % OUTLET_RECENT;
        outlet->count--;
    }
    place = (outlet->first + outlet->count++) % OUTLET_RECENT;
    outlet->recent[place] = json;
    outlet->counters.taken++;
    if (threat->revision == 1)
        outlet->counters.by_severity[threat->severity]++;
    pthread_mutex_unlock(&outlet->lock);
}

static bool lose(struct outlet *outlet, const struct threat *threat, const char *why)
{
    uint64_t lost;

    pthread_mutex_lock(&outlet->lock);
    lost = ++outlet->counters.lost;
    pthread_mutex_unlock(&outlet->lock);
    if (lost == 1 || lost % 100 == 0)
        log_error("outlet.lost", "threat=%s type=%s lost=%llu error=\"%s\"", threat->id, threat->type,
                  (unsigned long long)lost, why);
    return false;
}

bool outlet_take(struct outlet *outlet, const struct threat *threat, const char *file, const char *job)
{
    struct err err = {0};
    char *json = outlet_json(threat, file, job);

    if (json == NULL)
        return lose(outlet, threat, "out of memory");
    if (outlet->spool != NULL && !spool_append(outlet->spool, threat->id, threat->revision, json, &err)) {
        free(json);
        return lose(outlet, threat, err.text);
    }
    log_info("threat.detected", "threat=%s revision=%u type=%s severity=%s source=%s destination=%s confidence=%.3f",
             threat->id, threat->revision, threat->type, severity_text(threat->severity), threat->source_ip,
             threat->destination_ip, threat->confidence);
    remember(outlet, threat, json);
    if (outlet->sender != NULL)
        sender_wake(outlet->sender);
    return true;
}

void outlet_evidence(struct outlet *outlet, const char *threat_id, const void *pcap, size_t length)
{
    struct err err = {0};
    bool kept;

    if (outlet->spool == NULL || outlet->sender == NULL || !sender_wants_evidence(outlet->sender))
        return;
    kept = spool_evidence(outlet->spool, threat_id, pcap, length, &err);
    pthread_mutex_lock(&outlet->lock);
    ++*(kept ? &outlet->counters.evidence : &outlet->counters.evidence_lost);
    pthread_mutex_unlock(&outlet->lock);
    if (kept)
        sender_wake(outlet->sender);
    else
        log_warn("outlet.evidence", "threat=%s error=\"%s\"", threat_id, err.text);
}

bool outlet_room(struct outlet *outlet, int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;
    struct spool_counts counts;

    if (outlet->spool == NULL)
        return true;
    spool_counts(outlet->spool, &counts);
    while (counts.max_bytes > 0 && counts.bytes > counts.max_bytes / 10 * 9) {
        if (outlet->sender == NULL || clock_monotonic_ms() >= until)
            return false;
        sender_drain(outlet->sender, 200); /* returns when something moved or the time is over */
        spool_counts(outlet->spool, &counts);
    }
    return true;
}

size_t outlet_recent(struct outlet *outlet, size_t limit, struct text *out)
{
    size_t total;

    pthread_mutex_lock(&outlet->lock);
    total = outlet->count;
    text_add(out, "[", 1);
    for (size_t i = limit < total ? total - limit : 0; i < total; i++) {
        const char *json = outlet->recent[(outlet->first + i) % OUTLET_RECENT];

        text_add(out, json, strlen(json));
        if (i + 1 < total)
            text_add(out, ",", 1);
    }
    text_add(out, "]", 1);
    pthread_mutex_unlock(&outlet->lock);
    return total;
}

size_t outlet_clear(struct outlet *outlet)
{
    size_t count;

    pthread_mutex_lock(&outlet->lock);
    count = outlet->count;
    for (size_t i = 0; i < count; i++)
        free(outlet->recent[(outlet->first + i) % OUTLET_RECENT]);
    outlet->first = outlet->count = 0;
    pthread_mutex_unlock(&outlet->lock);
    return count;
}

void outlet_counters(struct outlet *outlet, struct outlet_counters *out)
{
    pthread_mutex_lock(&outlet->lock);
    *out = outlet->counters;
    pthread_mutex_unlock(&outlet->lock);
}
