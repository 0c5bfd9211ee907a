/* simulator_test.c: the mock network: repeatable, in order, well-formed, and attacked soon enough to be seen. */
#include "tests/unit/check.h"

#include "detector/packet.h"
#include "detector/pipeline.h"
#include "detector/simulator.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1767225600) * SECOND)

/* FNV-1a over every frame and its time. */
static uint64_t hash_of(uint64_t seed, int64_t seconds, int64_t step)
{
    struct simulator *simulator = simulator_create(seed, START, NULL);
    struct capture_frame frame;
    uint64_t hash = UINT64_C(14695981039346656037);

    assert_non_null(simulator);
    for (int64_t until = START; until <= START + seconds * SECOND; until += step)
        while (simulator_next(simulator, until, &frame)) {
            hash = (hash ^ (uint64_t)frame.time_ns) * UINT64_C(1099511628211);
            for (size_t i = 0; i < frame.captured; i++)
                hash = (hash ^ frame.bytes[i]) * UINT64_C(1099511628211);
        }
    simulator_free(simulator);
    return hash;
}

static void the_same_seed_gives_the_same_frames_however_it_is_asked(void **state)
{
    (void)state;
    assert_true(hash_of(7, 20, SECOND) == hash_of(7, 20, SECOND));
    assert_true(hash_of(7, 20, SECOND) == hash_of(7, 20, SECOND / 50));
    assert_true(hash_of(7, 20, SECOND) != hash_of(8, 20, SECOND));
}

static void frames_come_in_order_and_never_early(void **state)
{
    struct simulator *simulator = simulator_create(3, START, NULL);
    struct capture_frame frame;
    int64_t last = START;
    int frames = 0;

    (void)state;
    for (int64_t until = START; until < START + 30 * SECOND; until += SECOND / 10) {
        while (simulator_next(simulator, until, &frame)) {
            assert_true(frame.time_ns >= last && frame.time_ns <= until);
            last = frame.time_ns;
            frames++;
        }
        assert_true(simulator_due(simulator) > until);
    }
    assert_true(frames > 100);
    simulator_free(simulator);
}

static uint32_t sum16(const uint8_t *p, size_t length, uint32_t sum)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void every_frame_decodes_and_its_checksums_are_right(void **state)
{
    struct packet_decoder *decoder = packet_decoder_create(false);
    struct capture_frame frame;
    struct packet packet;

    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct simulator *simulator = simulator_create(seed, START, NULL);

        while (simulator_next(simulator, START + 6 * SECOND, &frame)) {
            const uint8_t *ip = frame.bytes + 14;
            size_t transport = frame.captured - 14 - 20;

            assert_int_equal(packet_decode(decoder, frame.link, frame.time_ns, frame.bytes, frame.captured, &packet),
                             PACKET_OK);
            assert_int_equal(packet.ip_bytes + 14, frame.captured);
            assert_int_equal(packet.source[12] << 16 | packet.source[13] << 8 | packet.source[14], 0xc0a801);
            assert_int_equal(sum16(ip, 20, 0), 0xffff);
            assert_int_equal(sum16(ip + 20, transport, sum16(ip + 12, 8, packet.protocol + (uint32_t)transport)),
                             0xffff);
        }
        simulator_free(simulator);
    }
    packet_decoder_free(decoder);
}

struct seen {
    int64_t first_ns;
    unsigned threats;
    char types[16][THREAT_TYPE];
    unsigned type_count;
};

static void note(void *context, const struct threat *threat, const struct flow *flow)
{
    struct seen *seen = context;
    unsigned i = 0;

    (void)flow;
    if (seen->threats++ == 0)
        seen->first_ns = threat->timestamp_us * 1000;
    assert_non_null(strstr(threat->details, "\"simulator\""));
    while (i < seen->type_count && strcmp(seen->types[i], threat->type) != 0)
        i++;
    if (i == seen->type_count && i < 16)
        strcpy(seen->types[seen->type_count++], threat->type);
}

static void watch(struct seen *seen, uint64_t seed, int seconds)
{
    struct simulator *simulator = simulator_create(seed, START, NULL);
    struct pipeline_settings settings = {
        .flow.max_flows = 65536,
        .verdict = {.sensor = "unit", .source = "simulator", .origin = "unit", .sink = note, .context = seen}};
    struct pipeline *pipeline = pipeline_create(&settings, NULL);
    struct capture_frame frame;

    assert_non_null(pipeline);
    for (int64_t until = START; until <= START + seconds * SECOND; until += SECOND / 20) {
        while (simulator_next(simulator, until, &frame))
            pipeline_frame(pipeline, &frame);
        pipeline_tick(pipeline, until);
    }
    pipeline_free(pipeline);
    simulator_free(simulator);
}

static void a_threat_is_found_within_15_seconds_whatever_the_seed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct seen seen = {0};

        watch(&seen, seed, 14);
        assert_true(seen.threats > 0);
    }
}

static void scans_guessing_and_floods_are_all_found_in_time(void **state)
{
    struct seen seen = {0};
    bool scan = false, guessing = false, flood = false;

    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        watch(&seen, seed, 30);
    for (unsigned i = 0; i < seen.type_count; i++) {
        scan |= strcmp(seen.types[i], "port_scan") == 0;
        guessing |= strcmp(seen.types[i], "brute_force") == 0;
        flood |= strcmp(seen.types[i], "ddos") == 0 || strcmp(seen.types[i], "dos") == 0 ||
                 strcmp(seen.types[i], "udp_flood") == 0;
    }
    assert_true(scan);
    assert_true(guessing);
    assert_true(flood);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_frames_however_it_is_asked),
        cmocka_unit_test(frames_come_in_order_and_never_early),
        cmocka_unit_test(every_frame_decodes_and_its_checksums_are_right),
        cmocka_unit_test(a_threat_is_found_within_15_seconds_whatever_the_seed),
        cmocka_unit_test(scans_guessing_and_floods_are_all_found_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
