/* figures.c: see figures.h. */
#include "detector/figures.h"

#include "common/clock.h"
#include "detector/features.h"
#include "detector/figures_parts.h"
#include "detector/forest.h"

#include <stdlib.h>
#include <string.h>

static void add_time(cJSON *object, const char *name, int64_t ms)
{
    char text[CLOCK_TEXT];

    if (ms == 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    clock_text_ms(ms, text);
    cJSON_AddStringToObject(object, name, text);
}

static void add_count(cJSON *object, const char *name, uint64_t value)
{
    cJSON_AddNumberToObject(object, name, (double)value);
}

static void add_model(cJSON *object, const struct figures *f)
{
    if (f->model != NULL)
        cJSON_AddStringToObject(object, "model", model_name(f->model));
    else
        cJSON_AddNullToObject(object, "model");
}

cJSON *figures_heartbeat(const struct figures *f)
{
    cJSON *o = cJSON_CreateObject();
    struct monitor_status status;
    struct pipeline_counters counters;
    struct spool_counts spool;
    struct tune_figures tuned;

    monitor_status(f->monitor, &status);
    monitor_counters(f->monitor, &counters);
    spool_counts(f->spool, &spool);
    tune_figures(f->tune, &tuned);
    cJSON_AddStringToObject(o, "version", THREATLINE_VERSION);
    cJSON_AddStringToObject(o, "source", status.state == MONITOR_IDLE ? "none" : status.source);
    cJSON_AddStringToObject(o, "state", monitor_state_text(status.state));
    add_count(o, "packets", counters.packets);
    add_count(o, "drops", counters.drops);
    add_count(o, "flows", counters.flow.flows);
    add_count(o, "evictions", counters.flow.evicted);
    add_count(o, "threats", counters.verdict.threats);
    add_count(o, "spool_depth", (uint64_t)(spool.waiting + spool.kept));
    add_time(o, "oldest_unsent", spool.oldest_ms);
    add_count(o, "dead_letters", (uint64_t)spool.refused);
    add_count(o, "spool_lost", (uint64_t)spool.turned_away);
    add_model(o, f);
    figures_add_alarms(o, &tuned);
    add_time(o, "timestamp", clock_now_ms());
    return o;
}

static cJSON *monitoring(const struct figures *f)
{
    cJSON *o = cJSON_CreateObject();
    struct monitor_status s;

    monitor_status(f->monitor, &s);
    cJSON_AddBoolToObject(o, "active", s.state != MONITOR_IDLE);
    cJSON_AddStringToObject(o, "state", monitor_state_text(s.state));
    cJSON_AddStringToObject(o, "interface", s.source);
    cJSON_AddStringToObject(o, "filter", s.filter);
    add_time(o, "startedAt", s.started_ms);
    add_time(o, "endsAt", s.ends_ms);
    cJSON_AddNumberToObject(o, "duration", (double)s.duration_s);
    cJSON_AddStringToObject(o, "trouble", s.trouble);
    return o;
}

static cJSON *delivery(const struct figures *f)
{
    cJSON *o = cJSON_CreateObject();
    struct spool_counts spool;
    struct sender_counters sent = {0};
    struct outlet_counters taken;

    spool_counts(f->spool, &spool);
    outlet_counters(f->outlet, &taken);
    if (f->sender != NULL)
        sender_counters(f->sender, &sent);
    add_count(o, "waiting", (uint64_t)spool.waiting);
    add_count(o, "kept", (uint64_t)spool.kept);
    add_count(o, "deadLetters", (uint64_t)spool.refused);
    add_time(o, "oldestUnsent", spool.oldest_ms);
    add_count(o, "spoolBytes", (uint64_t)spool.bytes);
    add_count(o, "spoolCeiling", (uint64_t)spool.max_bytes);
    add_count(o, "lost", taken.lost);
    add_count(o, "delivered", sent.delivered);
    add_count(o, "refused", sent.refused);
    add_time(o, "lastDelivered", sent.last_delivered_ms);
    cJSON_AddNumberToObject(o, "lastStatus", sent.last_status);
    cJSON_AddStringToObject(o, "trouble", sent.trouble);
    return o;
}

cJSON *figures_health(const struct figures *f)
{
    cJSON *o = cJSON_CreateObject();
    struct monitor_status status;
    struct pipeline_counters counters;
    struct outlet_counters taken;

    monitor_status(f->monitor, &status);
    monitor_counters(f->monitor, &counters);
    outlet_counters(f->outlet, &taken);
    cJSON_AddBoolToObject(o, "success", true);
    cJSON_AddStringToObject(o, "status", status.state == MONITOR_LOST || taken.lost > 0 ? "degraded" : "healthy");
    cJSON_AddStringToObject(o, "version", THREATLINE_VERSION);
    cJSON_AddStringToObject(o, "sensor", f->sensor);
    cJSON_AddBoolToObject(o, "monitoring_active", status.state != MONITOR_IDLE);
    cJSON_AddNumberToObject(o, "threats_detected", (double)counters.verdict.threats);
    cJSON_AddBoolToObject(o, "model_loaded", f->model != NULL);
    add_model(o, f);
    cJSON_AddItemToObject(o, "monitoring", monitoring(f));
    cJSON_AddItemToObject(o, "delivery", delivery(f));
    add_time(o, "timestamp", clock_now_ms());
    return o;
}

static cJSON *counted(const struct pipeline_counters *c)
{
    static const char *const ends[] = {"open", "fin", "rst", "idle", "active", "evicted", "input"};
    cJSON *o = cJSON_CreateObject(), *decode = cJSON_CreateObject(), *ended = cJSON_CreateObject();
    cJSON *stages = cJSON_CreateObject();

    add_count(o, "packets", c->packets);
    add_count(o, "bytes", c->bytes);
    add_count(o, "drops", c->drops);
    for (int r = 1; r < PACKET_REASONS; r++)
        add_count(decode, packet_reason_text((enum packet_reason)r), c->decode[r]);
    cJSON_AddItemToObject(o, "undecoded", decode);
    add_count(o, "flows", c->flow.flows);
    add_count(o, "openFlows", c->flow.open);
    add_count(o, "peakFlows", c->flow.peak);
    for (int e = FLOW_END_FIN; e <= FLOW_END_INPUT; e++)
        add_count(ended, ends[e], c->flow.ended[e]);
    cJSON_AddItemToObject(o, "ended", ended);
    add_count(o, "evictions", c->flow.evicted);
    add_count(o, "flowTableBytes", c->flow_table_bytes);
    add_count(o, "latePackets", c->flow.late);
    add_count(o, "astrayPackets", c->flow.astray);
    add_count(o, "clockJumps", c->flow.jumps);
    for (int s = 0; s < PIPELINE_STAGES; s++)
        cJSON_AddNumberToObject(stages, pipeline_stage_text((enum pipeline_stage)s), (double)c->stage_ns[s] / 1e9);
    cJSON_AddItemToObject(o, "stageSeconds", stages);
    add_count(o, "judged", c->verdict.judged);
    add_count(o, "rfAttacks", c->verdict.rf_attacks);
    add_count(o, "isoAnomalies", c->verdict.iso_anomalies);
    add_count(o, "threats", c->verdict.threats);
    add_count(o, "updates", c->verdict.updates);
    add_count(o, "folded", c->verdict.folded);
    add_time(o, "lastPacket", c->last_ns / 1000000);
    return o;
}

cJSON *figures_statistics(const struct figures *f)
{
    cJSON *o = cJSON_CreateObject(), *statistics = cJSON_CreateObject(), *severities = cJSON_CreateObject();
    struct pipeline_counters counters;
    struct outlet_counters taken;

    monitor_counters(f->monitor, &counters);
    outlet_counters(f->outlet, &taken);
    for (int s = SEVERITY_CRITICAL; s >= SEVERITY_LOW; s--)
        add_count(severities, severity_text((enum severity)s), taken.by_severity[s]);
    cJSON_AddBoolToObject(o, "success", true);
    cJSON_AddItemToObject(o, "statistics", statistics);
    cJSON_AddItemToObject(statistics, "counters", counted(&counters));
    cJSON_AddItemToObject(statistics, "bySeverity", severities);
    cJSON_AddItemToObject(statistics, "monitoring", monitoring(f));
    cJSON_AddItemToObject(statistics, "delivery", delivery(f));
    add_time(statistics, "startedAt", f->started_ms);
    add_time(o, "timestamp", clock_now_ms());
    return o;
}

static cJSON *models_of(const struct model *model, const struct budget_choice *in_force)
{
    cJSON *list = cJSON_CreateArray(), *names = cJSON_CreateArray(), *rf, *iso;

    if (model == NULL) {
        cJSON_Delete(names);
        return list;
    }
    for (size_t i = 0; i < model_features(model); i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(model_feature_name(model, i)));
    rf = cJSON_CreateObject();
    cJSON_AddStringToObject(rf, "name", "RandomForest");
    cJSON_AddNumberToObject(rf, "threshold", in_force->rf);
    cJSON_AddItemToObject(rf, "features", names);
    iso = cJSON_CreateObject();
    cJSON_AddStringToObject(iso, "name", "IsolationForest");
    cJSON_AddNumberToObject(iso, "threshold", in_force->iso);
    cJSON_AddItemToArray(list, rf);
    cJSON_AddItemToArray(list, iso);
    return list;
}

cJSON *figures_model(const struct figures *f)
{
    cJSON *o = cJSON_CreateObject(), *status = cJSON_CreateObject();
    struct pipeline_counters counters;
    struct tune_figures tuned;

    monitor_counters(f->monitor, &counters);
    tune_figures(f->tune, &tuned);
    cJSON_AddBoolToObject(o, "success", true);
    add_model(o, f);
    cJSON_AddStringToObject(o, "extractor", FEATURES_EXTRACTOR);
    cJSON_AddItemToObject(o, "models", models_of(f->model, &tuned.budget.now));
    figures_add_tune(o, f, &tuned);
    cJSON_AddItemToObject(o, "detection_status", status);
    cJSON_AddBoolToObject(status, "models_loaded", f->model != NULL);
    cJSON_AddItemToObject(status, "monitoring", monitoring(f));
    cJSON_AddItemToObject(status, "stats", counted(&counters));
    add_time(o, "timestamp", clock_now_ms());
    return o;
}
