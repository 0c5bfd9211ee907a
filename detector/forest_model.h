/* forest_model.h: what a loaded model is in memory; for forest.c and forest_file.c only. */
#ifndef DETECTOR_FOREST_MODEL_H
#define DETECTOR_FOREST_MODEL_H

#include "detector/forest.h"

#include <stdalign.h>

enum {
    MODEL_TREES_MAX = 1000,
    MODEL_NODES_MAX = 4 * 1024 * 1024,
    MODEL_PERCENTILES = 101,
    MODEL_CALIBRATION_MAX = 64,
    MODEL_BUDGETS_MAX = 16,
    MODEL_FILE_MAX = 128 * 1024 * 1024
};

/* A packed node: go is left child * 64 + feature (the right child is left + 1). A leaf has an infinite threshold and
 * points to itself, so that a walk which has arrived may go on walking in place. */
struct forest_node {
    float threshold;
    uint32_t go;
};

enum { FOREST_FEATURE_BITS = 6, FOREST_FEATURE_MASK = (1 << FOREST_FEATURE_BITS) - 1 };

struct forest {
    size_t trees, nodes;
    struct forest_node *node; /* 64-byte aligned */
    double *value;            /* of each node: P(attack), or the isolation depth of a leaf */
    uint32_t *root;
    double *rest; /* of the trees from each on: what their leaves can still add towards an alarm; trees + 1 */
};

/* The sum of the leaves' values. row: MODEL_FEATURES_MAX floats. forest_walk.c holds the walks. */
typedef double forest_walker(const struct forest *forest, const float *row);
forest_walker forest_walk_plain;
forest_walker *forest_walk_best(void); /* for this machine */
/* The same, and narrows (least, most] to the rows that take the same way. */
double forest_walk_box(const struct forest *forest, const float *row, float *least, float *most);

/* Which sums are an alarm: the random forest's from a limit on, the isolation forest's up to one. */
enum forest_side { FOREST_FROM, FOREST_UP_TO };
/* Fills forest->rest. */
void forest_bound(struct forest *forest, enum forest_side side);
/* Walks only until the trees that are left cannot make it an alarm any more: true, it is none. false: it may be. */
bool forest_is_quiet(const struct forest *forest, enum forest_side side, double limit, const float *row);
/* The same, and narrows (least, most] to rows of which it is true as well (untouched is what does not matter). */
bool forest_is_quiet_box(const struct forest *forest, enum forest_side side, double limit, const float *row,
                         float *least, float *most);

struct model {
    char name[MODEL_NAME];
    size_t features;
    char feature[MODEL_FEATURES_MAX][MODEL_NAME];
    double quantile[MODEL_FEATURES_MAX][MODEL_QUANTILES];
    double share[MODEL_FEATURES_MAX][MODEL_QUANTILES + 1];
    double rf_threshold, rf_sure, iso_threshold, iso_sure;
    double iso_scale, iso_offset;
    double percentile[MODEL_PERCENTILES];         /* benign isolation decisions, ascending: 0 %, 1 %, ... 100 % */
    double calibration[MODEL_CALIBRATION_MAX][2]; /* score of the forest → share of attacks, both ascending */
    size_t calibrations;
    struct model_budget budget[MODEL_BUDGETS_MAX]; /* ascending */
    size_t budgets;
    struct forest rf, iso;
    forest_walker *walk;
};

#endif
