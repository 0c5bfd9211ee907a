/* The bus: order, memory, and step 9 of the guide: what is emitted reaches any listener, with type, data and time. */
#include "tests/unit/check.h"

#include "backend/bus.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct heard {
    int64_t seqs[4096];
    char last[1024];
    size_t count;
};

static void hear(void *context, int64_t seq, const char *frame, size_t length)
{
    struct heard *heard = context;

    heard->seqs[heard->count++] = seq;
    snprintf(heard->last, sizeof heard->last, "%.*s", (int)length, frame);
}

static struct bus *make(size_t depth, size_t bytes, int64_t last, bool dense, struct heard *heard)
{
    const struct bus_settings settings = {
        .depth = depth, .bytes = bytes, .name = "st0re", .last = last, .dense = dense};
    struct bus *bus = bus_create(&settings);

    assert_non_null(bus);
    memset(heard, 0, sizeof *heard);
    bus_listen(bus, hear, heard);
    return bus;
}

static void publish(struct bus *bus, int64_t seq)
{
    char json[64];

    snprintf(json, sizeof json, "{\"n\":%lld}", (long long)seq);
    bus_publish(bus, &(struct bus_event){.seq = seq, .type = "threat_detected", .json = json});
}

static void step_9_an_emitted_threat_reaches_the_listener_as_one_event(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 0, true, &heard);
    const char *begin = "id: st0re.1\ndata: {\"type\":\"threat_detected\",\"data\":{\"threat_id\":\"threat_000001\"},"
                        "\"timestamp\":\"20";

    (void)state;
    bus_publish(bus, &(struct bus_event){1, "threat_detected", "{\"threat_id\":\"threat_000001\"}"});
    assert_int_equal(heard.count, 1);
    assert_memory_equal(heard.last, begin, strlen(begin));
    assert_string_equal(heard.last + strlen(heard.last) - 4, "\"}\n\n");
    bus_free(bus);
}

static void an_event_that_is_not_durable_bears_no_id(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 5, true, &heard);

    (void)state;
    bus_publish(bus, &(struct bus_event){0, "sensor", "{}"});
    assert_int_equal(heard.count, 1);
    assert_memory_equal(heard.last, "data: {\"type\":\"sensor\"", 22);
    assert_int_equal(bus_last(bus), 5);
    bus_free(bus);
}

static void line_breaks_in_the_data_do_not_end_the_event(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 0, true, &heard);

    (void)state;
    bus_publish(bus, &(struct bus_event){1, "threat_detected", "{\n\"a\":\r\n1}"});
    assert_non_null(strstr(heard.last, "{ \"a\":  1}"));
    bus_free(bus);
}

static void swapped_neighbours_come_out_in_order(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 10, true, &heard);

    (void)state;
    publish(bus, 12);
    publish(bus, 13);
    assert_int_equal(heard.count, 0);
    publish(bus, 11);
    assert_int_equal(heard.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(heard.seqs[i], 11 + i);
    bus_free(bus);
}

static void an_event_heard_twice_is_told_once(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 0, true, &heard);
    struct bus_counters counters;

    (void)state;
    publish(bus, 1);
    publish(bus, 1);
    publish(bus, 3);
    publish(bus, 3);
    publish(bus, 2);
    assert_int_equal(heard.count, 3);
    bus_counters(bus, &counters);
    assert_int_equal(counters.ignored, 2);
    bus_free(bus);
}

static void a_number_with_nothing_to_show_fills_its_place(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 0, true, &heard);

    (void)state;
    publish(bus, 2);
    bus_publish(bus, &(struct bus_event){1, NULL, NULL});
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.seqs[0], 2);
    assert_int_equal(bus_last(bus), 2);
    bus_free(bus);
}

static void a_number_that_never_comes_is_told_as_a_gap_after_a_while(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 0, true, &heard);
    char *frames = NULL;
    size_t length;
    int64_t last, now = clock_monotonic_ms();

    (void)state;
    publish(bus, 3);
    publish(bus, 4);
    bus_tick(bus, now + BUS_HOLD_MS - 500);
    assert_int_equal(heard.count, 0);
    bus_tick(bus, now + BUS_HOLD_MS + 500);
    assert_int_equal(heard.count, 3);
    assert_int_equal(heard.seqs[0], 0);
    assert_int_equal(heard.seqs[1], 3);
    assert_int_equal(heard.seqs[2], 4);
    assert_false(bus_replay(bus, 1, &frames, &length, &last)); /* memory cannot vouch for 2 */
    assert_true(bus_replay(bus, 3, &frames, &length, &last));
    free(frames);
    bus_free(bus);
}

static void a_shared_store_may_leave_numbers_out(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 0, false, &heard);

    (void)state;
    publish(bus, 5);
    publish(bus, 9);
    publish(bus, 7); /* heard twice */
    assert_int_equal(heard.count, 2);
    bus_free(bus);
}

static void replay_gives_what_came_after(void **state)
{
    struct heard heard;
    struct bus *bus = make(8, 1 << 20, 100, true, &heard);
    char *frames = NULL;
    size_t length = 0;
    int64_t last = 0;

    (void)state;
    for (int64_t n = 101; n <= 105; n++)
        publish(bus, n);
    assert_true(bus_replay(bus, 103, &frames, &length, &last));
    assert_int_equal(last, 105);
    assert_memory_equal(frames, "id: st0re.104\n", 14);
    assert_non_null(strstr(frames, "id: st0re.105\n"));
    free(frames);
    assert_true(bus_replay(bus, 105, &frames, &length, &last));
    assert_int_equal(length, 0);
    free(frames);
    assert_true(bus_replay(bus, 100, &frames, &length, &last));
    assert_memory_equal(frames, "id: st0re.101\n", 14);
    free(frames);
    assert_false(bus_replay(bus, 99, &frames, &length, &last));  /* before its time */
    assert_false(bus_replay(bus, 106, &frames, &length, &last)); /* not there yet */
    bus_free(bus);
}

static void memory_keeps_the_latest_and_knows_where_it_ends(void **state)
{
    struct heard heard;
    struct bus *bus = make(4, 1 << 20, 0, true, &heard);
    char *frames = NULL;
    size_t length = 0;
    int64_t last = 0;

    (void)state;
    for (int64_t n = 1; n <= 6; n++)
        publish(bus, n);
    assert_false(bus_replay(bus, 1, &frames, &length, &last));
    assert_true(bus_replay(bus, 2, &frames, &length, &last));
    assert_memory_equal(frames, "id: st0re.3\n", 12);
    free(frames);
    bus_free(bus);
}

static void memory_is_bounded_in_bytes(void **state)
{
    struct heard heard;
    struct bus *bus = make(1000, 300, 0, true, &heard);
    char *frames = NULL;
    size_t length = 0;
    int64_t last = 0;

    (void)state;
    for (int64_t n = 1; n <= 50; n++)
        publish(bus, n);
    assert_int_equal(heard.count, 50);
    assert_false(bus_replay(bus, 40, &frames, &length, &last));
    assert_true(bus_replay(bus, 49, &frames, &length, &last));
    assert_true(length > 0 && length <= 300);
    free(frames);
    bus_free(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_9_an_emitted_threat_reaches_the_listener_as_one_event),
        cmocka_unit_test(an_event_that_is_not_durable_bears_no_id),
        cmocka_unit_test(line_breaks_in_the_data_do_not_end_the_event),
        cmocka_unit_test(swapped_neighbours_come_out_in_order),
        cmocka_unit_test(an_event_heard_twice_is_told_once),
        cmocka_unit_test(a_number_with_nothing_to_show_fills_its_place),
        cmocka_unit_test(a_number_that_never_comes_is_told_as_a_gap_after_a_while),
        cmocka_unit_test(a_shared_store_may_leave_numbers_out),
        cmocka_unit_test(replay_gives_what_came_after),
        cmocka_unit_test(memory_keeps_the_latest_and_knows_where_it_ends),
        cmocka_unit_test(memory_is_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
