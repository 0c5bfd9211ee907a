/* evidence_test.c: which packets the ring keeps, which of them a threat gets, and how full it may become. */
#include "tests/unit/check.h"

#include "detector/evidence.h"

#include <stdlib.h>
#include <string.h>

enum { HEADERS = 40, PCAP_HEADER = 24, PCAP_RECORD = 16 };
#define SECOND INT64_C(1000000000)

static struct evidence_ring *ring_of(size_t packets, size_t bytes, size_t memory)
{
    const struct evidence_settings settings = {packets, bytes, memory};
    struct evidence_ring *ring = evidence_create(&settings, NULL);

    assert_non_null(ring);
    return ring;
}

/* 10.0.0.`from`:1000+`from` to 10.0.0.`to`:80, TCP, as the `nth` packet of its flow. */
static void keep(struct evidence_ring *ring, unsigned from, unsigned to, unsigned nth, size_t payload,
                 int64_t time_ns)
{
    static uint8_t bytes[4096];
    struct packet packet = {.time_ns = time_ns,
                            .protocol = 6,
                            .version = 4,
                            .source_port = (uint16_t)(1000 + from),
                            .destination_port = 80,
                            .payload = bytes + HEADERS,
                            .payload_captured = (uint32_t)payload};
    const struct capture_frame frame = {1, time_ns, bytes, HEADERS + payload, HEADERS + payload};
    struct flow flow = {.packets = {nth, 0}};

    memset(bytes, (int)nth, sizeof bytes);
    packet.source[15] = (uint8_t)from;
    packet.destination[15] = (uint8_t)to;
    evidence_keep(ring, &frame, &packet, &flow);
}

static struct flow flow_of(unsigned from, unsigned to, int64_t first_ns)
{
    struct flow flow = {.protocol = 6, .port = {(uint16_t)(1000 + from), 80}, .first_ns = first_ns};

    flow.address[0][15] = (uint8_t)from;
    flow.address[1][15] = (uint8_t)to;
    return flow;
}

static uint32_t word(const struct evidence_pcap *pcap, size_t at)
{
    uint32_t value;

    assert_true(at + 4 <= pcap->length);
    memcpy(&value, pcap->bytes + at, 4);
    return value;
}

static void a_flow_shows_its_first_packets_with_headers_and_the_begin_of_the_payload(void **state)
{
    struct evidence_ring *ring = ring_of(3, 16, 1 << 20);
    struct flow flow = flow_of(1, 2, 5 * SECOND);
    const struct evidence_wish wish = {.flow = &flow, .since_ns = 5 * SECOND, .until = UINT64_MAX};
    struct evidence_pcap pcap;
    char sha256[TOKEN_HASH];

    (void)state;
    for (unsigned n = 1; n <= 5; n++)
        keep(ring, 1, 2, n, 100, 5 * SECOND + n);
    keep(ring, 3, 2, 1, 100, 5 * SECOND + 2);
    assert_true(evidence_collect(ring, &wish, &pcap));
    assert_int_equal(pcap.packets, 3);
    assert_int_equal(pcap.length, PCAP_HEADER + 3 * (PCAP_RECORD + HEADERS + 16));
    assert_int_equal(word(&pcap, 0), 0xa1b23c4d);
    assert_int_equal(word(&pcap, 20), 1);
    assert_int_equal(word(&pcap, PCAP_HEADER), 5);
    assert_int_equal(word(&pcap, PCAP_HEADER + 4), 1);
    assert_int_equal(word(&pcap, PCAP_HEADER + 8), HEADERS + 16);
    assert_int_equal(word(&pcap, PCAP_HEADER + 12), HEADERS + 100);
    assert_int_equal(pcap.bytes[PCAP_HEADER + PCAP_RECORD], 1);
    token_hash(pcap.bytes, pcap.length, sha256);
    assert_string_equal(sha256, pcap.sha256);
    evidence_pcap_clear(&pcap);
    evidence_free(ring);
}

static void an_incident_shows_the_first_packets_between_its_ends_both_ways(void **state)
{
    struct evidence_ring *ring = ring_of(8, 16, 1 << 20);
    struct evidence_wish wish = {.since_ns = 0, .until = UINT64_MAX};
    uint8_t source[16] = {0}, target[16] = {0};
    struct evidence_pcap pcap;

    (void)state;
    source[15] = 1;
    target[15] = 2;
    for (unsigned n = 0; n < 20; n++) {
        keep(ring, 1, 2 + n, 1, 0, n);
        keep(ring, 2 + n, 1, 1, 0, n);
    }
    wish.source = source;
    wish.target = target;
    assert_true(evidence_collect(ring, &wish, &pcap));
    assert_int_equal(pcap.packets, 2);
    evidence_pcap_clear(&pcap);
    wish.target = NULL; /* a scan of many */
    assert_true(evidence_collect(ring, &wish, &pcap));
    assert_int_equal(pcap.packets, 8);
    assert_int_equal(word(&pcap, PCAP_HEADER + 4), 0); /* the first ones, in order */
    assert_int_equal(word(&pcap, PCAP_HEADER + 2 * (PCAP_RECORD + HEADERS) + 4), 1);
    evidence_pcap_clear(&pcap);
    wish.source = target; /* only 1 spoke with 2 */
    wish.target = NULL;
    assert_true(evidence_collect(ring, &wish, &pcap));
    assert_int_equal(pcap.packets, 2);
    evidence_pcap_clear(&pcap);
    evidence_free(ring);
}

static void what_comes_behind_the_threat_or_lies_before_it_is_left_out(void **state)
{
    struct evidence_ring *ring = ring_of(8, 16, 1 << 20);
    struct flow flow = flow_of(1, 2, 10 * SECOND);
    struct evidence_wish wish = {.flow = &flow, .since_ns = 10 * SECOND};
    struct evidence_pcap pcap;

    (void)state;
    keep(ring, 1, 2, 1, 0, 3 * SECOND); /* an older flow between the same ends */
    keep(ring, 1, 2, 1, 0, 10 * SECOND);
    wish.until = evidence_now(ring);
    keep(ring, 1, 2, 2, 0, 11 * SECOND);
    assert_true(evidence_collect(ring, &wish, &pcap));
    assert_int_equal(pcap.packets, 1);
    evidence_pcap_clear(&pcap);
    wish.until = 0;
    assert_false(evidence_collect(ring, &wish, &pcap));
    assert_null(pcap.bytes);
    evidence_free(ring);
}

static void a_full_ring_gives_up_its_oldest_packets_and_no_others(void **state)
{
    struct evidence_ring *ring = ring_of(1000, 100, 65536);
    struct flow flow = flow_of(1, 2, 0);
    const struct evidence_wish wish = {.flow = &flow, .until = UINT64_MAX};
    struct evidence_pcap pcap;

    (void)state;
    for (unsigned n = 1; n <= 1000; n++) /* of odd lengths, so that the end of the ring is met in all ways */
        keep(ring, 1, 2, n, n % 101, n);
    assert_true(evidence_collect(ring, &wish, &pcap));
    assert_in_range(pcap.packets, 300, 700);
    assert_int_equal(word(&pcap, PCAP_HEADER + 4), 1000 - pcap.packets + 1);
    evidence_pcap_clear(&pcap);
    evidence_free(ring);
}

static void a_file_stays_under_its_ceiling_and_has_one_link_type(void **state)
{
    struct evidence_ring *ring = ring_of(1000, 2048, 16 << 20);
    struct flow flow = flow_of(1, 2, 0);
    const struct evidence_wish wish = {.flow = &flow, .until = UINT64_MAX};
    struct evidence_pcap pcap;

    (void)state;
    for (unsigned n = 1; n <= 1000; n++)
        keep(ring, 1, 2, n, 2048, n);
    assert_true(evidence_collect(ring, &wish, &pcap));
    assert_in_range(pcap.length, EVIDENCE_PCAP_MAX - 4096, EVIDENCE_PCAP_MAX);
    evidence_pcap_clear(&pcap);
    evidence_free(ring);
}

static void settings_beyond_the_limits_are_refused(void **state)
{
    const struct evidence_settings many = {EVIDENCE_PACKETS_MAX + 1, 1, 1 << 20}, small = {1, 1, 100};
    struct err err = {0};

    (void)state;
    assert_null(evidence_create(&many, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(evidence_create(&small, &err));
    evidence_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_shows_its_first_packets_with_headers_and_the_begin_of_the_payload),
        cmocka_unit_test(an_incident_shows_the_first_packets_between_its_ends_both_ways),
        cmocka_unit_test(what_comes_behind_the_threat_or_lies_before_it_is_left_out),
        cmocka_unit_test(a_full_ring_gives_up_its_oldest_packets_and_no_others),
        cmocka_unit_test(a_file_stays_under_its_ceiling_and_has_one_link_type),
        cmocka_unit_test(settings_beyond_the_limits_are_refused),
    };

    token_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
