/* pipeline.c: see pipeline.h. */
#include "detector/pipeline.h"

#include "common/clock.h"
#include "common/json.h"
#include "detector/incident.h"
#include "detector/stages.h"
#include "detector/stopwatch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
enum { PROOFS = 1024, DETAILS_MAX = THREAT_JSON_MAX };

/* What a threat was told to have as evidence: its later revisions say the same. */
struct proof {
    char threat[THREAT_ID];
    size_t packets;
    char sha256[TOKEN_HASH];
};

struct pipeline {
    struct pipeline_settings settings;
    struct packet_decoder *decoder;
    struct flow_table *flows;
    struct verdict *verdict;           /* NULL: flows only */
    struct evidence_ring *evidence;    /* NULL: none is kept */
    struct proof *proofs;              /* PROOFS, by a hash of the id: a collision forgets the older one */
    const struct capture_frame *frame; /* at hand and not kept yet; else NULL */
    uint64_t until;                    /* how far the evidence reaches for the verdict at hand */
    struct stages *stages;             /* NULL: all on one thread */
    struct pipeline_counters now;      /* the feeding thread's own */
    struct stopwatch watches[PIPELINE_STAGES];
    _Atomic uint64_t thread_ns[PIPELINE_STAGES]; /* of stages with a thread of their own */
    bool timed;                                  /* the packet at hand, in the flow table */
    int64_t inside_ns;                           /* what went on behind the table meanwhile */
    unsigned stale;
    int64_t second;       /* of packet time: the verdict's clock moves on with it */
    pthread_mutex_t lock; /* guards shown; held for a copy */
    struct pipeline_counters shown;
};

/* --- evidence --- */

static struct proof *proof_of(const struct pipeline *pipeline, const char *id)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *p = id; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    return &pipeline->proofs[hash % PROOFS];
}

/* The packets of the flow, and of all flows between the ends that the incident is known by. */
static bool collect(const struct pipeline *pipeline, const struct flow *flow, struct evidence_pcap *pcap)
{
    const struct incident *incident = verdict_telling(pipeline->verdict);
    struct evidence_wish wish = {.flow = flow, .until = pipeline->until};

    if (incident == NULL)
        return false;
    wish.since_ns = incident->first_ns;
    wish.source = incident->by_window && incident->evidence.scope == LIMIT_TARGET ? NULL : incident->source;
    wish.target = incident->by_window && incident->evidence.scope == LIMIT_SOURCE ? NULL : incident->target;
    return evidence_collect(pipeline->evidence, &wish, pcap);
}

/* The details with a member more; NULL: out of memory. */
static char *with_evidence(const char *details, const struct proof *proof)
{
    struct text text = {.max = DETAILS_MAX};
    size_t length = strlen(details);

    if (length < 3 || details[length - 1] != '}')
        return NULL;
    text_add(&text, details, length - 1);
    text_addf(&text, ",\"evidence\":{\"packets\":%zu,\"sha256\":\"%s\"}}", proof->packets, proof->sha256);
    if (text.failed) {
        free(text.bytes);
        return NULL;
    }
    return text.bytes;
}

static void on_threat(void *context, const struct threat *threat, const struct flow *flow)
{
    struct pipeline *pipeline = context;
    const struct verdict_settings *out = &pipeline->settings.verdict;
    struct proof *proof = proof_of(pipeline, threat->id);
    struct threat copy = *threat; /* shallow: only details is replaced */
    struct evidence_pcap pcap = {0};
    char *details = NULL;

    if (threat->revision == 1 && collect(pipeline, flow, &pcap)) {
        memcpy(proof->threat, threat->id, sizeof proof->threat);
        memcpy(proof->sha256, pcap.sha256, sizeof proof->sha256);
        proof->packets = pcap.packets;
    }
    if (strcmp(proof->threat, threat->id) == 0 && threat->details != NULL)
        details = with_evidence(threat->details, proof);
    if (details != NULL)
        copy.details = details;
    out->sink(out->context, &copy, flow);
    if (pcap.packets > 0 && details != NULL)
        pipeline->settings.on_evidence(out->context, &copy, &pcap);
    free(details);
    evidence_pcap_clear(&pcap);
}

/* The verdict may ask for the packet that it is just told of. */
static void keep(struct pipeline *pipeline, const struct packet *packet, const struct flow *flow)
{
    if (pipeline->frame == NULL)
        return;
    evidence_keep(pipeline->evidence, pipeline->frame, packet, flow);
    pipeline->frame = NULL;
}

static uint64_t mark(const struct pipeline *pipeline)
{
    return pipeline->evidence != NULL ? evidence_now(pipeline->evidence) : 0;
}

/* --- events of the flow table --- */

/* Windows, then verdict; in its two halves when they are timed. */
static void judge(struct pipeline *pipeline, enum flow_event event, const struct flow *flow,
                  const struct packet *packet)
{
    struct verdict_seen seen;

    if (!stopwatch_is_due(&pipeline->watches[STAGE_WINDOWS])) {
        verdict_event(pipeline->verdict, event, flow, packet);
        return;
    }
    int64_t begun = clock_monotonic_ns();
    verdict_see_event(pipeline->verdict, event, flow, packet, &seen);
    int64_t between = clock_monotonic_ns();
    verdict_decide(pipeline->verdict, event, flow, &seen);
    stopwatch_add(&pipeline->watches[STAGE_VERDICTS], clock_monotonic_ns() - between);
    stopwatch_add(&pipeline->watches[STAGE_WINDOWS], between - begun);
}

static void on_flow(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet)
{
    struct pipeline *pipeline = context;
    double counts[HOSTS_CONTEXT] = {0};
    int64_t begun = pipeline->timed ? clock_monotonic_ns() : 0;

    if (packet != NULL)
        keep(pipeline, packet, flow);
    if (pipeline->stages != NULL) {
        stages_event(pipeline->stages, event, flow, packet, mark(pipeline));
        return;
    }
    if (pipeline->verdict != NULL)
        judge(pipeline, event, flow, packet);
    if (pipeline->timed)
        pipeline->inside_ns += clock_monotonic_ns() - begun;
    if (event != FLOW_ENDED || pipeline->settings.each_flow == NULL)
        return;
    if (pipeline->verdict != NULL)
        verdict_context(pipeline->verdict, flow, counts);
    pipeline->settings.each_flow(pipeline->settings.context, flow, counts);
}

static void on_ahead(void *context, const struct flow *const *flows, size_t count)
{
    struct pipeline *pipeline = context;
    struct hosts_sight sights[FLOW_AHEAD];

    if (pipeline->verdict == NULL || pipeline->stages != NULL)
        return;
    for (size_t i = 0; i < count; i++)
        sights[i] = (struct hosts_sight){.source = flows[i]->address[0],
                                         .target = flows[i]->address[1],
                                         .now_ns = flows[i]->last_ns,
                                         .target_port = flows[i]->port[1],
                                         .protocol = flows[i]->protocol};
    verdict_prefetch(pipeline->verdict, sights, count);
}

/* --- on the thread of the verdicts, if they have one --- */

static void on_event(void *context, uint64_t reached)
{
    struct pipeline *pipeline = context;

    pipeline->until = reached;
}

static void on_ended(void *context, const struct flow *flow, const double counts[HOSTS_CONTEXT])
{
    struct pipeline *pipeline = context;

    pipeline->settings.each_flow(pipeline->settings.context, flow, counts);
}

static void on_round(void *context)
{
    struct pipeline *pipeline = context;

    pthread_mutex_lock(&pipeline->lock);
    verdict_counters(pipeline->verdict, &pipeline->shown.verdict);
    pthread_mutex_unlock(&pipeline->lock);
}

static void show(struct pipeline *pipeline)
{
    for (int i = 0; i < PIPELINE_STAGES; i++)
        pipeline->now.stage_ns[i] = stopwatch_ns(&pipeline->watches[i]) + pipeline->thread_ns[i];
    flow_table_counters(pipeline->flows, &pipeline->now.flow);
    pipeline->now.flow_table_bytes = flow_table_memory(pipeline->flows);
    if (pipeline->verdict != NULL && pipeline->stages == NULL)
        verdict_counters(pipeline->verdict, &pipeline->now.verdict);
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->stages != NULL)
        pipeline->now.verdict = pipeline->shown.verdict;
    pipeline->shown = pipeline->now;
    pthread_mutex_unlock(&pipeline->lock);
    pipeline->stale = 0;
}

static bool create_verdict(struct pipeline *pipeline, struct err *err)
{
    struct verdict_settings settings = pipeline->settings.verdict;

    if (pipeline->settings.no_verdict)
        return true;
    if (pipeline->settings.on_evidence != NULL && pipeline->settings.evidence.packets > 0) {
        pipeline->evidence = evidence_create(&pipeline->settings.evidence, err);
        if (pipeline->evidence == NULL)
            return false;
        pipeline->proofs = calloc(PROOFS, sizeof *pipeline->proofs);
        if (pipeline->proofs == NULL)
            return err_set(err, ERR_MEMORY, "pipeline: out of memory");
        settings.sink = on_threat;
        settings.context = pipeline;
    }
    pipeline->until = UINT64_MAX;
    pipeline->verdict = verdict_create(&settings, err);
    return pipeline->verdict != NULL;
}

static bool start_stages(struct pipeline *pipeline, struct err *err)
{
    const struct stages_settings settings = {.verdict = pipeline->verdict,
                                             .on_event = on_event,
                                             .on_flow = pipeline->settings.each_flow != NULL ? on_ended : NULL,
                                             .on_round = on_round,
                                             .windows_ns = &pipeline->thread_ns[STAGE_WINDOWS],
                                             .verdicts_ns = &pipeline->thread_ns[STAGE_VERDICTS],
                                             .context = pipeline};

    if (pipeline->settings.workers < 2 || pipeline->verdict == NULL)
        return true;
    pipeline->stages = stages_start(&settings, err);
    return pipeline->stages != NULL;
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
    pipeline->settings.flow.ahead = on_ahead;
    pipeline->settings.flow.context = pipeline;
    pipeline->decoder = packet_decoder_create(settings->inner_flows);
    if (pipeline->decoder == NULL)
        err_set(err, ERR_MEMORY, "pipeline: out of memory");
    else
        pipeline->flows = flow_table_create(&pipeline->settings.flow, err);
    if (pipeline->flows == NULL || !create_verdict(pipeline, err) || !start_stages(pipeline, err)) {
        pipeline_free(pipeline);
        return NULL;
    }
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    stages_stop(pipeline->stages);
    flow_table_free(pipeline->flows);
    verdict_free(pipeline->verdict);
    evidence_free(pipeline->evidence);
    free(pipeline->proofs);
    packet_decoder_free(pipeline->decoder);
    pthread_mutex_destroy(&pipeline->lock);
    free(pipeline);
}

static void meter(struct pipeline *pipeline, const struct capture_frame *frame, const struct packet *packet,
                  const struct flow_sight *sight)
{
    const struct flow *flow;
    int64_t begun = 0;

    pipeline->frame = pipeline->evidence != NULL ? frame : NULL;
    pipeline->timed = stopwatch_is_due(&pipeline->watches[STAGE_FLOWS]);
    if (pipeline->timed) {
        pipeline->inside_ns = 0;
        begun = clock_monotonic_ns();
    }
    flow = flow_table_add_sighted(pipeline->flows, packet, sight);
    if (pipeline->timed)
        stopwatch_add(&pipeline->watches[STAGE_FLOWS], clock_monotonic_ns() - begun - pipeline->inside_ns);
    pipeline->timed = false;
    if (flow != NULL)
        keep(pipeline, packet, flow);
    pipeline->frame = NULL;
}

static void tick_verdict(struct pipeline *pipeline, int64_t now_ns)
{
    if (pipeline->stages != NULL)
        stages_tick(pipeline->stages, now_ns);
    else if (pipeline->verdict != NULL)
        verdict_tick(pipeline->verdict, now_ns);
}

static void give_packet(struct pipeline *pipeline, const struct packet *packet)
{
    if (pipeline->stages != NULL) {
        stages_packet(pipeline->stages, packet, mark(pipeline));
    } else if (verdict_wants_packet(packet)) {
        bool timed = stopwatch_is_due(&pipeline->watches[STAGE_WINDOWS]);
        int64_t begun = timed ? clock_monotonic_ns() : 0;
        verdict_packet(pipeline->verdict, packet);
        if (timed)
            stopwatch_add(&pipeline->watches[STAGE_WINDOWS], clock_monotonic_ns() - begun);
    }
}

static enum packet_reason decode(struct pipeline *pipeline, const struct capture_frame *frame, struct packet *packet)
{
    bool timed = stopwatch_is_due(&pipeline->watches[STAGE_DECODE]);
    int64_t begun = timed ? clock_monotonic_ns() : 0;
    enum packet_reason reason =
        packet_decode(pipeline->decoder, frame->link, frame->time_ns, frame->bytes, frame->captured, packet);

    if (timed)
        stopwatch_add(&pipeline->watches[STAGE_DECODE], clock_monotonic_ns() - begun);
    return reason;
}

static void take_packet(struct pipeline *pipeline, const struct capture_frame *frame, const struct packet *packet,
                        enum packet_reason reason, const struct flow_sight *sight)
{
    pipeline->now.packets++;
    pipeline->now.bytes += frame->wire;
    pipeline->now.decode[reason]++;
    pipeline->now.last_ns = frame->time_ns;
    if (pipeline->verdict != NULL && frame->time_ns / NS_PER_S > pipeline->second) {
        pipeline->second = frame->time_ns / NS_PER_S;
        tick_verdict(pipeline, pipeline->second * NS_PER_S);
    }
    if (pipeline->verdict != NULL && (reason == PACKET_OK || (reason == PACKET_NOT_IP && packet->arp)))
        give_packet(pipeline, packet);
    if (reason == PACKET_OK)
        meter(pipeline, frame, packet, sight);
    if (++pipeline->stale >= PIPELINE_STALE)
        show(pipeline);
}

void pipeline_frame(struct pipeline *pipeline, const struct capture_frame *frame)
{
    pipeline_frames(pipeline, frame, 1);
}

/* Whether the packet will be an event of its flow, as far as can be told by now; *sight: what of. */
static bool foresee(const struct packet *packet, const struct flow *flow, struct hosts_sight *sight)
{
    bool answers = (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
    bool forward = flow == NULL ? !answers : flow->port[0] == packet->source_port; /* nearly always right */

    if (flow != NULL && flow->packets[!forward] > 0 && (packet->tcp_flags & TCP_RST) == 0 &&
        flow->packets[0] + flow->packets[1] + 1 != FLOW_STEP_PACKETS)
        return false;
    *sight = (struct hosts_sight){.source = forward ? packet->source : packet->destination,
                                  .target = forward ? packet->destination : packet->source,
                                  .now_ns = packet->time_ns,
                                  .target_port = forward ? packet->destination_port : packet->source_port,
                                  .protocol = packet->protocol,
                                  .begins = flow == NULL};
    return true;
}

static void look_ahead(struct pipeline *pipeline, const struct packet *packet, const enum packet_reason *reason,
                       struct flow_sight *sight, size_t count)
{
    struct hosts_sight sights[PIPELINE_FRAMES];
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (reason[i] == PACKET_OK)
            flow_table_prefetch(pipeline->flows, &sight[i]);
    if (pipeline->verdict == NULL || pipeline->stages != NULL)
        return;
    for (size_t i = 0; i < count; i++)
        n += reason[i] == PACKET_OK && foresee(&packet[i], sight[i].flow, &sights[n]);
    verdict_prefetch(pipeline->verdict, sights, n);
}

void pipeline_frames(struct pipeline *pipeline, const struct capture_frame *frames, size_t count)
{
    struct packet packet[PIPELINE_FRAMES];
    enum packet_reason reason[PIPELINE_FRAMES];
    struct flow_sight sight[PIPELINE_FRAMES];

    for (size_t i = 0; i < count; i++) {
        reason[i] = decode(pipeline, &frames[i], &packet[i]);
        if (reason[i] == PACKET_OK)
            flow_table_sight(pipeline->flows, &packet[i], &sight[i]);
    }
    if (count > 1)
        look_ahead(pipeline, packet, reason, sight, count);
    for (size_t i = 0; i < count; i++)
        take_packet(pipeline, &frames[i], &packet[i], reason[i], &sight[i]);
}

void pipeline_flush(struct pipeline *pipeline)
{
    if (pipeline->stages != NULL)
        stages_push(pipeline->stages);
    show(pipeline);
}

void pipeline_tick(struct pipeline *pipeline, int64_t now_ns)
{
    flow_table_tick(pipeline->flows, now_ns);
    tick_verdict(pipeline, now_ns);
    pipeline_flush(pipeline);
}

void pipeline_drops(struct pipeline *pipeline, uint64_t drops)
{
    pipeline->now.drops = drops;
}

void pipeline_finish(struct pipeline *pipeline)
{
    flow_table_finish(pipeline->flows);
    stages_stop(pipeline->stages); /* all is decided behind this */
    pipeline->stages = NULL;
    pipeline->until = UINT64_MAX;
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

const char *pipeline_stage_text(enum pipeline_stage stage)
{
    static const char *const texts[] = {"decode", "flows", "windows", "verdicts"};

    return texts[stage];
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
    a->flow_table_bytes = b->flow_table_bytes != 0 ? b->flow_table_bytes : a->flow_table_bytes;
    a->verdict.judged += b->verdict.judged;
    a->verdict.rf_attacks += b->verdict.rf_attacks;
    a->verdict.iso_anomalies += b->verdict.iso_anomalies;
    a->verdict.threats += b->verdict.threats;
    a->verdict.updates += b->verdict.updates;
    a->verdict.folded += b->verdict.folded;
    for (int i = 0; i < PIPELINE_STAGES; i++)
        a->stage_ns[i] += b->stage_ns[i];
}
