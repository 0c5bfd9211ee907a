/* verdict.h: flow events in, threats out.
 *
 * Joins features, windows, both forests, the type and the incident: the seed's rule (rf says attack or iso
 * says anomaly) with calibrated thresholds, evidence of windows first, ports last. One scan, flood or guessing
 * run is one incident that keeps its threat_id and grows by revisions (1, 10, 100, ... and at its end).
 * Deterministic: the same events give the same threats. One thread. */
#ifndef DETECTOR_VERDICT_H
#define DETECTOR_VERDICT_H

#include "common/err.h"
#include "common/threat.h"
#include "detector/flow.h"
#include "detector/forest.h"
#include "detector/hosts.h"
#include "detector/tune.h"

struct verdict;

/* So many flows of a pair the forests have to find, if none is sure. Of flows without a byte of payload more: what
 * they are, a scan or a flood, shows by then. Most of datagrams, which programs send in bursts that are all alike. */
enum { VERDICT_AGREE = 5, VERDICT_AGREE_EMPTY = 10, VERDICT_AGREE_OTHERS = 20 };

struct verdict_settings {
    const struct model *model; /* NULL: the windows alone judge */
    const char *sensor;        /* name of this sensor */
    const char *source;        /* "live", "pcap" or "simulator": details.source */
    const char *origin;        /* hashed into the threat_id: sensor name, or the file's SHA-256 and job */
    struct tune *tune;    /* of the same model; begun by whoever feeds. NULL: all as the model and limits.c say */
    size_t max_hosts;     /* 0: a default */
    size_t max_incidents; /* 0: a default */
    /* Called for each notice (new threat or higher revision); the threat is the caller's to keep or not,
     * freed after the call. flow may be NULL for closing updates. */
    void (*sink)(void *context, const struct threat *threat, const struct flow *flow);
    void *context;
};

struct verdict *verdict_create(const struct verdict_settings *settings, struct err *err);
void verdict_free(struct verdict *verdict);
void verdict_event(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                   const struct packet *packet);
/* The two halves of verdict_event and verdict_packet, for two threads: the first sees events and packets in their
 * order and asks the windows, the second gets what it saw in the same order and decides. Only these functions may be
 * called beside each other. */
struct verdict_seen {
    int64_t now_ns;
    double context[HOSTS_CONTEXT]; /* window counts of the flow, where there is one */
    size_t count;
    struct evidence raised[HOSTS_EVIDENCE]; /* the first count of them */
};
void verdict_see_event(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                       const struct packet *packet, struct verdict_seen *out);
bool verdict_wants_packet(const struct packet *packet); /* whether verdict_see_packet would look at it */
void verdict_see_packet(struct verdict *verdict, const struct packet *packet, struct verdict_seen *out);
/* flow NULL: it was a packet. What raised nothing and is no step or end may be left out. */
void verdict_decide(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                    const struct verdict_seen *seen);

/* Every decoded packet and every ARP request, before its flow events; all but ARP, ICMP and DNS pass at once. */
void verdict_packet(struct verdict *verdict, const struct packet *packet);
/* The window counts of a flow as the model gets them; for --features. */
void verdict_context(const struct verdict *verdict, const struct flow *flow, double out[HOSTS_CONTEXT]);
/* Lets memory fetch what events of these ends will need of the windows (hosts_prefetch); on their thread. */
void verdict_prefetch(struct verdict *verdict, const struct hosts_sight *sights, size_t count);
void verdict_tick(struct verdict *verdict, int64_t now_ns); /* closes incidents that are over */
void verdict_finish(struct verdict *verdict);

/* Within the sink: the incident that the threat tells of. Else NULL. */
struct incident;
const struct incident *verdict_telling(const struct verdict *verdict);

/* The greatest value of each window's counter so far. */
void verdict_greatest(const struct verdict *verdict, double out[COUNTERS]);

struct verdict_counters {
    uint64_t judged, rf_attacks, iso_anomalies, threats, updates, folded;
};
void verdict_counters(const struct verdict *verdict, struct verdict_counters *out);

#endif
