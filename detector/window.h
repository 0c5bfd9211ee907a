/* window.h: many small counters over the last seconds, in a fixed amount of memory.
 *
 * One window is 64 bytes: a sum, and a sketch of distinct items (linear counting over 128 bits: exact for a few,
 * within 10 % up to some 200, full at WINDOW_DISTINCT_MAX). It covers its span in two halves, so it looks back half a
 * span to one span. When a set of slots is full, the window that is over goes first, then the one that counted least:
 * a flood of sources seen once cannot push out a scan that is going on.
 *
 * The hash has no secret: the same events have to give the same threats, live and from a file. */
#ifndef DETECTOR_WINDOW_H
#define DETECTOR_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOW_DISTINCT_MAX = 621 };

struct window {
    uint64_t key;        /* 0: free */
    int64_t first_ns;    /* first event since it last was empty */
    uint64_t bits[2][2]; /* [0] this half of the span, [1] the one before */
    uint32_t sum[2];
    uint32_t epoch; /* number of the half that [0] stands for */
    uint32_t total; /* events since first_ns */
};

struct windows;
struct windows *windows_create(size_t count); /* rounded up to a power of two; NULL when memory is out */
/* Rows of several windows under one key, found with one look: the first is the one that longest remembers. */
struct windows *windows_create_rows(size_t count, size_t width);
void windows_free(struct windows *windows);
size_t windows_memory(const struct windows *windows);
uint64_t windows_evicted(const struct windows *windows); /* live windows that had to give way */

uint64_t window_hash(uint64_t seed, const void *bytes, size_t length);
/* The finaliser of MurmurHash3 over a product: cheap, and every bit of both reaches every bit. */
static inline uint64_t window_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (b * 0x9e3779b97f4a7c15U);

    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdU;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53U;
    x ^= x >> 33;
    return x;
}

/* Finds the window of key, or makes it (may_make), and lets it go on to now_ns. NULL: there is none and none was
 * made. key must not be 0; a key always comes with the same span. */
struct window *windows_at(struct windows *windows, uint64_t key, int64_t now_ns, int64_t span_ns, bool may_make);
/* The same for a row: lets each of its windows go on by its own span. */
struct window *windows_row(struct windows *windows, uint64_t key, int64_t now_ns, const int64_t *spans_ns,
                           bool may_make);
/* Lets memory fetch what a look for key will need, in two steps: call each for many keys at once. */
void windows_prefetch(const struct windows *windows, uint64_t key);
void windows_prefetch_row(const struct windows *windows, uint64_t key, int64_t now_ns, bool may_make);
/* For reading, without a change: the row as it was last touched, or NULL, and what a window of it holds at now_ns. */
const struct window *windows_find(const struct windows *windows, uint64_t key);
void window_view(const struct window *window, int64_t now_ns, int64_t span_ns, struct window *out);
bool windows_peek(const struct windows *windows, uint64_t key, int64_t now_ns, int64_t span_ns, struct window *out);

void window_add(struct window *window, uint64_t item);  /* item: a hash; counts the event, too */
void window_take(struct window *window, uint64_t item); /* the item does not count after all */
void window_drop(struct window *window, uint64_t item); /* nor does the item, but that something happened does */
void window_happen(struct window *window);              /* something happened that is no item */
bool window_holds(const struct window *window, uint64_t item); /* or one that looks like it */
uint32_t window_sum(const struct window *window);
double window_distinct(const struct window *window);

#endif
