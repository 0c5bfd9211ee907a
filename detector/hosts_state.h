/* hosts_state.h: what hosts.c and hosts_packets.c share. */
#ifndef DETECTOR_HOSTS_STATE_H
#define DETECTOR_HOSTS_STATE_H

#include "detector/bytes.h"
#include "detector/claims.h"
#include "detector/hosts.h"
#include "detector/window.h"

enum { ECHO_SLOTS = 4096, ECHO_BYTES = 32, ECHO_SKIP = 16, ENDS = 64 };

/* The last echo request of a pair, id and sequence: its reply has to return the same bytes. */
struct echo {
    uint64_t key;
    uint32_t length;
    uint8_t known; /* bytes of data */
    uint8_t data[ECHO_BYTES];
};

/* Two ends and their hashes: the same are asked for several times in a row. */
struct ends {
    uint8_t source[16], target[16];
    uint64_t source_hash, target_hash; /* source_hash 0: free */
};

struct hosts {
    struct windows *scope[LIMIT_NETWORK + 1]; /* by enum limit_scope, so that a flood in one spares the others */
    struct windows *attempts;                 /* what each first packet counts for its pair: three windows in a row */
    struct echo *echo;
    struct claims *claims;
    int64_t stray_ns;          /* when a source was last told to be a stranger */
    double greatest[COUNTERS]; /* value of each counter so far */
    double from[COUNTERS];     /* values that are raised: from the limit on, unless samples are wanted */
    struct ends ends[ENDS];
};

/* One event on its way through the counters. */
struct mark {
    struct hosts *hosts;
    int64_t now_ns;
    const uint8_t *source, *target;
    uint64_t source_hash, target_hash;
    uint16_t source_port, target_port;
    uint8_t protocol;
    bool over; /* the event is a flow's end */
    struct evidence *out;
    size_t count;
};

void mark_setup(struct mark *mark, struct hosts *hosts, int64_t now_ns, const uint8_t *source, const uint8_t *target);
/* Counts weight for item in the counter's window of this source, target or pair and extra (a port, a domain). */
void mark_count(struct mark *mark, enum counter counter, uint64_t extra, uint64_t item, uint32_t weight);
void mark_take(struct mark *mark, enum counter counter, uint64_t extra, uint64_t item); /* it was none after all */
/* Something happened that belongs to the counter's window, if there is one, and is none of its items. */
void mark_happen(struct mark *mark, enum counter counter, uint64_t extra);
bool mark_holds(struct mark *mark, enum counter counter, uint64_t extra, uint64_t item);
void mark_peek(const struct mark *mark, enum counter counter, uint64_t extra, double out[2]); /* items, events */
void mark_peek_at(const struct mark *mark, unsigned what, enum limit_scope scope, uint64_t extra, int64_t span_ns,
                  double out[2]); /* of what only serves as a feature */
/* Whether a value at its limit is the usual work of a busy host: a share of what fails, what a proxy hands on. */
bool mark_is_usual(const struct mark *mark, enum counter counter, double value, const struct window *window);
void mark_mail(struct mark *mark);       /* the source hands mail to the target; nothing when it takes mail itself */
void mark_mail_taken(struct mark *mark); /* the target took mail */
void mark_scan_over(struct mark *mark);  /* a datagram was never answered: was it one of a scan? */
/* Flows of the pair in the last minute. */
uint32_t mark_pair_flows(const struct mark *mark);
bool mark_is_one_of_many(const struct mark *mark);       /* the source has as much to do elsewhere, at many hosts */
uint32_t mark_service_sessions(const struct mark *mark); /* of the pair at this port in the last minute */
/* Raises evidence when value reaches the counter's limit. window: where it was counted, or NULL. */
void mark_check(struct mark *mark, enum counter counter, double value, const struct window *window);

/* Counts that only serve as features; they follow the counters in the keys. */
enum { CONTEXT_SOURCE = COUNTERS, CONTEXT_PAIR, CONTEXT_SERVICE, CONTEXT_ASKS_ALL };

/* The window's key of a counter, or of such a count. */
static inline uint64_t mark_key(const struct mark *mark, unsigned what, enum limit_scope scope, uint64_t extra)
{
    uint64_t key = window_mix(what + 1, extra);

    if (scope == LIMIT_PAIR || scope == LIMIT_SOURCE)
        key = window_mix(key, mark->source_hash);
    if (scope == LIMIT_PAIR || scope == LIMIT_TARGET)
        key = window_mix(key, mark->target_hash);
    return key | (key == 0);
}

/* Which ports and hosts an attempt is counted for, until it is answered. UDP has its own windows. */
static inline uint64_t mark_attempt_extra(const struct mark *mark)
{
    return mark->protocol;
}

/* IPv6 is looked through net by net: it is too large for more, and where it does not work, all of it is silent. */
static inline uint64_t mark_flow_extra(const struct mark *mark)
{
    enum { SITE = 6 }; /* bytes: RFC 6177 */
    uint64_t extra = (uint64_t)mark->protocol << 16 | mark->target_port;

    return address_is_v4(mark->target) ? extra : window_mix(extra, window_hash(26, mark->target, SITE));
}

enum counter mark_hosts_counter(const struct mark *mark); /* which one an attempt at another host is counted by */

#endif
