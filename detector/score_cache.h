/* score_cache.h: flows like one just scored get its score without a walk.
 *
 * Kept are boxes, not rows: within a box every row takes the same way down every tree of both forests, so the answer
 * is the walk's own, to the last bit. Under a scan or a flood nearly all flows fall into a few boxes. A box costs
 * about two walks, so one is only made for a shape that comes again, and no more once boxes of a shape do not serve.
 * Memory is fixed. One thread. */
#ifndef DETECTOR_SCORE_CACHE_H
#define DETECTOR_SCORE_CACHE_H

#include "detector/forest.h"

struct score_cache;
struct score_cache *score_cache_create(const struct model *model); /* NULL when memory is out */
void score_cache_free(struct score_cache *cache);
/* shape: a hash of what rows of one box have in common; any value gives the right score. */
void score_cache_score(struct score_cache *cache, uint64_t shape, const float *row, struct score *out);

struct score_cache_counters {
    uint64_t hits, walks, boxes;
};
void score_cache_counters(const struct score_cache *cache, struct score_cache_counters *out);

#endif
