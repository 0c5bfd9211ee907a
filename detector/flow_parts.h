/* flow_parts.h: what the files of the flow table share. Only detector/flow*.c include it.
 *
 * A record lives in one array, never moves and is named by its index. The index (flow_index) finds it by its ends,
 * the wheel (flow_wheel) by the time at which it must be looked at next. */
#ifndef DETECTOR_FLOW_PARTS_H
#define DETECTOR_FLOW_PARTS_H

#include "detector/flow.h"

enum { FLOW_WHEEL_SHIFT = 26, FLOW_WHEEL_SLOTS = 2048 }; /* 67 ms a slot, 137 s around */
#define FLOW_NONE UINT32_MAX

enum flow_state {
    FLOW_STATE_FREE,
    FLOW_STATE_OPEN,
    FLOW_STATE_CLOSED,   /* ended by FIN or RST: swallows what still comes of the connection */
    FLOW_STATE_CONTINUED /* ended by the active time-out: remembers who the initiator was */
};

struct flow_record {
    _Alignas(64) struct flow flow;
    int64_t seen; /* the table's clock at the last packet; at the end for FLOW_STATE_CLOSED */
    uint32_t hash;
    uint32_t next, prev; /* in the wheel's slot, or next in the list of free records */
    uint8_t state;
    uint8_t fins;     /* bit 0: forward has sent its FIN, bit 1: backward has */
    uint8_t last_fin; /* the direction whose FIN came second */
    uint8_t late;     /* packets swallowed since the end */
    bool fresh;       /* a packet has come since the last FLOW_STEP */
};
_Static_assert(sizeof(struct flow_record) == 256, "four cache lines a flow");

struct flow_index_slot {
    uint32_t hash, record; /* record + 1; 0: free */
};

struct flow_index {
    struct flow_index_slot *slots;
    uint32_t mask;
};

struct flow_wheel {
    uint32_t heads[FLOW_WHEEL_SLOTS];
    int64_t passed; /* number of the last slot whose time is over */
};

struct flow_table {
    struct flow_settings settings;
    struct flow_record *records;
    struct flow_index index;
    uint64_t key[2];
    int64_t now; /* the clock: greatest packet time or tick so far */
    bool started;
    uint32_t max, used, free, held; /* records: ceiling, ever used, list of free ones, now in use */
    uint32_t hand;                  /* where the search for a flow to evict goes on */
    uint32_t behind;                /* packets in a row that were astray */
    size_t memory;
    struct flow_counters counters;
    struct flow_wheel wheel;
};

/* flow_index.c: open addressing, linear probing, no tombstones. */
size_t flow_index_slots(size_t max_flows); /* a power of two, at most three quarters full */
uint32_t flow_hash(const uint64_t key[2], const struct packet *packet);
uint32_t flow_index_find(const struct flow_table *table, uint32_t hash, const struct packet *packet, int *direction);
uint32_t flow_index_guess(const struct flow_index *index, uint32_t hash); /* the first record of that hash */
void flow_index_insert(struct flow_index *index, uint32_t hash, uint32_t record);
void flow_index_remove(struct flow_index *index, uint32_t hash, uint32_t record);

/* flow_ahead.c */
enum { FLOW_LOOK = 16 };
size_t flow_take_few(const struct flow_table *table, uint32_t *list, uint32_t id[FLOW_LOOK]);

/* flow_wheel.c */
void flow_wheel_start(struct flow_wheel *wheel, int64_t now);
void flow_wheel_insert(struct flow_table *table, uint32_t id, int64_t due);
void flow_wheel_remove(struct flow_table *table, uint32_t id);
/* Goes on to the earliest of all due times at once, without the empty slots before it; something must be held. */
void flow_wheel_skip(struct flow_table *table, int64_t (*due)(const struct flow_table *, const struct flow_record *));
/* Takes every record whose due time lies in `slot` out of the wheel, as a list by `next` in the order of due time,
 * then of id; due() says when, and whoever is due later goes back into the wheel. */
uint32_t flow_wheel_take(struct flow_table *table, int64_t slot,
                         int64_t (*due)(const struct flow_table *, const struct flow_record *));

#endif
