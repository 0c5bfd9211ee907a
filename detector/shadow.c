/* shadow.c: see shadow.h. */
#include "detector/shadow.h"

#include "detector/score_cache.h"

#include <stdlib.h>
#include <string.h>

struct shadow {
    const struct model *model;
    struct rowmap map;
    struct score_cache *cache;
    struct shadow_counts counts;
};

struct shadow *shadow_create(const struct model *model, struct err *err)
{
    struct shadow *shadow = calloc(1, sizeof *shadow);

    if (shadow != NULL) {
        shadow->model = model;
        shadow->cache = score_cache_create(model);
    }
    if (shadow == NULL || shadow->cache == NULL)
        err_set(err, ERR_MEMORY, "shadow: out of memory");
    else if (rowmap_make(&shadow->map, model, err))
        return shadow;
    shadow_free(shadow);
    return NULL;
}

void shadow_free(struct shadow *shadow)
{
    if (shadow == NULL)
        return;
    score_cache_free(shadow->cache);
    free(shadow);
}

bool shadow_uses_windows(const struct shadow *shadow)
{
    return shadow->map.uses_windows;
}

static void keep(struct shadow_counts *counts, const struct flow *flow, const struct score *ours,
                 const struct score *its, bool flagged)
{
    struct shadow_difference *d = &counts->last[counts->next];

    counts->next = (counts->next + 1) % SHADOW_LAST;
    counts->kept += counts->kept < SHADOW_LAST;
    *d = (struct shadow_difference){.time_ns = flow->last_ns,
                                    .source_port = flow->port[0],
                                    .target_port = flow->port[1],
                                    .protocol = flow->protocol,
                                    .flagged = flagged,
                                    .ours = *ours,
                                    .its = *its};
    memcpy(d->source, flow->address[0], 16);
    memcpy(d->target, flow->address[1], 16);
}

void shadow_judge(struct shadow *shadow, const struct flow *flow, uint64_t shape, const double values[ROWMAP_VALUES],
                  const struct score *ours, bool flagged)
{
    float row[MODEL_FEATURES_MAX] = {0};
    double rf = model_rf_threshold(shadow->model), iso = model_iso_threshold(shadow->model);
    struct score its;
    bool flags;

    rowmap_row(&shadow->map, values, row);
    flags = score_cache_judge(shadow->cache, rf, iso, shape, row, &its) && (its.rf >= rf || its.iso < iso);
    if (flags && flagged)
        shadow->counts.both++;
    else if (!flags && !flagged)
        shadow->counts.neither++;
    else if (flagged)
        shadow->counts.only_ours++;
    else
        shadow->counts.only_its++;
    if (flags == flagged)
        return;
    model_score(shadow->model, row, &its);
    keep(&shadow->counts, flow, ours, &its, flagged);
}

const struct shadow_counts *shadow_counts(const struct shadow *shadow)
{
    return &shadow->counts;
}
