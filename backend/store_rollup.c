/* store_rollup.c: gathers changes of counts by key. */
#include "backend/store_rollup.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t hash;
    int64_t bucket, count;
    size_t value; /* offset in bytes */
    uint8_t span, dimension;
    bool simulated;
};

struct rollup {
    struct entry *entries;
    uint32_t *slots; /* index + 1; a power of two, at least twice the entries */
    char *bytes;     /* the values */
    size_t count, room, slot_count, used, bytes_room;
};

static const int64_t widths_us[ROLLUP_SPANS] = {60000000LL, 3600000000LL, 86400000000LL, 0};

int64_t rollup_width_us(enum rollup_span span)
{
    return widths_us[span];
}

int64_t rollup_bucket(enum rollup_span span, int64_t us)
{
    int64_t width = widths_us[span];

    if (width == 0)
        return 0;
    return us >= 0 ? us / width : -((-us + width - 1) / width);
}

struct rollup *rollup_create(void)
{
    return calloc(1, sizeof(struct rollup));
}

void rollup_free(struct rollup *rollup)
{
    if (rollup == NULL)
        return;
    free(rollup->entries);
    free(rollup->slots);
    free(rollup->bytes);
    free(rollup);
}

void rollup_reset(struct rollup *rollup)
{
    rollup->count = rollup->used = 0;
    if (rollup->slots != NULL)
        memset(rollup->slots, 0, rollup->slot_count * sizeof *rollup->slots);
}

size_t rollup_count(const struct rollup *rollup)
{
    return rollup->count;
}

struct rollup_row rollup_row(const struct rollup *rollup, size_t index)
{
    const struct entry *e = &rollup->entries[index];

    return (struct rollup_row){.span = e->span,
                               .dimension = e->dimension,
                               .bucket = e->bucket,
                               .simulated = e->simulated,
                               .value = rollup->bytes + e->value,
                               .count = e->count};
}

static uint64_t hash_of(const struct rollup_row *row)
{
    uint64_t hash =
        14695981039346656037u ^ ((uint64_t)row->span << 16) ^ ((uint64_t)row->dimension << 8) ^ row->simulated;

    hash = (hash ^ (uint64_t)row->bucket) * 1099511628211u;
    for (const char *p = row->value; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    return hash ^ (hash >> 29);
}

static bool grow(struct rollup *rollup)
{
    size_t room = rollup->room != 0 ? 2 * rollup->room : 256;
    struct entry *entries = realloc(rollup->entries, room * sizeof *entries);
    uint32_t *slots;

    if (entries == NULL)
        return false;
    rollup->entries = entries;
    slots = calloc(2 * room, sizeof *slots);
    if (slots == NULL)
        return false;
    free(rollup->slots);
    rollup->slots = slots;
    rollup->slot_count = 2 * room;
    rollup->room = room;
    for (size_t i = 0; i < rollup->count; i++) {
        size_t at = entries[i].hash & (rollup->slot_count - 1);

        while (slots[at] != 0)
            at = (at + 1) & (rollup->slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    return true;
}

static bool keep_value(struct rollup *rollup, const char *value, size_t *offset)
{
    size_t size = strlen(value) + 1;

    if (rollup->used + size > rollup->bytes_room) {
        size_t room = 2 * rollup->bytes_room + size + 4096;
        char *bytes = realloc(rollup->bytes, room);

        if (bytes == NULL)
            return false;
        rollup->bytes = bytes;
        rollup->bytes_room = room;
    }
    memcpy(rollup->bytes + rollup->used, value, size);
    *offset = rollup->used;
    rollup->used += size;
    return true;
}

bool rollup_add_row(struct rollup *rollup, const struct rollup_row *row)
{
    uint64_t hash = hash_of(row);
    struct entry *e;
    size_t at;

    if (rollup->count == rollup->room && !grow(rollup))
        return false;
    for (at = hash & (rollup->slot_count - 1); rollup->slots[at] != 0; at = (at + 1) & (rollup->slot_count - 1)) {
        e = &rollup->entries[rollup->slots[at] - 1];
        if (e->hash == hash && e->span == row->span && e->dimension == row->dimension && e->bucket == row->bucket &&
            e->simulated == row->simulated && strcmp(rollup->bytes + e->value, row->value) == 0) {
            e->count += row->count;
            return true;
        }
    }
    e = &rollup->entries[rollup->count];
    if (!keep_value(rollup, row->value, &e->value))
        return false;
    e->hash = hash;
    e->span = (uint8_t)row->span;
    e->dimension = (uint8_t)row->dimension;
    e->bucket = row->bucket;
    e->simulated = row->simulated;
    e->count = row->count;
    rollup->slots[at] = (uint32_t)++rollup->count;
    return true;
}

static bool add_value(struct rollup *rollup, struct rollup_row *row, enum rollup_dimension dimension,
                      const char *value)
{
    row->dimension = dimension;
    row->value = value;
    return rollup_add_row(rollup, row);
}

static bool add_verdict(struct rollup *rollup, struct rollup_row *row, const struct rollup_fact *fact)
{
    char value[ROLLUP_VALUE];
    size_t verdict = strlen(fact->verdict), type = strlen(fact->type);

    if (verdict == 0 || verdict + type + 2 > sizeof value)
        return true;
    memcpy(value, fact->verdict, verdict);
    value[verdict] = ':';
    memcpy(value + verdict + 1, fact->type, type + 1);
    return add_value(rollup, row, ROLLUP_VERDICT, value);
}

bool rollup_add(struct rollup *rollup, const struct rollup_fact *fact, int delta, int64_t now_us)
{
    int64_t age = rollup_bucket(ROLLUP_MINUTE, now_us) - rollup_bucket(ROLLUP_MINUTE, fact->timestamp_us);
    struct rollup_row row = {.simulated = fact->simulated, .count = delta};
    bool ok = true;

    /* Taking out touches minutes of any age: rows that are gone are not missed. */
    for (int span = age < ROLLUP_MINUTES_KEPT || delta < 0 ? ROLLUP_MINUTE : ROLLUP_HOUR; ok && span < ROLLUP_SPANS;
         span++) {
        row.span = (enum rollup_span)span;
        row.bucket = rollup_bucket(row.span, fact->timestamp_us);
        if (fact->suppressed) {
            ok = add_value(rollup, &row, ROLLUP_SUPPRESSED, "");
            continue;
        }
        ok = add_value(rollup, &row, ROLLUP_SEVERITY, severity_text(fact->severity)) &&
             add_value(rollup, &row, ROLLUP_TYPE, fact->type) &&
             add_value(rollup, &row, ROLLUP_STATUS, fact->status) &&
             add_value(rollup, &row, ROLLUP_SENSOR, fact->sensor) && add_verdict(rollup, &row, fact);
        if (ok && span != ROLLUP_MINUTE)
            ok = add_value(rollup, &row, ROLLUP_SOURCE, fact->source) &&
                 add_value(rollup, &row, ROLLUP_DESTINATION, fact->destination);
    }
    return ok;
}
