/* figures_tune.c: the budget of false alarms, drift, what was learned and the shadow model, as figures.h gives them.
 */
#include "detector/figures_parts.h"

#include "common/clock.h"
#include "detector/packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An unknown figure is null, never a number that looks like one. */
static void add_number(cJSON *object, const char *name, bool known, double value)
{
    if (known)
        cJSON_AddNumberToObject(object, name, value);
    else
        cJSON_AddNullToObject(object, name);
}

/* To four digits: more would only change with every flow. */
static double rounded(double value)
{
    char text[32];

    snprintf(text, sizeof text, "%.4g", value);
    return strtod(text, NULL);
}

/* Alarms a day, once an hour was watched; every one counts as false until somebody says otherwise. */
static bool reached(const struct budget_figures *b, double *out)
{
    *out = b->hours > 0 ? rounded((double)b->alarms / b->hours * 24) : 0;
    return b->hours >= 1;
}

void figures_add_alarms(cJSON *object, const struct tune_figures *tuned)
{
    const struct budget_figures *b = &tuned->budget;
    double a_day;
    bool known = reached(b, &a_day);

    if (!tuned->has_model)
        return;
    add_number(object, "false_alarms_wanted", b->wanted > 0, b->wanted);
    add_number(object, "false_alarms_expected", b->now.alarms >= 0, rounded(b->now.alarms));
    add_number(object, "false_alarms_reached", known, a_day);
}

static cJSON *false_alarms(const struct budget_figures *b)
{
    cJSON *o = cJSON_CreateObject();
    double a_day;
    bool known = reached(b, &a_day);

    add_number(o, "wanted", b->wanted > 0, b->wanted);
    add_number(o, "expected", b->now.alarms >= 0, rounded(b->now.alarms));
    add_number(o, "reached", known, a_day);
    cJSON_AddBoolToObject(o, "within", b->now.within);
    cJSON_AddNumberToObject(o, "alarms", (double)b->alarms);
    cJSON_AddNumberToObject(o, "hours", rounded(b->hours));
    cJSON_AddNumberToObject(o, "flows_a_day", rounded(b->flows_a_day));
    cJSON_AddBoolToObject(o, "flows_measured", b->measured);
    add_number(o, "flagged_in_a_million_expected", b->now.flagged >= 0, rounded(b->now.flagged));
    add_number(o, "flagged_in_a_million_reached", b->flows > 0,
               b->flows > 0 ? rounded((double)b->flagged / (double)b->flows * 1e6) : 0);
    return o;
}

static cJSON *drift(const struct tune_figures *tuned, const struct model *model)
{
    cJSON *o = cJSON_CreateObject(), *index = cJSON_CreateObject();
    size_t most = 0;

    cJSON_AddNumberToObject(o, "flows", tuned->drift_flows);
    for (size_t i = 0; i < model_features(model); i++) {
        most = tuned->drift[i] > tuned->drift[most] ? i : most;
        add_number(index, model_feature_name(model, i), tuned->drift[i] >= 0, rounded(tuned->drift[i]));
    }
    add_number(o, "greatest", tuned->drift[most] >= 0, rounded(tuned->drift[most]));
    if (tuned->drift[most] >= 0)
        cJSON_AddStringToObject(o, "feature", model_feature_name(model, most));
    cJSON_AddItemToObject(o, "index", index);
    return o;
}

static cJSON *learning(const struct tune_learned *l)
{
    cJSON *o = cJSON_CreateObject(), *list = cJSON_CreateArray();

    cJSON_AddStringToObject(o, "state", !l->on ? "off" : l->over ? "over" : "learning");
    cJSON_AddNumberToObject(o, "hours", rounded(l->seen_h));
    cJSON_AddNumberToObject(o, "of_hours", rounded(l->wanted_h));
    cJSON_AddNumberToObject(o, "flows", l->flows);
    cJSON_AddNumberToObject(o, "limits_raised", (double)l->limits);
    for (int c = 0; l->on && c < COUNTERS; c++) {
        cJSON *item;

        if (l->greatest[c] <= 0)
            continue;
        item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "counter", limits[c].counter);
        cJSON_AddNumberToObject(item, "window_s", limits[c].window_s);
        cJSON_AddNumberToObject(item, "greatest", rounded(l->greatest[c]));
        cJSON_AddNumberToObject(item, "floor", limits[c].limit);
        cJSON_AddNumberToObject(item, "limit", rounded(l->limit[c]));
        cJSON_AddItemToArray(list, item);
    }
    cJSON_AddItemToObject(o, "counters", list);
    return o;
}

static cJSON *difference(const struct shadow_difference *d)
{
    char time[CLOCK_TEXT], source[46], target[46];
    cJSON *o = cJSON_CreateObject();

    clock_text_ms(d->time_ns / 1000000, time);
    packet_address_text(d->source, source);
    packet_address_text(d->target, target);
    cJSON_AddStringToObject(o, "time", time);
    cJSON_AddStringToObject(o, "source_ip", source);
    cJSON_AddNumberToObject(o, "source_port", d->source_port);
    cJSON_AddStringToObject(o, "destination_ip", target);
    cJSON_AddNumberToObject(o, "destination_port", d->target_port);
    cJSON_AddStringToObject(o, "protocol", packet_protocol_text(d->protocol));
    cJSON_AddStringToObject(o, "flagged_by", d->flagged ? "model" : "shadow");
    cJSON_AddNumberToObject(o, "rf", rounded(d->ours.rf));
    cJSON_AddNumberToObject(o, "iso", rounded(d->ours.iso));
    cJSON_AddNumberToObject(o, "shadow_rf", rounded(d->its.rf));
    cJSON_AddNumberToObject(o, "shadow_iso", rounded(d->its.iso));
    return o;
}

static cJSON *shadow(const struct tune_figures *tuned)
{
    const struct shadow_counts *c = &tuned->shadow;
    cJSON *o = cJSON_CreateObject(), *last = cJSON_CreateArray();

    cJSON_AddStringToObject(o, "model", tuned->shadow_model);
    cJSON_AddNumberToObject(o, "both", (double)c->both);
    cJSON_AddNumberToObject(o, "neither", (double)c->neither);
    cJSON_AddNumberToObject(o, "only_model", (double)c->only_ours);
    cJSON_AddNumberToObject(o, "only_shadow", (double)c->only_its);
    for (size_t i = 0; i < c->kept; i++) /* the newest first */
        cJSON_AddItemToArray(last, difference(&c->last[(c->next + SHADOW_LAST - 1 - i) % SHADOW_LAST]));
    cJSON_AddItemToObject(o, "last", last);
    return o;
}

void figures_add_tune(cJSON *object, const struct figures *f, const struct tune_figures *tuned)
{
    if (tuned->has_model) {
        cJSON_AddItemToObject(object, "false_alarms", false_alarms(&tuned->budget));
        cJSON_AddItemToObject(object, "drift", drift(tuned, f->model));
    }
    cJSON_AddItemToObject(object, "learning", learning(&tuned->learned));
    if (tuned->has_shadow)
        cJSON_AddItemToObject(object, "shadow", shadow(tuned));
}

/* --- Prometheus --- */

static void head(struct text *out, const char *name, const char *kind, const char *help)
{
    text_addf(out, "# HELP threatline_detector_%s %s\n# TYPE threatline_detector_%s %s\n", name, help, name, kind);
}

static void gauge(struct text *out, const char *name, double number, const char *help)
{
    head(out, name, "gauge", help);
    text_addf(out, "threatline_detector_%s ", name);
    text_add_number(out, number);
    text_add(out, "\n", 1);
}

static void drift_metrics(struct text *out, const struct tune_figures *tuned, const struct model *model)
{
    head(out, "drift", "gauge", "How far a feature is from the model's rows (PSI); missing while flows are too few.");
    for (size_t i = 0; i < model_features(model) && tuned->drift[i] >= 0; i++) {
        text_addf(out, "threatline_detector_drift{feature=\"%s\"} ", model_feature_name(model, i));
        text_add_number(out, rounded(tuned->drift[i]));
        text_add(out, "\n", 1);
    }
}

static void shadow_metrics(struct text *out, const struct shadow_counts *c)
{
    const struct {
        const char *by;
        uint64_t count;
    } rows[] = {{"both", c->both}, {"neither", c->neither}, {"model", c->only_ours}, {"shadow", c->only_its}};

    head(out, "shadow_flows_total", "counter", "Flows that two models judged, by which of them flagged it.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        text_addf(out, "threatline_detector_shadow_flows_total{flagged_by=\"%s\"} %llu\n", rows[i].by,
                  (unsigned long long)rows[i].count);
}

void figures_tune_metrics(const struct figures *f, struct text *out)
{
    struct tune_figures tuned;
    double a_day;

    tune_figures(f->tune, &tuned);
    if (tuned.has_model) {
        const struct budget_figures *b = &tuned.budget;

        if (b->wanted > 0)
            gauge(out, "false_alarms_wanted", b->wanted, "False alarms a day that were asked for.");
        if (b->now.alarms >= 0)
            gauge(out, "false_alarms_expected", rounded(b->now.alarms),
                  "False alarms of the forests a day that the model's curve lets expect at most.");
        if (reached(b, &a_day))
            gauge(out, "false_alarms_reached", a_day,
                  "Threats a day that only the forests found, over the last day.");
        drift_metrics(out, &tuned, f->model);
    }
    if (tuned.learned.on) {
        gauge(out, "learning", !tuned.learned.over, "1 while limits are being learned.");
        gauge(out, "learned_limits", (double)tuned.learned.limits, "Limits above their floor.");
    }
    if (tuned.has_shadow)
        shadow_metrics(out, &tuned.shadow);
}
