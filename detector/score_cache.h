/* score_cache.h: flows like one just judged get its verdict without a walk.
 *
 * Kept are boxes, not rows: within a box every row takes the same way down every tree that was walked, so the answer
 * is the walk's own, to the last bit. A row that neither forest flags needs few trees, so its box is wide. Under a
 * scan or a flood nearly all flows fall into a few boxes. A box costs about two walks, so one is only made for a
 * shape that comes again, and no more once boxes of a shape do not serve. Memory is fixed. One thread. */
#ifndef DETECTOR_SCORE_CACHE_H
#define DETECTOR_SCORE_CACHE_H

#include "detector/forest.h"

struct score_cache;
struct score_cache *score_cache_create(const struct model *model); /* NULL when memory is out */
void score_cache_free(struct score_cache *cache);
/* True: a forest may flag the row, *out is its score. false: none does, *out is left alone. rf, iso: the thresholds;
 * all that is kept is forgotten when they are others than before.
 * shape: a hash of what rows of one box have in common; any value gives the right answer. */
bool score_cache_judge(struct score_cache *cache, double rf, double iso, uint64_t shape, const float *row,
                       struct score *out);

struct score_cache_counters {
    uint64_t hits, walks, boxes;
};
void score_cache_counters(const struct score_cache *cache, struct score_cache_counters *out);

#endif
