/* stopwatch.c: see stopwatch.h. */
#include "detector/stopwatch.h"

#include "common/clock.h"

/* Pauses of 1 to 2 * MEAN - 1 calls, so that no rhythm of the traffic is met or missed each time. */
bool stopwatch_next(struct stopwatch *watch)
{
    bool begun = watch->left > 0;

    watch->random = (watch->random ^ 0x9e3779b9u) * 1664525u + 1013904223u;
    watch->left = 1 + (watch->random >> 8) % (2 * STOPWATCH_MEAN - 1);
    return begun;
}

void stopwatch_add(struct stopwatch *watch, int64_t taken)
{
    int64_t begun = clock_monotonic_ns(), look = clock_monotonic_ns() - begun;

    watch->sum += taken > look ? taken - look : 0;
}

uint64_t stopwatch_ns(const struct stopwatch *watch)
{
    return (uint64_t)watch->sum * STOPWATCH_MEAN;
}
