/* pipeline.c: see pipeline.h. */
#include "detector/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

#define NS_PER_S INT64_C(1000000000)

struct pipeline {
    struct pipeline_settings settings;
    struct packet_decoder *decoder;
    struct flow_table *flows;
    struct verdict *verdict;      /* NULL: flows only */
    struct pipeline_counters now; /* the feeding thread's own */
    unsigned stale;
    int64_t second;       /* of packet time: the verdict's clock moves on with it */
    pthread_mutex_t lock; /* guards shown; held for a copy */
    struct pipeline_counters shown;
};

static void on_flow(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet)
{
    struct pipeline *pipeline = context;
    double counts[HOSTS_CONTEXT] = {0};

    if (pipeline->verdict != NULL)
        verdict_event(pipeline->verdict, event, flow, packet);
    if (event != FLOW_ENDED || pipeline->settings.each_flow == NULL)
        return;
    if (pipeline->verdict != NULL)
        verdict_context(pipeline->verdict, flow, counts);
    pipeline->settings.each_flow(pipeline->settings.context, flow, counts);
}

static void show(struct pipeline *pipeline)
{
    flow_table_counters(pipeline->flows, &pipeline->now.flow);
    if (pipeline->verdict != NULL)
        verdict_counters(pipeline->verdict, &pipeline->now.verdict);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->shown = pipeline->now;
    pthread_mutex_unlock(&pipeline->lock);
    pipeline->stale = 0;
}

struct pipeline *pipeline_create(const struct pipeline_settings *settings, struct err *err)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);

    if (pipeline == NULL) {
        err_set(err, ERR_MEMORY, "pipeline: out of memory");
        return NULL;
    }
    pthread_mutex_init(&pipeline->lock, NULL);
    pipeline->settings = *settings;
    pipeline->settings.flow.sink = on_flow;
    pipeline->settings.flow.context = pipeline;
    pipeline->decoder = packet_decoder_create(settings->inner_flows);
    if (pipeline->decoder == NULL)
        err_set(err, ERR_MEMORY, "pipeline: out of memory");
    else
        pipeline->flows = flow_table_create(&pipeline->settings.flow, err);
    if (pipeline->flows != NULL && !settings->no_verdict)
        pipeline->verdict = verdict_create(&settings->verdict, err);
    if (pipeline->flows == NULL || (pipeline->verdict == NULL && !settings->no_verdict)) {
        pipeline_free(pipeline);
        return NULL;
    }
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    flow_table_free(pipeline->flows);
    verdict_free(pipeline->verdict);
    packet_decoder_free(pipeline->decoder);
    pthread_mutex_destroy(&pipeline->lock);
    free(pipeline);
}

void pipeline_frame(struct pipeline *pipeline, const struct capture_frame *frame)
{
    struct packet packet;
    enum packet_reason reason =
        packet_decode(pipeline->decoder, frame->link, frame->time_ns, frame->bytes, frame->captured, &packet);

    pipeline->now.packets++;
    pipeline->now.bytes += frame->wire;
    pipeline->now.decode[reason]++;
    pipeline->now.last_ns = frame->time_ns;
    if (pipeline->verdict != NULL && frame->time_ns / NS_PER_S > pipeline->second) {
        pipeline->second = frame->time_ns / NS_PER_S;
        verdict_tick(pipeline->verdict, pipeline->second * NS_PER_S);
    }
    if (pipeline->verdict != NULL && (reason == PACKET_OK || (reason == PACKET_NOT_IP && packet.arp)))
        verdict_packet(pipeline->verdict, &packet);
    if (reason == PACKET_OK)
        flow_table_add(pipeline->flows, &packet);
    if (++pipeline->stale >= PIPELINE_STALE)
        show(pipeline);
}

void pipeline_tick(struct pipeline *pipeline, int64_t now_ns)
{
    flow_table_tick(pipeline->flows, now_ns);
    if (pipeline->verdict != NULL)
        verdict_tick(pipeline->verdict, now_ns);
    show(pipeline);
}

void pipeline_drops(struct pipeline *pipeline, uint64_t drops)
{
    pipeline->now.drops = drops;
}

void pipeline_finish(struct pipeline *pipeline)
{
    flow_table_finish(pipeline->flows);
    if (pipeline->verdict != NULL)
        verdict_finish(pipeline->verdict);
    show(pipeline);
}

void pipeline_counters(struct pipeline *pipeline, struct pipeline_counters *out)
{
    pthread_mutex_lock(&pipeline->lock);
    *out = pipeline->shown;
    pthread_mutex_unlock(&pipeline->lock);
}

void pipeline_counters_add(struct pipeline_counters *a, const struct pipeline_counters *b)
{
    a->packets += b->packets;
    a->bytes += b->bytes;
    a->drops += b->drops;
    for (int r = 0; r < PACKET_REASONS; r++)
        a->decode[r] += b->decode[r];
    a->last_ns = b->last_ns > a->last_ns ? b->last_ns : a->last_ns;
    a->flow.packets += b->flow.packets;
    a->flow.flows += b->flow.flows;
    for (int e = 0; e <= FLOW_END_INPUT; e++)
        a->flow.ended[e] += b->flow.ended[e];
    a->flow.evicted += b->flow.evicted;
    a->flow.open = b->flow.open;
    a->flow.late += b->flow.late;
    a->flow.astray += b->flow.astray;
    a->flow.jumps += b->flow.jumps;
    a->flow.peak = b->flow.peak > a->flow.peak ? b->flow.peak : a->flow.peak;
    a->verdict.judged += b->verdict.judged;
    a->verdict.rf_attacks += b->verdict.rf_attacks;
    a->verdict.iso_anomalies += b->verdict.iso_anomalies;
    a->verdict.threats += b->verdict.threats;
    a->verdict.updates += b->verdict.updates;
    a->verdict.folded += b->verdict.folded;
}
