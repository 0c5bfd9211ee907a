/* window.c: see window.h. */
#include "detector/window.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { WAYS = 8, BITS = 128 };

/* Parts of the keys and what decides who has to go lie apart from the windows: to look for a key touches one line of
 * memory, and one of the window that it most likely is. */
struct head {
    uint32_t tag[WAYS];   /* whether it is used, 23 bits of the key, then 8 of weight: different items, as it was last
                             looked for */
    uint32_t begun[WAYS]; /* first event, in units of 2^20 ns */
};
_Static_assert(sizeof(struct head) == 64, "one line");
static const uint32_t tag_used = UINT32_C(1) << 31, tag_weight = 0xff;

struct windows {
    struct head *heads;
    struct window *slots;
    size_t mask; /* sets - 1 */
    size_t width;
    uint64_t evicted;
};

/* Zeroes; of what is looked at all over the place large pages spare the lookups of pages. */
static void *zeroes(size_t bytes)
{
    enum { LARGE = 2 * 1024 * 1024 };
    bool large = bytes >= LARGE;
    size_t room = large ? (bytes + LARGE - 1) / LARGE * LARGE : bytes;
    void *memory = aligned_alloc(large ? LARGE : 64, room);

    if (memory == NULL)
        return NULL;
    if (large)
        (void)madvise(memory, room, MADV_HUGEPAGE);
    return memset(memory, 0, bytes);
}

struct windows *windows_create(size_t count)
{
    return windows_create_rows(count, 1);
}

struct windows *windows_create_rows(size_t count, size_t width)
{
    struct windows *windows = calloc(1, sizeof *windows);
    size_t sets = 1, bytes;

    while (sets * WAYS < count)
        sets *= 2;
    if (windows == NULL)
        return NULL;
    bytes = sets * WAYS * width * sizeof *windows->slots;
    windows->slots = zeroes(bytes);
    windows->heads = zeroes(sets * sizeof *windows->heads);
    if (windows->slots == NULL || windows->heads == NULL) {
        windows_free(windows);
        return NULL;
    }
    windows->mask = sets - 1;
    windows->width = width;
    return windows;
}

void windows_free(struct windows *windows)
{
    if (windows == NULL)
        return;
    free(windows->slots);
    free(windows->heads);
    free(windows);
}

size_t windows_memory(const struct windows *windows)
{
    return sizeof *windows +
           (windows->mask + 1) * (sizeof *windows->heads + WAYS * windows->width * sizeof *windows->slots);
}

uint64_t windows_evicted(const struct windows *windows)
{
    return windows->evicted;
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

/* Division by a constant is a multiplication; these are the spans of the limits. */
static uint32_t epoch_of(int64_t now_ns, int64_t span_ns)
{
    switch (span_ns) {
    case INT64_C(10000000000):
        return (uint32_t)(now_ns / INT64_C(5000000000));
    case INT64_C(60000000000):
        return (uint32_t)(now_ns / INT64_C(30000000000));
    case INT64_C(600000000000):
        return (uint32_t)(now_ns / INT64_C(300000000000));
    default:
        return (uint32_t)(now_ns / (span_ns / 2));
    }
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
    int32_t ahead = (int32_t)(epoch - window->epoch);

    if (ahead == 0)
        return;
    if (ahead > 1 || ahead < (int32_t)(-1200000000000 / span_ns) - 2) {
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

/* Bits set; not every machine that this runs on has an instruction for it. */
static unsigned bits_set(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555U;
    x = (x & 0x3333333333333333U) + (x >> 2 & 0x3333333333333333U);
    return (unsigned)(((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fU) * 0x0101010101010101U >> 56);
}

static unsigned weight(const struct window *window)
{
    return bits_set(window->bits[0][0] | window->bits[1][0]) + bits_set(window->bits[0][1] | window->bits[1][1]);
}

static uint32_t tag_of(uint64_t key)
{
    return tag_used | ((uint32_t)(key >> 32) & ~(tag_used | tag_weight));
}

/* One bit a way whose tag, but for the weight, is this one. No branch a way: which it is cannot be predicted. */
static unsigned ways_of(const struct head *head, uint32_t tag)
{
    unsigned found = 0;

#ifdef __SSE2__
    const __m128i keep = _mm_set1_epi32((int32_t)~tag_weight), wanted = _mm_set1_epi32((int32_t)tag);

    for (unsigned i = 0; i < WAYS; i += 4) {
        __m128i four = _mm_and_si128(_mm_loadu_si128((const __m128i *)&head->tag[i]), keep);

        found |= (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(four, wanted))) << i;
    }
#else
    for (unsigned i = 0; i < WAYS; i++)
        found |= (unsigned)((head->tag[i] & ~tag_weight) == tag) << i;
#endif
    return found;
}

static struct window *row_at(const struct windows *windows, uint64_t key, size_t place)
{
    return &windows->slots[((key & windows->mask) * WAYS + place) * windows->width];
}

static size_t place_of(const struct windows *windows, const struct head *head, uint64_t key)
{
    for (unsigned ways = ways_of(head, tag_of(key)); ways != 0; ways &= ways - 1) {
        size_t place = (size_t)__builtin_ctz(ways);

        if (row_at(windows, key, place)->key == key)
            return place;
    }
    return WAYS;
}

static uint32_t begun_at(int64_t now_ns)
{
    return (uint32_t)(now_ns >> 20);
}

/* Whom the newcomer replaces: a free slot, else the lightest, among those the one begun first. What began more than
 * an hour ago weighs nothing: it is over, or will be back soon. */
static size_t victim(const struct head *head, int64_t now_ns)
{
    enum { HOUR = 3433228 }; /* in units of 2^20 ns */
    uint32_t now = begun_at(now_ns);
    int64_t worst = INT64_MAX;
    size_t place = 0;
    unsigned free = ways_of(head, 0);

    if (free != 0)
        return (size_t)__builtin_ctz(free);
    for (size_t i = 0; i < WAYS; i++) {
        int32_t age = (int32_t)(now - head->begun[i]);
        int64_t weight = age > HOUR ? 0 : head->tag[i] & tag_weight;
        int64_t rank = weight << 40 | (INT64_C(0x80000000) - age);

        place = rank < worst ? i : place;
        worst = rank < worst ? rank : worst;
    }
    return place;
}

/* The row of key; fresh when it has just been made and its windows still hold what was there before. */
static struct window *row_of(struct windows *windows, uint64_t key, int64_t now_ns, bool may_make, bool *fresh)
{
    struct head *head = &windows->heads[key & windows->mask];
    struct window *row;
    size_t place = place_of(windows, head, key);

    *fresh = place == WAYS;
    if (!*fresh) {
        row = row_at(windows, key, place);
        head->tag[place] = tag_of(key) | weight(row);
        return row;
    }
    if (!may_make)
        return NULL;
    place = victim(head, now_ns);
    windows->evicted += head->tag[place] != 0;
    head->tag[place] = tag_of(key) | 1;
    head->begun[place] = begun_at(now_ns);
    row = row_at(windows, key, place);
    row->key = key;
    return row;
}

static void renew(struct window *window, uint64_t key, bool fresh, int64_t now_ns, int64_t span_ns)
{
    if (fresh) {
        window->key = key;
        empty(window, epoch_of(now_ns, span_ns), now_ns);
    } else {
        go_on(window, now_ns, span_ns);
    }
}

struct window *windows_at(struct windows *windows, uint64_t key, int64_t now_ns, int64_t span_ns, bool may_make)
{
    bool fresh;
    struct window *window = row_of(windows, key, now_ns, may_make, &fresh);

    if (window != NULL)
        renew(window, key, fresh, now_ns, span_ns);
    return window;
}

struct window *windows_row(struct windows *windows, uint64_t key, int64_t now_ns, const int64_t *spans_ns,
                           bool may_make)
{
    bool fresh;
    struct window *row = row_of(windows, key, now_ns, may_make, &fresh);

    for (size_t i = 0; row != NULL && i < windows->width; i++)
        renew(&row[i], key, fresh, now_ns, spans_ns[i]);
    return row;
}

void windows_prefetch(const struct windows *windows, uint64_t key)
{
    __builtin_prefetch(&windows->heads[key & windows->mask], 1);
}

void windows_prefetch_row(const struct windows *windows, uint64_t key, int64_t now_ns, bool may_make)
{
    const struct head *head = &windows->heads[key & windows->mask];
    unsigned ways = ways_of(head, tag_of(key));

    if (ways == 0 && !may_make)
        return;
    size_t place = ways != 0 ? (size_t)__builtin_ctz(ways) : victim(head, now_ns);
    for (size_t i = 0; i < windows->width; i++)
        __builtin_prefetch(row_at(windows, key, place) + i, 1);
}

const struct window *windows_find(const struct windows *windows, uint64_t key)
{
    size_t place = place_of(windows, &windows->heads[key & windows->mask], key);

    return place == WAYS ? NULL : row_at(windows, key, place);
}

void window_view(const struct window *window, int64_t now_ns, int64_t span_ns, struct window *out)
{
    *out = *window;
    go_on(out, now_ns, span_ns);
}

bool windows_peek(const struct windows *windows, uint64_t key, int64_t now_ns, int64_t span_ns, struct window *out)
{
    const struct window *window = windows_find(windows, key);

    if (window != NULL)
        window_view(window, now_ns, span_ns, out);
    return window != NULL;
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

void window_drop(struct window *window, uint64_t item)
{
    unsigned bit = (unsigned)(item % BITS);
    uint64_t mask = ~(UINT64_C(1) << (bit % 64));

    window->bits[0][bit / 64] &= mask;
    window->bits[1][bit / 64] &= mask;
    if (window->total > 0)
        window->total--;
}

void window_take(struct window *window, uint64_t item)
{
    window_drop(window, item);
    if (window->sum[0] > 0)
        window->sum[0]--;
    else if (window->sum[1] > 0)
        window->sum[1]--;
}

void window_happen(struct window *window)
{
    if (window->sum[0] < UINT32_MAX / 2)
        window->sum[0]++;
}

bool window_holds(const struct window *window, uint64_t item)
{
    unsigned bit = (unsigned)(item % BITS);

    return ((window->bits[0][bit / 64] | window->bits[1][bit / 64]) >> (bit % 64) & 1) != 0;
}

uint32_t window_sum(const struct window *window)
{
    return window->sum[0] + window->sum[1];
}

/* By the number of bits set: a logarithm each time would be a tenth of all that windows cost. */
static double distinct[BITS + 1];

static void fill_distinct(void)
{
    for (unsigned set = 0; set < BITS; set++)
        distinct[set] = -BITS * log(1.0 - (double)set / BITS);
    distinct[BITS] = WINDOW_DISTINCT_MAX;
}

double window_distinct(const struct window *window)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_distinct);
    return distinct[weight(window)];
}
