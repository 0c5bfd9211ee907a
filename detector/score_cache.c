/* score_cache.c: see score_cache.h. */
#include "detector/score_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 64, WAYS = 8, TRIAL = 16, FORGET = 1024 };

struct box {
    uint64_t shape;
    bool used, quiet;
    struct score score; /* unless quiet */
    float least[MODEL_FEATURES_MAX], most[MODEL_FEATURES_MAX];
};

struct set {
    uint64_t missed; /* shape of the last row that was in no box */
    uint32_t hits, built, walks;
    uint32_t next; /* box to be replaced */
    struct box box[WAYS];
};

struct score_cache {
    const struct model *model;
    size_t features;
    double rf, iso; /* the thresholds that the boxes are for */
    struct model_limits limits;
    struct score_cache_counters counters;
    struct set set[SETS];
};

struct score_cache *score_cache_create(const struct model *model)
{
    struct score_cache *cache = calloc(1, sizeof *cache);

    if (cache != NULL) {
        cache->model = model;
        cache->features = model_features(model);
        cache->rf = cache->iso = NAN; /* none yet */
    }
    return cache;
}

void score_cache_free(struct score_cache *cache)
{
    free(cache);
}

static bool is_inside(const struct box *box, const float *row, size_t features)
{
    for (size_t i = 0; i < features; i++) {
        if (!(row[i] > box->least[i] && row[i] <= box->most[i]))
            return false;
    }
    return true;
}

/* Whether a box of this shape is likely to serve: the shape has just been here, and boxes have paid so far. */
static bool is_worth_a_box(struct set *set, uint64_t shape)
{
    bool again = set->missed == shape;

    set->missed = shape;
    if (++set->walks >= FORGET) {
        set->walks = 0;
        set->hits /= 2;
        set->built /= 2;
    }
    return again && set->built < TRIAL + set->hits / 2;
}

static void fill_box(const struct score_cache *cache, const float *row, struct box *box)
{
    box->quiet = model_is_quiet_box(cache->model, &cache->limits, row, box->least, box->most);
    if (!box->quiet)
        model_score_box(cache->model, row, &box->score, box->least, box->most);
    box->used = true;
}

static bool answer(const struct box *box, struct score *out)
{
    if (!box->quiet)
        *out = box->score;
    return !box->quiet;
}

static void take_thresholds(struct score_cache *cache, double rf, double iso)
{
    cache->rf = rf;
    cache->iso = iso;
    model_limits(cache->model, rf, iso, &cache->limits);
    memset(cache->set, 0, sizeof cache->set);
}

bool score_cache_judge(struct score_cache *cache, double rf, double iso, uint64_t shape, const float *row,
                       struct score *out)
{
    struct set *set = &cache->set[shape % SETS];
    struct box *box;

    if (rf != cache->rf || iso != cache->iso)
        take_thresholds(cache, rf, iso);

    for (size_t i = 0; i < WAYS; i++) {
        box = &set->box[i];
        if (box->used && box->shape == shape && is_inside(box, row, cache->features)) {
            set->hits++;
            cache->counters.hits++;
            return answer(box, out);
        }
    }
    cache->counters.walks++;
    if (!is_worth_a_box(set, shape)) {
        if (model_is_quiet(cache->model, &cache->limits, row))
            return false;
        model_score(cache->model, row, out);
        return true;
    }
    set->built++;
    cache->counters.boxes++;
    box = &set->box[set->next++ % WAYS];
    fill_box(cache, row, box);
    box->shape = shape;
    return answer(box, out);
}

void score_cache_counters(const struct score_cache *cache, struct score_cache_counters *out)
{
    *out = cache->counters;
}
