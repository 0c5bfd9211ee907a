/* suppression.c: see suppression.h. */
#include "backend/suppression.h"

#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_ROUNDS = 20 }; /* of the watch: 10 s */
static const char kind[] = "suppression";

struct suppressions {
    struct store *store;
    pthread_rwlock_t lock; /* guards rules and count, not the hits in them; held for one pass */
    struct suppression *rules;
    size_t count;
    unsigned rounds;
};

/* --- the match --- */

static void fault(struct suppression_fault faults[8], size_t *count, const char *field, const char *expected)
{
    faults[(*count)++] = (struct suppression_fault){field, expected};
}

/* False: not given. */
static bool match_text(const cJSON *json, const char *name, size_t size, const char *expected, char *out,
                       struct suppression_fault faults[8], size_t *count)
{
    const cJSON *value = json_member(json, strrchr(name, '.') + 1);

    if (value == NULL)
        return false;
    if (!cJSON_IsString(value) || value->valuestring[0] == '\0' || strlen(value->valuestring) >= size) {
        fault(faults, count, name, expected);
        return false;
    }
    snprintf(out, size, "%s", value->valuestring);
    return true;
}

static bool match_network(const cJSON *json, const char *name, char *text, struct network *out,
                          struct suppression_fault faults[8], size_t *count)
{
    static const char expected[] = "an address or a network such as 10.0.0.0/8";

    if (!match_text(json, name, SUPPRESSION_ADDRESS, expected, text, faults, count))
        return false;
    if (!network_parse(text, out, NULL)) {
        fault(faults, count, name, expected);
        return false;
    }
    return true;
}

bool suppression_match_read(const cJSON *json, struct suppression_match *out, struct suppression_fault faults[8],
                            size_t *count)
{
    const cJSON *port = json_member(json, "port"), *confidence = json_member(json, "max_confidence");
    bool any;

    *count = 0;
    *out = (struct suppression_match){.port = -1, .max_confidence = 2};
    if (!cJSON_IsObject(json)) {
        fault(faults, count, "match", "an object");
        return false;
    }
    any = match_network(json, "match.source", out->source, &out->source_net, faults, count);
    any |= match_network(json, "match.destination", out->destination, &out->destination_net, faults, count);
    any |= match_text(json, "match.type", sizeof out->type, "a threat type", out->type, faults, count);
    any |= match_text(json, "match.sensor", sizeof out->sensor, "the name of a sensor", out->sensor, faults, count);
    if (port != NULL && (!cJSON_IsNumber(port) || port->valuedouble < 0 || port->valuedouble > 65535 ||
                         port->valuedouble != floor(port->valuedouble)))
        fault(faults, count, "match.port", "a whole number from 0 to 65535");
    else if (port != NULL)
        out->port = (int32_t)port->valuedouble;
    if (confidence != NULL &&
        (!cJSON_IsNumber(confidence) || !(confidence->valuedouble >= 0 && confidence->valuedouble <= 1)))
        fault(faults, count, "match.max_confidence", "a number from 0 to 1");
    else if (confidence != NULL)
        out->max_confidence = confidence->valuedouble;
    if (*count == 0 && !any && port == NULL && confidence == NULL)
        fault(faults, count, "match", "at least one of source, destination, port, type, sensor, max_confidence");
    return *count == 0;
}

cJSON *suppression_match_to_json(const struct suppression_match *match)
{
    cJSON *o = cJSON_CreateObject();

    if (match->source[0] != '\0')
        cJSON_AddStringToObject(o, "source", match->source);
    if (match->destination[0] != '\0')
        cJSON_AddStringToObject(o, "destination", match->destination);
    if (match->port >= 0)
        cJSON_AddNumberToObject(o, "port", match->port);
    if (match->type[0] != '\0')
        cJSON_AddStringToObject(o, "type", match->type);
    if (match->sensor[0] != '\0')
        cJSON_AddStringToObject(o, "sensor", match->sensor);
    if (match->max_confidence <= 1)
        cJSON_AddNumberToObject(o, "max_confidence", match->max_confidence);
    return o;
}

/* A threat with its addresses as numbers, so that many rules share the work. */
struct subject {
    const struct threat *threat;
    uint8_t source[16], destination[16];
    bool has_source, has_destination;
};

static struct subject subject_of(const struct threat *threat)
{
    struct subject subject = {.threat = threat};

    subject.has_source = network_address(threat->source_ip, subject.source);
    subject.has_destination = network_address(threat->destination_ip, subject.destination);
    return subject;
}

static bool fits(const struct suppression_match *match, const struct subject *subject)
{
    const struct threat *threat = subject->threat;

    return (match->port < 0 || match->port == threat->destination_port) &&
           (match->type[0] == '\0' || strcmp(match->type, threat->type) == 0) &&
           (match->sensor[0] == '\0' || strcmp(match->sensor, threat->sensor) == 0) &&
           threat->confidence <= match->max_confidence &&
           (match->source[0] == '\0' || (subject->has_source && network_has(&match->source_net, subject->source))) &&
           (match->destination[0] == '\0' ||
            (subject->has_destination && network_has(&match->destination_net, subject->destination)));
}

bool suppression_match_fits(const struct suppression_match *match, const struct threat *threat)
{
    struct subject subject = subject_of(threat);

    return fits(match, &subject);
}

/* --- the match as a query --- */

static struct search *leaf(enum search_kind leaf_kind, enum search_field field)
{
    struct search *search = calloc(1, sizeof *search);

    if (search != NULL) {
        search->kind = leaf_kind;
        search->field = field;
    }
    return search;
}

static struct search *leaf_text(enum search_field field, const char *text)
{
    struct search *search = leaf(SEARCH_TEXT, field);

    if (search != NULL && (search->text = strdup(text)) == NULL) {
        search_free(search);
        search = NULL;
    }
    return search;
}

static struct search *leaf_number(enum search_field field, double low, double high)
{
    struct search *search = leaf(SEARCH_NUMBER, field);

    if (search != NULL) {
        search->low = low;
        search->high = high;
    }
    return search;
}

static struct search *leaf_network(enum search_field field, const struct network *network)
{
    struct search *search = leaf(SEARCH_NETWORK, field);

    if (search != NULL) {
        memcpy(search->net_low, network->low, sizeof search->net_low);
        memcpy(search->net_high, network->high, sizeof search->net_high);
    }
    return search;
}

/* Takes both, and passes a lack of memory on. */
static struct search * and (struct search * a, struct search *b)
{
    if (a != NULL && b != NULL)
        return search_and(a, b);
    search_free(a);
    search_free(b);
    return NULL;
}

struct search *suppression_match_search(const struct suppression_match *match)
{
    struct search *all = search_all();

    if (match->source[0] != '\0')
        all = and(all, leaf_network(FIELD_SOURCE, &match->source_net));
    if (match->destination[0] != '\0')
        all = and(all, leaf_network(FIELD_DESTINATION, &match->destination_net));
    if (match->port >= 0)
        all = and(all, leaf_number(FIELD_DESTINATION_PORT, match->port, match->port));
    if (match->type[0] != '\0')
        all = and(all, leaf_text(FIELD_TYPE, match->type));
    if (match->sensor[0] != '\0')
        all = and(all, leaf_text(FIELD_SENSOR, match->sensor));
    if (match->max_confidence <= 1)
        all = and(all, leaf_number(FIELD_CONFIDENCE, -INFINITY, match->max_confidence));
    return all;
}

/* --- rules --- */

bool suppression_read(struct suppression *out, const char *id, int64_t version, const char *json)
{
    cJSON *o = json_parse(json, strlen(json), NULL);
    struct suppression_fault faults[8];
    size_t count;
    bool ok = o != NULL && strlen(id) < sizeof out->id &&
              suppression_match_read(json_member(o, "match"), &out->match, faults, &count) &&
              json_text(o, "reason", out->reason, sizeof out->reason, NULL) &&
              json_text(o, "author", out->author, sizeof out->author, NULL) &&
              json_integer(o, "created", 0, INT64_MAX / 2, &out->created_ms, NULL) &&
              json_integer(o, "expires", 0, INT64_MAX / 2, &out->expires_ms, NULL);

    if (ok)
        snprintf(out->id, sizeof out->id, "%s", id);
    out->version = version;
    atomic_init(&out->hits, 0);
    atomic_init(&out->last_ms, 0);
    cJSON_Delete(o);
    return ok;
}

cJSON *suppression_to_doc(const struct suppression *rule)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddItemToObject(o, "match", suppression_match_to_json(&rule->match));
    cJSON_AddStringToObject(o, "reason", rule->reason);
    cJSON_AddStringToObject(o, "author", rule->author);
    cJSON_AddNumberToObject(o, "created", (double)rule->created_ms);
    cJSON_AddNumberToObject(o, "expires", (double)rule->expires_ms);
    return o;
}

struct list {
    struct suppression *rules;
    size_t count;
};

static bool rule_row(void *context, const char *id, int64_t version, const char *json)
{
    struct list *list = context;

    if (suppression_read(&list->rules[list->count], id, version, json))
        list->count++;
    else
        log_warn("suppressions.unreadable", "id=%s", id);
    return list->count < SUPPRESSIONS_MAX;
}

/* Called by the watch. Hits that are not written yet move over. */
static bool reload(void *context, struct err *err)
{
    struct suppressions *suppressions = context;
    struct list fresh = {.rules = calloc(SUPPRESSIONS_MAX, sizeof *fresh.rules)};
    struct suppression *old, *shrunk;

    if (fresh.rules == NULL)
        return err_set(err, ERR_MEMORY, "suppressions: out of memory");
    if (!store_doc_list(suppressions->store, kind, NULL, false, SUPPRESSIONS_MAX, rule_row, &fresh, err)) {
        free(fresh.rules);
        return false;
    }
    shrunk = realloc(fresh.rules, (fresh.count + 1) * sizeof *fresh.rules);
    if (shrunk != NULL)
        fresh.rules = shrunk;
    pthread_rwlock_wrlock(&suppressions->lock);
    for (size_t i = 0; i < suppressions->count; i++)
        for (size_t k = 0; k < fresh.count; k++)
            if (strcmp(suppressions->rules[i].id, fresh.rules[k].id) == 0) {
                atomic_store(&fresh.rules[k].hits, atomic_load(&suppressions->rules[i].hits));
                atomic_store(&fresh.rules[k].last_ms, atomic_load(&suppressions->rules[i].last_ms));
            }
    old = suppressions->rules;
    suppressions->rules = fresh.rules;
    suppressions->count = fresh.count;
    pthread_rwlock_unlock(&suppressions->lock);
    free(old);
    return true;
}

static bool round_passed(void *context, struct err *err)
{
    struct suppressions *suppressions = context;

    (void)err;
    if (++suppressions->rounds % FLUSH_ROUNDS == 0)
        suppressions_flush(suppressions);
    return true;
}

struct suppressions *suppressions_create(struct store *store, struct watch *watch, struct err *err)
{
    struct suppressions *suppressions = calloc(1, sizeof *suppressions);

    if (suppressions == NULL) {
        err_set(err, ERR_MEMORY, "suppressions: out of memory");
        return NULL;
    }
    suppressions->store = store;
    pthread_rwlock_init(&suppressions->lock, NULL);
    if (!watch_add(watch, kind, reload, suppressions, err) ||
        !watch_add(watch, NULL, round_passed, suppressions, err)) {
        suppressions_free(suppressions);
        return NULL;
    }
    return suppressions;
}

void suppressions_free(struct suppressions *suppressions)
{
    if (suppressions == NULL)
        return;
    suppressions_flush(suppressions);
    pthread_rwlock_destroy(&suppressions->lock);
    free(suppressions->rules);
    free(suppressions);
}

bool suppression_match(struct suppressions *suppressions, const struct threat *threat, char id[DOC_ID])
{
    bool found = false;
    struct subject subject;
    int64_t now;

    pthread_rwlock_rdlock(&suppressions->lock);
    if (suppressions->count > 0) {
        subject = subject_of(threat);
        now = clock_now_ms();
        for (size_t i = 0; !found && i < suppressions->count; i++) {
            struct suppression *rule = &suppressions->rules[i];
            found = (rule->expires_ms == 0 || rule->expires_ms > now) && fits(&rule->match, &subject);
            if (found) {
                memcpy(id, rule->id, DOC_ID);
                atomic_fetch_add(&rule->hits, 1);
                atomic_store(&rule->last_ms, now);
            }
        }
    }
    pthread_rwlock_unlock(&suppressions->lock);
    return found;
}

size_t suppressions_count(struct suppressions *suppressions)
{
    size_t count;

    pthread_rwlock_rdlock(&suppressions->lock);
    count = suppressions->count;
    pthread_rwlock_unlock(&suppressions->lock);
    return count;
}

/* --- hits --- */

struct hit {
    char id[DOC_ID];
    int64_t hits, last_ms;
};

/* Another backend may write at the same moment: then the next round tries again. */
static bool hit_write(struct store *store, const struct hit *hit)
{
    char *json = NULL;
    int64_t version = 0, before = 0, last = 0;
    struct err err = {0};
    cJSON *o;

    if (store_doc_get(store, "hits", hit->id, &json, &version, &err)) {
        o = json_parse(json, strlen(json), NULL);
        json_integer(o, "hits", 0, INT64_MAX / 2, &before, NULL);
        json_integer(o, "last", 0, INT64_MAX / 2, &last, NULL);
        cJSON_Delete(o);
        free(json);
    } else if (err.code != ERR_NOT_FOUND) {
        return false;
    }
    o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "hits", (double)(before + hit->hits));
    cJSON_AddNumberToObject(o, "last", (double)(last > hit->last_ms ? last : hit->last_ms));
    return doc_put(store, "hits", hit->id, NULL, o, 0, version, NULL, NULL);
}

static void hit_give_back(struct suppressions *suppressions, const struct hit *hit)
{
    pthread_rwlock_rdlock(&suppressions->lock);
    for (size_t i = 0; i < suppressions->count; i++)
        if (strcmp(suppressions->rules[i].id, hit->id) == 0)
            atomic_fetch_add(&suppressions->rules[i].hits, hit->hits);
    pthread_rwlock_unlock(&suppressions->lock);
}

void suppressions_flush(struct suppressions *suppressions)
{
    struct hit *hits = NULL;
    size_t count = 0;

    pthread_rwlock_rdlock(&suppressions->lock);
    if (suppressions->count > 0)
        hits = calloc(suppressions->count, sizeof *hits);
    for (size_t i = 0; hits != NULL && i < suppressions->count; i++) {
        struct suppression *rule = &suppressions->rules[i];
        int64_t pending = atomic_exchange(&rule->hits, 0);
        if (pending == 0)
            continue;
        memcpy(hits[count].id, rule->id, DOC_ID);
        hits[count].hits = pending;
        hits[count++].last_ms = atomic_load(&rule->last_ms);
    }
    pthread_rwlock_unlock(&suppressions->lock);
    for (size_t i = 0; i < count; i++)
        if (!hit_write(suppressions->store, &hits[i]))
            hit_give_back(suppressions, &hits[i]);
    free(hits);
}
