/* figures_metrics.c: the Prometheus text of figures.h (exposition format 0.0.4). */
#include "detector/figures.h"

#include "common/clock.h"
#include "detector/figures_parts.h"

#include <string.h>

static void head(struct text *out, const char *name, const char *kind, const char *help)
{
    text_addf(out, "# HELP threatline_detector_%s %s\n# TYPE threatline_detector_%s %s\n", name, help, name, kind);
}

static void value(struct text *out, const char *name, const char *kind, uint64_t number, const char *help)
{
    head(out, name, kind, help);
    text_addf(out, "threatline_detector_%s %llu\n", name, (unsigned long long)number);
}

static void labelled(struct text *out, const char *name, const char *label, const char *text, uint64_t number)
{
    text_addf(out, "threatline_detector_%s{%s=\"%s\"} %llu\n", name, label, text, (unsigned long long)number);
}

static void packets(struct text *out, const struct pipeline_counters *c)
{
    static const char *const ends[] = {"open", "fin", "rst", "idle", "active", "evicted", "input"};

    value(out, "packets_total", "counter", c->packets, "Frames taken.");
    value(out, "bytes_total", "counter", c->bytes, "Bytes of them on the wire.");
    value(out, "drops_total", "counter", c->drops, "Frames that the kernel dropped before they were taken.");
    head(out, "decode_errors_total", "counter", "Frames that made no flow, by reason.");
    for (int r = 1; r < PACKET_REASONS; r++)
        labelled(out, "decode_errors_total", "reason", packet_reason_text((enum packet_reason)r), c->decode[r]);
    value(out, "flows_total", "counter", c->flow.flows, "Flows begun.");
    head(out, "flows_ended_total", "counter", "Flows ended, by cause.");
    for (int e = FLOW_END_FIN; e <= FLOW_END_INPUT; e++)
        labelled(out, "flows_ended_total", "cause", ends[e], c->flow.ended[e]);
    value(out, "flows_open", "gauge", c->flow.open, "Flows open now.");
    value(out, "flow_table_bytes", "gauge", c->flow_table_bytes,
          "Memory that the flow table may take, as of its start.");
    value(out, "evictions_total", "counter", c->flow.evicted, "Flows ended because the table was full.");
    value(out, "late_packets_total", "counter", c->flow.late, "Packets behind the end of their connection.");
    value(out, "astray_packets_total", "counter", c->flow.astray, "Packets far behind the clock.");
    value(out, "clock_jumps_total", "counter", c->flow.jumps, "Times the packets' clock was set back.");
    head(out, "stage_seconds_total", "counter", "Time that each stage took, told from some of its calls.");
    for (int s = 0; s < PIPELINE_STAGES; s++)
        text_addf(out, "threatline_detector_stage_seconds_total{stage=\"%s\"} %.6f\n",
                  pipeline_stage_text((enum pipeline_stage)s), (double)c->stage_ns[s] / 1e9);
    value(out, "judged_total", "counter", c->verdict.judged, "Verdicts of the forests.");
    value(out, "threats_total", "counter", c->verdict.threats, "Threats found.");
    value(out, "threat_updates_total", "counter", c->verdict.updates, "Further notices of threats that grew.");
    value(out, "folded_total", "counter", c->verdict.folded, "Verdicts folded into a threat known already.");
}

static void delivery(struct text *out, const struct figures *f)
{
    struct spool_counts spool;
    struct sender_counters sent = {0};
    struct outlet_counters taken;
    int64_t now = clock_now_ms();

    spool_counts(f->spool, &spool);
    outlet_counters(f->outlet, &taken);
    if (f->sender != NULL)
        sender_counters(f->sender, &sent);
    value(out, "spool_depth", "gauge", (uint64_t)(spool.waiting + spool.kept), "Notices not delivered yet.");
    value(out, "spool_kept", "gauge", (uint64_t)spool.kept, "Of them: refused for now (secret, clock or URL).");
    value(out, "spool_dead_letters", "gauge", (uint64_t)spool.refused, "Notices that the receiver refused.");
    value(out, "spool_bytes", "gauge", (uint64_t)spool.bytes, "Size of the spool.");
    value(out, "spool_oldest_seconds", "gauge",
          spool.oldest_ms && now > spool.oldest_ms ? (uint64_t)(now - spool.oldest_ms) / 1000 : 0,
          "Age of the oldest notice not delivered.");
    value(out, "notices_total", "counter", taken.taken, "Notices written to the spool.");
    value(out, "notices_lost_total", "counter", taken.lost, "Notices that could not be written down.");
    value(out, "sent_total", "counter", sent.delivered, "Notices delivered.");
    value(out, "refused_total", "counter", sent.refused, "Notices that became dead letters.");
    value(out, "evidence_total", "counter", taken.evidence, "Captures of threats' packets written to the spool.");
    value(out, "evidence_lost_total", "counter", taken.evidence_lost,
          "Such captures that could not be written down.");
    value(out, "evidence_sent_total", "counter", sent.evidence, "Such captures handed over.");
    value(out, "evidence_refused_total", "counter", sent.evidence_refused, "Such captures that nobody took.");
    value(out, "send_attempts_total", "counter", sent.attempts, "Calls to the webhook.");
    value(out, "send_failures_total", "counter", sent.failures, "Calls without a usable answer.");
}

void figures_metrics(const struct figures *f, struct text *out)
{
    struct pipeline_counters counters;
    struct monitor_status status;

    monitor_counters(f->monitor, &counters);
    monitor_status(f->monitor, &status);
    head(out, "info", "gauge", "Version, always 1.");
    labelled(out, "info", "version", THREATLINE_VERSION, 1);
    value(out, "uptime_seconds", "gauge", (uint64_t)(clock_now_ms() - f->started_ms) / 1000,
          "Seconds since the start.");
    head(out, "monitoring", "gauge", "What is watched just now: 1 for the state it is in.");
    for (int s = MONITOR_IDLE; s <= MONITOR_LOST; s++)
        labelled(out, "monitoring", "state", monitor_state_text((enum monitor_state)s), s == (int)status.state);
    packets(out, &counters);
    delivery(out, f);
    figures_tune_metrics(f, out);
}
