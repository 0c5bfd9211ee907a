/* drift.c: see drift.h. */
#include "detector/drift.h"

#include <math.h>
#include <string.h>

static const int64_t half_hour_ns = INT64_C(1800000000000);
static const double least_share = 1e-4; /* a range that one side has never met: not infinitely far */

/* The greatest float not above value: floats are above the one exactly when they are above the other. */
static float rounded_down(double value)
{
    float single = (float)value;

    return (double)single > value ? nextafterf(single, -INFINITY) : single;
}

void drift_init(struct drift *drift, const struct model *model)
{
    double quantile[MODEL_QUANTILES];

    memset(drift, 0, sizeof *drift);
    drift->features = model_features(model);
    for (size_t i = 0; i < drift->features; i++) {
        model_quantiles(model, i, quantile);
        for (size_t q = 0; q < MODEL_QUANTILES; q++)
            drift->mark[q][i] = rounded_down(quantile[q]);
        model_shares(model, i, drift->usual[i]);
    }
}

void drift_add(struct drift *drift, const float *row)
{
    uint32_t range[MODEL_FEATURES_MAX] = {0};

    /* feature by feature in the inner loop, which compilers turn into a few wide comparisons */
    for (size_t q = 0; q < MODEL_QUANTILES; q++) {
        for (size_t i = 0; i < MODEL_FEATURES_MAX; i++)
            range[i] += row[i] > drift->mark[q][i];
    }
    for (size_t i = 0; i < drift->features; i++)
        drift->seen[drift->now][i][range[i]]++;
    drift->flows[drift->now]++;
}

void drift_tick(struct drift *drift, int64_t now_ns)
{
    int64_t halves = drift->since_ns == 0 ? 0 : (now_ns - drift->since_ns) / half_hour_ns;

    if (drift->since_ns == 0 || halves > 0)
        drift->since_ns = now_ns;
    for (int64_t i = 0; i < halves && i < 2; i++) { /* two: none of it is of the last hour */
        drift->now = 1 - drift->now;
        memset(drift->seen[drift->now], 0, sizeof drift->seen[drift->now]);
        drift->flows[drift->now] = 0;
    }
}

uint32_t drift_flows(const struct drift *drift)
{
    return drift->flows[0] + drift->flows[1];
}

void drift_index(const struct drift *drift, double out[MODEL_FEATURES_MAX])
{
    double flows = drift_flows(drift);

    for (size_t i = 0; i < drift->features; i++) {
        out[i] = flows < DRIFT_FLOWS ? -1 : 0;
        for (size_t r = 0; r < DRIFT_RANGES && flows >= DRIFT_FLOWS; r++) {
            double seen = fmax((drift->seen[0][i][r] + drift->seen[1][i][r]) / flows, least_share),
                   usual = fmax(drift->usual[i][r], least_share);

            out[i] += (seen - usual) * log(seen / usual);
        }
    }
}
