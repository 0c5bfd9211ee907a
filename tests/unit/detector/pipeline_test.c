/* pipeline_test.c: one worker and two say the same of the same frames, evidence included, and end in order. */
#include "tests/unit/check.h"

#include "common/json.h"
#include "common/token.h"
#include "detector/pipeline.h"
#include "detector/simulator.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1767225600) * SECOND)

struct outcome {
    struct text told; /* every notice, flow and capture in the order they came */
    size_t notices, captures, flows;
    struct pipeline_counters counters;
};

static void on_threat(void *context, const struct threat *threat, const struct flow *flow)
{
    struct outcome *outcome = context;
    char *json = threat_to_json(threat);

    (void)flow;
    assert_non_null(json);
    text_addf(&outcome->told, "%s\n", json);
    outcome->notices++;
    free(json);
}

static void on_evidence(void *context, const struct threat *threat, const struct evidence_pcap *pcap)
{
    struct outcome *outcome = context;

    assert_non_null(strstr(threat->details, pcap->sha256));
    text_addf(&outcome->told, "%s %zu %s\n", threat->id, pcap->packets, pcap->sha256);
    outcome->captures++;
}

static void on_flow(void *context, const struct flow *flow, const double counts[HOSTS_CONTEXT])
{
    struct outcome *outcome = context;

    text_addf(&outcome->told, "%u %u %lld", flow->port[0], flow->port[1], (long long)flow->last_ns);
    for (int i = 0; i < HOSTS_CONTEXT; i++)
        text_addf(&outcome->told, " %g", counts[i]);
    text_addf(&outcome->told, "\n");
    outcome->flows++;
}

static void simulate(struct outcome *outcome, int workers, int seconds)
{
    struct simulator *simulator = simulator_create(5, START, NULL);
    const struct pipeline_settings settings = {
        .flow = {.max_flows = 20000, .key = {1}},
        .verdict = {.sensor = "unit", .source = "simulator", .origin = "unit", .sink = on_threat, .context = outcome},
        .evidence = {.packets = 16, .bytes = 64, .memory = 8 << 20},
        .on_evidence = on_evidence,
        .each_flow = on_flow,
        .context = outcome,
        .workers = workers};
    struct pipeline *pipeline = pipeline_create(&settings, NULL);
    struct capture_frame frame;

    *outcome = (struct outcome){.told = {.max = 64 << 20}};
    assert_non_null(simulator);
    assert_non_null(pipeline);
    for (int64_t at = START; at < START + seconds * SECOND; at += SECOND) {
        while (simulator_next(simulator, at, &frame))
            pipeline_frame(pipeline, &frame);
        pipeline_tick(pipeline, at);
        pipeline_counters(pipeline, &outcome->counters);
    }
    pipeline_finish(pipeline);
    pipeline_counters(pipeline, &outcome->counters);
    pipeline_free(pipeline);
    simulator_free(simulator);
}

static void two_workers_say_what_one_says_in_the_same_order(void **state)
{
    struct outcome one, two;

    (void)state;
    simulate(&one, 1, 120);
    simulate(&two, 2, 120);
    assert_in_range(one.notices, 5, 100000);
    assert_in_range(one.captures, 3, 100000);
    assert_in_range(one.flows, 100, 1000000);
    assert_false(one.told.failed || two.told.failed);
    assert_int_equal(one.told.length, two.told.length);
    assert_memory_equal(one.told.bytes, two.told.bytes, one.told.length);
    assert_memory_equal(&one.counters, &two.counters, offsetof(struct pipeline_counters, stage_ns));
    for (int i = 0; i < PIPELINE_STAGES; i++) { /* more than nothing, less than the whole test may take */
        assert_in_range(one.counters.stage_ns[i], 1, INT64_C(600) * SECOND);
        assert_in_range(two.counters.stage_ns[i], 1, INT64_C(600) * SECOND);
    }
    free(one.told.bytes);
    free(two.told.bytes);
}

static void two_workers_tell_a_threat_without_waiting_for_more_traffic(void **state)
{
    struct simulator *simulator = simulator_create_one(SIMULATOR_SCAN, 3, START, NULL);
    struct outcome outcome = {.told = {.max = 1 << 20}};
    const struct pipeline_settings settings = {
        .flow = {.max_flows = 20000, .key = {1}},
        .verdict = {.sensor = "unit", .source = "live", .origin = "unit", .sink = on_threat, .context = &outcome},
        .workers = 2};
    struct pipeline *pipeline = pipeline_create(&settings, NULL);
    struct capture_frame frame;
    struct pipeline_counters counters = {0};

    (void)state;
    assert_non_null(pipeline);
    while (simulator_next(simulator, START + 30 * SECOND, &frame))
        pipeline_frame(pipeline, &frame);
    pipeline_flush(pipeline);
    for (int i = 0; i < 5000 && counters.verdict.threats == 0; i++) {
        const struct timespec pause = {0, 1000000};

        nanosleep(&pause, NULL);
        pipeline_counters(pipeline, &counters);
    }
    assert_int_equal(counters.verdict.threats, 1);
    pipeline_free(pipeline); /* also without its end */
    assert_in_range(outcome.notices, 1, 100);
    free(outcome.told.bytes);
    simulator_free(simulator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_workers_say_what_one_says_in_the_same_order),
        cmocka_unit_test(two_workers_tell_a_threat_without_waiting_for_more_traffic),
    };

    token_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
