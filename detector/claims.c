/* claims.c: see claims.h. */
#include "detector/claims.h"

#include "detector/window.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, OWNERS = 2, HARDWARE = 6 };
static const int64_t asked_ns = 2000000000, rival_ns = 600000000000;

struct owner {
    uint8_t hardware[HARDWARE];
    int64_t seen_ns; /* 0: nobody */
};
struct claim {
    uint8_t address[4];
    struct owner owners[OWNERS]; /* the one heard last is the first */
};
struct question {
    uint64_t key;
    int64_t time_ns;
};

struct claims {
    struct claim claims[SLOTS];
    struct question questions[SLOTS];
};

struct claims *claims_create(void)
{
    return calloc(1, sizeof(struct claims));
}

void claims_free(struct claims *claims)
{
    free(claims);
}

size_t claims_memory(void)
{
    return sizeof(struct claims);
}

static struct question *question_of(struct claims *claims, const uint8_t *asker, const uint8_t *about, uint64_t *key)
{
    *key = window_mix(window_hash(20, asker, 16), window_hash(21, about, 16));
    return &claims->questions[*key % SLOTS];
}

/* Writes down who claims the address; whether somebody else did of late. */
static bool has_rival(struct claims *claims, const uint8_t address[4], const uint8_t *hardware, int64_t now_ns)
{
    struct claim *claim = &claims->claims[window_hash(22, address, 4) % SLOTS];
    struct owner *first = &claim->owners[0], *other = &claim->owners[1];

    if (memcmp(claim->address, address, 4) != 0) {
        *claim = (struct claim){0};
        memcpy(claim->address, address, 4);
    }
    if (first->seen_ns != 0 && memcmp(first->hardware, hardware, HARDWARE) != 0) {
        struct owner before = *first;

        *first = *other;
        *other = before;
    }
    memcpy(first->hardware, hardware, HARDWARE);
    first->seen_ns = now_ns;
    return other->seen_ns != 0 && now_ns - other->seen_ns < rival_ns;
}

bool claims_contradict(struct claims *claims, const struct packet *packet)
{
    static const uint8_t nobody[4] = {0};
    const uint8_t *source = packet->source, *target = packet->destination, *address = source + 12;
    struct question *question;
    uint64_t key;
    bool rival, asked;

    if (packet->payload_captured < ARP_HARDWARE + HARDWARE || memcmp(address, nobody, 4) == 0)
        return false;
    rival = has_rival(claims, address, packet->payload + ARP_HARDWARE, packet->time_ns);
    if (packet->arp == ARP_REQUEST) {
        question = question_of(claims, source, target, &key);
        *question = (struct question){key, packet->time_ns};
        return false;
    }
    question = question_of(claims, target, source, &key);
    asked = question->key == key && packet->time_ns - question->time_ns < asked_ns;
    /* To all: what a failover does, and whoever has a new address. */
    return rival && !asked && memcmp(source, target, 16) != 0 && memcmp(target + 12, nobody, 4) != 0 &&
           target[15] != 255;
}
