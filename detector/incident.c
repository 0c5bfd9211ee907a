/* incident.c: see incident.h. */
#include "detector/incident.h"

#include "detector/window.h"

#include <stdlib.h>
#include <string.h>

enum { INCIDENTS_DEFAULT = 2048, KINDS = 32 };
static const int64_t quiet_ns = INT64_C(600000000000); /* a pause this long ends it */

/* How many are open of a type and scope: most questions are about kinds of which there is none. */
struct kind {
    const char *type;
    enum limit_scope scope;
    size_t open;
};

struct incidents {
    struct kind kind[KINDS]; /* those ever opened */
    size_t kinds;
    struct incident *slots, *free; /* free: a chain */
    struct incident *oldest, *newest;
    struct incident **bucket;
    size_t buckets, open;
    incident_teller *tell;
    void *context;
};

struct incidents *incidents_create(size_t max, incident_teller *tell, void *context, struct err *err)
{
    struct incidents *incidents = calloc(1, sizeof *incidents);

    if (max == 0)
        max = INCIDENTS_DEFAULT;
    if (incidents == NULL)
        goto failed;
    incidents->tell = tell;
    incidents->context = context;
    incidents->buckets = max * 2;
    incidents->slots = calloc(max, sizeof *incidents->slots);
    incidents->bucket = calloc(incidents->buckets, sizeof(struct incident *));
    if (incidents->slots == NULL || incidents->bucket == NULL)
        goto failed;
    for (size_t i = max; i-- > 0;) {
        incidents->slots[i].chain = incidents->free;
        incidents->free = &incidents->slots[i];
    }
    return incidents;
failed:
    err_set(err, ERR_MEMORY, "%zu incidents: out of memory", max);
    incidents_free(incidents);
    return NULL;
}

void incidents_free(struct incidents *incidents)
{
    if (incidents == NULL)
        return;
    free(incidents->slots);
    free(incidents->bucket);
    free(incidents);
}

/* The network an address is in: /24 of IPv4 (its last 4 of 16 bytes), /64 of IPv6. */
static void network_of(const uint8_t address[16], uint8_t out[16])
{
    static const uint8_t v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    size_t keep = memcmp(address, v4, sizeof v4) == 0 ? 15 : 8;

    memset(out, 0, 16);
    memcpy(out, address, keep);
}

uint64_t incident_key(const char *type, enum limit_scope scope, const uint8_t source[16], const uint8_t target[16])
{
    uint64_t key = window_hash((uint64_t)scope + 11, type, strlen(type));
    uint8_t network[16];

    network_of(target, network);
    if (scope == LIMIT_PAIR || scope == LIMIT_SOURCE)
        key = window_hash(key, source, 16);
    if (scope == LIMIT_PAIR)
        key = window_hash(key, network, 16);
    else if (scope == LIMIT_TARGET)
        key = window_hash(key, target, 16);
    return key | (key == 0);
}

static struct kind *kind_of(struct incidents *incidents, const char *type, enum limit_scope scope)
{
    for (size_t i = 0; i < incidents->kinds; i++) {
        struct kind *kind = &incidents->kind[i];

        if (kind->scope == scope && (kind->type == type || strcmp(kind->type, type) == 0))
            return kind;
    }
    return NULL;
}

/* A new kind, while there is room; one that is not kept is never found, which only means more incidents. */
static void count_kind(struct incidents *incidents, const char *type, enum limit_scope scope)
{
    struct kind *kind = kind_of(incidents, type, scope);

    if (kind == NULL && incidents->kinds < KINDS) {
        kind = &incidents->kind[incidents->kinds++];
        *kind = (struct kind){type, scope, 0};
    }
    if (kind != NULL)
        kind->open++;
}

struct incident *incidents_find(struct incidents *incidents, const char *type, enum limit_scope scope,
                                const uint8_t source[16], const uint8_t target[16])
{
    const struct kind *kind = kind_of(incidents, type, scope);
    struct incident *at;
    uint64_t key;

    if (kind == NULL || kind->open == 0)
        return NULL;
    key = incident_key(type, scope, source, target);
    at = incidents->bucket[key % incidents->buckets];
    while (at != NULL && at->key != key)
        at = at->chain;
    return at;
}

static void unlink_age(struct incidents *incidents, struct incident *incident)
{
    if (incident->older != NULL)
        incident->older->newer = incident->newer;
    else
        incidents->oldest = incident->newer;
    if (incident->newer != NULL)
        incident->newer->older = incident->older;
    else
        incidents->newest = incident->older;
    incident->older = incident->newer = NULL;
}

static void link_newest(struct incidents *incidents, struct incident *incident)
{
    incident->older = incidents->newest;
    if (incidents->newest != NULL)
        incidents->newest->newer = incident;
    else
        incidents->oldest = incident;
    incidents->newest = incident;
}

static void close_oldest(struct incidents *incidents)
{
    struct incident *incident = incidents->oldest;
    struct incident **at = &incidents->bucket[incident->key % incidents->buckets];
    struct kind *kind;

    if (incident->flows > incident->told)
        incidents->tell(incidents->context, incident);
    while (*at != incident)
        at = &(*at)->chain;
    *at = incident->chain;
    unlink_age(incidents, incident);
    kind = kind_of(incidents, incident->type, incident->scope);
    if (kind != NULL)
        kind->open--;
    memset(incident, 0, sizeof *incident);
    incident->chain = incidents->free;
    incidents->free = incident;
    incidents->open--;
}

struct incident *incidents_open(struct incidents *incidents, const char *type, enum limit_scope scope,
                                const uint8_t source[16], const uint8_t target[16], int64_t now_ns)
{
    uint64_t key = incident_key(type, scope, source, target);
    struct incident *incident;

    if (incidents->free == NULL)
        close_oldest(incidents);
    incident = incidents->free;
    incidents->free = incident->chain;
    count_kind(incidents, type, scope);
    incident->key = key;
    incident->type = type;
    incident->scope = scope;
    incident->last_ns = now_ns;
    incident->chain = incidents->bucket[key % incidents->buckets];
    incidents->bucket[key % incidents->buckets] = incident;
    link_newest(incidents, incident);
    incidents->open++;
    return incident;
}

static bool is_end(const struct incident *incident, const uint8_t address[16])
{
    return memcmp(incident->source, address, 16) == 0 || memcmp(incident->target, address, 16) == 0;
}

bool incidents_about(const struct incidents *incidents, const uint8_t source[16], const uint8_t target[16])
{
    for (const struct incident *i = incidents->oldest; i != NULL; i = i->newer) {
        if (is_end(i, source) || is_end(i, target))
            return true;
    }
    return false;
}

size_t incidents_open_count(const struct incidents *incidents)
{
    return incidents->open;
}

void incidents_touch(struct incidents *incidents, struct incident *incident, int64_t now_ns)
{
    if (now_ns > incident->last_ns)
        incident->last_ns = now_ns;
    unlink_age(incidents, incident);
    link_newest(incidents, incident);
}

void incidents_expire(struct incidents *incidents, int64_t now_ns)
{
    while (incidents->oldest != NULL && now_ns - incidents->oldest->last_ns > quiet_ns)
        close_oldest(incidents);
}

void incidents_finish(struct incidents *incidents)
{
    while (incidents->oldest != NULL)
        close_oldest(incidents);
}

uint64_t incident_next(uint64_t count)
{
    uint64_t next = 10;

    while (next <= count && next < UINT64_MAX / 10)
        next *= 10;
    return next;
}
