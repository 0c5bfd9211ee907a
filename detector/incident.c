/* incident.c: see incident.h. */
#include "detector/incident.h"

#include "detector/bytes.h"
#include "detector/window.h"

#include <stdlib.h>
#include <string.h>

enum { INCIDENTS_DEFAULT = 2048, KINDS = 32, NEAR = 2048, MEMO = 64 };
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
    const char *memo_type[MEMO][LIMIT_NETWORK + 1]; /* by where the text lies: the answer of kind_of */
    struct kind *memo[MEMO][LIMIT_NETWORK + 1];
    uint8_t source[16], target[16]; /* that were last asked for, and their hashes: they are asked for many times */
    uint64_t source_hash, target_hash, network_hash;
    uint16_t near_source[NEAR], near_target[NEAR]; /* how many are open whose key holds such an address */
    struct incident *slots, *free;                 /* free: a chain */
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
    if (incidents == NULL || max > UINT16_MAX)
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
    size_t keep = address_is_v4(address) ? 15 : 8;

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

static struct kind *find_kind(struct incidents *incidents, const char *type, enum limit_scope scope)
{
    for (size_t i = 0; i < incidents->kinds; i++) {
        struct kind *kind = &incidents->kind[i];

        if (kind->scope == scope && (kind->type == type || strcmp(kind->type, type) == 0))
            return kind;
    }
    return NULL;
}

static struct kind *kind_of(struct incidents *incidents, const char *type, enum limit_scope scope)
{
    size_t place = (uintptr_t)type / 4 % MEMO;

    if (incidents->memo_type[place][scope] != type) {
        incidents->memo_type[place][scope] = type;
        incidents->memo[place][scope] = find_kind(incidents, type, scope);
    }
    return incidents->memo[place][scope];
}

/* A new kind, while there is room; one that is not kept is never found, which only means more incidents. */
static struct kind *count_kind(struct incidents *incidents, const char *type, enum limit_scope scope)
{
    struct kind *kind = kind_of(incidents, type, scope);

    if (kind == NULL && incidents->kinds < KINDS) {
        kind = &incidents->kind[incidents->kinds++];
        *kind = (struct kind){type, scope, 0};
        memset(incidents->memo_type, 0, sizeof incidents->memo_type);
    }
    if (kind != NULL)
        kind->open++;
    return kind;
}

static void ask_for(struct incidents *incidents, const uint8_t source[16], const uint8_t target[16])
{
    uint8_t network[16];

    if (incidents->source_hash != 0 && memcmp(incidents->source, source, 16) == 0 &&
        memcmp(incidents->target, target, 16) == 0)
        return;
    memcpy(incidents->source, source, 16);
    memcpy(incidents->target, target, 16);
    network_of(target, network);
    incidents->source_hash = window_hash(15, source, 16) | 1;
    incidents->target_hash = window_hash(16, target, 16);
    incidents->network_hash = window_hash(17, network, 16);
}

/* Of what is asked for, the part that belongs to the scope. */
static uint64_t look_of(const struct incidents *incidents, const struct kind *kind, enum limit_scope scope)
{
    uint64_t look = (uint64_t)(kind - incidents->kind) << 8 | (uint64_t)scope;

    if (scope == LIMIT_PAIR || scope == LIMIT_SOURCE)
        look = window_mix(look, incidents->source_hash);
    if (scope == LIMIT_PAIR)
        look = window_mix(look, incidents->network_hash);
    else if (scope == LIMIT_TARGET)
        look = window_mix(look, incidents->target_hash);
    return look;
}

/* The count of open ones that hold the address which the scope cannot do without; NULL: it needs none. */
static uint16_t *near_of(struct incidents *incidents, enum limit_scope scope)
{
    if (scope == LIMIT_NETWORK)
        return NULL;
    return scope == LIMIT_TARGET ? &incidents->near_target[incidents->target_hash % NEAR]
                                 : &incidents->near_source[incidents->source_hash / 2 % NEAR];
}

struct incident *incidents_find(struct incidents *incidents, const char *type, enum limit_scope scope,
                                const uint8_t source[16], const uint8_t target[16])
{
    const struct kind *kind;
    const uint16_t *near;
    struct incident *at;
    uint64_t look;

    if (incidents->open == 0)
        return NULL;
    ask_for(incidents, source, target);
    near = near_of(incidents, scope);
    if (near != NULL && *near == 0)
        return NULL;
    kind = kind_of(incidents, type, scope);
    if (kind == NULL || kind->open == 0)
        return NULL;
    look = look_of(incidents, kind, scope);
    at = incidents->bucket[look % incidents->buckets];
    while (at != NULL && at->look != look)
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
    struct incident **at = &incidents->bucket[incident->look % incidents->buckets];
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
    if (incident->near != NULL)
        --*incident->near;
    memset(incident, 0, sizeof *incident);
    incident->chain = incidents->free;
    incidents->free = incident;
    incidents->open--;
}

struct incident *incidents_open(struct incidents *incidents, const char *type, enum limit_scope scope,
                                const uint8_t source[16], const uint8_t target[16], int64_t now_ns)
{
    struct incident *incident;
    struct incident **bucket;
    struct kind *kind;

    if (incidents->free == NULL)
        close_oldest(incidents);
    incident = incidents->free;
    incidents->free = incident->chain;
    kind = count_kind(incidents, type, scope);
    ask_for(incidents, source, target);
    incident->key = incident_key(type, scope, source, target);
    incident->look = kind == NULL ? incident->key : look_of(incidents, kind, scope);
    incident->near = near_of(incidents, scope);
    if (incident->near != NULL)
        ++*incident->near;
    incident->type = type;
    incident->scope = scope;
    incident->last_ns = now_ns;
    bucket = &incidents->bucket[incident->look % incidents->buckets];
    incident->chain = *bucket;
    *bucket = incident;
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
