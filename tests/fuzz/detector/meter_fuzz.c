/* meter_fuzz.c: bytes are taken as choices that make a whole capture: file format, link, tags, tunnels, IP with its
 * oddities, transport. Most of it is well-formed, so that what lies deep is reached; some of it is spoilt.
 *
 * The capture goes through reader, decoder, flow table and features. What the reader hands out must be what was
 * written, and every packet decoded must be in one flow or late. */
#include "detector/capture.h"
#include "detector/features.h"
#include "detector/flow.h"
#include "detector/packet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMES_MAX = 64, FRAME_ROOM = 4096, FILE_ROOM = FRAMES_MAX * (FRAME_ROOM + 64) + 1024, FLOWS = 16, DEPTH = 3 };
#define START INT64_C(1700000000)

struct choices {
    const uint8_t *at;
    size_t left;
};

struct frame {
    int64_t time_ns;
    size_t captured;
    uint8_t bytes[FRAME_ROOM];
};

struct file {
    bool ng, swapped, nano;
    bool spoilt; /* it need not be read to its end */
    size_t n;
    uint8_t bytes[FILE_ROOM];
};

static struct frame frames[FRAMES_MAX];
static struct file file;

struct meter {
    uint64_t ended_packets, told, ended;
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static unsigned take(struct choices *c, unsigned below)
{
    if (c->left == 0)
        return 0;
    c->left--;
    return *c->at++ % below;
}

/* --- frames, from the inside out: each layer is put in front of what is there --- */

struct build {
    uint8_t room[FRAME_ROOM];
    size_t from; /* the frame is room[from..end] */
    unsigned kind;
};

static uint8_t *front(struct build *b, size_t n)
{
    require(b->from >= n);
    b->from -= n;
    memset(b->room + b->from, 0, n);
    return b->room + b->from;
}

static void be16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static size_t length(const struct build *b)
{
    return sizeof b->room - b->from;
}

static unsigned transport(struct build *b, struct choices *c)
{
    static const uint16_t ports[] = {80, 1025, 53, 4789};
    unsigned which = take(c, 7), back = take(c, 2), client = 1 + take(c, 3);
    uint8_t *p = front(b, take(c, 4) * 23);
    size_t options = which == 0 ? take(c, 11) * 4 : 0;

    switch (which) {
    case 0:
        p = front(b, 20 + options);
        p[12] = (uint8_t)((20 + options) / 4 << 4);
        p[13] = (uint8_t)take(c, 64);
        break;
    case 1:
    case 2:
        p = front(b, which == 1 ? 8 : 12);
        be16(p + 4, length(b));
        break;
    case 3:
        p = front(b, 8);
        p[0] = (uint8_t)take(c, 256);
        return 1;
    case 4:
        p = front(b, 8);
        p[0] = (uint8_t)take(c, 256);
        return 58;
    case 5:
        return 50;
    default:
        return take(c, 256);
    }
    be16(p + (back ? 2 : 0), 1024 + client);
    be16(p + (back ? 0 : 2), ports[take(c, 4)]);
    return which == 0 ? 6 : which == 1 ? 17 : 132;
}

static void ipv4(struct build *b, struct choices *c, unsigned protocol)
{
    size_t options = take(c, 4) == 0 ? take(c, 11) * 4 : 0, inner = length(b);
    uint8_t *p = front(b, 20 + options);
    static const uint16_t fragments[] = {0, 0, 0, 0x4000, 0x2000, 0x2001, 1, 3, 0x1fff};

    p[0] = (uint8_t)(0x40 + (20 + options) / 4);
    be16(p + 2, take(c, 16) == 0 ? 0 : 20 + options + inner);
    p[5] = (uint8_t)take(c, 3);
    be16(p + 6, fragments[take(c, 9)]);
    p[9] = (uint8_t)protocol;
    p[12] = p[16] = 10;
    p[15] = (uint8_t)take(c, 3);
    p[19] = (uint8_t)take(c, 3);
}

static void ipv6(struct build *b, struct choices *c, unsigned protocol)
{
    static const uint8_t kinds[] = {0, 43, 44, 51, 60, 135};

    for (unsigned n = take(c, 4); n > 0; n--) {
        unsigned kind = kinds[take(c, sizeof kinds)], units = kind == 44 ? 0 : take(c, 3);
        uint8_t *p = front(b, kind == 51 ? ((size_t)units + 2) * 4 : ((size_t)units + 1) * 8);
        p[0] = (uint8_t)protocol;
        p[1] = (uint8_t)units;
        if (kind == 44) {
            be16(p + 2, take(c, 4) == 0 ? take(c, 32) : 0);
            p[7] = (uint8_t)take(c, 3);
        }
        protocol = kind;
    }
    size_t inner = length(b);
    uint8_t *p = front(b, 40);
    p[0] = 0x60;
    be16(p + 4, take(c, 16) == 0 ? 0 : inner);
    p[6] = (uint8_t)protocol;
    p[23] = (uint8_t)take(c, 3);
    p[39] = (uint8_t)take(c, 3);
}

static void ip(struct build *b, struct choices *c, unsigned protocol)
{
    bool six = take(c, 3) == 0;

    if (six)
        ipv6(b, c, protocol);
    else
        ipv4(b, c, protocol);
    b->kind = six ? 0x86dd : 0x0800;
}

static void tags(struct build *b, struct choices *c)
{
    static const uint16_t kinds[] = {0x8100, 0x88a8, 0x9100};

    for (unsigned n = take(c, 4); n > 0; n--) {
        unsigned what = take(c, 5);
        uint8_t *p = NULL;
        if (what < 3) {
            p = front(b, 4);
            p[1] = (uint8_t)take(c, 256);
            be16(p + 2, b->kind);
            b->kind = kinds[what];
        } else if (what == 3) {
            p = front(b, 4);
            p[2] = (uint8_t)(b->kind != 0x8847);
            b->kind = 0x8847;
        } else {
            size_t inner = length(b) + 2;
            p = front(b, 8);
            p[0] = 0x11;
            be16(p + 4, inner);
            be16(p + 6, b->kind == 0x86dd ? 0x57 : b->kind == 0x8847 ? 0x281 : 0x21);
            b->kind = 0x8864;
        }
    }
}

static void ethernet(struct build *b)
{
    be16(front(b, 14) + 12, b->kind);
}

/* What is there goes into a tunnel; the protocol that carries it. */
static unsigned tunnel(struct build *b, struct choices *c)
{
    uint8_t *p = NULL;

    switch (take(c, 4)) {
    case 0:
        return b->kind == 0x86dd ? 41 : 4;
    case 1: {
        unsigned flags = take(c, 16);
        p = front(b, 4 + ((flags & 8) != 0) * 4u + ((flags & 2) != 0) * 4u + ((flags & 1) != 0) * 4u);
        be16(p, (flags & 11) << 12);
        be16(p + 2, b->kind);
        return 47;
    }
    case 2:
        ethernet(b);
        be16(front(b, 4) + 2, 0x6558);
        return 47;
    default:
        ethernet(b);
        front(b, 8)[0] = 8;
        p = front(b, 8);
        be16(p, 1025);
        be16(p + 2, 4789);
        be16(p + 4, length(b));
        return 17;
    }
}

static const int links[] = {1, 1, 1, 101, 113, 276, 0, 108, 9, 228, 229};

static void link_header(struct build *b, int link)
{
    switch (link) {
    case 1:
        ethernet(b);
        break;
    case 113:
        be16(front(b, 16) + 14, b->kind);
        break;
    case 276:
        be16(front(b, 20), b->kind);
        break;
    case 0:
    case 108:
        front(b, 4)[3] = b->kind == 0x86dd ? 30 : 2;
        break;
    case 9:
        be16(front(b, 2), b->kind == 0x86dd ? 0x57 : b->kind == 0x8847 ? 0x281 : 0x21);
        break;
    default: /* IP comes first */
        break;
    }
}

static void make(struct frame *frame, struct choices *c, int link)
{
    struct build b = {.from = sizeof b.room};

    ip(&b, c, transport(&b, c));
    for (unsigned n = take(c, 8) == 0 ? take(c, DEPTH) : 0; n > 0; n--)
        ip(&b, c, tunnel(&b, c));
    if (link == 1 || link == 113 || link == 276)
        tags(&b, c);
    link_header(&b, link);
    frame->captured = length(&b);
    memcpy(frame->bytes, b.room + b.from, frame->captured);
    unsigned spoil = take(c, 16);
    if (spoil == 1)
        frame->captured = take(c, 256) * frame->captured / 256;
    if (spoil == 2 && frame->captured > 0)
        frame->bytes[take(c, 256) % frame->captured] ^= (uint8_t)(1u << take(c, 8));
}

/* --- the file --- */

static void put(const void *bytes, size_t n)
{
    memcpy(file.bytes + file.n, bytes, n);
    file.n += n;
}

static void put32(uint32_t value)
{
    value = file.swapped ? __builtin_bswap32(value) : value;
    put(&value, sizeof value);
}

static void put_pair(unsigned first, unsigned second) /* two numbers of 16 bits */
{
    uint16_t pair[2] = {(uint16_t)first, (uint16_t)second};

    for (int i = 0; i < 2; i++)
        pair[i] = file.swapped ? __builtin_bswap16(pair[i]) : pair[i];
    put(pair, sizeof pair);
}

static void begin_file(int link)
{
    if (!file.ng) {
        put32(file.nano ? 0xa1b23c4d : 0xa1b2c3d4);
        put_pair(2, 4);
        put32(0);
        put32(0);
        put32(262144);
        put32((uint32_t)link);
        return;
    }
    put32(0x0a0d0d0a);
    put32(28);
    put32(0x1a2b3c4d);
    put_pair(1, 0);
    put32(UINT32_MAX);
    put32(UINT32_MAX);
    put32(28);
    put32(1);
    put32(file.nano ? 32 : 20);
    put_pair((unsigned)link, 0);
    put32(0);
    if (file.nano) {
        put_pair(9, 1);
        put("\x09\0\0", 4);
        put32(0);
    }
    put32(file.nano ? 32 : 20);
}

static void put_frame(const struct frame *frame)
{
    const uint32_t n = (uint32_t)frame->captured, padded = (n + 3) & ~3u;
    uint64_t ticks = (uint64_t)frame->time_ns / (file.nano ? 1 : 1000);

    if (file.ng) {
        put32(6);
        put32(32 + padded);
        put32(0);
        put32((uint32_t)(ticks >> 32));
        put32((uint32_t)ticks);
    } else {
        put32((uint32_t)(frame->time_ns / 1000000000));
        put32((uint32_t)(frame->time_ns % 1000000000 / (file.nano ? 1 : 1000)));
    }
    put32(n);
    put32(n + 4);
    put(frame->bytes, n);
    if (file.ng) {
        put("\0\0", padded - n);
        put32(32 + padded);
    }
}

/* --- through all of it --- */

static void sink(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet)
{
    struct meter *meter = context;
    double values[FEATURES];
    char id[32];

    (void)packet;
    meter->told += event == FLOW_NEW;
    if (event != FLOW_ENDED)
        return;
    meter->ended++;
    meter->ended_packets += flow->packets[0] + flow->packets[1];
    require(flow->first_ns <= flow->last_ns);
    features_of(flow, values);
    for (int i = 0; i < FEATURES; i++)
        require(isfinite(values[i]) && values[i] >= 0);
    flow_community_id(flow, id);
    require(strncmp(id, "1:", 2) == 0);
}

static size_t written(struct choices *c)
{
    static const int64_t pauses[] = {0,           1000,          1000000,      5000000000,
                                     10000000000, 119999999000,  120000000000, 1800000000000,
                                     -1000000,    -299000000000, -301000000000};
    unsigned format = take(c, 8);
    int link = links[take(c, sizeof links / sizeof *links)];
    int64_t time = START * 1000000000;
    size_t count = 0;

    file.ng = format & 1;
    file.swapped = format & 2;
    file.nano = format & 4;
    file.spoilt = false;
    file.n = 0;
    begin_file(link);
    for (; c->left > 4 && count < FRAMES_MAX; count++) {
        time += pauses[take(c, sizeof pauses / sizeof *pauses)];
        frames[count].time_ns = time;
        make(&frames[count], c, link);
        put_frame(&frames[count]);
    }
    if (c->left > 3) { /* what is left over spoils the file itself */
        file.bytes[(c->at[0] << 8 | c->at[1]) % file.n] ^= c->at[2];
        file.spoilt = true;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int descriptor = -1;
    struct choices c = {data, size};
    struct meter meter = {0};
    struct flow_counters counters;
    struct capture_frame frame;
    struct packet packet;
    struct err err;
    char path[64];
    uint64_t decoded = 0;
    size_t count = written(&c), read = 0;
    const struct flow_settings settings = {.max_flows = FLOWS, .key = {1}, .sink = sink, .context = &meter};

    if (descriptor < 0)
        descriptor = memfd_create("capture", 0);
    require(descriptor >= 0 && ftruncate(descriptor, 0) == 0);
    require(pwrite(descriptor, file.bytes, file.n, 0) == (ssize_t)file.n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    struct capture *capture = capture_open_file(path, NULL, &err);
    struct packet_decoder *decoder = packet_decoder_create(size & 1);
    struct flow_table *table = flow_table_create(&settings, NULL);
    require(decoder != NULL && table != NULL && (capture != NULL || file.spoilt));
    for (; capture != NULL && capture_next(capture, 0, &frame, &err) == CAPTURE_FRAME; read++) {
        if (!file.spoilt) {
            require(read < count && frame.captured == frames[read].captured);
            require(memcmp(frame.bytes, frames[read].bytes, frame.captured) == 0);
            require(frame.time_ns == frames[read].time_ns);
        }
        if (packet_decode(decoder, frame.link, frame.time_ns, frame.bytes, frame.captured, &packet) != PACKET_OK)
            continue;
        decoded++;
        flow_table_add(table, &packet);
    }
    require(file.spoilt || read == count);
    flow_table_finish(table);
    flow_table_counters(table, &counters);
    require(counters.packets == decoded && counters.open == 0 && meter.told == meter.ended);
    require(meter.ended_packets + counters.late == decoded);
    flow_table_free(table);
    packet_decoder_free(decoder);
    capture_close(capture);
    return 0;
}
