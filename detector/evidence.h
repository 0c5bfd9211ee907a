/* evidence.h: the first packets of live flows, kept for a while in a ring, so that a threat can show its own.
 *
 * Of each flow the first so many packets are copied: their headers and the begin of the payload. The ring's memory is
 * taken at the start; what is oldest is written over. A capture file (pcap with nanoseconds) is made when a threat
 * asks: packets of its flow, and of the flows that an incident began with. One thread keeps, any thread may collect.
 */
#ifndef DETECTOR_EVIDENCE_H
#define DETECTOR_EVIDENCE_H

#include "common/err.h"
#include "common/token.h"
#include "detector/capture.h"
#include "detector/flow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVIDENCE_PCAP_MAX = 1024 * 1024, EVIDENCE_PACKETS_MAX = 1024, EVIDENCE_BYTES_MAX = 4096 };

struct evidence_settings {
    size_t packets; /* of a flow; 0: nothing is kept at all */
    size_t bytes;   /* of a packet's payload */
    size_t memory;  /* of the ring */
};

struct evidence_ring;
struct evidence_ring *evidence_create(const struct evidence_settings *settings, struct err *err);
void evidence_free(struct evidence_ring *ring);

/* flow: the one that the packet has been counted for. Packets beyond its first ones are passed by. */
void evidence_keep(struct evidence_ring *ring, const struct capture_frame *frame, const struct packet *packet,
                   const struct flow *flow);
/* Stands for the packets kept so far. Only the thread that keeps them may ask. */
uint64_t evidence_now(const struct evidence_ring *ring);

struct evidence_wish {
    const struct flow *flow;        /* its own packets; NULL: none */
    const uint8_t *source, *target; /* ends of the incident, 16 bytes each; NULL: whoever it is */
    int64_t since_ns;               /* the incident's first packet */
    uint64_t until;                 /* evidence_now of the moment of the threat */
};
struct evidence_pcap {
    uint8_t *bytes; /* owned (evidence_pcap_clear) */
    size_t length, packets;
    char sha256[TOKEN_HASH];
};
/* At most so many packets of the flow and so many others, in the order they came. False: there are none (any more).
 */
bool evidence_collect(struct evidence_ring *ring, const struct evidence_wish *wish, struct evidence_pcap *out);
void evidence_pcap_clear(struct evidence_pcap *pcap);

struct evidence_counters {
    uint64_t kept, made; /* packets; captures */
};
void evidence_counters(struct evidence_ring *ring, struct evidence_counters *out);

#endif
