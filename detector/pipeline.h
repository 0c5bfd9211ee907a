/* pipeline.h: frames in, threats out: decoder, flow table and verdict joined, with their counters.
 *
 * One thread feeds it; counters may be read from any thread. */
#ifndef DETECTOR_PIPELINE_H
#define DETECTOR_PIPELINE_H

#include "common/threat.h"
#include "detector/capture.h"
#include "detector/flow.h"
#include "detector/verdict.h"

struct pipeline;

struct pipeline_settings {
    struct flow_settings flow;       /* sink and context are the pipeline's own: leave them NULL */
    struct verdict_settings verdict; /* model may be NULL: flows only */
    bool inner_flows;
    /* Called for every ended flow, before the verdict; for --features. NULL: not wanted. */
    void (*each_flow)(void *context, const struct flow *flow);
    void *context;
};

struct pipeline_counters {
    uint64_t packets, bytes, drops, decode[PACKET_REASONS];
    struct flow_counters flow;
    struct verdict_counters verdict;
};

struct pipeline *pipeline_create(const struct pipeline_settings *settings, struct err *err);
void pipeline_free(struct pipeline *pipeline);
void pipeline_frame(struct pipeline *pipeline, const struct capture_frame *frame);
void pipeline_tick(struct pipeline *pipeline, int64_t now_ns);
void pipeline_finish(struct pipeline *pipeline);
void pipeline_counters(const struct pipeline *pipeline, struct pipeline_counters *out);

#endif
