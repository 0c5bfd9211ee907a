/* hosts.h: what sources, targets and pairs did over the last 10 s, 60 s and 10 min.
 *
 * Single flows cannot show scans, floods or guessing; counts over time can. Memory is fixed at
 * creation; a spoofed flood cannot evict the others. Fed with packets and flow events in packet-time order; gives
 * counts as features to the forest and evidence to the verdict. One thread. */
#ifndef DETECTOR_HOSTS_H
#define DETECTOR_HOSTS_H

#include "common/err.h"
#include "detector/flow.h"
#include "detector/limits.h"

struct hosts;

enum { HOSTS_CONTEXT = 12 }; /* window counts that a model may name as features */
extern const char *const hosts_context_names[HOSTS_CONTEXT];

/* A counter that went over its limit: evidence of a kind of attack. */
enum { HOSTS_EVIDENCE = 8 };
struct evidence {
    const char *type;    /* threat type: "port_scan", "brute_force", "ddos", "udp_flood", ... */
    const char *counter; /* name of the counter, e.g. "failed_ports" */
    enum counter number;
    double value, limit, benign_max;
    int32_t window_s;
    enum limit_scope scope; /* LIMIT_TARGET: the key does not hold the source (spoofed floods) */
    uint32_t flow_count;    /* flows behind it so far */
    int64_t first_ns;       /* the first of them */
    uint8_t source[16], target[16];
    uint16_t source_port, target_port; /* of the event that raised it */
    uint8_t protocol;
};

/* What an event or a question will be about. */
struct hosts_sight {
    const uint8_t *source, *target;
    int64_t now_ns;
    uint16_t target_port;
    uint8_t protocol;
    bool begins; /* a FLOW_NEW; else its window counts may be asked for */
};
enum { HOSTS_SIGHTS = 32 };

struct hosts *hosts_create(size_t max_hosts, struct err *err);
void hosts_free(struct hosts *hosts);
/* Values from this share of a limit on are raised, too: what learns limits wants them. Before the first event. */
void hosts_sample(struct hosts *hosts, double share);
/* Counts the event. Returns how many evidences it raised (at most HOSTS_EVIDENCE) into out; a counter that stays over
 * its limit is raised again for every event that belongs to it, so that incidents grow. */
size_t hosts_event(struct hosts *hosts, enum flow_event event, const struct flow *flow, const struct packet *packet,
                   struct evidence out[HOSTS_EVIDENCE]);
/* The same for single packets: ARP, ICMP and DNS are looked at, all others pass at once. */
size_t hosts_packet(struct hosts *hosts, const struct packet *packet, struct evidence out[HOSTS_EVIDENCE]);
bool hosts_wants(const struct packet *packet); /* whether it is looked at at all */
void hosts_context(struct hosts *hosts, const struct flow *flow, double out[HOSTS_CONTEXT]);
/* Lets memory fetch what these, at most HOSTS_SIGHTS, will need: in good time it waits for many at once. Changes
 * nothing. */
void hosts_prefetch(struct hosts *hosts, const struct hosts_sight *sights, size_t count);
/* The greatest value of each counter so far: what the limits are set by, and drift. */
void hosts_greatest(const struct hosts *hosts, double out[COUNTERS]);
size_t hosts_memory(const struct hosts *hosts);

#endif
