/* simulator.c: see simulator.h. Frames: RFC 894, RFC 791, RFC 9293, RFC 768. */
#include "detector/simulator.h"

#include "detector/packet.h"

#include <stdlib.h>
#include <string.h>

enum {
    LINK_ETHERNET = 1,
    ETHERNET = 14,
    IPV4 = 20,
    TCP = 20,
    UDP = 8,
    PAYLOAD_MAX = 1400,
    FRAME_MAX = ETHERNET + IPV4 + TCP + PAYLOAD_MAX,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    THREATS_PERCENT = 70,
    STEPS_MAX = 65536
};
#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)

/* A packet that is still to come. */
struct step {
    int64_t time_ns;
    uint64_t order; /* of making: steps of the same time keep it */
    uint32_t source, destination, seq, ack;
    uint16_t source_port, destination_port, payload;
    uint8_t protocol, flags;
};

struct simulator {
    uint64_t random;
    int64_t next_cycle;
    bool first; /* the first flow of all is an attack, so that whoever looks sees one soon */
    uint64_t made;
    struct step *heap; /* the earliest on top */
    size_t count, room;
    uint8_t frame[FRAME_MAX];
};

/* --- chance: splitmix64 (Vigna), enough for mock traffic --- */

static uint64_t random_next(struct simulator *s)
{
    uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t between(struct simulator *s, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next(s) % (uint64_t)(high - low + 1));
}

/* --- the steps to come: a binary heap --- */

static bool before(const struct step *a, const struct step *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->order < b->order;
}

static void swap(struct step *a, struct step *b)
{
    struct step t = *a;

    *a = *b;
    *b = t;
}

static void push(struct simulator *s, const struct step *step)
{
    size_t i = s->count;

    if (s->count == s->room) /* cannot be with three flows a cycle; a ceiling all the same */
        return;
    s->heap[s->count++] = *step;
    s->heap[i].order = s->made++;
    for (; i > 0 && before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

static void pop(struct simulator *s, struct step *out)
{
    size_t i = 0;

    *out = s->heap[0];
    s->heap[0] = s->heap[--s->count];
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < s->count && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (child >= s->count || !before(&s->heap[child], &s->heap[i]))
            return;
        swap(&s->heap[i], &s->heap[child]);
        i = child;
    }
}

/* --- conversations --- */

struct ends {
    uint32_t client, server;
    uint16_t client_port, server_port;
    uint32_t seq[2]; /* next number of each side */
};

static uint32_t address(int64_t last)
{
    return UINT32_C(0xc0a80100) + (uint32_t)last; /* 192.168.1.x */
}

static struct ends ends_between(struct simulator *s, int64_t low, int64_t high, uint16_t port)
{
    return (struct ends){.client = address(between(s, low, high)),
                         .server = address(between(s, 1, 10)),
                         .client_port = (uint16_t)between(s, 1024, 65535),
                         .server_port = port,
                         .seq = {(uint32_t)random_next(s), (uint32_t)random_next(s)}};
}

/* One segment; side 0 is the client. */
static void tcp(struct simulator *s, struct ends *e, int side, int64_t when, uint8_t flags, int64_t payload)
{
    struct step step = {.time_ns = when,
                        .source = side ? e->server : e->client,
                        .destination = side ? e->client : e->server,
                        .source_port = side ? e->server_port : e->client_port,
                        .destination_port = side ? e->client_port : e->server_port,
                        .seq = e->seq[side],
                        .ack = flags & TCP_ACK ? e->seq[1 - side] : 0,
                        .payload = (uint16_t)payload,
                        .protocol = PROTOCOL_TCP,
                        .flags = flags};

    push(s, &step);
    e->seq[side] += (uint32_t)payload + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
}

static int64_t open_up(struct simulator *s, struct ends *e, int64_t when)
{
    int64_t trip = between(s, 200, 3000) * 1000;

    tcp(s, e, 0, when, TCP_SYN, 0);
    tcp(s, e, 1, when + trip, TCP_SYN | TCP_ACK, 0);
    tcp(s, e, 0, when + 2 * trip, TCP_ACK, 0);
    return when + 2 * trip;
}

static int64_t say(struct simulator *s, struct ends *e, int side, int64_t when, int64_t bytes)
{
    while (bytes > PAYLOAD_MAX) {
        tcp(s, e, side, when, TCP_ACK, PAYLOAD_MAX);
        bytes -= PAYLOAD_MAX;
        when += MS / 5;
    }
    tcp(s, e, side, when, TCP_ACK | TCP_PSH, bytes);
    tcp(s, e, 1 - side, when + MS, TCP_ACK, 0);
    return when + 2 * MS;
}

static void close_down(struct simulator *s, struct ends *e, int side, int64_t when)
{
    tcp(s, e, side, when, TCP_FIN | TCP_ACK, 0);
    tcp(s, e, 1 - side, when + MS, TCP_FIN | TCP_ACK, 0);
    tcp(s, e, side, when + 2 * MS, TCP_ACK, 0);
}

/* --- the flows --- */

static void benign(struct simulator *s, int64_t when)
{
    static const uint16_t ports[] = {80, 443, 53};
    struct ends e = ends_between(s, 11, 50, ports[between(s, 0, 2)]);
    int64_t exchanges = between(s, 1, 12), pause = between(s, 1000, 30000) * MS / exchanges;

    when = open_up(s, &e, when);
    for (int64_t i = 0; i < exchanges; i++) {
        int64_t answered = say(s, &e, 0, when, between(s, 60, 700));

        say(s, &e, 1, answered + between(s, 2, 80) * MS, between(s, 100, 5000));
        when += pause;
    }
    close_down(s, &e, 0, when + 200 * MS);
}

/* A SYN to many ports of one host; closed ones answer with RST, an open one is dropped at once. */
static void port_scan(struct simulator *s, int64_t when)
{
    struct ends e = ends_between(s, 100, 200, 0);
    int64_t ports = between(s, 60, 120), first = between(s, 1, 900);

    for (int64_t i = 0; i < ports; i++) {
        bool open = i % 23 == 7;

        e.server_port = (uint16_t)(first + i);
        e.client_port = (uint16_t)between(s, 32768, 60999);
        e.seq[0] = (uint32_t)random_next(s);
        tcp(s, &e, 0, when, TCP_SYN, 0);
        tcp(s, &e, 1, when + MS / 2, open ? TCP_SYN | TCP_ACK : TCP_RST | TCP_ACK, 0);
        if (open)
            tcp(s, &e, 0, when + MS, TCP_RST, 0);
        when += between(s, 5, 25) * MS;
    }
}

/* Short sessions with a login service that it ends after a few refusals (RFC 4253 sizes, roughly). */
static void guessing(struct simulator *s, int64_t when)
{
    struct ends e = ends_between(s, 100, 200, 22);
    int64_t sessions = between(s, 36, 48);

    for (int64_t i = 0; i < sessions; i++) {
        int64_t t = open_up(s, &e, when);

        t = say(s, &e, 1, t + 5 * MS, 41);
        t = say(s, &e, 0, t, 23);
        t = say(s, &e, 0, t, 1104);
        t = say(s, &e, 1, t + MS, 1080);
        t = say(s, &e, 0, t, 208);
        for (int guess = 0; guess < 2; guess++) {
            t = say(s, &e, 0, t, 148);
            t = say(s, &e, 1, t + 40 * MS, 52);
        }
        close_down(s, &e, 1, t);
        e.client_port = (uint16_t)between(s, 32768, 60999);
        when += between(s, 100, 160) * MS;
    }
}

static void udp_flood(struct simulator *s, int64_t when)
{
    static const uint16_t ports[] = {80, 443, 53, 123};
    struct ends e = ends_between(s, 100, 200, ports[between(s, 0, 3)]);
    int64_t packets = between(s, 10000, 14000), length = between(s, 400, 1200);

    for (int64_t i = 0; i < packets; i++) {
        struct step step = {.time_ns = when,
                            .source = e.client,
                            .destination = e.server,
                            .source_port = e.client_port,
                            .destination_port = e.server_port,
                            .payload = (uint16_t)length,
                            .protocol = PROTOCOL_UDP};

        push(s, &step);
        when += between(s, 60, 160) * 1000;
    }
}

static void syn_flood(struct simulator *s, int64_t when)
{
    static const uint16_t ports[] = {80, 443, 3389};
    struct ends e = ends_between(s, 100, 200, ports[between(s, 0, 2)]);
    int64_t packets = between(s, 1500, 3000);

    for (int64_t i = 0; i < packets; i++) {
        e.client = address(between(s, 100, 200)); /* the sources are made up */
        e.client_port = (uint16_t)(1024 + (e.client_port + 7919 - 1024) % 64512);
        e.seq[0] = (uint32_t)random_next(s);
        tcp(s, &e, 0, when, TCP_SYN, 0);
        if (i < 128) /* as long as its queue has room the target answers */
            tcp(s, &e, 1, when + MS / 2, TCP_SYN | TCP_ACK, 0);
        when += between(s, 200, 1200) * 1000;
    }
}

typedef void maker(struct simulator *, int64_t when);
static maker *const makers[] = {
    [SIMULATOR_BENIGN] = benign,       [SIMULATOR_SCAN] = port_scan,      [SIMULATOR_GUESSING] = guessing,
    [SIMULATOR_UDP_FLOOD] = udp_flood, [SIMULATOR_SYN_FLOOD] = syn_flood,
};

static void cycle(struct simulator *s)
{
    int64_t flows = between(s, 1, 3);

    for (int64_t i = 0; i < flows; i++) {
        int64_t when = s->next_cycle + between(s, 1, 500) * MS;

        if (s->first || between(s, 1, 100) <= THREATS_PERCENT)
            makers[between(s, SIMULATOR_SCAN, SIMULATOR_SYN_FLOOD)](s, when);
        else
            benign(s, when);
        s->first = false;
    }
    s->next_cycle += SIMULATOR_CYCLE_S * SECOND;
}

/* --- bytes --- */

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

/* RFC 1071 over length bytes, beginning with sum. */
static uint16_t checksum(const uint8_t *p, size_t length, uint32_t sum)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (length % 2 != 0)
        sum += (uint32_t)p[length - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put_mac(uint8_t *p, uint32_t ip)
{
    p[0] = 0x02; /* locally administered */
    p[1] = 0;
    put32(p + 2, ip);
}

static size_t build(uint8_t *frame, const struct step *step)
{
    size_t header = step->protocol == PROTOCOL_TCP ? TCP : UDP;
    size_t transport = header + step->payload;
    uint8_t *ip = frame + ETHERNET, *l4 = ip + IPV4;
    uint32_t pseudo = (step->source >> 16) + (step->source & 0xffff) + (step->destination >> 16) +
                      (step->destination & 0xffff) + step->protocol + (uint32_t)transport;

    memset(frame, 0, ETHERNET + IPV4 + header);
    put_mac(frame, step->destination);
    put_mac(frame + 6, step->source);
    put16(frame + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)(IPV4 + transport));
    put16(ip + 4, (uint16_t)step->order);
    put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = step->protocol;
    put32(ip + 12, step->source);
    put32(ip + 16, step->destination);
    put16(ip + 10, checksum(ip, IPV4, 0));
    put16(l4, step->source_port);
    put16(l4 + 2, step->destination_port);
    for (size_t i = 0; i < step->payload; i++) /* never the same few bytes: that would be an overflow */
        l4[header + i] = (uint8_t)(i * 37 + (i >> 6));
    if (step->protocol == PROTOCOL_TCP) {
        put32(l4 + 4, step->seq);
        put32(l4 + 8, step->ack);
        l4[12] = TCP / 4 << 4;
        l4[13] = step->flags;
        put16(l4 + 14, 64240);
        put16(l4 + 16, checksum(l4, transport, pseudo));
    } else {
        put16(l4 + 4, (uint16_t)transport);
        put16(l4 + 6, checksum(l4, transport, pseudo));
    }
    return ETHERNET + IPV4 + transport;
}

/* --- life --- */

struct simulator *simulator_create(uint64_t seed, int64_t start_ns, struct err *err)
{
    struct simulator *s = calloc(1, sizeof *s);

    if (s != NULL)
        s->heap = malloc(STEPS_MAX * sizeof *s->heap);
    if (s == NULL || s->heap == NULL) {
        err_set(err, ERR_MEMORY, "simulator: out of memory");
        free(s);
        return NULL;
    }
    s->room = STEPS_MAX;
    s->random = seed;
    s->next_cycle = start_ns;
    s->first = true;
    return s;
}

struct simulator *simulator_create_one(enum simulator_flow flow, uint64_t seed, int64_t start_ns, struct err *err)
{
    struct simulator *s = simulator_create(seed, start_ns, err);

    if (s != NULL) {
        s->next_cycle = INT64_MAX;
        makers[flow](s, start_ns);
    }
    return s;
}

void simulator_free(struct simulator *simulator)
{
    if (simulator == NULL)
        return;
    free(simulator->heap);
    free(simulator);
}

int64_t simulator_due(struct simulator *s)
{
    return s->count > 0 && s->heap[0].time_ns < s->next_cycle ? s->heap[0].time_ns : s->next_cycle;
}

bool simulator_next(struct simulator *s, int64_t until_ns, struct capture_frame *frame)
{
    struct step step;

    while (s->next_cycle <= until_ns && (s->count == 0 || s->next_cycle <= s->heap[0].time_ns))
        cycle(s);
    if (s->count == 0 || s->heap[0].time_ns > until_ns)
        return false;
    pop(s, &step);
    frame->link = LINK_ETHERNET;
    frame->time_ns = step.time_ns;
    frame->bytes = s->frame;
    frame->captured = frame->wire = build(s->frame, &step);
    return true;
}
