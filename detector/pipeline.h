/* pipeline.h: frames in, threats out: decoder, flow table and verdict joined, with their counters.
 *
 * One thread feeds it; pipeline_counters may be called from any thread and is at most PIPELINE_STALE frames or one
 * tick behind. With two workers windows and verdicts have threads of their own (stages.h): sinks and callbacks are
 * then called there, one at a time, and for all that was fed before pipeline_finish returns. */
#ifndef DETECTOR_PIPELINE_H
#define DETECTOR_PIPELINE_H

#include "common/threat.h"
#include "detector/capture.h"
#include "detector/evidence.h"
#include "detector/flow.h"
#include "detector/verdict.h"

struct pipeline;

enum { PIPELINE_STALE = 256, PIPELINE_FRAMES = 32 };

struct pipeline_settings {
    struct flow_settings flow;       /* sink and context are the pipeline's own: leave them NULL */
    struct verdict_settings verdict; /* model may be NULL: flows only */
    struct evidence_settings evidence;
    /* Called behind the verdict's sink for a new threat whose packets are at hand, with the same context. NULL: no
     * packets are kept. */
    void (*on_evidence)(void *context, const struct threat *threat, const struct evidence_pcap *pcap);
    int workers; /* 0 or 1: all on the feeding thread; 2: windows and verdicts beside it. The outcome is the same */
    bool inner_flows;
    bool no_verdict; /* flows only: verdict is not looked at */
    /* Called for every ended flow, after the verdict, with the window counts as a model gets them (zeros without a
     * verdict). For --features. NULL: not wanted. */
    void (*each_flow)(void *context, const struct flow *flow, const double counts[HOSTS_CONTEXT]);
    void *context;
};

enum pipeline_stage { STAGE_DECODE, STAGE_FLOWS, STAGE_WINDOWS, STAGE_VERDICTS, PIPELINE_STAGES };
const char *pipeline_stage_text(enum pipeline_stage stage); /* "decode": as in metrics */

struct pipeline_counters {
    uint64_t packets; /* frames handed over, whatever became of them */
    uint64_t bytes;   /* of them on the wire */
    uint64_t drops;   /* lost before they came here (pipeline_drops) */
    uint64_t decode[PACKET_REASONS];
    int64_t last_ns; /* time of the latest frame; 0: none */
    struct flow_counters flow;
    uint64_t flow_table_bytes; /* what it may take at most; known when it is made */
    struct verdict_counters verdict;
    /* What each stage took. Told from some of its calls (stopwatch.h); that of a thread of its own is its processor
     * time. Keep it last: everything in front is the same in each run. */
    uint64_t stage_ns[PIPELINE_STAGES];
};

struct pipeline *pipeline_create(const struct pipeline_settings *settings, struct err *err);
void pipeline_free(struct pipeline *pipeline);
void pipeline_frame(struct pipeline *pipeline, const struct capture_frame *frame);
/* The same for up to PIPELINE_FRAMES at once, all valid until it returns: memory is fetched for those to come. */
void pipeline_frames(struct pipeline *pipeline, const struct capture_frame *frames, size_t count);
void pipeline_tick(struct pipeline *pipeline, int64_t now_ns); /* time goes on though no frame comes */
void pipeline_flush(struct pipeline *pipeline); /* what was fed is not to wait for more: live, some times a second */
void pipeline_drops(struct pipeline *pipeline, uint64_t drops); /* what the capture says it lost, in all */
void pipeline_finish(struct pipeline *pipeline);
void pipeline_counters(struct pipeline *pipeline, struct pipeline_counters *out);
/* Adds b to *a: for totals over several runs. */
void pipeline_counters_add(struct pipeline_counters *a, const struct pipeline_counters *b);

#endif
