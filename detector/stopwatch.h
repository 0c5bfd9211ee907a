/* stopwatch.h: how much time a piece of work takes in all, told by timing one call in some hundred.
 *
 * Which calls are timed depends on how often it was called alone. What a timed call costs itself is taken off. The
 * owner's thread calls. */
#ifndef DETECTOR_STOPWATCH_H
#define DETECTOR_STOPWATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { STOPWATCH_MEAN = 256 }; /* calls from one that is timed to the next, on average */

struct stopwatch {
    uint32_t left; /* calls until one is timed; 0: not begun */
    uint32_t random;
    int64_t sum; /* ns of those that were timed */
};

bool stopwatch_next(struct stopwatch *watch);
/* taken: ns (monotonic) of a call that was timed, with one look at the clock in it. */
void stopwatch_add(struct stopwatch *watch, int64_t taken);
uint64_t stopwatch_ns(const struct stopwatch *watch); /* of all calls, as far as can be told */

/* Whether this call is one to be timed; the very first, that finds nothing warm, is none. */
static inline bool stopwatch_is_due(struct stopwatch *watch)
{
    if (watch->left > 1) {
        watch->left--;
        return false;
    }
    return stopwatch_next(watch);
}

#endif
