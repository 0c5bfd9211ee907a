/* incident.h: one scan, flood or guessing run is one thing that grows.
 *
 * Keyed by type, source and target network (/24, /64), by type and source for what has no single target, by type and
 * target for what has no single source. It is told at once, at 10, 100, 1000, ... flows and when
 * nothing was added for 10 minutes; its id stays, its revision rises. Memory is fixed: when the table is
 * full, the incident that was quiet longest is told and closed. */
#ifndef DETECTOR_INCIDENT_H
#define DETECTOR_INCIDENT_H

#include "common/err.h"
#include "common/threat.h"
#include "detector/features.h"
#include "detector/forest.h"
#include "detector/hosts.h"

enum { INCIDENT_REASONS = 5 };

/* A feature that moved the forest, with what is usual for it. */
struct incident_reason {
    char feature[48];
    double value, low, high, share;
};

struct incident {
    uint64_t key;  /* what it is: goes into its id */
    uint64_t look; /* the table's own, as is near: a count that it is a part of */
    uint16_t *near;
    const char *type;
    enum limit_scope scope;
    char id[40];
    uint32_t revision;
    uint8_t opened_by; /* kind of event that counts for it (enum flow_event, or INCIDENT_BY_PACKET) */
    bool has_flow, has_score, by_window;
    bool rf_attack, iso_anomaly;
    uint8_t source[16], target[16];
    uint16_t source_port, target_port;
    uint8_t protocol;
    uint64_t flows, told, next;        /* next: the count at which it is told again */
    uint64_t packets, bytes;           /* of its flows that have ended */
    uint64_t open_packets, open_bytes; /* of the flow that proved it, until one has ended */
    int64_t first_ns, last_ns, proof_ns;
    double duration_s;
    double confidence;
    char community_id[32];
    struct evidence evidence; /* by_window: the strongest of the counter that opened it */
    struct score score;
    double iso_percentile;
    double features[FEATURES];
    double context[HOSTS_CONTEXT]; /* window counts of the same flow */
    struct incident_reason reason[INCIDENT_REASONS];
    size_t reasons;
    struct incident *older, *newer; /* by last_ns; the table's */
    struct incident *chain;
};
enum { INCIDENT_BY_PACKET = 100 };

struct incidents;
typedef void incident_teller(void *context, struct incident *incident);
struct incidents *incidents_create(size_t max, incident_teller *tell, void *context, struct err *err);
void incidents_free(struct incidents *incidents);

uint64_t incident_key(const char *type, enum limit_scope scope, const uint8_t source[16], const uint8_t target[16]);
struct incident *incidents_find(struct incidents *incidents, const char *type, enum limit_scope scope,
                                const uint8_t source[16], const uint8_t target[16]);
/* A zeroed one with its key and type, which has to outlive it; may tell and close the one that was quiet longest. */
struct incident *incidents_open(struct incidents *incidents, const char *type, enum limit_scope scope,
                                const uint8_t source[16], const uint8_t target[16], int64_t now_ns);
/* Whether one of the two is an end of an open one. */
bool incidents_about(const struct incidents *incidents, const uint8_t source[16], const uint8_t target[16]);
size_t incidents_open_count(const struct incidents *incidents);
void incidents_touch(struct incidents *incidents, struct incident *incident, int64_t now_ns);
void incidents_expire(struct incidents *incidents, int64_t now_ns); /* tells and closes what is over */
void incidents_finish(struct incidents *incidents);                 /* tells and closes all */

/* The first of powers of ten above count, at least 10. */
uint64_t incident_next(uint64_t count);

#endif
