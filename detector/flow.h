/* flow.h: packets of the same two ends and protocol become one flow.
 *
 * Bidirectional; forward is the direction of the initiator (a SYN without ACK wins over
 * first seen). A flow ends by FIN both ways and the final ACK, by RST, by 120 s without a packet, by
 * the active time-out, by eviction or at the end of the input. Time is the packets' own: live and
 * from a file give the same flows; flow_table_tick lets it go on when no packet comes. The exact rules, also for
 * clocks that jump and packets that come late, stand in docs/features.md.
 *
 * Memory is fixed at creation. Sums are kept in one pass; no packet is kept. The owner's
 * thread alone calls; a sink must not call back. */
#ifndef DETECTOR_FLOW_H
#define DETECTOR_FLOW_H

#include "common/err.h"
#include "detector/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flow_end {
    FLOW_OPEN,
    FLOW_END_FIN,
    FLOW_END_RST,
    FLOW_END_IDLE,
    FLOW_END_ACTIVE,
    FLOW_END_EVICTED,
    FLOW_END_INPUT
};

enum { FLOW_FORWARD = 0, FLOW_BACKWARD = 1 };

/* One flow's sums; read by features, hosts, classify. [0] forward, [1] backward. */
struct flow {
    uint8_t address[2][16]; /* [0] the initiator */
    uint16_t port[2];
    uint8_t protocol, version;
    uint8_t icmp_type, icmp_code; /* of the first packet */
    uint8_t end;                  /* enum flow_end */
    uint8_t flags_seen[2];        /* TCP flags ever seen in each direction */
    uint8_t step;                 /* steps behind it: how often FLOW_STEP was told, or passed over together */
    int64_t first_ns, last_ns;    /* least and greatest packet time: packets may come out of order */
    int64_t first_dir_ns[2], last_dir_ns[2];
    uint64_t packets[2];
    uint64_t payload_bytes[2];
    uint64_t ip_bytes[2];
    uint64_t header_bytes[2];      /* transport headers */
    double length_mean, length_m2; /* Welford over payload bytes of both directions */
    uint32_t psh[2], urg[2];
    uint32_t syn, rst, ack, fin; /* both directions */
    uint32_t id;                 /* of the slot; stable while the flow is open; for evidence */
};

/* What the sink is told, in packet-time order. */
enum flow_event {
    FLOW_NEW,      /* first packet counted */
    FLOW_ANSWERED, /* first packet of the other direction counted; or, of TCP, the initiator acknowledges one not seen
                    */
    FLOW_STEP,     /* 8 packets or 10 s, then at growing steps (32, 128, ... packets; 60 s, 600 s) */
    FLOW_ENDED     /* gone after the call */
};
typedef void flow_sink(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet);
/* packet is the flow's packet that caused the event; NULL when time, another flow or the end of the input did. */

struct flow_settings {
    size_t max_flows;  /* ceiling; memory is taken at creation */
    int64_t idle_ns;   /* 0: 120 s */
    int64_t active_ns; /* 0: 1800 s */
    uint8_t key[16];   /* secret of the hash; all zero: a random one is made */
    flow_sink *sink;
    /* Told of flows, at most FLOW_AHEAD, of some of which the sink will soon be told an end or a step that no packet
     * caused; may be NULL. */
    void (*ahead)(void *context, const struct flow *const *flows, size_t count);
    void *context;
};
enum { FLOW_AHEAD = 32, FLOW_STEP_PACKETS = 8 };

struct flow_counters {
    uint64_t packets, flows, ended[FLOW_END_INPUT + 1], evicted;
    uint64_t open, peak;
    uint64_t late;   /* packets just behind the end of their connection: in no flow */
    uint64_t astray; /* packets more than 5 min behind the clock */
    uint64_t jumps;  /* times the clock was set back because packets stayed behind it */
};

struct flow_table;
struct flow_table *flow_table_create(const struct flow_settings *settings, struct err *err);
void flow_table_free(struct flow_table *table);
/* A packet soon to be added. The two steps let memory fetch what the adding will need: call each for many at once. */
struct flow_sight {
    uint32_t hash;
    const struct flow *flow; /* where it will most likely be counted; NULL: it begins one */
};
void flow_table_sight(const struct flow_table *table, const struct packet *packet, struct flow_sight *sight);
void flow_table_prefetch(const struct flow_table *table, struct flow_sight *sight);
const struct flow *flow_table_add_sighted(struct flow_table *table, const struct packet *packet,
                                          const struct flow_sight *sight);
/* Returns the flow that the packet was counted for, also when it has ended by it; NULL: none (it came too late). It
 * is valid until the next call. */
const struct flow *flow_table_add(struct flow_table *table, const struct packet *packet);
/* Expires and steps what is due. now_ns: a time that no packet still to come is older than (live: a second ago). */
void flow_table_tick(struct flow_table *table, int64_t now_ns);
void flow_table_finish(struct flow_table *table); /* ends every open flow with FLOW_END_INPUT, longest quiet first */
void flow_table_counters(const struct flow_table *table, struct flow_counters *out);
size_t flow_table_memory(const struct flow_table *table); /* bytes taken in all */

/* Community ID v1 (https://github.com/corelight/community-id-spec), seed 0, base64: "1:..." */
void flow_community_id(const struct flow *flow, char out[32]);

#endif
