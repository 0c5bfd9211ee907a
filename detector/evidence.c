/* evidence.c: see evidence.h. File format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ */
#include "detector/evidence.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADERS_MAX = 512, LOOK_MAX = 65536, PCAP_HEADER = 24, PCAP_RECORD = 16, ALIGN = 8, MEMORY_MIN = 65536 };
#define SECOND INT64_C(1000000000)

/* Stands in the ring in front of the bytes kept. */
struct record {
    int64_t time_ns;
    uint32_t size; /* of all this with its bytes, rounded up */
    uint32_t back; /* how far before this one the last one begins; 0: there is none */
    uint8_t ends[2][16];
    uint16_t port[2];
    uint8_t protocol;
    int32_t link;
    uint32_t captured, wire;
};

struct evidence_ring {
    struct evidence_settings settings;
    uint8_t *memory;
    pthread_mutex_t lock; /* guards what follows and the memory; held for a copy, or for one look back */
    uint64_t head;        /* bytes ever written; place in memory: modulo its size */
    uint64_t newest;      /* where the last record begins */
    bool any;
    struct evidence_counters counters;
};

struct evidence_ring *evidence_create(const struct evidence_settings *settings, struct err *err)
{
    struct evidence_ring *ring = NULL;

    if (settings->packets > EVIDENCE_PACKETS_MAX || settings->bytes > EVIDENCE_BYTES_MAX ||
        settings->memory < MEMORY_MIN || settings->memory > UINT32_MAX) {
        err_set(err, ERR_INVALID, "evidence: expected at most %d packets of %d bytes in 64 KiB to 4 GiB",
                (int)EVIDENCE_PACKETS_MAX, (int)EVIDENCE_BYTES_MAX);
        return NULL;
    }
    ring = calloc(1, sizeof *ring);
    if (ring != NULL) {
        ring->settings = *settings;
        ring->settings.memory -= settings->memory % ALIGN;
        ring->memory = mmap(NULL, ring->settings.memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (ring == NULL || ring->memory == MAP_FAILED) {
        err_set(err, ERR_MEMORY, "evidence: no memory for %zu bytes", settings->memory);
        free(ring);
        return NULL;
    }
    pthread_mutex_init(&ring->lock, NULL);
    return ring;
}

void evidence_free(struct evidence_ring *ring)
{
    if (ring == NULL)
        return;
    munmap(ring->memory, ring->settings.memory);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

static uint8_t *place(const struct evidence_ring *ring, uint64_t at)
{
    return ring->memory + at % ring->settings.memory;
}

/* All headers, and of the payload what is wanted. */
static size_t bytes_of(const struct evidence_ring *ring, const struct capture_frame *frame,
                       const struct packet *packet)
{
    size_t length = frame->captured;

    if (packet->payload != NULL && packet->payload >= frame->bytes && packet->payload <= frame->bytes + length) {
        size_t wanted =
            (size_t)(packet->payload - frame->bytes) +
            (packet->payload_captured < ring->settings.bytes ? packet->payload_captured : ring->settings.bytes);

        length = wanted < length ? wanted : length;
    } else if (length > HEADERS_MAX) {
        length = HEADERS_MAX;
    }
    return length < HEADERS_MAX + ring->settings.bytes ? length : HEADERS_MAX + ring->settings.bytes;
}

static void append(struct evidence_ring *ring, struct record *record, const uint8_t *bytes)
{
    uint64_t at = ring->head, left = ring->settings.memory - at % ring->settings.memory;

    if (left < record->size) /* a record is in one piece: the end of the ring stays empty */
        at += left;
    record->back = ring->any && at - ring->newest <= UINT32_MAX ? (uint32_t)(at - ring->newest) : 0;
    memcpy(place(ring, at), record, sizeof *record);
    memcpy(place(ring, at) + sizeof *record, bytes, record->captured);
    ring->newest = at;
    ring->head = at + record->size;
    ring->any = true;
    ring->counters.kept++;
}

void evidence_keep(struct evidence_ring *ring, const struct capture_frame *frame, const struct packet *packet,
                   const struct flow *flow)
{
    struct record record = {.time_ns = packet->time_ns,
                            .port = {packet->source_port, packet->destination_port},
                            .protocol = packet->protocol,
                            .link = frame->link,
                            .wire = frame->wire};

    if (flow->packets[0] + flow->packets[1] > ring->settings.packets)
        return;
    record.captured = (uint32_t)bytes_of(ring, frame, packet);
    record.size = (uint32_t)((sizeof record + record.captured + ALIGN - 1) / ALIGN * ALIGN);
    memcpy(record.ends[0], packet->source, 16);
    memcpy(record.ends[1], packet->destination, 16);
    pthread_mutex_lock(&ring->lock);
    append(ring, &record, frame->bytes);
    pthread_mutex_unlock(&ring->lock);
}

uint64_t evidence_now(const struct evidence_ring *ring)
{
    return ring->head; /* nobody else writes it */
}

/* --- a look back --- */

static bool same_end(const struct record *record, int end, const uint8_t address[16], uint16_t port)
{
    return record->port[end] == port && memcmp(record->ends[end], address, 16) == 0;
}

static bool of_flow(const struct record *record, const struct flow *flow)
{
    int forward;

    if (flow == NULL || record->protocol != flow->protocol || record->time_ns < flow->first_ns)
        return false;
    forward = same_end(record, 0, flow->address[0], flow->port[0]) ? 0 : 1;
    return same_end(record, forward, flow->address[0], flow->port[0]) &&
           same_end(record, !forward, flow->address[1], flow->port[1]);
}

static bool is_end(const uint8_t *end, const uint8_t *wanted)
{
    return wanted == NULL || memcmp(end, wanted, 16) == 0;
}

static bool of_incident(const struct record *record, const struct evidence_wish *wish)
{
    if (wish->source == NULL && wish->target == NULL)
        return false;
    return (is_end(record->ends[0], wish->source) && is_end(record->ends[1], wish->target)) ||
           (is_end(record->ends[1], wish->source) && is_end(record->ends[0], wish->target));
}

/* Places of the first packets of a kind: the look goes backward, so the latest ones seen are kept. */
struct found {
    uint64_t at[EVIDENCE_PACKETS_MAX];
    size_t count, max;
};

static void find(struct found *found, uint64_t at)
{
    found->at[found->count++ % found->max] = at;
}

static void look_back(struct evidence_ring *ring, const struct evidence_wish *wish, struct found *own,
                      struct found *others)
{
    int64_t since = wish->since_ns;
    uint64_t at = ring->newest;
    struct record record;

    if (wish->flow != NULL && wish->flow->first_ns < since)
        since = wish->flow->first_ns;
    for (int looks = 0; ring->any && looks < LOOK_MAX && ring->head - at <= ring->settings.memory; looks++) {
        memcpy(&record, place(ring, at), sizeof record);
        if (record.time_ns < since - SECOND) /* a second for packets out of order */
            break;
        if (at < wish->until && of_flow(&record, wish->flow))
            find(own, at);
        else if (at < wish->until && record.time_ns >= wish->since_ns && of_incident(&record, wish))
            find(others, at);
        if (record.back == 0)
            break;
        at -= record.back;
    }
}

/* --- the file --- */

static int by_place(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void put32(uint8_t **out, uint32_t value)
{
    memcpy(*out, &value, sizeof value);
    *out += sizeof value;
}

static void put_packet(uint8_t **out, const struct record *record, const uint8_t *bytes)
{
    put32(out, (uint32_t)(record->time_ns / SECOND));
    put32(out, (uint32_t)(record->time_ns % SECOND));
    put32(out, record->captured);
    put32(out, record->wire > record->captured ? record->wire : record->captured);
    memcpy(*out, bytes, record->captured);
    *out += record->captured;
}

/* A file has one link type: the first packet's. */
static void write_file(struct evidence_ring *ring, const uint64_t *at, size_t count, struct evidence_pcap *out)
{
    uint8_t *end = out->bytes;
    struct record record;
    int32_t link;

    memcpy(&record, place(ring, at[0]), sizeof record);
    link = record.link;
    put32(&end, 0xa1b23c4d); /* nanoseconds, in this machine's byte order */
    put32(&end, 2u | 4u << 16);
    put32(&end, 0);
    put32(&end, 0);
    put32(&end, HEADERS_MAX + EVIDENCE_BYTES_MAX);
    put32(&end, (uint32_t)link);
    for (size_t i = 0; i < count; i++) {
        memcpy(&record, place(ring, at[i]), sizeof record);
        if ((size_t)(end - out->bytes) + PCAP_RECORD + record.captured > EVIDENCE_PCAP_MAX)
            break;
        if (record.link != link)
            continue;
        put_packet(&end, &record, place(ring, at[i]) + sizeof record);
        out->packets++;
    }
    out->length = (size_t)(end - out->bytes);
}

static size_t first_ones(const struct found *found)
{
    return found->count < found->max ? found->count : found->max;
}

bool evidence_collect(struct evidence_ring *ring, const struct evidence_wish *wish, struct evidence_pcap *out)
{
    struct found *found = calloc(2, sizeof *found);
    uint64_t *all;
    size_t count;
    uint8_t *fitting;

    *out = (struct evidence_pcap){.bytes = malloc(EVIDENCE_PCAP_MAX)};
    if (found == NULL || out->bytes == NULL || ring->settings.packets == 0)
        goto none;
    found[0].max = found[1].max = ring->settings.packets;
    pthread_mutex_lock(&ring->lock);
    look_back(ring, wish, &found[0], &found[1]);
    count = first_ones(&found[0]) + first_ones(&found[1]);
    all = calloc(count + 1, sizeof *all);
    if (all != NULL && count > 0) {
        memcpy(all, found[0].at, first_ones(&found[0]) * sizeof *all);
        memcpy(all + first_ones(&found[0]), found[1].at, first_ones(&found[1]) * sizeof *all);
        qsort(all, count, sizeof *all, by_place);
        write_file(ring, all, count, out);
        ring->counters.made++;
    }
    pthread_mutex_unlock(&ring->lock);
    free(all);
    if (out->packets == 0)
        goto none;
    free(found);
    fitting = realloc(out->bytes, out->length);
    out->bytes = fitting != NULL ? fitting : out->bytes;
    token_hash(out->bytes, out->length, out->sha256);
    return true;
none:
    free(found);
    evidence_pcap_clear(out);
    return false;
}

void evidence_pcap_clear(struct evidence_pcap *pcap)
{
    free(pcap->bytes);
    *pcap = (struct evidence_pcap){0};
}

void evidence_counters(struct evidence_ring *ring, struct evidence_counters *out)
{
    pthread_mutex_lock(&ring->lock);
    *out = ring->counters;
    pthread_mutex_unlock(&ring->lock);
}
