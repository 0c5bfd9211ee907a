/* drift.h: how far the flows of the last half hour to hour are from those that the model calls usual.
 *
 * The index of a feature is the population stability index over the eight ranges that its benign quantiles make,
 * against the shares of benign training flows in them: the sum of (seen - usual) * ln(seen / usual). Below 0.1
 * nothing has moved, above 0.25 much has. One thread. */
#ifndef DETECTOR_DRIFT_H
#define DETECTOR_DRIFT_H

#include "detector/forest.h"

enum { DRIFT_FLOWS = 500, DRIFT_RANGES = MODEL_QUANTILES + 1 };

struct drift {
    size_t features;
    float mark[MODEL_QUANTILES][MODEL_FEATURES_MAX];
    double usual[MODEL_FEATURES_MAX][DRIFT_RANGES];
    uint32_t seen[2][MODEL_FEATURES_MAX][DRIFT_RANGES]; /* of the half hour that runs, and of the one before */
    uint32_t flows[2];
    size_t now;
    int64_t since_ns; /* when the half hour began; 0: none yet */
};
void drift_init(struct drift *drift, const struct model *model);
void drift_add(struct drift *drift, const float *row); /* MODEL_FEATURES_MAX of them */
void drift_tick(struct drift *drift, int64_t now_ns);
uint32_t drift_flows(const struct drift *drift);
/* The index of each feature; below 0 while fewer than DRIFT_FLOWS were seen. */
void drift_index(const struct drift *drift, double out[MODEL_FEATURES_MAX]);

#endif
