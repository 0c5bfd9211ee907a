/* flow_index.c: from the two ends of a packet to the record of its flow.
 *
 * The hash is SipHash-1-3 (Aumasson, Bernstein 2012) with a secret key: whoever sends packets cannot choose them so
 * that they collide, and for keys of two to five words it costs a few nanoseconds more than an unkeyed
 * mixer. Both directions give the same hash, as the lesser end goes in first. */
#include "detector/flow_parts.h"

#include <string.h>

size_t flow_index_slots(size_t max_flows)
{
    size_t slots = 64;

    while (slots < max_flows + max_flows / 3)
        slots *= 2;
    return slots;
}

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t turn(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = turn(s->b, 13) ^ s->a;
    s->a = turn(s->a, 32);
    s->c += s->d;
    s->d = turn(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = turn(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = turn(s->b, 17) ^ s->c;
    s->c = turn(s->c, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint32_t load32(const uint8_t *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

uint32_t flow_hash(const uint64_t key[2], const struct packet *packet)
{
    struct sip s = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                    key[1] ^ 0x7465646279746573u};
    uint64_t source_port = packet->source_port, destination_port = packet->destination_port, words = 2;

    if (packet->version == 4) {
        /* One end is 48 bits: compared as numbers, without a branch that a packet's direction would decide. */
        uint64_t source = (uint64_t)load32(packet->source + 12) << 16 | source_port;
        uint64_t destination = (uint64_t)load32(packet->destination + 12) << 16 | destination_port;
        uint64_t low = source < destination ? source : destination, high = source ^ destination ^ low;
        sip_word(&s, low | (uint64_t)packet->protocol << 48);
        sip_word(&s, high);
    } else {
        int order = memcmp(packet->source, packet->destination, 16);
        bool first = order < 0 || (order == 0 && source_port <= destination_port);
        const uint8_t *low = first ? packet->source : packet->destination;
        const uint8_t *high = first ? packet->destination : packet->source;
        sip_word(&s, load64(low));
        sip_word(&s, load64(low + 8));
        sip_word(&s, load64(high));
        sip_word(&s, load64(high + 8));
        sip_word(&s, (first ? source_port << 16 | destination_port : destination_port << 16 | source_port) |
                         (uint64_t)packet->protocol << 48);
        words = 5;
    }
    sip_word(&s, words << 59); /* the length in bytes, as the padding of SipHash has it */
    s.c ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    uint64_t hash = s.a ^ s.b ^ s.c ^ s.d;
    return (uint32_t)(hash ^ hash >> 32);
}

/* Sixteen bytes at once: memcmp would be called. */
static inline bool same_address(const uint8_t *a, const uint8_t *b)
{
    return ((load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8))) == 0;
}

static bool matches(const struct flow *flow, const struct packet *packet, int *direction)
{
    if (flow->protocol != packet->protocol || flow->version != packet->version)
        return false;
    if (flow->port[0] == packet->source_port && flow->port[1] == packet->destination_port &&
        same_address(flow->address[0], packet->source) && same_address(flow->address[1], packet->destination)) {
        *direction = FLOW_FORWARD;
        return true;
    }
    *direction = FLOW_BACKWARD;
    return flow->port[1] == packet->source_port && flow->port[0] == packet->destination_port &&
           same_address(flow->address[1], packet->source) && same_address(flow->address[0], packet->destination);
}

uint32_t flow_index_find(const struct flow_table *table, uint32_t hash, const struct packet *packet, int *direction)
{
    const struct flow_index *index = &table->index;

    for (uint32_t at = hash & index->mask; index->slots[at].record != 0; at = (at + 1) & index->mask) {
        if (index->slots[at].hash != hash)
            continue;
        const struct flow_record *record = &table->records[index->slots[at].record - 1];
        for (size_t line = 64; line < sizeof *record; line += 64)
            __builtin_prefetch((const char *)record + line, 1);
        if (matches(&record->flow, packet, direction))
            return index->slots[at].record - 1;
    }
    return FLOW_NONE;
}

uint32_t flow_index_guess(const struct flow_index *index, uint32_t hash)
{
    uint32_t at = hash & index->mask;

    while (index->slots[at].record != 0 && index->slots[at].hash != hash)
        at = (at + 1) & index->mask;
    return index->slots[at].record - 1; /* FLOW_NONE if free */
}

void flow_index_insert(struct flow_index *index, uint32_t hash, uint32_t record)
{
    uint32_t at = hash & index->mask;

    while (index->slots[at].record != 0)
        at = (at + 1) & index->mask;
    index->slots[at] = (struct flow_index_slot){hash, record + 1};
}

void flow_index_remove(struct flow_index *index, uint32_t hash, uint32_t record)
{
    uint32_t at = hash & index->mask, mask = index->mask;

    while (index->slots[at].record != record + 1)
        at = (at + 1) & mask;
    /* Closes the gap, so that no probe ends before its goal (Knuth 6.4, algorithm R). */
    for (uint32_t next = (at + 1) & mask; index->slots[next].record != 0; next = (next + 1) & mask) {
        uint32_t home = index->slots[next].hash & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            index->slots[at] = index->slots[next];
            at = next;
        }
    }
    index->slots[at] = (struct flow_index_slot){0, 0};
}
