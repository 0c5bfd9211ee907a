/* hosts.c: counts flow events; see hosts.h. Single packets are hosts_packets.c's. */
#include "detector/hosts.h"

#include "detector/flow_signs.h"
#include "detector/hosts_state.h"
#include "detector/impossible.h"
#include "detector/ports.h"

#include <stdlib.h>
#include <string.h>

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMP6 = 58, PROTOCOL_SCTP = 132 };
enum { HOSTS_DEFAULT = 16384, PRIVILEGED = 1024, CLIENTS_FROM = 10000 };
/* What is worth reflecting. An answer by DNS that every resolver takes (RFC 1035, 4.2.1) was asked for before the
 * capture began, or is seen without its question. */
enum { REFLECTED_BYTES = 100, DNS_PLAIN = 513 };
enum { TRACEROUTE_FIRST = 33434, TRACEROUTE_LAST = 33690 }; /* the ports traceroute counts up; a port a hop and try */
static const int64_t second_ns = 1000000000;

static const int64_t source_span_ns = 10000000000, pair_span_ns = 60000000000, asked_span_ns = 600000000000;

const char *const hosts_context_names[HOSTS_CONTEXT] = {
    "ctx_pair_failed_ports_60s", "ctx_pair_failed_ports_600s",    "ctx_source_failed_hosts_60s",
    "ctx_source_flows_10s",      "ctx_source_hosts_10s",          "ctx_pair_flows_60s",
    "ctx_pair_ports_60s",        "ctx_pair_unanswered_10s",       "ctx_target_unanswered_10s",
    "ctx_service_sessions_60s",  "ctx_service_request_sizes_60s", "ctx_source_missing_names_60s",
};

/* The windows of an attempt, in their row. */
enum { ATTEMPT_PORTS_SLOW, ATTEMPT_PORTS, ATTEMPT_FLOWS, ATTEMPT_WINDOWS };
static const enum counter attempt_counter[ATTEMPT_WINDOWS] = {COUNT_PORTS_FAILED_SLOW, COUNT_PORTS_FAILED,
                                                              COUNT_FLOWS_UNANSWERED};
static const int64_t attempt_span_ns[ATTEMPT_WINDOWS] = {600000000000, 60000000000, 10000000000};

struct hosts *hosts_create(size_t max_hosts, struct err *err)
{
    enum { ATTEMPTS = 2 };
    static const size_t factor[] = {[LIMIT_PAIR] = 4, [LIMIT_SOURCE] = 4, [LIMIT_TARGET] = 2, [LIMIT_NETWORK] = 0};
    struct hosts *hosts = calloc(1, sizeof *hosts);

    if (max_hosts == 0)
        max_hosts = HOSTS_DEFAULT;
    if (hosts == NULL)
        goto failed;
    for (size_t i = 0; i <= LIMIT_NETWORK; i++) {
        hosts->scope[i] = windows_create(max_hosts * factor[i]);
        if (hosts->scope[i] == NULL)
            goto failed;
    }
    hosts_sample(hosts, 1);
    hosts->stray_ns = INT64_MIN / 2;
    hosts->attempts = windows_create_rows(max_hosts * ATTEMPTS, ATTEMPT_WINDOWS);
    hosts->echo = calloc(ECHO_SLOTS, sizeof *hosts->echo);
    hosts->claims = claims_create();
    if (hosts->attempts == NULL || hosts->echo == NULL || hosts->claims == NULL)
        goto failed;
    return hosts;
failed:
    err_set(err, ERR_MEMORY, "windows of %zu hosts: out of memory", max_hosts);
    hosts_free(hosts);
    return NULL;
}

void hosts_free(struct hosts *hosts)
{
    if (hosts == NULL)
        return;
    for (size_t i = 0; i <= LIMIT_NETWORK; i++)
        windows_free(hosts->scope[i]);
    windows_free(hosts->attempts);
    free(hosts->echo);
    claims_free(hosts->claims);
    free(hosts);
}

void hosts_sample(struct hosts *hosts, double share)
{
    for (int c = 0; c < COUNTERS; c++)
        hosts->from[c] = limits[c].limit * share;
}

void hosts_greatest(const struct hosts *hosts, double out[COUNTERS])
{
    memcpy(out, hosts->greatest, sizeof hosts->greatest);
}

size_t hosts_memory(const struct hosts *hosts)
{
    size_t bytes = sizeof *hosts + ECHO_SLOTS * sizeof *hosts->echo + claims_memory();

    for (size_t i = 0; i <= LIMIT_NETWORK; i++)
        bytes += windows_memory(hosts->scope[i]);
    return bytes + windows_memory(hosts->attempts);
}

/* The next place for evidence; a mere sample gives way to what is more. NULL: none is free. */
static struct evidence *place_for(struct mark *mark, bool sample)
{
    if (mark->count < HOSTS_EVIDENCE)
        return &mark->out[mark->count++];
    for (size_t i = 0; !sample && i < HOSTS_EVIDENCE; i++) {
        if (mark->out[i].value < mark->out[i].limit)
            return &mark->out[i];
    }
    return NULL;
}

void mark_check(struct mark *mark, enum counter counter, double value, const struct window *window)
{
    const struct limit *limit = &limits[counter];
    struct evidence *e;

    if (value > mark->hosts->greatest[counter])
        mark->hosts->greatest[counter] = value;
    if (value < mark->hosts->from[counter] || mark_is_usual(mark, counter, value, window))
        return;
    e = place_for(mark, value < limit->limit);
    if (e == NULL)
        return;
    *e = (struct evidence){
        .type = limit->type,
        .counter = limit->counter,
        .number = counter,
        .value = value,
        .limit = limit->limit,
        .benign_max = limit->benign_max,
        .window_s = limit->window_s,
        .scope = limit->scope,
        .flow_count = window == NULL ? 1 : window->total,
        .first_ns = window == NULL ? mark->now_ns : window->first_ns,
        .source_port = mark->source_port,
        .target_port = mark->target_port,
        .protocol = mark->protocol,
    };
    memcpy(e->source, mark->source, sizeof e->source);
    memcpy(e->target, mark->target, sizeof e->target);
    if (mark->protocol == PROTOCOL_UDP && (counter == COUNT_FLOWS_UNANSWERED || counter == COUNT_ONE_WAY_RATE))
        e->type = "udp_flood";
}

/* The windows of all counters of an attempt stand in one row, whose key holds the first one's number. */
static struct window *window_of(const struct mark *mark, enum counter counter, uint64_t extra, bool may_make)
{
    const struct limit *limit = &limits[counter];
    struct window *row;

    for (size_t i = 0; i < ATTEMPT_WINDOWS; i++) {
        if (attempt_counter[i] != counter)
            continue;
        row = windows_row(mark->hosts->attempts, mark_key(mark, attempt_counter[0], LIMIT_PAIR, extra), mark->now_ns,
                          attempt_span_ns, may_make);
        return row == NULL ? NULL : &row[i];
    }
    return windows_at(mark->hosts->scope[limit->scope], mark_key(mark, counter, limit->scope, extra), mark->now_ns,
                      limit->window_s * second_ns, may_make);
}

static void count_in(struct mark *mark, enum counter counter, struct window *window, uint64_t item, uint32_t weight)
{
    window_add(window, item);
    window->sum[0] += weight - 1;
    mark_check(mark, counter, limits[counter].kind == LIMIT_SUM ? window_sum(window) : window_distinct(window),
               window);
}

void mark_count(struct mark *mark, enum counter counter, uint64_t extra, uint64_t item, uint32_t weight)
{
    count_in(mark, counter, window_of(mark, counter, extra, true), item, weight);
}

void mark_take(struct mark *mark, enum counter counter, uint64_t extra, uint64_t item)
{
    struct window *window = window_of(mark, counter, extra, false);

    if (window != NULL && limits[counter].kind == LIMIT_DISTINCT)
        window_drop(window, item);
    else if (window != NULL)
        window_take(window, item);
}

void mark_happen(struct mark *mark, enum counter counter, uint64_t extra)
{
    struct window *window = window_of(mark, counter, extra, false);

    if (window != NULL)
        window_happen(window);
}

bool mark_holds(struct mark *mark, enum counter counter, uint64_t extra, uint64_t item)
{
    const struct window *window = window_of(mark, counter, extra, false);

    return window != NULL && window_holds(window, item);
}

static void count_context(struct mark *mark, unsigned what, enum limit_scope scope, uint64_t extra, int64_t span_ns,
                          uint64_t item)
{
    window_add(windows_at(mark->hosts->scope[scope], mark_key(mark, what, scope, extra), mark->now_ns, span_ns, true),
               item);
}

static uint64_t port_item(uint16_t port)
{
    return window_mix(3, port);
}

enum counter mark_hosts_counter(const struct mark *mark)
{
    if (mark->protocol == PROTOCOL_TCP && port_is_admin(mark->target_port))
        return COUNT_HOSTS_FAILED_ADMIN;
    if (mark->protocol == PROTOCOL_UDP && port_is_server(mark->target_port))
        return COUNT_HOSTS_FAILED;
    return mark->target_port < PRIVILEGED ? COUNT_HOSTS_FAILED : COUNT_HOSTS_FAILED_HIGH;
}

/* Whether hosts that do not open the port are counted: peers look for peers at any high UDP port, but for services
 * only at theirs. */
static bool counts_hosts(const struct mark *mark)
{
    if (mark->protocol == PROTOCOL_TCP)
        return !port_is_peer(mark->target_port);
    return mark->protocol != PROTOCOL_UDP || mark->target_port < PRIVILEGED || port_is_server(mark->target_port);
}

/* Ports of programs that look for each other, or for the way: many of them fail without harm. */
static bool counts_as_scan(const struct mark *mark)
{
    return mark->protocol != PROTOCOL_UDP || mark->target_port < TRACEROUTE_FIRST ||
           mark->target_port > TRACEROUTE_LAST;
}

/* Whether the packet is one of a program's that talks to its like, or a flood's: scanners have nothing to say to high
 * UDP ports, and little to the others. */
static bool is_talk(const struct mark *mark, const struct packet *packet)
{
    enum { PROBE_MAX = 512 };

    return mark->protocol == PROTOCOL_UDP &&
           packet->payload_bytes > (mark->target_port >= PRIVILEGED ? 0 : PROBE_MAX);
}

/* A first packet that asks for an answer: it counts as failed until the answer comes. */
static void attempt(struct mark *mark, const struct packet *packet)
{
    if (mark->protocol == PROTOCOL_UDP && port_is_collector(mark->target_port))
        return;
    if (counts_as_scan(mark)) {
        uint64_t item = port_item(mark->target_port);

        struct window *row = window_of(mark, attempt_counter[0], mark_attempt_extra(mark), true);

        for (size_t i = ATTEMPT_WINDOWS; i-- > (is_talk(mark, packet) ? ATTEMPT_FLOWS : 0);)
            count_in(mark, attempt_counter[i], &row[i], item, 1);
        if (counts_hosts(mark))
            mark_count(mark, mark_hosts_counter(mark), mark_flow_extra(mark), mark->target_hash, 1);
    }
    if (!packet_is_of_peer(packet))
        mark_count(mark, COUNT_SOURCES_UNANSWERED, 0, mark->source_hash, 1);
    if (port_service(mark->target_port) == SERVICE_MAIL && mark->protocol == PROTOCOL_TCP)
        mark_mail(mark);
}

/* A source counts as a stranger to all connections. */
static void stray(struct mark *mark)
{
    mark->hosts->stray_ns = mark->now_ns;
    mark_count(mark, COUNT_SOURCES_STRAY, 0, mark->source_hash, 1);
}

/* It comes back and opens one, as all do whose server was started anew: nobody who invents addresses can. */
static void known(struct mark *mark)
{
    if (mark->now_ns - mark->hosts->stray_ns < source_span_ns)
        mark_take(mark, COUNT_SOURCES_STRAY, 0, mark->source_hash);
}

static void answered(struct mark *mark)
{
    if (counts_as_scan(mark)) {
        uint64_t item = port_item(mark->target_port);

        struct window *row = window_of(mark, attempt_counter[0], mark_attempt_extra(mark), false);

        for (size_t i = 0; row != NULL && i < ATTEMPT_WINDOWS; i++)
            window_take(&row[i], item);
        if (counts_hosts(mark))
            mark_take(mark, mark_hosts_counter(mark), mark_flow_extra(mark), mark->target_hash);
    }
    mark_take(mark, COUNT_SOURCES_UNANSWERED, 0, mark->source_hash);
}

/* A session to a port that wants a password was opened. */
static void count_login(struct mark *mark)
{
    uint64_t item = mark->source_port;

    if (port_service(mark->target_port) == SERVICE_WEB)
        mark_count(mark, COUNT_WEB_SESSIONS, mark->target_port, item, 1);
    else if (port_service(mark->target_port) == SERVICE_MAIL)
        mark_mail_taken(mark);
    count_context(mark, CONTEXT_SERVICE, LIMIT_PAIR, mark->target_port, pair_span_ns, item);
    switch (port_service(mark->target_port)) {
    case SERVICE_LOGIN:
        mark_count(mark, COUNT_LOGINS, mark->target_port, item, 1);
        mark_count(mark, COUNT_LOGINS_SLOW, mark->target_port, item, 1);
        break;
    case SERVICE_BOX:
    case SERVICE_DATA:
        mark_count(mark, COUNT_LOGINS_DATA, mark->target_port, item, 1);
        break;
    default:
        break;
    }
}

/* An answer whose question was not seen: a reflector's, or the capture began late. */
static bool is_stray_answer(const struct mark *mark)
{
    return (mark->source_port < PRIVILEGED || port_is_server(mark->source_port)) && mark->target_port >= PRIVILEGED &&
           mark->source_port != mark->target_port;
}

/* What a window of the counter holds now: [0] different items, [1] events. */
void mark_peek_at(const struct mark *mark, unsigned what, enum limit_scope scope, uint64_t extra, int64_t span_ns,
                  double out[2])
{
    struct window window;

    out[0] = out[1] = 0;
    if (windows_peek(mark->hosts->scope[scope], mark_key(mark, what, scope, extra), mark->now_ns, span_ns, &window)) {
        out[0] = window_distinct(&window);
        out[1] = window_sum(&window);
    }
}

/* A question to all of a net (SSDP, WS-Discovery, names): each of them answers the asker's port. */
static void note_question_to_all(struct mark *mark)
{
    if (mark->protocol == PROTOCOL_UDP && port_is_amplifier(mark->target_port))
        count_context(mark, CONTEXT_ASKS_ALL, LIMIT_SOURCE, (uint64_t)mark->target_port << 16 | mark->source_port,
                      asked_span_ns, 1);
}

static bool was_asked_with_all(const struct mark *mark)
{
    struct mark asker = *mark;
    double got[2];

    asker.source_hash = window_hash(1, mark->target, 16);
    mark_peek_at(&asker, CONTEXT_ASKS_ALL, LIMIT_SOURCE, (uint64_t)mark->source_port << 16 | mark->target_port,
                 asked_span_ns, got);
    return got[1] > 0;
}

/* The first chunk of an SCTP packet (RFC 9260) is the first byte of what it carries. */
enum { CHUNK_INIT = 1, CHUNK_ABORT = 6, CHUNK_COOKIE = 10 };

static void on_odd_probe(struct mark *mark, uint8_t flags)
{
    mark_count(mark, COUNT_ODD_PROBES, 0, window_mix(mark->target_port, flags), 1);
    mark_count(mark, COUNT_FLOWS_UNANSWERED, mark_attempt_extra(mark), port_item(mark->target_port), 1);
    mark_count(mark, COUNT_SOURCES_UNANSWERED, 0, mark->source_hash, 1);
}

static void on_new(struct mark *mark, const struct packet *packet)
{
    uint8_t flags = packet->tcp_flags & 0x3f;
    uint64_t flow_item = window_mix(mark->source_port, mark->target_port);

    count_context(mark, CONTEXT_SOURCE, LIMIT_SOURCE, 0, source_span_ns, mark->target_hash);
    count_context(mark, CONTEXT_PAIR, LIMIT_PAIR, 0, pair_span_ns, port_item(mark->target_port));
    if (packet_is_impossible(packet))
        mark_count(mark, COUNT_IMPOSSIBLE, 0, flow_item, 1);
    if (address_is_group(mark->target)) {
        note_question_to_all(mark);
        return;
    }
    switch (mark->protocol) {
    case PROTOCOL_TCP:
        if (address_is_impossible(mark->source))
            mark_count(mark, COUNT_SOURCES_IMPOSSIBLE, 0, mark->target_hash, 1);
        if ((flags & (TCP_SYN | TCP_RST)) == TCP_RST)
            stray(mark);
        if (flags_are_impossible(flags))
            on_odd_probe(mark, flags);
        else if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
            attempt(mark, packet);
        break;
    case PROTOCOL_UDP:
        if (address_is_impossible(mark->source) && mark->target_port != 67)
            mark_count(mark, COUNT_SOURCES_IMPOSSIBLE, 0, mark->target_hash, 1);
        if (!is_stray_answer(mark)) {
            attempt(mark, packet);
        } else if (packet->payload_bytes >= (mark->source_port == PORT_DNS ? DNS_PLAIN : REFLECTED_BYTES) &&
                   !packet_is_under_way(packet) && !was_asked_with_all(mark)) {
            mark_count(mark, COUNT_REFLECTORS, 0, mark->source_hash, 1);
            if (port_is_amplifier(mark->source_port))
                mark_count(mark, COUNT_REFLECTED_FLOWS, 0, mark->source_hash, 1);
        }
        break;
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMP6:
        if (packet->icmp_type == (mark->protocol == PROTOCOL_ICMP ? 0 : 129) &&
            packet->payload_bytes >= REFLECTED_BYTES)
            mark_count(mark, COUNT_REFLECTORS, 0, mark->source_hash, 1);
        mark_count(mark, COUNT_FLOWS_UNANSWERED, mark_attempt_extra(mark), flow_item, 1);
        break;
    case PROTOCOL_SCTP:
        if (packet->first == CHUNK_INIT || packet->first == CHUNK_COOKIE)
            attempt(mark, packet);
        break;
    default:
        if (!protocol_is_common(mark->protocol))
            mark_count(mark, COUNT_PROTOCOLS, 0, window_mix(10, mark->protocol), 1);
    }
}

/* The scans that begin in the middle: ACK, and FIN+ACK (Maimon's). A server that closes what was quiet for long, or
 * asks whether anybody is there still, sends them, too, from its port to those of clients. */
static bool is_late_probe(const struct mark *mark, uint8_t flags)
{
    return (flags == TCP_ACK || flags == (TCP_FIN | TCP_ACK)) && !is_stray_answer(mark) &&
           (mark->source_port > mark->target_port || mark->target_port < CLIENTS_FROM);
}

static void on_answered(struct mark *mark, const struct flow *flow, const struct packet *packet)
{
    if (address_is_group(mark->target))
        return;
    if (mark->protocol == PROTOCOL_SCTP) {
        if (packet->first != CHUNK_ABORT)
            answered(mark);
    } else if (mark->protocol != PROTOCOL_TCP) {
        answered(mark);
        if (flow_is_amplified(flow))
            mark_count(mark, COUNT_AMPLIFIED, flow_question(flow), mark->source_port, 1);
    } else if ((flow->flags_seen[FLOW_FORWARD] & TCP_SYN) != 0) {
        if (flow_is_opened(flow, packet)) {
            answered(mark);
            known(mark);
            count_login(mark);
        }
    } else if ((packet->tcp_flags & TCP_RST) != 0 && flow->packets[FLOW_FORWARD] == 1 &&
               flow->payload_bytes[FLOW_FORWARD] == 0 && is_late_probe(mark, flow->flags_seen[FLOW_FORWARD])) {
        mark_count(mark, COUNT_PORTS_FAILED, mark_attempt_extra(mark), port_item(mark->target_port), 1);
        stray(mark);
    }
}

/* Many packets of one flow that nobody wanted: without an answer, pings, answers without a question. A thousand
 * pings that are all answered may be a measurement. */
static void count_rates(struct mark *mark, const struct flow *flow)
{
    enum { MANY = 2000, SOME = 1000, COLLECTOR = 20 }; /* a collector is sent that much more */
    uint64_t packets = flow->packets[FLOW_FORWARD], data = flow->payload_bytes[FLOW_FORWARD];
    double rate = flow_rate(flow);
    bool pings = (flow->protocol == PROTOCOL_ICMP && flow->icmp_type == 8) ||
                 (flow->protocol == PROTOCOL_ICMP6 && flow->icmp_type == 128);

    if (packets < SOME || (address_is_group(mark->target) && !pings))
        return;
    if (flow->protocol == PROTOCOL_UDP && port_is_collector(flow->port[1]))
        rate /= COLLECTOR;
    if (packets >= MANY && flow_is_one_way(flow))
        mark_check(mark, COUNT_ONE_WAY_RATE, rate, NULL);
    if (pings && (packets >= MANY || flow->packets[FLOW_BACKWARD] * 20 < packets * 19))
        mark_check(mark, COUNT_PING_RATE, rate, NULL);
    if (flow->protocol == PROTOCOL_UDP && flow->packets[FLOW_BACKWARD] == 0 && is_stray_answer(mark) &&
        port_is_amplifier(mark->source_port) && data >= 100 * packets)
        mark_check(mark, COUNT_REFLECTED_RATE, rate, NULL);
}

static void on_step(struct mark *mark, const struct flow *flow)
{
    if (flow_is_half_open(flow)) {
        mark_count(mark, COUNT_SOURCES_HALF_OPEN, 0, mark->source_hash, 1);
        mark_count(mark, COUNT_FLOWS_HALF_OPEN, flow->port[1], window_mix(14, flow->port[0]), 1);
    }
    if (flow_is_slow_request(flow))
        mark_count(mark, COUNT_SLOW_REQUESTS, flow->port[1], window_mix(mark->source_hash, flow->port[0]), 1);
    count_rates(mark, flow);
}

/* Whoever said nothing did not guess: a check whether the port is open. Nor did whoever was sent more by SSH than
 * keys and refusals: a program that works there. */
static void forget_login(struct mark *mark, const struct flow *flow)
{
    enum { SSH = 22, REFUSED_MAX = 8192 };
    bool let_in = mark->target_port == SSH && flow->payload_bytes[FLOW_BACKWARD] > REFUSED_MAX;

    if (flow->protocol != PROTOCOL_TCP || (flow->flags_seen[FLOW_BACKWARD] & TCP_SYN) == 0 ||
        (flow->payload_bytes[FLOW_FORWARD] > 0 && !let_in) || port_service(mark->target_port) != SERVICE_LOGIN)
        return;
    mark_take(mark, COUNT_LOGINS, mark->target_port, mark->source_port);
    mark_take(mark, COUNT_LOGINS_SLOW, mark->target_port, mark->source_port);
    if (let_in)
        mark_take(mark, COUNT_BANNERS, mark->target_port, mark->source_port);
}

static void on_ended(struct mark *mark, const struct flow *flow)
{
    enum { REQUEST_MAX = 4096 };
    uint64_t request = flow->payload_bytes[FLOW_FORWARD];

    on_step(mark, flow);
    forget_login(mark, flow);
    if (flow->protocol == PROTOCOL_UDP && flow->packets[FLOW_BACKWARD] == 0)
        mark_scan_over(mark);
    if (flow->protocol == PROTOCOL_TCP && port_service(flow->port[1]) == SERVICE_WEB && request > 0 &&
        request < REQUEST_MAX)
        mark_count(mark, COUNT_REQUEST_SIZES, flow->port[1], window_mix(4, request), 1);
}

size_t hosts_event(struct hosts *hosts, enum flow_event event, const struct flow *flow, const struct packet *packet,
                   struct evidence out[HOSTS_EVIDENCE])
{
    struct mark mark = {.out = out};

    mark_setup(&mark, hosts, packet != NULL ? packet->time_ns : flow->last_ns, flow->address[0], flow->address[1]);
    mark.source_port = flow->port[0];
    mark.target_port = flow->port[1];
    mark.protocol = flow->protocol;
    mark.over = event == FLOW_ENDED;
    if (event == FLOW_NEW && packet != NULL)
        on_new(&mark, packet);
    else if (event == FLOW_ANSWERED && packet != NULL)
        on_answered(&mark, flow, packet);
    else if (event == FLOW_STEP)
        on_step(&mark, flow);
    else if (event == FLOW_ENDED)
        on_ended(&mark, flow);
    return mark.count;
}

void mark_peek(const struct mark *mark, enum counter counter, uint64_t extra, double out[2])
{
    mark_peek_at(mark, counter, limits[counter].scope, extra, limits[counter].window_s * second_ns, out);
}

static void peek_attempts(const struct mark *mark, double out[HOSTS_CONTEXT])
{
    const struct window *row =
        windows_find(mark->hosts->attempts, mark_key(mark, attempt_counter[0], LIMIT_PAIR, mark_attempt_extra(mark)));
    struct window window;

    out[0] = out[1] = out[7] = 0;
    if (row == NULL)
        return;
    window_view(&row[ATTEMPT_PORTS], mark->now_ns, attempt_span_ns[ATTEMPT_PORTS], &window);
    out[0] = window_distinct(&window);
    window_view(&row[ATTEMPT_PORTS_SLOW], mark->now_ns, attempt_span_ns[ATTEMPT_PORTS_SLOW], &window);
    out[1] = window_distinct(&window);
    window_view(&row[ATTEMPT_FLOWS], mark->now_ns, attempt_span_ns[ATTEMPT_FLOWS], &window);
    out[7] = window_sum(&window);
}

void hosts_context(struct hosts *hosts, const struct flow *flow, double out[HOSTS_CONTEXT])
{
    struct mark mark = {0};
    double got[2];

    mark_setup(&mark, hosts, flow->last_ns, flow->address[0], flow->address[1]);
    mark.target_port = flow->port[1];
    mark.protocol = flow->protocol;
    peek_attempts(&mark, out);
    mark_peek(&mark, mark_hosts_counter(&mark), mark_flow_extra(&mark), got);
    out[2] = got[0];
    mark_peek_at(&mark, CONTEXT_SOURCE, LIMIT_SOURCE, 0, source_span_ns, got);
    out[3] = got[1];
    out[4] = got[0];
    mark_peek_at(&mark, CONTEXT_PAIR, LIMIT_PAIR, 0, pair_span_ns, got);
    out[5] = got[1];
    out[6] = got[0];
    mark_peek(&mark, COUNT_SOURCES_UNANSWERED, 0, got);
    out[8] = got[0];
    mark_peek_at(&mark, CONTEXT_SERVICE, LIMIT_PAIR, flow->port[1], pair_span_ns, got);
    out[9] = got[1];
    mark_peek(&mark, COUNT_REQUEST_SIZES, flow->port[1], got);
    out[10] = got[0];
    mark_peek(&mark, COUNT_NAMES_MISSING, 0, got);
    out[11] = got[0];
}
