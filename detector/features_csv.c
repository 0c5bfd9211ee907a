/* features_csv.c: writes flows as CSV. */
#include "detector/features_csv.h"

#include "detector/packet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COLUMNS = 11 };

const char *flow_end_text(enum flow_end end)
{
    static const char *const text[] = {
        [FLOW_OPEN] = "open",       [FLOW_END_FIN] = "fin",       [FLOW_END_RST] = "rst",
        [FLOW_END_IDLE] = "idle",   [FLOW_END_ACTIVE] = "active", [FLOW_END_EVICTED] = "evicted",
        [FLOW_END_INPUT] = "input",
    };

    return end <= FLOW_END_INPUT ? text[end] : "unknown";
}

size_t features_csv_header(enum features_csv_names names, char out[FEATURES_CSV_LINE])
{
    static const char *const columns[2][COLUMNS] = {
        {"source_ip", "destination_ip", "source_port", "destination_port", "protocol", "first_seen", "last_seen",
         "end", "packets", "bytes", "community_id"},
        {"Source IP", "Destination IP", "Source Port", "Destination Port", "Protocol", "First Seen", "Last Seen",
         "End", "Packets", "Bytes", "Community ID"},
    };
    bool cic = names == FEATURES_CSV_CICFLOWMETER;
    size_t n = 0;

    for (size_t i = 0; i < COLUMNS; i++)
        n += (size_t)snprintf(out + n, FEATURES_CSV_LINE - n, "%s,", columns[cic][i]);
    for (size_t i = 0; i < FEATURES; i++)
        n += (size_t)snprintf(out + n, FEATURES_CSV_LINE - n, "%s%s", i > 0 ? "," : "",
                              cic ? features_cic_names[i] : features_names[i]);
    return n + (size_t)snprintf(out + n, FEATURES_CSV_LINE - n, "\n");
}

static void time_text(int64_t ns, char out[32])
{
    time_t whole = (time_t)(ns / 1000000000);
    int fraction = (int)(ns % 1000000000);
    struct tm tm;

    if (fraction < 0) {
        fraction += 1000000000;
        whole--;
    }
    gmtime_r(&whole, &tm);
    size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 32 - n, ".%09dZ", fraction);
}

/* The shortest of 15, 16 or 17 digits that reads back as the same double. */
static size_t number(double value, char *out, size_t room)
{
    int n = 0;

    if (fabs(value) < 1e15 && value == floor(value))
        return (size_t)snprintf(out, room, "%lld", (long long)value);
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, room, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return (size_t)n;
}

size_t features_csv_row(const struct flow *flow, char out[FEATURES_CSV_LINE])
{
    double values[FEATURES];
    char source[46], destination[46], first[32], last[32], id[32];

    packet_address_text(flow->address[0], source);
    packet_address_text(flow->address[1], destination);
    time_text(flow->first_ns, first);
    time_text(flow->last_ns, last);
    features_of(flow, values);
    flow_community_id(flow, id);
    size_t n = (size_t)snprintf(out, FEATURES_CSV_LINE, "%s,%s,%u,%u,%s,%s,%s,%s,%llu,%llu,%s", source, destination,
                                flow->port[0], flow->port[1], packet_protocol_text(flow->protocol), first, last,
                                flow_end_text((enum flow_end)flow->end),
                                (unsigned long long)(flow->packets[0] + flow->packets[1]),
                                (unsigned long long)(flow->ip_bytes[0] + flow->ip_bytes[1]), id);
    for (size_t i = 0; i < FEATURES; i++) {
        out[n++] = ',';
        n += number(values[i], out + n, FEATURES_CSV_LINE - n);
    }
    out[n++] = '\n';
    out[n] = '\0';
    return n;
}
