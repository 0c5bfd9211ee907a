/* window.c: see window.h. */
#include "detector/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 8, BITS = 128 };

struct windows {
    struct window *slots;
    size_t mask; /* sets - 1 */
    uint64_t evicted;
};

struct windows *windows_create(size_t count)
{
    struct windows *windows = calloc(1, sizeof *windows);
    size_t sets = 1;

    while (sets * WAYS < count)
        sets *= 2;
    if (windows == NULL)
        return NULL;
    windows->slots = aligned_alloc(64, sets * WAYS * sizeof *windows->slots);
    if (windows->slots == NULL) {
        free(windows);
        return NULL;
    }
    memset(windows->slots, 0, sets * WAYS * sizeof *windows->slots);
    windows->mask = sets - 1;
    return windows;
}

void windows_free(struct windows *windows)
{
    if (windows == NULL)
        return;
    free(windows->slots);
    free(windows);
}

size_t windows_memory(const struct windows *windows)
{
    return sizeof *windows + (windows->mask + 1) * WAYS * sizeof *windows->slots;
}

uint64_t windows_evicted(const struct windows *windows)
{
    return windows->evicted;
}

/* The finaliser of MurmurHash3 over a product: cheap, and every bit of both reaches every bit. */
uint64_t window_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (b * 0x9e3779b97f4a7c15U);

    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdU;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53U;
    x ^= x >> 33;
    return x;
}

uint64_t window_hash(uint64_t seed, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    uint64_t hash = seed ^ length, word;

    for (; length >= sizeof word; p += sizeof word, length -= sizeof word) {
        memcpy(&word, p, sizeof word);
        hash = window_mix(hash, word + 1);
    }
    word = 0;
    memcpy(&word, p, length);
    return window_mix(hash, word + 1);
}

static uint32_t epoch_of(int64_t now_ns, int64_t span_ns)
{
    return (uint32_t)(now_ns / (span_ns / 2));
}

static void empty(struct window *window, uint32_t epoch, int64_t now_ns)
{
    uint64_t key = window->key;

    memset(window, 0, sizeof *window);
    window->key = key;
    window->epoch = epoch;
    window->first_ns = now_ns;
}

/* An event that comes late (a flow judged at its end) counts in the present half; a clock that jumped back
 * begins anew. */
static void go_on(struct window *window, int64_t now_ns, int64_t span_ns)
{
    uint32_t epoch = epoch_of(now_ns, span_ns);
    int32_t ahead = (int32_t)(epoch - window->epoch), late = (int32_t)(-1200000000000 / span_ns) - 2;

    if (ahead > 1 || ahead < late) {
        empty(window, epoch, now_ns);
    } else if (ahead == 1) {
        memcpy(window->bits[1], window->bits[0], sizeof window->bits[1]);
        window->sum[1] = window->sum[0];
        memset(window->bits[0], 0, sizeof window->bits[0]);
        window->sum[0] = 0;
        window->epoch = epoch;
        if (window->sum[1] == 0 && (window->bits[1][0] | window->bits[1][1]) == 0)
            empty(window, epoch, now_ns);
    }
}

static int weight(const struct window *window)
{
    return __builtin_popcountll(window->bits[0][0] | window->bits[1][0]) +
           __builtin_popcountll(window->bits[0][1] | window->bits[1][1]);
}

/* Whom the newcomer replaces: a free slot, else the lightest, among those the one begun first. What began more than
 * an hour ago weighs nothing: it is over, or will be back soon. */
static struct window *victim(struct window *set, int64_t now_ns)
{
    struct window *worst = NULL;
    int worst_weight = 0;

    for (size_t i = 0; i < WAYS; i++) {
        int w = now_ns - set[i].first_ns > INT64_C(3600000000000) ? 0 : weight(&set[i]);

        if (set[i].key == 0)
            return &set[i];
        if (worst == NULL || w < worst_weight || (w == worst_weight && set[i].first_ns < worst->first_ns)) {
            worst = &set[i];
            worst_weight = w;
        }
    }
    return worst;
}

struct window *windows_at(struct windows *windows, uint64_t key, int64_t now_ns, int64_t span_ns, bool may_make)
{
    struct window *set = &windows->slots[(key & windows->mask) * WAYS], *slot = NULL;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key) {
            go_on(&set[i], now_ns, span_ns);
            return &set[i];
        }
    }
    if (!may_make)
        return NULL;
    slot = victim(set, now_ns);
    windows->evicted += slot->key != 0;
    slot->key = key;
    empty(slot, epoch_of(now_ns, span_ns), now_ns);
    return slot;
}

bool windows_peek(const struct windows *windows, uint64_t key, int64_t now_ns, int64_t span_ns, struct window *out)
{
    const struct window *set = &windows->slots[(key & windows->mask) * WAYS];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key) {
            *out = set[i];
            go_on(out, now_ns, span_ns);
            return true;
        }
    }
    return false;
}

void window_add(struct window *window, uint64_t item)
{
    unsigned bit = (unsigned)(item % BITS);

    window->bits[0][bit / 64] |= UINT64_C(1) << (bit % 64);
    if (window->sum[0] < UINT32_MAX / 2)
        window->sum[0]++;
    if (window->total < UINT32_MAX)
        window->total++;
}

void window_take(struct window *window, uint64_t item)
{
    unsigned bit = (unsigned)(item % BITS);
    uint64_t mask = ~(UINT64_C(1) << (bit % 64));

    window->bits[0][bit / 64] &= mask;
    window->bits[1][bit / 64] &= mask;
    if (window->sum[0] > 0)
        window->sum[0]--;
    else if (window->sum[1] > 0)
        window->sum[1]--;
    if (window->total > 0)
        window->total--;
}

uint32_t window_sum(const struct window *window)
{
    return window->sum[0] + window->sum[1];
}

double window_distinct(const struct window *window)
{
    int set = weight(window);

    return set == BITS ? WINDOW_DISTINCT_MAX : -BITS * log(1.0 - (double)set / BITS);
}
