/* explain.c: see explain.h. */
#include "detector/explain.h"

#include "common/clock.h"
#include "common/json.h"
#include "detector/classify.h"
#include "detector/packet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOW = 1, HIGH = 5, EXTREME_LOW = 0, EXTREME_HIGH = 6, DETAILS_MAX = 16384 }; /* places of the quantiles */

typedef const double (*usual_values)[MODEL_QUANTILES];

static void quantiles_of(const struct model *model, usual_values usual, size_t index, double out[MODEL_QUANTILES])
{
    if (usual != NULL)
        memcpy(out, usual[index], sizeof usual[index]);
    else
        model_quantiles(model, index, out);
}

static void fill(const struct model *model, usual_values usual, size_t index, const float *row, double share,
                 struct incident_reason *out)
{
    double quantile[MODEL_QUANTILES];

    quantiles_of(model, usual, index, quantile);
    snprintf(out->feature, sizeof out->feature, "%s", model_feature_name(model, index));
    out->value = (double)row[index];
    out->low = quantile[LOW];
    out->high = quantile[HIGH];
    out->share = share;
}

/* The INCIDENT_REASONS greatest weights, greatest first; those of weight 0 are left out. */
static size_t pick(const struct model *model, usual_values usual, const float *row, const double *weight,
                   double whole, struct incident_reason out[INCIDENT_REASONS])
{
    bool taken[MODEL_FEATURES_MAX] = {false};
    size_t count = 0;

    while (count < INCIDENT_REASONS) {
        size_t best = MODEL_FEATURES_MAX;

        for (size_t i = 0; i < model_features(model); i++) {
            if (!taken[i] && weight[i] > 0 && (best == MODEL_FEATURES_MAX || weight[i] > weight[best]))
                best = i;
        }
        if (best == MODEL_FEATURES_MAX)
            break;
        taken[best] = true;
        fill(model, usual, best, row, weight[best] / whole, &out[count++]);
    }
    return count;
}

size_t explain_attack(const struct model *model, usual_values usual, const float *row,
                      struct incident_reason out[INCIDENT_REASONS])
{
    double share[MODEL_FEATURES_MAX], base, whole = 0;

    model_contributions(model, row, &base, share);
    for (size_t i = 0; i < model_features(model); i++)
        whole += fabs(share[i]);
    return pick(model, usual, row, share, whole, out);
}

size_t explain_anomaly(const struct model *model, usual_values usual, const float *row,
                       struct incident_reason out[INCIDENT_REASONS])
{
    double distance[MODEL_FEATURES_MAX], quantile[MODEL_QUANTILES], whole = 0;

    for (size_t i = 0; i < model_features(model); i++) {
        double value = (double)row[i], outside, width;

        quantiles_of(model, usual, i, quantile);
        width = quantile[EXTREME_HIGH] - quantile[EXTREME_LOW];
        outside = value > quantile[EXTREME_HIGH]  ? value - quantile[EXTREME_HIGH]
                  : value < quantile[EXTREME_LOW] ? quantile[EXTREME_LOW] - value
                                                  : 0;
        distance[i] = log1p(outside / (width > 0 ? width : 1)); /* so that one huge rate does not hide the rest */
        whole += distance[i];
    }
    return pick(model, usual, row, distance, whole, out);
}

static void add_member(struct text *text, const char *name, double value)
{
    text_addf(text, "%s\"%s\":", text->bytes[text->length - 1] == '{' ? "" : ",", name);
    text_add_number(text, value);
}

static void add_text(struct text *text, const char *name, const char *value)
{
    text_addf(text, "%s\"%s\":", text->bytes[text->length - 1] == '{' ? "" : ",", name);
    text_add_json(text, value);
}

static void add_time(struct text *text, const char *name, int64_t time_ns)
{
    char when[CLOCK_TEXT];

    clock_text_us(time_ns / 1000, when);
    add_text(text, name, when);
}

static void add_features(struct text *text, const struct incident *incident)
{
    text_addf(text, ",\"features\":{");
    for (size_t i = 0; i < FEATURES; i++)
        add_member(text, features_names[i], incident->features[i]);
    text_addf(text, "}");
}

static void add_window(struct text *text, const struct evidence *evidence)
{
    text_addf(text, "{");
    add_text(text, "counter", evidence->counter);
    add_member(text, "value", round(evidence->value * 10) / 10);
    add_member(text, "limit", evidence->limit);
    add_member(text, "benign_max", evidence->benign_max);
    add_member(text, "window_s", evidence->window_s);
    text_addf(text, "}");
}

static void add_reason(struct text *text, const struct incident_reason *reason)
{
    text_addf(text, "{");
    add_text(text, "feature", reason->feature);
    add_member(text, "value", reason->value);
    text_addf(text, ",\"usual\":[");
    text_add_number(text, reason->low);
    text_addf(text, ",");
    text_add_number(text, reason->high);
    text_addf(text, "]");
    add_member(text, "share", round(reason->share * 1e4) / 1e4);
    text_addf(text, "}");
}

static void add_explanation(struct text *text, const struct incident *incident)
{
    text_addf(text, ",\"explanation\":[");
    if (incident->by_window)
        add_window(text, &incident->evidence);
    for (size_t i = 0; i < incident->reasons; i++) {
        if (i > 0 || incident->by_window)
            text_addf(text, ",");
        add_reason(text, &incident->reason[i]);
    }
    text_addf(text, "]");
}

static char *details_of(const struct incident *incident, const struct explain_source *from)
{
    struct text text = {.max = DETAILS_MAX};

    text_addf(&text, "{");
    if (text.failed)
        goto done;
    if (incident->has_score) {
        add_member(&text, "rf_prediction", incident->rf_attack);
        add_member(&text, "rf_confidence", incident->score.rf);
        add_member(&text, "iso_prediction", incident->iso_anomaly ? -1 : 1);
        add_member(&text, "iso_score", incident->score.iso);
        add_member(&text, "iso_percentile", incident->iso_percentile);
    }
    add_member(&text, "flow_duration", incident->duration_s);
    add_member(&text, "packet_count", (double)(incident->packets > 0 ? incident->packets : incident->open_packets));
    add_member(&text, "byte_count", (double)(incident->packets > 0 ? incident->bytes : incident->open_bytes));
    add_member(&text, "flow_count", (double)incident->flows);
    add_time(&text, "first_seen", incident->first_ns);
    add_time(&text, "last_seen", incident->last_ns);
    if (incident->has_flow)
        add_features(&text, incident);
    add_explanation(&text, incident);
    add_text(&text, "source", from->source);
    if (from->model != NULL)
        add_text(&text, "model", from->model);
    add_text(&text, "extractor", FEATURES_EXTRACTOR);
    text_addf(&text, "}");
done:
    if (text.failed) {
        free(text.bytes);
        return NULL;
    }
    return text.bytes;
}

static bool has_ports(uint8_t protocol)
{
    return protocol == 6 || protocol == 17 || protocol == 132;
}

bool explain_threat(const struct incident *incident, const struct explain_source *from, struct threat *out)
{
    char extra[128];
    struct threat threat = {0};

    snprintf(threat.id, sizeof threat.id, "%s", incident->id);
    threat.revision = incident->revision;
    snprintf(threat.type, sizeof threat.type, "%s", incident->type);
    threat.confidence = incident->confidence;
    threat.severity = severity_of_confidence(incident->confidence);
    packet_address_text(incident->source, threat.source_ip);
    packet_address_text(incident->target, threat.destination_ip);
    threat.source_port = has_ports(incident->protocol) ? incident->source_port : -1;
    threat.destination_port = has_ports(incident->protocol) ? incident->target_port : -1;
    snprintf(threat.protocol, sizeof threat.protocol, "%s",
             incident->protocol == 0 ? "ARP" : packet_protocol_text(incident->protocol));
    threat.timestamp_us = incident->proof_ns / 1000;
    snprintf(threat.sensor, sizeof threat.sensor, "%s", from->sensor == NULL ? "" : from->sensor);
    snprintf(threat.community_id, sizeof threat.community_id, "%s", incident->community_id);
    snprintf(extra, sizeof extra, "{\"mitre\":%s}",
             classify_mitre(incident->type, incident->by_window ? incident->evidence.counter : NULL));
    threat.extra = strdup(extra);
    threat.details = details_of(incident, from);
    if (threat.extra == NULL || threat.details == NULL) {
        threat_clear(&threat);
        return false;
    }
    *out = threat;
    return true;
}
