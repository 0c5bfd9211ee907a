/* selftest.c: see selftest.h. */
#include "detector/selftest.h"

#include "detector/features.h"
#include "detector/pipeline.h"
#include "detector/simulator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FLOWS = 65536, SEEDS = 3 };
#define SECOND      INT64_C(1000000000)
#define START       (INT64_C(1767225600) * SECOND) /* any time will do, but always the same */
#define LONG_ENOUGH (START + 300 * SECOND)

struct outcome {
    unsigned threats;       /* first notices */
    char type[THREAT_TYPE]; /* of the first */
    char id[THREAT_ID];
    uint64_t packets, undecoded, flows, flow_packets;
    bool sane; /* every feature is a finite number */
};

static void on_threat(void *context, const struct threat *threat, const struct flow *flow)
{
    struct outcome *o = context;

    (void)flow;
    if (threat->revision == 1 && o->threats++ == 0) {
        snprintf(o->type, sizeof o->type, "%s", threat->type);
        snprintf(o->id, sizeof o->id, "%s", threat->id);
    }
}

static void on_flow(void *context, const struct flow *flow, const double counts[HOSTS_CONTEXT])
{
    struct outcome *o = context;
    double values[FEATURES];

    (void)counts;
    features_of(flow, values);
    for (int i = 0; i < FEATURES; i++)
        o->sane = o->sane && isfinite(values[i]) && values[i] >= 0;
    o->flow_packets += flow->packets[FLOW_FORWARD] + flow->packets[FLOW_BACKWARD];
    o->sane = o->sane && values[1] == (double)flow->packets[FLOW_FORWARD];
}

static bool play(enum simulator_flow flow, uint64_t seed, struct outcome *o)
{
    struct pipeline_settings settings = {.flow.max_flows = MAX_FLOWS, .each_flow = on_flow, .context = o};
    struct simulator *simulator = simulator_create_one(flow, seed, START, NULL);
    struct pipeline_counters counters;
    struct capture_frame frame;
    struct pipeline *pipeline;
    bool ok;

    settings.verdict = (struct verdict_settings){
        .sensor = "selftest", .source = "simulator", .origin = "selftest", .sink = on_threat, .context = o};
    *o = (struct outcome){.sane = true};
    pipeline = pipeline_create(&settings, NULL);
    ok = simulator != NULL && pipeline != NULL;
    while (ok && simulator_next(simulator, LONG_ENOUGH, &frame))
        pipeline_frame(pipeline, &frame);
    if (ok) {
        pipeline_finish(pipeline);
        pipeline_counters(pipeline, &counters);
        o->packets = counters.packets;
        o->undecoded = counters.packets - counters.decode[PACKET_OK];
        o->flows = counters.flow.flows;
        o->flow_packets += counters.flow.late;
    }
    pipeline_free(pipeline);
    simulator_free(simulator);
    return ok;
}

struct tally {
    int passed, all;
};

static void check(struct tally *tally, bool good, const char *name, const char *what)
{
    tally->all++;
    tally->passed += good;
    printf("%-4s %s: %s\n", good ? "ok" : "FAIL", name, what);
}

static bool is_one_of(const char *type, const char *list)
{
    const char *at = type[0] ? strstr(list, type) : NULL;

    return at != NULL && (at[strlen(type)] == ' ' || at[strlen(type)] == '\0') && (at == list || at[-1] == ' ');
}

int selftest_run(void)
{
    static const struct {
        enum simulator_flow flow;
        const char *name, *types; /* types: "" is nothing at all */
    } cases[] = {
        {SIMULATOR_BENIGN, "honest session", ""},
        {SIMULATOR_SCAN, "port scan", "port_scan"},
        {SIMULATOR_GUESSING, "password guessing", "brute_force"},
        {SIMULATOR_UDP_FLOOD, "UDP flood", "udp_flood dos ddos"},
        {SIMULATOR_SYN_FLOOD, "SYN flood of many sources", "ddos"},
    };
    struct tally tally = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct outcome o, again;
            char what[160];
            bool silent = cases[i].types[0] == '\0';

            if (!play(cases[i].flow, seed, &o) || !play(cases[i].flow, seed, &again)) {
                check(&tally, false, cases[i].name, "out of memory");
                continue;
            }
            snprintf(what, sizeof what, "%llu packets, %llu flows, %u threats %s", (unsigned long long)o.packets,
                     (unsigned long long)o.flows, o.threats, o.type);
            check(&tally, o.packets > 0 && o.undecoded == 0, cases[i].name, "every packet is decoded");
            check(&tally, o.sane && o.flow_packets == o.packets, cases[i].name,
                  "every packet is in a flow, features add up");
            check(&tally, silent ? o.threats == 0 : is_one_of(o.type, cases[i].types), cases[i].name, what);
            check(&tally, o.threats == again.threats && strcmp(o.id, again.id) == 0, cases[i].name,
                  "the same packets give the same threats");
        }
    printf("%d/%d\n", tally.passed, tally.all);
    return tally.passed == tally.all ? 0 : 1;
}
