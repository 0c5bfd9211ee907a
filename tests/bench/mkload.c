/* mkload: writes the three captures of the flow bench (pcap, Ethernet, microseconds).
 *
 *   mkload mixed DIR BENIGN ATTACK OUT   copies of the captures under DIR/LABEL, interleaved in time
 *   mkload scan PACKETS OUT              minimum-size scans and floods, about 0.55 flows a packet
 *   mkload bulk PACKETS OUT              eight TCP downloads with full-size segments
 *
 * "mixed" brings every frame to Ethernet, pads what a snap length cut off back to its real size (at most
 * MTU), gives each copy of a file its own addresses and start, and sorts everything by time.
 * The same arguments give the same bytes: the random numbers have a fixed seed. */
#include <dirent.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ETH = 14, MTU = 1500, FRAME_MAX = ETH + MTU, FRAME_MIN = 60 };
enum { SPAN_US = 600 * 1000000, GAP_US = 2 * 1000000 }; /* copies start within SPAN; no pause is longer than GAP */

struct frame {
    size_t at;
    uint32_t len;
    uint64_t us;
}; /* bytes in the arena, time since its file's first */
struct file {
    size_t first, count;
};
struct event {
    uint64_t us;
    uint32_t frame, mask;
};

struct pool {
    uint8_t *arena;
    size_t used, room;
    struct frame *frames;
    size_t nframes, frame_room;
    struct event *events;
    size_t nevents, event_room;
};

static void die(const char *what)
{
    fprintf(stderr, "mkload: %s\n", what);
    exit(1);
}

static void *grow(void *old, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return old;
    *room = need * 2;
    old = realloc(old, *room * size);
    if (old == NULL)
        die("out of memory");
    return old;
}

static uint64_t rng_state = 0x9e3779b97f4a7c15u;
static uint64_t rnd(void)
{
    uint64_t z = rng_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint32_t sum16(const uint8_t *p, size_t n, uint32_t sum)
{
    for (; n > 1; n -= 2, p += 2)
        sum += be16(p);
    return n ? sum + (uint32_t)(p[0] << 8) : sum;
}
static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Makes the lengths and checksums of an IP packet of n bytes true again. */
static void fix_ip(uint8_t *ip, size_t n)
{
    bool v4 = ip[0] >> 4 == 4;
    size_t head = v4 ? (size_t)(ip[0] & 15) * 4 : 40;
    uint8_t proto = v4 ? ip[9] : ip[6];

    if (n < head || head < 20)
        return;
    if (v4) {
        put16(ip + 2, (unsigned)n);
        put16(ip + 10, 0);
        put16(ip + 10, fold(sum16(ip, head, 0)));
        if (be16(ip + 6) & 0x3fff)
            return; /* a fragment: its checksum is the whole datagram's */
    } else {
        put16(ip + 4, (unsigned)(n - 40));
    }
    size_t at = proto == 6 ? 16 : proto == 17 ? 6 : 0, len = n - head;
    if (at == 0 || len < at + 2)
        return;
    uint8_t *l4 = ip + head;
    if (proto == 17)
        put16(l4 + 4, (unsigned)len);
    put16(l4 + at, 0);
    uint32_t pseudo = v4 ? sum16(ip + 12, 8, 0) : sum16(ip + 8, 32, 0);
    put16(l4 + at, fold(sum16(l4, len, pseudo + proto + (uint32_t)len)));
}

/* Gives both ends of a copy's flows new low address bits; one mask a copy keeps both directions together. */
static void move_ends(uint8_t *ip, size_t n, uint32_t mask)
{
    if (n >= 20 && ip[0] >> 4 == 4) {
        for (int end = 12; end <= 16; end += 4)
            for (int i = 1; i < 4; i++)
                ip[end + i] ^= (uint8_t)(mask >> (8 * (3 - i)));
    } else if (n >= 40 && ip[0] >> 4 == 6) {
        for (int end = 8; end <= 24; end += 16)
            for (int i = 13; i < 16; i++)
                ip[end + i] ^= (uint8_t)(mask >> (8 * (15 - i)));
    }
}

/* Bytes of link header, or -1 for a link type left out. */
static int link_header(int type)
{
    switch (type) {
    case DLT_EN10MB:
        return ETH;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
        return 0;
    case DLT_LINUX_SLL:
        return 16;
    case DLT_NULL:
        return 4;
    default:
        return -1;
    }
}

/* Appends one Ethernet frame of its real size to the arena; false if it is none. */
static bool add_frame(struct pool *pool, int type, const struct pcap_pkthdr *head, const u_char *data, uint64_t us)
{
    int link = link_header(type);
    size_t have, want;

    if (link < 0 || head->caplen < (unsigned)link + 20)
        return false;
    have = head->caplen - (unsigned)link;
    want = head->len - (unsigned)link;
    if (want > MTU)
        want = MTU;
    if (have > want)
        have = want;
    if (ETH + want < FRAME_MIN)
        want = FRAME_MIN - ETH;
    pool->arena = grow(pool->arena, &pool->room, pool->used + FRAME_MAX, 1);
    uint8_t *out = pool->arena + pool->used, version = data[link] >> 4;
    memset(out, 0, ETH + want);
    memcpy(out + ETH, data + link, have);
    if (type == DLT_EN10MB)
        memcpy(out, data, ETH);
    else {
        memcpy(out, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
        put16(out + 12, version == 6 ? 0x86dd : 0x0800);
    }
    pool->frames = grow(pool->frames, &pool->frame_room, pool->nframes + 1, sizeof *pool->frames);
    pool->frames[pool->nframes++] = (struct frame){pool->used, (uint32_t)(ETH + want), us};
    pool->used += ETH + want;
    return true;
}

static struct file load(struct pool *pool, const char *path)
{
    char why[PCAP_ERRBUF_SIZE];
    struct file file = {pool->nframes, 0};
    struct pcap_pkthdr *head;
    const u_char *data;
    uint64_t last = 0, us = 0;
    pcap_t *pcap = pcap_open_offline(path, why);

    if (pcap == NULL)
        return file;
    while (pcap_next_ex(pcap, &head, &data) == 1) {
        uint64_t now = (uint64_t)head->ts.tv_sec * 1000000 + (uint64_t)head->ts.tv_usec;
        uint64_t gap = last && now > last ? now - last : 0;
        us += gap < GAP_US ? gap : GAP_US;
        last = now;
        add_frame(pool, pcap_datalink(pcap), head, data, us);
    }
    pcap_close(pcap);
    file.count = pool->nframes - file.first;
    return file;
}

static void schedule(struct pool *pool, struct file file, int copies)
{
    pool->events =
        grow(pool->events, &pool->event_room, pool->nevents + file.count * (size_t)copies, sizeof *pool->events);
    for (int c = 0; c < copies; c++) {
        uint64_t start = rnd() % SPAN_US;
        uint32_t mask = (uint32_t)rnd() & 0xffffff;
        for (size_t i = file.first; i < file.first + file.count; i++)
            pool->events[pool->nevents++] = (struct event){start + pool->frames[i].us, (uint32_t)i, mask};
    }
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->us != y->us)
        return x->us < y->us ? -1 : 1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static FILE *create(const char *path)
{
    const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
    FILE *out = fopen(path, "wb");
    if (out == NULL || fwrite(head, sizeof head, 1, out) != 1)
        die("cannot write");
    setvbuf(out, NULL, _IOFBF, 1 << 20);
    return out;
}

static void emit(FILE *out, uint64_t us, const uint8_t *frame, uint32_t len)
{
    us += UINT64_C(1700000000) * 1000000;
    uint32_t head[4] = {(uint32_t)(us / 1000000), (uint32_t)(us % 1000000), len, len};
    if (fwrite(head, sizeof head, 1, out) != 1 || fwrite(frame, len, 1, out) != 1)
        die("cannot write");
}

static void mixed(const char *dir, int benign, int attack, FILE *out)
{
    static const char *const labels[] = {"benign",       "brute_force", "c2_botnet", "dos_ddos",
                                         "exfil_tunnel", "exploit",     "port_scan", "web_attack"};
    struct pool pool = {0};
    uint8_t frame[FRAME_MAX];

    for (size_t l = 0; l < sizeof labels / sizeof *labels; l++) {
        char path[4096];
        struct dirent **names;
        snprintf(path, sizeof path, "%s/%s", dir, labels[l]);
        int n = scandir(path, &names, NULL, alphasort);
        if (n < 0)
            die("no such folder of captures");
        for (int i = 0; i < n; i++) {
            snprintf(path, sizeof path, "%s/%s/%s", dir, labels[l], names[i]->d_name);
            if (names[i]->d_name[0] != '.')
                schedule(&pool, load(&pool, path), l == 0 ? benign : attack);
            free(names[i]);
        }
        free(names);
    }
    qsort(pool.events, pool.nevents, sizeof *pool.events, by_time);
    for (size_t i = 0; i < pool.nevents; i++) {
        const struct frame *f = &pool.frames[pool.events[i].frame];
        memcpy(frame, pool.arena + f->at, f->len);
        if (be16(frame + 12) == 0x0800 || be16(frame + 12) == 0x86dd) {
            size_t n = be16(frame + 12) == 0x0800 ? be16(frame + ETH + 2) : be16(frame + ETH + 4) + 40u;
            if (n > f->len - ETH)
                n = f->len - ETH;
            move_ends(frame + ETH, n, pool.events[i].mask);
            fix_ip(frame + ETH, n);
        }
        emit(out, pool.events[i].us, frame, f->len);
    }
    free(pool.arena);
    free(pool.frames);
    free(pool.events);
}

/* One TCP segment between two ends; down says that the second end sends it. */
static uint32_t tcp(uint8_t *frame, uint32_t a, uint32_t b, unsigned pa, unsigned pb, bool down, int flags,
                    uint32_t seq, uint32_t ack, unsigned payload)
{
    uint8_t *ip = frame + ETH, *t = ip + 20;
    size_t n = 40 + payload;

    memset(frame, 0, ETH + 46);
    memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\2\x08", 13);
    ip[0] = 0x45;
    ip[8] = 64;
    ip[9] = 6;
    put32(ip + 12, down ? b : a);
    put32(ip + 16, down ? a : b);
    put16(t, down ? pb : pa);
    put16(t + 2, down ? pa : pb);
    put32(t + 4, seq);
    put32(t + 8, ack);
    t[12] = 0x50;
    t[13] = (uint8_t)flags;
    put16(t + 14, 64240);
    fix_ip(ip, n);
    return ETH + n < FRAME_MIN ? FRAME_MIN : (uint32_t)(ETH + n);
}

/* 40 % SYN without an answer, 40 % SYN and RST, 20 % half-open (SYN, SYN-ACK, RST); answers come 64 flows
 * later. Half is a sweep by 256 scanners over a /12, half a flood of one server from spoofed sources. */
static void scan(long packets, FILE *out)
{
    enum { LAG = 64, SYN = 2, RST = 4, ACK = 16 };
    struct {
        uint32_t a, b;
        uint16_t pa, pb;
        int kind;
    } late[LAG] = {{0}};
    uint8_t frame[FRAME_MIN];
    uint64_t us = 0;

    for (long n = 0, f = 0; n < packets; f++) {
        int slot = (int)(f % LAG);
        uint64_t r = rnd();
        if (f >= LAG && late[slot].kind > 0) {
            bool half = late[slot].kind == 2;
            emit(out, us += 10, frame,
                 tcp(frame, late[slot].a, late[slot].b, late[slot].pa, late[slot].pb, true,
                     half ? SYN | ACK : RST | ACK, 0, 1, 0)),
                n++;
            if (half)
                emit(out, us += 10, frame,
                     tcp(frame, late[slot].a, late[slot].b, late[slot].pa, late[slot].pb, false, RST, 1, 0, 0)),
                    n++;
        }
        unsigned dice = (unsigned)(r >> 56) % 10;
        late[slot].kind = dice < 4 ? 0 : dice < 8 ? 1 : 2;
        if (r & 1) {
            late[slot].a = 0x0a000000u | (uint32_t)(r >> 8 & 255);
            late[slot].b = 0xac100000u | (uint32_t)(r >> 16 & 0xfffff);
            late[slot].pb = (uint16_t)(rnd() % 1024 + 1);
        } else {
            late[slot].a = (uint32_t)(r >> 8) | 0x01000000u;
            late[slot].b = 0xc0a80050u;
            late[slot].pb = 80;
        }
        late[slot].pa = (uint16_t)(rnd() | 1024);
        emit(out, us += 10, frame,
             tcp(frame, late[slot].a, late[slot].b, late[slot].pa, late[slot].pb, false, SYN, (uint32_t)r, 0, 0)),
            n++;
    }
}

static void bulk(long packets, FILE *out)
{
    enum { FLOWS = 8, SYN = 2, PSH = 8, ACK = 16 };
    uint8_t frame[FRAME_MAX];
    uint32_t seq[FLOWS];
    uint64_t us = 0;
    long n = 0;

    memset(frame, 0x5a, sizeof frame);
    for (unsigned f = 0; f < FLOWS; f++) {
        uint32_t a = 0x0a000001u + f, b = 0xc0a80101u;
        emit(out, us += 100, frame, tcp(frame, a, b, 40000 + f, 443, false, SYN, 0, 0, 0));
        emit(out, us += 100, frame, tcp(frame, a, b, 40000 + f, 443, true, SYN | ACK, 0, 1, 0));
        emit(out, us += 100, frame, tcp(frame, a, b, 40000 + f, 443, false, ACK, 1, 1, 0));
        seq[f] = 1;
        n += 3;
    }
    for (; n < packets; n += 3) {
        unsigned f = (unsigned)(rnd() % FLOWS);
        uint32_t a = 0x0a000001u + f, b = 0xc0a80101u;
        for (int i = 0; i < 2; i++, seq[f] += 1460)
            emit(out, us += 10, frame, tcp(frame, a, b, 40000 + f, 443, true, i ? PSH | ACK : ACK, seq[f], 1, 1460));
        emit(out, us += 10, frame, tcp(frame, a, b, 40000 + f, 443, false, ACK, 1, seq[f], 0));
    }
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    FILE *out;

    if (!(argc == 6 && !strcmp(kind, "mixed")) && !(argc == 4 && (!strcmp(kind, "scan") || !strcmp(kind, "bulk")))) {
        fputs("usage: mkload mixed DIR BENIGN ATTACK OUT | mkload scan PACKETS OUT | mkload bulk PACKETS OUT\n",
              stderr);
        return 2;
    }
    out = create(argv[argc - 1]);
    if (*kind == 'm')
        mixed(argv[2], (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10), out);
    else if (*kind == 's')
        scan(strtol(argv[2], NULL, 10), out);
    else
        bulk(strtol(argv[2], NULL, 10), out);
    if (fclose(out) != 0)
        die("cannot write");
    return 0;
}
