/* flow_test.c: when flows begin, turn, step and end. Long because each way has a test of its own. */
#include "detector/flow_parts.h"

#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)
#define START  (1700000000 * SECOND)

enum { SEEN_MAX = 4096 };

struct seen {
    enum flow_event event;
    struct flow flow;
    bool with_packet;
};

struct fixture {
    struct flow_table *table;
    struct seen seen[SEEN_MAX];
    size_t count;
};

static void record(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet)
{
    struct fixture *f = context;
    assert_true(f->count < SEEN_MAX);
    f->seen[f->count++] = (struct seen){event, *flow, packet != NULL};
}

static struct fixture *begin(size_t max_flows)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    assert_non_null(f);
    const struct flow_settings settings = {.max_flows = max_flows, .sink = record, .context = f};
    f->table = flow_table_create(&settings, &err);
    assert_non_null(f->table);
    return f;
}

static void finish(struct fixture *f)
{
    struct flow_counters c;
    uint64_t ended = 0;
    flow_table_finish(f->table);
    flow_table_counters(f->table, &c);
    for (size_t i = 0; i < sizeof c.ended / sizeof *c.ended; i++)
        ended += c.ended[i];
    assert_int_equal(c.open, 0);
    assert_int_equal(ended, c.flows);
    flow_table_free(f->table);
    free(f);
}

/* A packet from host a to host b; port 0 of a client is 1000 + client. */
static struct packet packet(double seconds, int a, int b, uint16_t source, uint16_t destination, int protocol,
                            int flags)
{
    struct packet p = {.time_ns = START + (int64_t)(seconds * 1e3) * MS,
                       .version = 4,
                       .protocol = (uint8_t)protocol,
                       .source_port = source,
                       .destination_port = destination,
                       .tcp_flags = (uint8_t)flags,
                       .ip_bytes = 40,
                       .header_bytes = 20};
    p.source[10] = p.source[11] = p.destination[10] = p.destination[11] = 0xff;
    p.source[12] = p.destination[12] = 10;
    p.source[15] = (uint8_t)a;
    p.destination[15] = (uint8_t)b;
    return p;
}

/* TCP between client 1 (port 1025) and server 2 (port 80); 'c' and 's' say who sends. */
static void tcp(struct fixture *f, double seconds, char who, int flags)
{
    struct packet p =
        who == 'c' ? packet(seconds, 1, 2, 1025, 80, 6, flags) : packet(seconds, 2, 1, 80, 1025, 6, flags);
    flow_table_add(f->table, &p);
}

static void udp(struct fixture *f, double seconds, uint16_t port)
{
    struct packet p = packet(seconds, 1, 2, port, 53, 17, 0);
    flow_table_add(f->table, &p);
}

static const struct seen *last(const struct fixture *f)
{
    assert_true(f->count > 0);
    return &f->seen[f->count - 1];
}

static size_t events(const struct fixture *f, enum flow_event event)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += f->seen[i].event == event;
    return n;
}

static const struct flow *ended(const struct fixture *f, size_t which)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->seen[i].event == FLOW_ENDED && which-- == 0)
            return &f->seen[i].flow;
    fail_msg("no such flow has ended");
    return NULL;
}

static void a_connection_ends_with_the_last_ack(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    tcp(f, 0.0, 'c', TCP_SYN);
    tcp(f, 0.1, 's', TCP_SYN | TCP_ACK);
    tcp(f, 0.2, 'c', TCP_ACK);
    tcp(f, 0.3, 'c', TCP_FIN | TCP_ACK);
    tcp(f, 0.4, 's', TCP_ACK);
    tcp(f, 0.5, 's', TCP_FIN | TCP_ACK);
    assert_int_equal(events(f, FLOW_ENDED), 0);
    tcp(f, 0.6, 'c', TCP_ACK);
    assert_int_equal(events(f, FLOW_ENDED), 1);
    assert_int_equal(last(f)->flow.end, FLOW_END_FIN);
    assert_true(last(f)->with_packet);
    assert_int_equal(last(f)->flow.packets[0], 4);
    assert_int_equal(last(f)->flow.packets[1], 3);
    assert_int_equal(last(f)->flow.syn, 2);
    assert_int_equal(last(f)->flow.fin, 2);
    assert_int_equal(last(f)->flow.ack, 6);
    assert_int_equal(last(f)->flow.last_ns - last(f)->flow.first_ns, 600 * MS);
    finish(f);
}

static void one_fin_ends_nothing(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    tcp(f, 0.0, 'c', TCP_FIN | TCP_ACK);
    tcp(f, 0.1, 's', TCP_ACK);
    tcp(f, 0.2, 's', TCP_ACK | TCP_PSH);
    tcp(f, 0.3, 'c', TCP_ACK);
    assert_int_equal(events(f, FLOW_ENDED), 0);
    tcp(f, 0.4, 's', TCP_FIN | TCP_ACK);
    tcp(f, 0.5, 's', TCP_ACK); /* not from the side that must answer */
    tcp(f, 0.6, 'c', TCP_FIN | TCP_ACK);
    assert_int_equal(events(f, FLOW_ENDED), 0);
    tcp(f, 0.7, 'c', TCP_ACK);
    assert_int_equal(events(f, FLOW_ENDED), 1);
    finish(f);
}

static void a_reset_ends_at_once_and_what_follows_makes_no_flow(void **state)
{
    struct fixture *f = begin(16);
    struct flow_counters c;
    (void)state;
    tcp(f, 0.0, 'c', TCP_SYN);
    tcp(f, 0.1, 's', TCP_RST | TCP_ACK);
    assert_int_equal(last(f)->event, FLOW_ENDED);
    assert_int_equal(last(f)->flow.end, FLOW_END_RST);
    tcp(f, 0.2, 'c', TCP_ACK);
    tcp(f, 5.0, 's', TCP_RST);
    flow_table_counters(f->table, &c);
    assert_int_equal(c.flows, 1);
    assert_int_equal(c.late, 2);
    tcp(f, 5.1, 's', TCP_ACK); /* five seconds after the end */
    flow_table_counters(f->table, &c);
    assert_int_equal(c.flows, 2);
    finish(f);
}

static void a_forged_reset_hides_no_more_than_64_packets(void **state)
{
    struct fixture *f = begin(16);
    struct flow_counters c;
    (void)state;
    tcp(f, 0.0, 'c', TCP_SYN);
    tcp(f, 0.1, 'c', TCP_RST);
    for (int i = 0; i < 64; i++)
        tcp(f, 0.2, 's', TCP_ACK | TCP_PSH);
    flow_table_counters(f->table, &c);
    assert_int_equal(c.late, 64);
    assert_int_equal(c.flows, 1);
    tcp(f, 0.3, 's', TCP_ACK | TCP_PSH);
    assert_int_equal(last(f)->event, FLOW_NEW);
    assert_int_equal(last(f)->flow.address[0][15], 1); /* the client is still the initiator */
    assert_int_equal(last(f)->flow.packets[1], 1);
    finish(f);
}

static void a_syn_begins_a_new_flow_where_one_ended(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    tcp(f, 0.0, 'c', TCP_SYN);
    tcp(f, 0.1, 's', TCP_RST | TCP_ACK);
    tcp(f, 0.2, 'c', TCP_SYN);
    assert_int_equal(events(f, FLOW_NEW), 2);
    tcp(f, 0.3, 's', TCP_FIN | TCP_ACK);
    tcp(f, 0.4, 'c', TCP_SYN); /* the other FIN was not captured */
    assert_int_equal(events(f, FLOW_NEW), 3);
    assert_int_equal(ended(f, 1)->end, FLOW_END_FIN);
    tcp(f, 0.5, 'c', TCP_SYN); /* sent again: the same connection */
    assert_int_equal(events(f, FLOW_NEW), 3);
    assert_int_equal(last(f)->event, FLOW_NEW);
    finish(f);
}

static void the_initiator_of_a_first_seen_syn_ack_is_its_receiver(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    tcp(f, 0.0, 's', TCP_SYN | TCP_ACK);
    assert_int_equal(last(f)->event, FLOW_NEW);
    assert_int_equal(last(f)->flow.address[0][15], 1);
    assert_int_equal(last(f)->flow.port[1], 80);
    assert_int_equal(last(f)->flow.packets[1], 1);
    tcp(f, 0.1, 'c', TCP_ACK);
    assert_int_equal(last(f)->event, FLOW_ANSWERED);
    assert_int_equal(last(f)->flow.packets[0], 1);
    finish(f);
}

static void a_syn_that_shows_late_turns_the_flow_round(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    struct packet p = packet(0.0, 2, 1, 80, 1025, 6, TCP_ACK | TCP_PSH | TCP_FIN);
    p.payload_bytes = 7;
    flow_table_add(f->table, &p);
    assert_int_equal(last(f)->flow.address[0][15], 2);
    tcp(f, 0.1, 's', TCP_ACK | TCP_URG);
    struct packet syn = packet(0.2, 1, 2, 1025, 80, 6, TCP_SYN);
    flow_table_finish(f->table); /* a FIN was seen: that SYN would begin anew */
    f->count = 0;
    p.tcp_flags = TCP_ACK | TCP_PSH;
    flow_table_add(f->table, &p);
    flow_table_add(f->table, &syn);
    assert_int_equal(events(f, FLOW_NEW), 1);
    const struct flow *flow = &last(f)->flow;
    assert_int_equal(last(f)->event, FLOW_ANSWERED);
    assert_int_equal(flow->address[0][15], 1);
    assert_int_equal(flow->port[0], 1025);
    assert_int_equal(flow->packets[0], 1);
    assert_int_equal(flow->packets[1], 1);
    assert_int_equal(flow->payload_bytes[1], 7);
    assert_int_equal(flow->psh[1], 1);
    assert_int_equal(flow->first_dir_ns[1] - flow->first_ns, 0);
    assert_int_equal(flow->first_dir_ns[0] - flow->first_ns, 200 * MS);
    finish(f);
}

static void both_sides_opening_at_once_keeps_the_first(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    tcp(f, 0.0, 's', TCP_SYN);
    tcp(f, 0.1, 'c', TCP_SYN);
    assert_int_equal(events(f, FLOW_NEW), 1);
    assert_int_equal(last(f)->flow.address[0][15], 2);
    finish(f);
}

static void silence_of_120_seconds_ends_a_flow_without_a_packet(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    udp(f, 0.0, 1);
    flow_table_tick(f->table, START + 119 * SECOND);
    assert_int_equal(events(f, FLOW_ENDED), 0);
    flow_table_tick(f->table, START + 120 * SECOND + 200 * MS);
    assert_int_equal(events(f, FLOW_ENDED), 1);
    assert_int_equal(last(f)->flow.end, FLOW_END_IDLE);
    assert_false(last(f)->with_packet);
    finish(f);
}

static void the_idle_limit_is_exact_for_packets(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    udp(f, 0.0, 1);
    udp(f, 119.999, 1);
    assert_int_equal(events(f, FLOW_NEW), 1);
    udp(f, 239.999, 1);
    assert_int_equal(events(f, FLOW_NEW), 2);
    assert_int_equal(ended(f, 0)->packets[0], 2);
    finish(f);
}

static void a_long_flow_is_cut_after_30_minutes_and_keeps_its_direction(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    tcp(f, 0.0, 'c', TCP_SYN);
    for (int i = 1; i <= 17; i++)
        tcp(f, i * 100.0, 'c', TCP_ACK);
    flow_table_tick(f->table, START + 1800 * SECOND + 200 * MS);
    assert_int_equal(events(f, FLOW_ENDED), 1);
    assert_int_equal(last(f)->flow.end, FLOW_END_ACTIVE);
    tcp(f, 1801.0, 's', TCP_ACK);
    assert_int_equal(last(f)->event, FLOW_NEW);
    assert_int_equal(last(f)->flow.address[0][15], 1);
    assert_int_equal(last(f)->flow.packets[1], 1);
    finish(f);
}

static void a_flow_cut_by_a_packet_keeps_its_direction_too(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    tcp(f, 0.0, 'c', TCP_SYN);
    for (int i = 1; i <= 17; i++)
        tcp(f, i * 100.0, 'c', TCP_ACK);
    tcp(f, 1800.0, 's', TCP_ACK);
    assert_int_equal(ended(f, 0)->end, FLOW_END_ACTIVE);
    assert_int_equal(last(f)->flow.address[0][15], 1);
    finish(f);
}

static void steps_come_at_8_32_and_128_packets(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    for (int i = 0; i < 128; i++) {
        size_t before = events(f, FLOW_STEP);
        udp(f, i * 0.001, 1);
        assert_int_equal(events(f, FLOW_STEP) - before, i == 7 || i == 31 || i == 127);
    }
    assert_int_equal(last(f)->flow.step, 3);
    finish(f);
}

static void steps_come_at_10_60_and_600_seconds_if_there_is_news(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    udp(f, 0.0, 1);
    flow_table_tick(f->table, START + 9900 * MS);
    assert_int_equal(events(f, FLOW_STEP), 0);
    flow_table_tick(f->table, START + 10100 * MS);
    assert_int_equal(events(f, FLOW_STEP), 1);
    assert_false(last(f)->with_packet);
    flow_table_tick(f->table, START + 61 * SECOND); /* nothing new: nothing to judge */
    assert_int_equal(events(f, FLOW_STEP), 1);
    udp(f, 70.0, 1); /* the step of 60 s is still owed */
    assert_int_equal(events(f, FLOW_STEP), 2);
    assert_true(last(f)->with_packet);
    for (int t = 170; t < 600; t += 100)
        udp(f, t, 1);
    flow_table_tick(f->table, START + 601 * SECOND);
    assert_int_equal(events(f, FLOW_STEP), 3);
    finish(f);
}

static void a_packet_after_long_silence_owes_one_step_only(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    for (int i = 0; i < 7; i++)
        udp(f, 0.0, 1);
    udp(f, 100.0, 1);
    assert_int_equal(events(f, FLOW_STEP), 2); /* 10 s by time, then 8 packets and 60 s together */
    assert_int_equal(last(f)->flow.step, 2);
    finish(f);
}

static void events_come_in_the_order_of_their_time(void **state)
{
    struct fixture *f = begin(64);
    (void)state;
    for (int i = 0; i < 50; i++)
        udp(f, (i * 37 % 50) * 0.001, (uint16_t)(1 + i)); /* within one turn of the wheel, out of order */
    f->count = 0;
    flow_table_tick(f->table, START + 300 * SECOND);
    assert_int_equal(events(f, FLOW_STEP), 50);
    assert_int_equal(events(f, FLOW_ENDED), 50);
    for (size_t i = 0; i < f->count; i++) {
        assert_int_equal(f->seen[i].event, i < 50 ? FLOW_STEP : FLOW_ENDED);
        if (i > 0 && i != 50)
            assert_true(f->seen[i].flow.id > f->seen[i - 1].flow.id ||
                        f->seen[i].flow.last_ns > f->seen[i - 1].flow.last_ns);
    }
    finish(f);
}

static void the_end_of_the_input_ends_the_longest_quiet_first(void **state)
{
    struct fixture *f = begin(64);
    (void)state;
    for (int i = 0; i < 20; i++)
        udp(f, i, (uint16_t)(100 + i));
    udp(f, 30.0, 100);
    f->count = 0;
    flow_table_finish(f->table);
    assert_int_equal(f->count, 20);
    assert_int_equal(f->seen[0].flow.port[0], 101);
    assert_int_equal(f->seen[19].flow.port[0], 100);
    assert_int_equal(f->seen[19].flow.end, FLOW_END_INPUT);
    finish(f);
}

static void a_time_out_longer_than_the_wheel_keeps_that_order(void **state)
{
    struct fixture *f = begin(64);
    (void)state;
    f->table->settings.idle_ns = f->table->settings.active_ns = 86400 * SECOND;
    for (int i = 0; i < 20; i++)
        udp(f, i * 500, (uint16_t)(100 + i));
    udp(f, 20 * 500, 100);
    f->count = 0;
    flow_table_finish(f->table);
    assert_int_equal(f->count, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(f->seen[i].flow.port[0], 100 + (i + 1) % 20);
        assert_int_equal(f->seen[i].flow.end, FLOW_END_INPUT);
    }
    assert_true(f->table->wheel.passed << FLOW_WHEEL_SHIFT < START + 2 * 86400 * SECOND);
    finish(f);
}

static void packets_out_of_order_give_no_negative_times(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    udp(f, 10.0, 1);
    udp(f, 9.0, 1);
    udp(f, 9.5, 1);
    flow_table_finish(f->table);
    assert_int_equal(last(f)->flow.first_ns, START + 9 * SECOND);
    assert_int_equal(last(f)->flow.last_ns, START + 10 * SECOND);
    assert_int_equal(last(f)->flow.first_dir_ns[0], START + 9 * SECOND);
    finish(f);
}

static void a_jump_forward_ends_what_was_open(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    udp(f, 0.0, 1);
    udp(f, 1.0, 2);
    udp(f, 86400.0 * 365 * 20, 3);
    assert_int_equal(events(f, FLOW_ENDED), 2);
    assert_int_equal(ended(f, 0)->end, FLOW_END_IDLE);
    assert_int_equal(ended(f, 1)->end, FLOW_END_IDLE);
    finish(f);
}

static void a_few_packets_from_long_ago_do_not_turn_the_clock_back(void **state)
{
    struct fixture *f = begin(16);
    struct flow_counters c;
    (void)state;
    udp(f, 1000.0, 1);
    for (int i = 0; i < 63; i++)
        udp(f, i * 0.1, 2);
    udp(f, 1001.0, 1);
    flow_table_counters(f->table, &c);
    assert_int_equal(c.astray, 63);
    assert_int_equal(c.jumps, 0);
    assert_int_equal(events(f, FLOW_ENDED), 0);
    flow_table_finish(f->table);
    for (size_t i = 0; i < f->count; i++)
        assert_true(f->seen[i].flow.last_ns - f->seen[i].flow.first_ns <= 7 * SECOND);
    finish(f);
}

static void a_clock_that_stays_behind_is_followed(void **state)
{
    struct fixture *f = begin(16);
    struct flow_counters c;
    (void)state;
    udp(f, 1e6, 1);
    for (int i = 0; i < 64; i++)
        udp(f, i * 0.1, 2);
    flow_table_counters(f->table, &c);
    assert_int_equal(c.jumps, 1);
    assert_int_equal(events(f, FLOW_ENDED), 2); /* all that was open */
    udp(f, 6.4, 2);
    flow_table_tick(f->table, START + 130 * SECOND);
    assert_int_equal(events(f, FLOW_ENDED), 3); /* time goes on from there */
    finish(f);
}

static void a_packet_from_long_ago_does_not_stretch_its_flow(void **state)
{
    struct fixture *f = begin(16);
    (void)state;
    udp(f, 1000.0, 1);
    udp(f, 0.0, 1);
    flow_table_finish(f->table);
    assert_int_equal(last(f)->flow.last_ns - last(f)->flow.first_ns, 0);
    assert_int_equal(last(f)->flow.packets[0], 2);
    finish(f);
}

static void a_flood_evicts_its_own_flows_and_leaves_the_others(void **state)
{
    struct fixture *f = begin(64);
    struct flow_counters c;
    (void)state;
    for (uint16_t i = 0; i < 16; i++) {
        struct packet there = packet(0, 1, 2, (uint16_t)(5000 + i), 80, 6, TCP_SYN);
        struct packet back = packet(0, 2, 1, 80, (uint16_t)(5000 + i), 6, TCP_SYN | TCP_ACK);
        flow_table_add(f->table, &there);
        flow_table_add(f->table, &back);
    }
    for (int i = 0; i < 1000; i++) {
        struct packet syn = packet(1 + i * 0.001, i & 63, 2, (uint16_t)(10000 + i), 80, 6, TCP_SYN);
        flow_table_add(f->table, &syn);
    }
    flow_table_counters(f->table, &c);
    assert_int_equal(c.evicted, 1000 - 48);
    assert_int_equal(c.open, 64);
    assert_int_equal(c.peak, 64);
    assert_int_equal(c.ended[FLOW_END_EVICTED], c.evicted);
    for (size_t i = 0; i < f->count; i++)
        if (f->seen[i].event == FLOW_ENDED)
            assert_true(f->seen[i].flow.port[0] >= 10000);
    assert_int_equal(ended(f, 0)->port[0], 10000); /* the oldest of the flood first */
    assert_int_equal(ended(f, 1)->port[0], 10001);
    finish(f);
}

static void a_table_of_one_flow_works(void **state)
{
    struct fixture *f = begin(1);
    (void)state;
    for (uint16_t i = 0; i < 100; i++) {
        udp(f, i * 0.1, (uint16_t)(1 + i));
        udp(f, i * 0.1, (uint16_t)(1 + i));
    }
    assert_int_equal(events(f, FLOW_NEW), 100);
    assert_int_equal(events(f, FLOW_ENDED), 99);
    finish(f);
}

static void impossible_settings_are_refused(void **state)
{
    struct err err;
    struct flow_settings none = {0}, many = {.max_flows = (size_t)1 << 40}, back = {.max_flows = 1, .idle_ns = -1};
    (void)state;
    assert_null(flow_table_create(&none, &err));
    assert_null(flow_table_create(&many, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(flow_table_create(&back, &err));
}

static void memory_is_told_and_small(void **state)
{
    const struct flow_settings settings = {.max_flows = 2800000};
    struct err err;
    (void)state;
    struct flow_table *table = flow_table_create(&settings, &err);
    assert_non_null(table);
    assert_true(flow_table_memory(table) <= (size_t)900 << 20);
    assert_true(flow_table_memory(table) / settings.max_flows <= 320);
    flow_table_free(table);
}

/* The same packets give the same events whatever the key of the hash, and whether or not ticks come between. */
static uint64_t digest_of_events(uint8_t key, bool ticks)
{
    struct fixture *f = calloc(1, sizeof *f);
    uint64_t digest = 14695981039346656037u, random = 88172645463325252u;
    int64_t now = START;
    assert_non_null(f);
    const struct flow_settings settings = {.max_flows = 32, .sink = record, .context = f, .key = {key}};
    f->table = flow_table_create(&settings, NULL);
    for (int i = 0; i < 1500; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        now += (int64_t)(random % 4000) * MS;
        struct packet p = packet(0, 1 + (random >> 20) % 3, 1 + (random >> 24) % 3, 1 + (random >> 28) % 5,
                                 1 + (random >> 32) % 5, 6, (random >> 36) & 0x1f);
        p.time_ns = now;
        if (ticks)
            flow_table_tick(f->table, now - (int64_t)(random % 1000) * MS);
        flow_table_add(f->table, &p);
        for (size_t e = 0; e < f->count; e++) {
            const struct flow *flow = &f->seen[e].flow;
            const uint64_t parts[] = {f->seen[e].event, flow->id, (uint64_t)flow->last_ns, flow->end,
                                      flow->packets[0]};
            for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
                digest = (digest ^ parts[k]) * 1099511628211u;
        }
        f->count = 0;
    }
    finish(f);
    return digest;
}

static void events_depend_on_the_packets_alone(void **state)
{
    (void)state;
    uint64_t one = digest_of_events(1, false);
    assert_true(digest_of_events(2, false) == one);
    assert_true(digest_of_events(0, false) == one);
    assert_true(digest_of_events(1, true) == one);
}

/* Who sends packets cannot know which of them meet in the index. */
static void the_hash_has_a_secret_of_its_own_each_time(void **state)
{
    const struct flow_settings settings = {.max_flows = 16};
    struct flow_table *one = flow_table_create(&settings, NULL), *other = flow_table_create(&settings, NULL);
    int same = 0;

    (void)state;
    assert_non_null(one);
    assert_non_null(other);
    assert_memory_not_equal(one->key, other->key, sizeof one->key);
    for (uint16_t port = 1; port <= 1000; port++) {
        struct packet there = packet(0, 1, 2, port, 80, 6, TCP_SYN), back = packet(0, 2, 1, 80, port, 6, TCP_ACK);
        same += flow_hash(one->key, &there) == flow_hash(other->key, &there);
        assert_int_equal(flow_hash(one->key, &there), flow_hash(one->key, &back));
    }
    assert_in_range(same, 0, 2);
    flow_table_free(one);
    flow_table_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_ends_with_the_last_ack),
        cmocka_unit_test(one_fin_ends_nothing),
        cmocka_unit_test(a_reset_ends_at_once_and_what_follows_makes_no_flow),
        cmocka_unit_test(a_forged_reset_hides_no_more_than_64_packets),
        cmocka_unit_test(a_syn_begins_a_new_flow_where_one_ended),
        cmocka_unit_test(the_initiator_of_a_first_seen_syn_ack_is_its_receiver),
        cmocka_unit_test(a_syn_that_shows_late_turns_the_flow_round),
        cmocka_unit_test(both_sides_opening_at_once_keeps_the_first),
        cmocka_unit_test(silence_of_120_seconds_ends_a_flow_without_a_packet),
        cmocka_unit_test(the_idle_limit_is_exact_for_packets),
        cmocka_unit_test(a_long_flow_is_cut_after_30_minutes_and_keeps_its_direction),
        cmocka_unit_test(a_flow_cut_by_a_packet_keeps_its_direction_too),
        cmocka_unit_test(steps_come_at_8_32_and_128_packets),
        cmocka_unit_test(steps_come_at_10_60_and_600_seconds_if_there_is_news),
        cmocka_unit_test(a_packet_after_long_silence_owes_one_step_only),
        cmocka_unit_test(events_come_in_the_order_of_their_time),
        cmocka_unit_test(the_end_of_the_input_ends_the_longest_quiet_first),
        cmocka_unit_test(a_time_out_longer_than_the_wheel_keeps_that_order),
        cmocka_unit_test(packets_out_of_order_give_no_negative_times),
        cmocka_unit_test(a_jump_forward_ends_what_was_open),
        cmocka_unit_test(a_few_packets_from_long_ago_do_not_turn_the_clock_back),
        cmocka_unit_test(a_clock_that_stays_behind_is_followed),
        cmocka_unit_test(a_packet_from_long_ago_does_not_stretch_its_flow),
        cmocka_unit_test(a_flood_evicts_its_own_flows_and_leaves_the_others),
        cmocka_unit_test(a_table_of_one_flow_works),
        cmocka_unit_test(impossible_settings_are_refused),
        cmocka_unit_test(memory_is_told_and_small),
        cmocka_unit_test(events_depend_on_the_packets_alone),
        cmocka_unit_test(the_hash_has_a_secret_of_its_own_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
