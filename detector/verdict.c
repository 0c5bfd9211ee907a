/* verdict.c: see verdict.h. */
#include "detector/verdict.h"

#include "common/token.h"
#include "detector/classify.h"
#include "detector/explain.h"
#include "detector/features.h"
#include "detector/hosts.h"
#include "detector/incident.h"
#include "detector/score_cache.h"
#include "detector/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGREE_SLOTS = 16384 };
static const int64_t agree_ns = INT64_C(60000000000);
/* What is over sooner is a scan or a flood that a window tells, with its type; the forests tell what goes on. */
static const int64_t agree_for_ns = INT64_C(5000000000);
/* Decoys scan at the same time; what is known of them lasts as long as an incident's pause. */
static const int64_t decoys_ns = INT64_C(10000000000), decoy_known_ns = INT64_C(600000000000);

struct verdict {
    struct verdict_settings settings;
    struct explain_source teller;
    struct hosts *hosts;
    struct incidents *incidents;
    struct windows *agree;
    struct score_cache *cache; /* NULL without a model */
    struct rowmap map;
    bool uses_windows;
    struct budget_choice own;         /* the model's thresholds */
    const struct budget_choice *from; /* those in force */
    struct verdict_counters counters;
    const struct flow *flow; /* of the event at hand, for the sink; else NULL */
    const struct incident *telling;
    const double *context; /* its window counts as seen before, or NULL: the windows are asked */
};

/* A flow as the forests saw it. */
struct judgement {
    double values[FEATURES + HOSTS_CONTEXT];
    float row[MODEL_FEATURES_MAX];
    uint64_t shape;
    struct score score;
    bool rf_attack, iso_anomaly, sure;
};

static void tell(void *context, struct incident *incident)
{
    struct verdict *verdict = context;
    struct threat threat;

    incident->revision++;
    incident->told = incident->flows;
    incident->next = incident_next(incident->flows);
    if (incident->revision == 1)
        verdict->counters.threats++;
    else
        verdict->counters.updates++;
    if (!explain_threat(incident, &verdict->teller, &threat))
        return;
    verdict->telling = incident;
    verdict->settings.sink(verdict->settings.context, &threat, verdict->flow);
    verdict->telling = NULL;
    threat_clear(&threat);
}

static bool take_model(struct verdict *verdict, struct err *err)
{
    const struct model *model = verdict->settings.model;
    const struct tune *tune = verdict->settings.tune;

    if (!rowmap_make(&verdict->map, model, err))
        return false;
    verdict->uses_windows = verdict->map.uses_windows || (tune != NULL && tune_uses_windows(tune));
    budget_choose(model, 0, BUDGET_FLOWS_A_DAY, VERDICT_AGREE, &verdict->own);
    verdict->from = tune != NULL ? tune_thresholds(tune) : &verdict->own;
    return true;
}

struct verdict *verdict_create(const struct verdict_settings *settings, struct err *err)
{
    struct verdict *verdict = calloc(1, sizeof *verdict);

    if (verdict == NULL) {
        err_set(err, ERR_MEMORY, "verdict: out of memory");
        return NULL;
    }
    verdict->settings = *settings;
    verdict->teller = (struct explain_source){settings->sensor, settings->source,
                                              settings->model == NULL ? NULL : model_name(settings->model)};
    if (settings->model != NULL && !take_model(verdict, err))
        goto failed;
    verdict->cache = settings->model == NULL ? NULL : score_cache_create(settings->model);
    verdict->hosts = hosts_create(settings->max_hosts, err);
    verdict->agree = windows_create(AGREE_SLOTS);
    if (verdict->agree == NULL || (verdict->cache == NULL && settings->model != NULL))
        err_set(err, ERR_MEMORY, "verdict: out of memory");
    verdict->incidents = incidents_create(settings->max_incidents, tell, verdict, err);
    if (verdict->hosts == NULL || verdict->agree == NULL || verdict->incidents == NULL ||
        (verdict->cache == NULL && settings->model != NULL))
        goto failed;
    if (settings->tune != NULL)
        hosts_sample(verdict->hosts, tune_samples_from(settings->tune));
    return verdict;
failed:
    verdict_free(verdict);
    return NULL;
}

void verdict_free(struct verdict *verdict)
{
    if (verdict == NULL)
        return;
    hosts_free(verdict->hosts);
    windows_free(verdict->agree);
    score_cache_free(verdict->cache);
    incidents_free(verdict->incidents);
    free(verdict);
}

void verdict_context(const struct verdict *verdict, const struct flow *flow, double out[HOSTS_CONTEXT])
{
    hosts_context(verdict->hosts, flow, out);
}

const struct incident *verdict_telling(const struct verdict *verdict)
{
    return verdict->telling;
}

void verdict_greatest(const struct verdict *verdict, double out[COUNTERS])
{
    hosts_greatest(verdict->hosts, out);
}

/* What flows of one kind of probe have in common. */
static uint64_t shape_of(const struct flow *flow)
{
    uint64_t flags = (uint64_t)flow->flags_seen[0] << 16 | (uint64_t)flow->flags_seen[1] << 8 | flow->protocol;

    return window_mix(window_mix(flow->packets[0] << 32 ^ flow->packets[1], flags),
                      flow->payload_bytes[0] << 32 ^ flow->payload_bytes[1]);
}

/* As seen before, or asked for now; the windows are another thread's, where there is one. */
static void counts_of(const struct verdict *verdict, const struct flow *flow, double out[HOSTS_CONTEXT])
{
    if (verdict->context != NULL)
        memcpy(out, verdict->context, sizeof(double[HOSTS_CONTEXT]));
    else
        hosts_context(verdict->hosts, flow, out);
}

/* whole: with the score, also where neither forest flags the flow. */
static void judge(struct verdict *verdict, const struct flow *flow, bool whole, struct judgement *out)
{
    const struct budget_choice *from = verdict->from;

    features_of(flow, out->values);
    if (verdict->uses_windows)
        counts_of(verdict, flow, out->values + FEATURES);
    rowmap_row(&verdict->map, out->values, out->row);
    out->shape = shape_of(flow);
    out->rf_attack = out->iso_anomaly = out->sure = false;
    if (whole)
        model_score(verdict->settings.model, out->row, &out->score);
    else if (!score_cache_judge(verdict->cache, from->rf, from->iso, out->shape, out->row, &out->score))
        return;
    out->rf_attack = out->score.rf >= from->rf;
    out->iso_anomaly = out->score.iso < from->iso;
    out->sure = out->score.rf >= from->rf_sure || out->score.iso < from->iso_sure;
}

/* The id is the same when the same packets are read again: it hashes what the incident is, not when it was found. */
static void make_id(const struct verdict *verdict, struct incident *incident)
{
    char seed[320], hash[TOKEN_HASH], ulid[TOKEN_ULID];
    uint8_t rest[10];
    int length = snprintf(seed, sizeof seed, "%.200s\n%s\n%016llx\n%lld", verdict->settings.origin, incident->type,
                          (unsigned long long)incident->key, (long long)incident->first_ns);

    token_hash(seed, (size_t)length < sizeof seed ? (size_t)length : sizeof seed - 1, hash);
    for (size_t i = 0; i < sizeof rest; i++) {
        unsigned byte;

        sscanf(hash + 2 * i, "%2x", &byte);
        rest[i] = (uint8_t)byte;
    }
    token_ulid(incident->first_ns / 1000000, rest, ulid);
    snprintf(incident->id, sizeof incident->id, "threat_%s", ulid);
}

static void describe_flow(struct verdict *verdict, struct incident *incident, const struct flow *flow,
                          const struct judgement *judged)
{
    struct judgement own;

    incident->has_flow = true;
    incident->duration_s = (double)(flow->last_ns - flow->first_ns) / 1e9;
    flow_community_id(flow, incident->community_id);
    features_of(flow, incident->features);
    counts_of(verdict, flow, incident->context);
    if (verdict->settings.model == NULL)
        return;
    if (judged == NULL) {
        judge(verdict, flow, true, &own);
        judged = &own;
    }
    incident->has_score = true;
    incident->score = judged->score;
    incident->rf_attack = judged->rf_attack;
    incident->iso_anomaly = judged->iso_anomaly;
    incident->iso_percentile = model_iso_percentile(verdict->settings.model, judged->score.iso);
}

static bool is_flood(const char *type)
{
    return strcmp(type, "ddos") == 0 || strcmp(type, "dos") == 0 || strcmp(type, "udp_flood") == 0;
}

static uint64_t scanners_key(const uint8_t *target, int64_t span_ns)
{
    return window_hash((uint64_t)span_ns, target, 16) | 1;
}

static uint64_t scanner_item(const uint8_t *source)
{
    return window_hash(14, source, 16);
}

static void note_scanner(struct verdict *verdict, const uint8_t *source, const uint8_t *target, int64_t now_ns)
{
    window_add(windows_at(verdict->agree, scanners_key(target, decoy_known_ns), now_ns, decoy_known_ns, true),
               scanner_item(source));
}

/* The incident that this source shares with a scanner or its decoys, or NULL. */
static struct incident *shared(struct verdict *verdict, const uint8_t *source, const uint8_t *target)
{
    struct incident *incident = incidents_find(verdict->incidents, "port_scan", LIMIT_TARGET, source, target);
    const struct window *known =
        incident == NULL ? NULL : windows_find(verdict->agree, scanners_key(target, decoy_known_ns));

    return known != NULL && window_holds(known, scanner_item(source)) ? incident : NULL;
}

/* What is open already and covers this: the same thing, a flood on the target, or a scan by the source whose child it
 * is. by_window: a counter of its own says so, and guessing or web tools are then more than a scan's children. */
static struct incident *covering(struct verdict *verdict, const char *type, enum limit_scope scope, bool by_window,
                                 const uint8_t *source, const uint8_t *target)
{
    static const char *const parents[] = {"port_scan", "dos", "udp_flood", "brute_force", "web_attack"};
    bool scan_child = is_flood(type) || strcmp(type, "port_scan") == 0 || !by_window;
    struct incident *found = incidents_find(verdict->incidents, type, scope, source, target);

    if (found == NULL && (is_flood(type) || !by_window))
        found = incidents_find(verdict->incidents, "ddos", LIMIT_TARGET, source, target);
    if (found == NULL && (is_flood(type) || !by_window))
        found = incidents_find(verdict->incidents, "dos", LIMIT_TARGET, source, target);
    if (found == NULL && scan_child)
        found = incidents_find(verdict->incidents, "port_scan", LIMIT_SOURCE, source, target);
    if (found == NULL && (!by_window || strcmp(type, "web_attack") == 0)) /* a flood's requests vary in size, too */
        found = incidents_find(verdict->incidents, "dos", LIMIT_PAIR, source, target);
    if (found == NULL && (!by_window || strcmp(type, "malware") == 0)) /* nor do a tunnel's names exist */
        found = incidents_find(verdict->incidents, "data_exfiltration", LIMIT_PAIR, source, target);
    for (size_t i = 0; found == NULL && !by_window && i < 2; i++)
        found = incidents_find(verdict->incidents, i == 0 ? "ddos" : "malware", i == 0 ? LIMIT_PAIR : LIMIT_SOURCE,
                               source, target);
    for (size_t i = 0; found == NULL && scan_child && i < sizeof parents / sizeof parents[0]; i++) {
        if (by_window && i > 2)
            break;
        found = incidents_find(verdict->incidents, parents[i], LIMIT_PAIR, source, target);
    }
    return found == NULL && !by_window ? shared(verdict, source, target) : found;
}

/* The incident of a window that this flow is a part of: it needs no opinion of the forests any more, its packets
 * count. */
static struct incident *proven(struct verdict *verdict, const struct flow *flow)
{
    struct incident *incident;

    if (flow == NULL || incidents_open_count(verdict->incidents) == 0)
        return NULL;
    incident = covering(verdict, "port_scan", LIMIT_PAIR, false, flow->address[0], flow->address[1]);
    return incident != NULL && incident->by_window ? incident : NULL;
}

static void grow(struct verdict *verdict, struct incident *incident, int64_t now_ns, uint8_t event)
{
    incidents_touch(verdict->incidents, incident, now_ns);
    if (incident->opened_by == event)
        incident->flows++;
    else
        verdict->counters.folded++;
    if (incident->flows >= incident->next)
        tell(verdict, incident);
}

static void start(struct verdict *verdict, struct incident *incident)
{
    make_id(verdict, incident);
    tell(verdict, incident);
}

/* The incident of a scan that others seem to make, too: sources that scan one target and were found within seconds
 * are one scanner and its decoys. The first has an incident of its own, the others share one. */
static struct incident *decoys(struct verdict *verdict, const struct evidence *evidence, int64_t now_ns)
{
    bool scan = strcmp(evidence->type, "port_scan") == 0;
    struct incident *incident;

    if (evidence->scope != LIMIT_PAIR || (!scan && !is_flood(evidence->type)))
        return NULL;
    incident = incidents_find(verdict->incidents, "port_scan", LIMIT_TARGET, evidence->source, evidence->target);
    if (scan && incident != NULL && now_ns - incident->proof_ns < decoys_ns)
        note_scanner(verdict, evidence->source, evidence->target, now_ns);
    return shared(verdict, evidence->source, evidence->target);
}

/* Whether another source was found to scan this target a moment ago, and no such incident is open yet. */
static bool is_decoyed(struct verdict *verdict, const struct evidence *evidence, int64_t now_ns)
{
    struct window *now;

    if (evidence->scope != LIMIT_PAIR || strcmp(evidence->type, "port_scan") != 0)
        return false;
    now = windows_at(verdict->agree, scanners_key(evidence->target, decoys_ns), now_ns, decoys_ns, true);
    window_add(now, scanner_item(evidence->source));
    if (window_distinct(now) < 2 ||
        incidents_find(verdict->incidents, "port_scan", LIMIT_TARGET, evidence->source, evidence->target) != NULL)
        return false;
    note_scanner(verdict, evidence->source, evidence->target, now_ns);
    return true;
}

static void take_evidence(struct verdict *verdict, const struct evidence *evidence, int64_t now_ns, uint8_t event,
                          const struct flow *flow, struct incident **grown)
{
    enum limit_scope scope;
    struct incident *incident =
        covering(verdict, evidence->type, evidence->scope, true, evidence->source, evidence->target);

    if (incident == NULL)
        incident = decoys(verdict, evidence, now_ns);
    if (incident != NULL) {
        if (strcmp(incident->evidence.counter == NULL ? "" : incident->evidence.counter, evidence->counter) == 0 &&
            evidence->value > incident->evidence.value) {
            incident->evidence = *evidence;
            incident->confidence = classify_confidence(evidence);
        }
        if (incident != *grown) /* one event is one flow more, however many counters it raised */
            grow(verdict, incident, now_ns, event);
        *grown = incident;
        return;
    }
    scope = is_decoyed(verdict, evidence, now_ns) ? LIMIT_TARGET : evidence->scope;
    incident = incidents_open(verdict->incidents, evidence->type, scope, evidence->source, evidence->target, now_ns);
    *grown = incident;
    incident->opened_by = event;
    incident->by_window = true;
    incident->evidence = *evidence;
    memcpy(incident->source, evidence->source, 16);
    memcpy(incident->target, evidence->target, 16);
    incident->source_port = evidence->source_port;
    incident->target_port = evidence->target_port;
    incident->protocol = evidence->protocol;
    incident->flows = evidence->flow_count > 0 ? evidence->flow_count : 1;
    incident->first_ns = evidence->first_ns;
    incident->proof_ns = now_ns;
    incident->confidence = classify_confidence(evidence);
    if (flow != NULL) {
        describe_flow(verdict, incident, flow, NULL);
        incident->open_packets = flow->packets[0] + flow->packets[1];
        incident->open_bytes = flow->ip_bytes[0] + flow->ip_bytes[1];
    }
    start(verdict, incident);
}

/* Whether enough flows of this source to this target were found within a minute. Not of the source alone: whoever
 * talks to many strangers (peer to peer, a mail server) has many odd flows, but not with one of them. */
static bool agreed(struct verdict *verdict, const struct flow *flow)
{
    uint64_t key = window_hash(window_hash(12, flow->address[0], 16), flow->address[1], 16) | 1;
    struct window *window = windows_at(verdict->agree, key, flow->last_ns, agree_ns, true);

    window_add(window, window_mix((uint64_t)flow->first_ns, (uint64_t)flow->port[0] << 16 | flow->port[1]));
    if (flow->last_ns - window->first_ns < agree_for_ns)
        return false;
    if (flow->protocol != 6)
        return window_distinct(window) >= VERDICT_AGREE_OTHERS;
    return window_distinct(window) >=
           (flow->payload_bytes[0] + flow->payload_bytes[1] > 0 ? VERDICT_AGREE : VERDICT_AGREE_EMPTY);
}

/* The type of what only forests found: by the port, as the contract has it, unless the flows say more. Without a byte
 * of payload nobody guesses or injects: it is a flood when there are many, a scan when ports vary. */
static const char *type_of(const struct verdict *verdict, const struct flow *flow)
{
    enum { PORTS_OF_A_SCAN = 5, FLOWS_OF_A_FLOOD = 100, PORTS = 6, FLOWS = 5 };
    double counts[HOSTS_CONTEXT];

    if (flow->protocol != 6 || flow->payload_bytes[0] + flow->payload_bytes[1] > 0)
        return classify_flow(flow);
    counts_of(verdict, flow, counts);
    if (counts[PORTS] >= PORTS_OF_A_SCAN)
        return "port_scan";
    return counts[FLOWS] >= FLOWS_OF_A_FLOOD ? "dos" : "suspicious_tcp";
}

static void take_judgement(struct verdict *verdict, const struct flow *flow, const struct judgement *judged,
                           uint8_t event)
{
    const struct model *model = verdict->settings.model;
    const double(*usual)[MODEL_QUANTILES] =
        verdict->settings.tune != NULL ? tune_usual(verdict->settings.tune) : NULL;
    const char *type = type_of(verdict, flow);
    bool enough = agreed(verdict, flow) || judged->sure;
    struct incident *incident = covering(verdict, type, LIMIT_PAIR, false, flow->address[0], flow->address[1]);

    if (incident != NULL) {
        grow(verdict, incident, flow->last_ns, event);
        return;
    }
    if (!enough)
        return;
    incident =
        incidents_open(verdict->incidents, type, LIMIT_PAIR, flow->address[0], flow->address[1], flow->last_ns);
    incident->opened_by = FLOW_ENDED;
    memcpy(incident->source, flow->address[0], 16);
    memcpy(incident->target, flow->address[1], 16);
    incident->source_port = flow->port[0];
    incident->target_port = flow->port[1];
    incident->protocol = flow->protocol;
    incident->flows = 1;
    incident->first_ns = flow->first_ns;
    incident->proof_ns = flow->last_ns;
    incident->confidence = model_confidence(model, judged->score.rf);
    incident->packets = flow->packets[0] + flow->packets[1];
    incident->bytes = flow->ip_bytes[0] + flow->ip_bytes[1];
    describe_flow(verdict, incident, flow, judged);
    incident->reasons = judged->rf_attack ? explain_attack(model, usual, judged->row, incident->reason)
                                          : explain_anomaly(model, usual, judged->row, incident->reason);
    if (verdict->settings.tune != NULL)
        tune_alarm(verdict->settings.tune);
    start(verdict, incident);
}

/* Whether one of the ends is part of what is a threat already. */
static bool is_suspect(void *context, const uint8_t source[16], const uint8_t target[16])
{
    const struct verdict *verdict = context;

    return incidents_about(verdict->incidents, source, target);
}

static void tell_tune(struct verdict *verdict, const struct flow *flow, const struct judgement *judged, bool ended)
{
    const struct tune_flow told = {.flow = flow,
                                   .values = judged->values,
                                   .row = judged->row,
                                   .shape = judged->shape,
                                   .score = &judged->score,
                                   .flagged = judged->rf_attack || judged->iso_anomaly,
                                   .ended = ended};

    tune_judged(verdict->settings.tune, &told);
}

/* With verdict->context set, or on the thread of the windows. */
static void decide(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                   const struct verdict_seen *seen)
{
    uint8_t by = flow != NULL ? (uint8_t)event : INCIDENT_BY_PACKET;
    bool judges = flow != NULL && (event == FLOW_STEP || event == FLOW_ENDED);
    struct incident *grown = NULL, *incident = NULL;
    struct judgement judged;

    verdict->flow = flow;
    for (size_t i = 0; i < seen->count; i++) {
        struct evidence evidence = seen->raised[i];

        if (verdict->settings.tune == NULL ||
            tune_admits(verdict->settings.tune, &evidence, seen->now_ns, is_suspect, verdict))
            take_evidence(verdict, &evidence, seen->now_ns, by, flow, &grown);
    }
    if (judges)
        incident = proven(verdict, flow);
    if (incident != NULL && event == FLOW_ENDED) {
        incident->packets += flow->packets[0] + flow->packets[1];
        incident->bytes += flow->ip_bytes[0] + flow->ip_bytes[1];
        verdict->counters.folded++;
    } else if (incident == NULL && verdict->settings.model != NULL && judges) {
        judge(verdict, flow, verdict->settings.tune != NULL && tune_wants_scores(verdict->settings.tune), &judged);
        verdict->counters.judged++;
        verdict->counters.rf_attacks += judged.rf_attack;
        verdict->counters.iso_anomalies += judged.iso_anomaly;
        if (verdict->settings.tune != NULL)
            tell_tune(verdict, flow, &judged, event == FLOW_ENDED);
        if (judged.rf_attack || judged.iso_anomaly)
            take_judgement(verdict, flow, &judged, by);
    }
    verdict->flow = NULL;
}

static void count_event(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                        const struct packet *packet, struct verdict_seen *out)
{
    out->now_ns = packet != NULL ? packet->time_ns : flow->last_ns;
    out->count = hosts_event(verdict->hosts, event, flow, packet, out->raised);
}

void verdict_event(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                   const struct packet *packet)
{
    struct verdict_seen seen;

    count_event(verdict, event, flow, packet, &seen);
    decide(verdict, event, flow, &seen);
}

void verdict_see_event(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                       const struct packet *packet, struct verdict_seen *out)
{
    count_event(verdict, event, flow, packet, out);
    if (out->count > 0 || event == FLOW_STEP || event == FLOW_ENDED)
        hosts_context(verdict->hosts, flow, out->context);
}

bool verdict_wants_packet(const struct packet *packet)
{
    return hosts_wants(packet);
}

void verdict_see_packet(struct verdict *verdict, const struct packet *packet, struct verdict_seen *out)
{
    out->now_ns = packet->time_ns;
    out->count = hosts_packet(verdict->hosts, packet, out->raised);
}

void verdict_decide(struct verdict *verdict, enum flow_event event, const struct flow *flow,
                    const struct verdict_seen *seen)
{
    verdict->context = seen->context;
    decide(verdict, event, flow, seen);
    verdict->context = NULL;
}

void verdict_packet(struct verdict *verdict, const struct packet *packet)
{
    struct verdict_seen seen;

    if (!hosts_wants(packet))
        return;
    verdict_see_packet(verdict, packet, &seen);
    decide(verdict, FLOW_NEW, NULL, &seen);
}

void verdict_prefetch(struct verdict *verdict, const struct hosts_sight *sights, size_t count)
{
    hosts_prefetch(verdict->hosts, sights, count);
}

void verdict_tick(struct verdict *verdict, int64_t now_ns)
{
    if (verdict->settings.tune != NULL)
        tune_tick(verdict->settings.tune, now_ns, is_suspect, verdict);
    incidents_expire(verdict->incidents, now_ns);
}

void verdict_finish(struct verdict *verdict)
{
    incidents_finish(verdict->incidents);
}

void verdict_counters(const struct verdict *verdict, struct verdict_counters *out)
{
    *out = verdict->counters;
}
