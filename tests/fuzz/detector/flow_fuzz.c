/* flow_fuzz.c: bytes become packets of few ends at odd times; what the table tells must add up.
 *
 * Each packet takes four bytes: ends, flags and direction, how long after the one before, protocol and length. */
#include "detector/features.h"
#include "detector/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLOWS = 8 };

struct watch {
    bool open[FLOWS];
    uint64_t told, ended, packets; /* packets of ended flows */
    uint32_t step[FLOWS];
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void sink(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet)
{
    struct watch *w = context;
    double values[FEATURES];

    require(flow->id < FLOWS);
    require(w->open[flow->id] == (event != FLOW_NEW)); /* nothing before its beginning or after its end */
    require(flow->first_ns <= flow->last_ns && flow->first_ns >= 0);
    for (int d = 0; d < 2; d++)
        require(flow->packets[d] == 0 ||
                (flow->first_ns <= flow->first_dir_ns[d] && flow->first_dir_ns[d] <= flow->last_dir_ns[d] &&
                 flow->last_dir_ns[d] <= flow->last_ns));
    require(flow->packets[0] + flow->packets[1] > 0);
    require(event != FLOW_NEW || packet != NULL);
    require(event != FLOW_ANSWERED || (flow->packets[0] > 0 && flow->packets[1] > 0) ||
            (flow->protocol == 6 && flow->packets[FLOW_FORWARD] > 1 && (packet->tcp_flags & TCP_ACK) != 0));
    if (event == FLOW_NEW) {
        w->open[flow->id] = true;
        w->told++;
        w->step[flow->id] = 0;
    }
    if (event == FLOW_STEP)
        require(flow->step > w->step[flow->id]);
    w->step[flow->id] = flow->step;
    if (event == FLOW_ENDED) {
        require(flow->end > FLOW_OPEN && flow->end <= FLOW_END_INPUT);
        w->open[flow->id] = false;
        w->ended++;
        w->packets += flow->packets[0] + flow->packets[1];
    }
    features_of(flow, values);
    for (int i = 0; i < FEATURES; i++)
        require(isfinite(values[i]) && values[i] >= 0);
}

static void check(const struct flow_table *table, const struct watch *w)
{
    struct flow_counters c;
    uint64_t ended = 0;

    flow_table_counters(table, &c);
    for (int i = 0; i <= FLOW_END_INPUT; i++)
        ended += c.ended[i];
    require(c.open <= FLOWS && c.peak <= FLOWS && c.open <= c.peak);
    require(c.flows == w->told && ended == w->ended && c.open == c.flows - ended);
    require(c.evicted == c.ended[FLOW_END_EVICTED]);
}

static struct packet make(const uint8_t b[4], int64_t time)
{
    static const uint8_t protocols[] = {6, 6, 6, 17, 1, 132, 47, 58};
    bool back = (b[1] & 0x40) != 0;
    struct packet p = {.time_ns = time,
                       .version = b[0] & 0x80 ? 6 : 4,
                       .protocol = protocols[b[3] & 7],
                       .tcp_flags = b[1] & 0x3f,
                       .payload_bytes = (uint32_t)(b[3] >> 3) * 47,
                       .header_bytes = 20,
                       .ip_bytes = 1500};
    uint16_t client = b[0] & 3, server = b[0] >> 2 & 3;

    p.source[15] = back ? 2 : 1;
    p.destination[15] = (b[0] & 0x40) != 0 ? p.source[15] : 3 - p.source[15];
    p.source_port = back ? server : client;
    p.destination_port = back ? client : server;
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t pauses[] = {0,
                                     1000,
                                     1000000,
                                     67108864,
                                     999999999,
                                     4999999999,
                                     5000000000,
                                     10000000000,
                                     60000000000,
                                     119999999999,
                                     120000000000,
                                     601000000000,
                                     1800000000000,
                                     -1000000,
                                     -299000000000,
                                     -301000000000,
                                     -100000000000000,
                                     100000000000000,
                                     31536000000000000};
    struct watch watch = {.told = 0};
    const struct flow_settings settings = {.max_flows = FLOWS, .key = {1}, .sink = sink, .context = &watch};
    struct flow_table *table = flow_table_create(&settings, NULL);
    struct flow_counters c;
    int64_t time = INT64_C(1700000000000000000);

    if (table == NULL)
        return 0;
    for (size_t at = 0; at + 4 <= size; at += 4) {
        time += pauses[data[at + 2] % (sizeof pauses / sizeof *pauses)];
        time = time < 0 ? 0 : time > INT64_C(1) << 62 ? INT64_C(1) << 62 : time;
        if (data[at + 2] >= 0xf0) {
            flow_table_tick(table, time);
        } else {
            struct packet packet = make(data + at, time);
            flow_table_add(table, &packet);
        }
        check(table, &watch);
    }
    flow_table_finish(table);
    check(table, &watch);
    flow_table_counters(table, &c);
    require(c.open == 0 && watch.packets + c.late == c.packets);
    flow_table_free(table);
    return 0;
}
