/* stages.h: what lies behind the flow table, on two threads of its own: windows, then verdicts.
 *
 * Flow events are handed on in their order, so that the windows and the incidents have one owner each and the outcome
 * is that of a single thread, to the byte. Bounded: whoever is ahead waits. One thread feeds. */
#ifndef DETECTOR_STAGES_H
#define DETECTOR_STAGES_H

#include "common/err.h"
#include "detector/verdict.h"

struct stages_settings {
    struct verdict *verdict; /* belongs to the stages until stages_stop */
    /* The rest is called on the thread of the verdicts. */
    void (*on_event)(void *context, uint64_t mark); /* before each decision: the mark that came with the event */
    void (*on_flow)(void *context, const struct flow *flow,
                    const double counts[HOSTS_CONTEXT]); /* ended; may be NULL */
    void (*on_round)(void *context);                     /* now and then, when some have been decided */
    void *context;
    _Atomic uint64_t *windows_ns, *verdicts_ns; /* processor time of each thread goes there */
};

struct stages;
struct stages *stages_start(const struct stages_settings *settings, struct err *err);
void stages_event(struct stages *stages, enum flow_event event, const struct flow *flow, const struct packet *packet,
                  uint64_t mark);
void stages_packet(struct stages *stages, const struct packet *packet, uint64_t mark);
void stages_tick(struct stages *stages, int64_t now_ns);
void stages_push(struct stages *stages); /* what was fed so far is not to wait for more */
/* Decides all that was fed, then ends the threads. NULL is fine. */
void stages_stop(struct stages *stages);

#endif
