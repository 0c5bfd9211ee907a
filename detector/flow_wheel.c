/* flow_wheel.c: which flows must be looked at when.
 *
 * Each record hangs in the slot of a time at which something may be due. A packet does not move its
 * flow: when the slot's time is over, whoever is due later goes to the slot of that time. So a packet costs nothing
 * here, and a flow one visit about every idle time-out. Times beyond the wheel wait in its last slot. */
#include "detector/flow_parts.h"

void flow_wheel_start(struct flow_wheel *wheel, int64_t now)
{
    for (int i = 0; i < FLOW_WHEEL_SLOTS; i++)
        wheel->heads[i] = FLOW_NONE;
    wheel->passed = (now >> FLOW_WHEEL_SHIFT) - 1;
}

/* prev of a list's first record names the slot, so that it can be taken out. */
void flow_wheel_insert(struct flow_table *table, uint32_t id, int64_t due)
{
    struct flow_wheel *wheel = &table->wheel;
    struct flow_record *record = &table->records[id];
    int64_t slot = due >> FLOW_WHEEL_SHIFT;

    if (slot <= wheel->passed)
        slot = wheel->passed + 1;
    if (slot >= wheel->passed + FLOW_WHEEL_SLOTS)
        slot = wheel->passed + FLOW_WHEEL_SLOTS - 1;
    uint32_t place = (uint32_t)(slot & (FLOW_WHEEL_SLOTS - 1));
    record->next = wheel->heads[place];
    record->prev = FLOW_NONE - 1 - place;
    if (record->next != FLOW_NONE)
        table->records[record->next].prev = id;
    wheel->heads[place] = id;
}

void flow_wheel_remove(struct flow_table *table, uint32_t id)
{
    struct flow_record *record = &table->records[id];

    if (record->prev > FLOW_NONE - 1 - FLOW_WHEEL_SLOTS)
        table->wheel.heads[FLOW_NONE - 1 - record->prev] = record->next;
    else
        table->records[record->prev].next = record->next;
    if (record->next != FLOW_NONE)
        table->records[record->next].prev = record->prev;
}

void flow_wheel_skip(struct flow_table *table, int64_t (*due)(const struct flow_table *, const struct flow_record *))
{
    uint32_t all = FLOW_NONE;
    int64_t first = INT64_MAX;

    for (int place = 0; place < FLOW_WHEEL_SLOTS; place++)
        for (uint32_t at = table->wheel.heads[place], next; at != FLOW_NONE; at = next) {
            int64_t when = due(table, &table->records[at]);
            if (when < first)
                first = when;
            next = table->records[at].next;
            table->records[at].next = all;
            all = at;
        }
    flow_wheel_start(&table->wheel, first);
    while (all != FLOW_NONE) {
        uint32_t at = all;
        all = table->records[at].next;
        flow_wheel_insert(table, at, due(table, &table->records[at]));
    }
}

struct run {
    struct flow_table *table;
    int64_t (*due)(const struct flow_table *, const struct flow_record *);
};

static bool before(const struct run *run, uint32_t a, uint32_t b)
{
    int64_t due_a = run->due(run->table, &run->table->records[a]);
    int64_t due_b = run->due(run->table, &run->table->records[b]);

    return due_a < due_b || (due_a == due_b && a < b);
}

static uint32_t merge(const struct run *run, uint32_t a, uint32_t b)
{
    uint32_t head = FLOW_NONE, *tail = &head;

    while (a != FLOW_NONE && b != FLOW_NONE) {
        uint32_t *least = before(run, b, a) ? &b : &a;
        *tail = *least;
        tail = &run->table->records[*least].next;
        *least = *tail;
    }
    *tail = a != FLOW_NONE ? a : b;
    return head;
}

/* Merge sort of a list, bottom up: parts[i] is sorted and holds 2^i records or none. */
static uint32_t sort(const struct run *run, uint32_t list)
{
    uint32_t parts[32], sorted = FLOW_NONE;
    int count = 0;

    while (list != FLOW_NONE) {
        uint32_t part = list;
        int i = 0;
        list = run->table->records[part].next;
        run->table->records[part].next = FLOW_NONE;
        for (; i < count && parts[i] != FLOW_NONE; i++) {
            part = merge(run, parts[i], part);
            parts[i] = FLOW_NONE;
        }
        if (i == count)
            count++;
        parts[i] = part;
    }
    for (int i = 0; i < count; i++)
        if (parts[i] != FLOW_NONE)
            sorted = merge(run, parts[i], sorted);
    return sorted;
}

uint32_t flow_wheel_take(struct flow_table *table, int64_t slot,
                         int64_t (*due)(const struct flow_table *, const struct flow_record *))
{
    const struct run run = {table, due};
    uint32_t *head = &table->wheel.heads[slot & (FLOW_WHEEL_SLOTS - 1)];
    uint32_t at = *head, list = FLOW_NONE;
    bool ordered = true;

    *head = FLOW_NONE;
    while (at != FLOW_NONE) {
        struct flow_record *record = &table->records[at];
        uint32_t next = record->next;
        if (next != FLOW_NONE)
            __builtin_prefetch(&table->records[next].flow.first_ns);
        int64_t when = due(table, record);
        if (when >> FLOW_WHEEL_SHIFT > slot) {
            flow_wheel_insert(table, at, when);
        } else {
            ordered = ordered && (list == FLOW_NONE || before(&run, at, list));
            record->next = list;
            list = at;
        }
        at = next;
    }
    return ordered ? list : sort(&run, list);
}
