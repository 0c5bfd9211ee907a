/* forest.c: walks the trees; see forest.h. Reading the file is forest_file.c's. */
#include "detector/forest.h"

#include "detector/forest_model.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static void score_of(const struct model *model, double rf, double iso, struct score *out)
{
    out->rf = rf / (double)model->rf.trees;
    out->iso = -exp2(-iso / model->iso_scale) - model->iso_offset;
}

void model_score(const struct model *model, const float *row, struct score *out)
{
    float full[MODEL_FEATURES_MAX] = {0}; /* the wide walk loads all of it */

    memcpy(full, row, model->features * sizeof *row);
    score_of(model, model->walk(&model->rf, full), model->walk(&model->iso, full), out);
}

static void open_box(const struct model *model, float *least, float *most)
{
    for (size_t i = 0; i < model->features; i++) {
        least[i] = -INFINITY;
        most[i] = INFINITY;
    }
}

void model_score_box(const struct model *model, const float *row, struct score *out, float *least, float *most)
{
    double rf, iso;

    open_box(model, least, most);
    rf = forest_walk_box(&model->rf, row, least, most);
    iso = forest_walk_box(&model->iso, row, least, most);
    score_of(model, rf, iso, out);
}

/* Scores are sums divided or put into an exponential: both grow with the sum, rounding apart. */
void model_limits(const struct model *model, double rf, double iso, struct model_limits *out)
{
    const double slack = 1e-6;
    double isolated = -(iso + model->iso_offset);

    out->rf = rf * (double)model->rf.trees - slack;
    out->iso = isolated > 0 ? -model->iso_scale * log2(isolated) + slack : INFINITY;
}

bool model_is_quiet(const struct model *model, const struct model_limits *limits, const float *row)
{
    return forest_is_quiet(&model->rf, FOREST_FROM, limits->rf, row) &&
           forest_is_quiet(&model->iso, FOREST_UP_TO, limits->iso, row);
}

bool model_is_quiet_box(const struct model *model, const struct model_limits *limits, const float *row, float *least,
                        float *most)
{
    open_box(model, least, most);
    return forest_is_quiet_box(&model->rf, FOREST_FROM, limits->rf, row, least, most) &&
           forest_is_quiet_box(&model->iso, FOREST_UP_TO, limits->iso, row, least, most);
}

void model_score_rows(const struct model *model, const float *rows, size_t count, struct score *out)
{
    for (size_t i = 0; i < count; i++)
        model_score(model, rows + i * model->features, &out[i]);
}

static uint32_t step(const struct forest_node *nodes, const float *row, uint32_t at)
{
    struct forest_node node = nodes[at];

    return (node.go >> FOREST_FEATURE_BITS) + (row[node.go & FOREST_FEATURE_MASK] > node.threshold);
}

void model_contributions(const struct model *model, const float *row, double *base, double *out)
{
    const struct forest *forest = &model->rf;

    *base = 0;
    memset(out, 0, model->features * sizeof *out);
    for (size_t tree = 0; tree < forest->trees; tree++) {
        uint32_t at = forest->root[tree], next = step(forest->node, row, at);

        *base += forest->value[at];
        for (; next != at; at = next, next = step(forest->node, row, at))
            out[forest->node[at].go & FOREST_FEATURE_MASK] += forest->value[next] - forest->value[at];
    }
    *base /= (double)forest->trees;
    for (size_t i = 0; i < model->features; i++)
        out[i] /= (double)forest->trees;
}

size_t model_budgets(const struct model *model)
{
    return model->budgets;
}

void model_budget(const struct model *model, size_t index, struct model_budget *out)
{
    assert(index < model->budgets);
    *out = model->budget[index];
}

size_t model_features(const struct model *model)
{
    return model->features;
}

const char *model_feature_name(const struct model *model, size_t index)
{
    assert(index < model->features);
    return model->feature[index];
}

const char *model_name(const struct model *model)
{
    return model->name;
}

double model_rf_threshold(const struct model *model)
{
    return model->rf_threshold;
}

double model_iso_threshold(const struct model *model)
{
    return model->iso_threshold;
}

double model_rf_sure(const struct model *model)
{
    return model->rf_sure;
}

double model_iso_sure(const struct model *model)
{
    return model->iso_sure;
}

void model_quantiles(const struct model *model, size_t index, double out[MODEL_QUANTILES])
{
    assert(index < model->features);
    memcpy(out, model->quantile[index], sizeof model->quantile[index]);
}

void model_shares(const struct model *model, size_t index, double out[MODEL_QUANTILES + 1])
{
    assert(index < model->features);
    memcpy(out, model->share[index], sizeof model->share[index]);
}

double model_iso_percentile(const struct model *model, double decision)
{
    size_t below = 0; /* a hundredth of benign flows lies between two marks */

    while (below < MODEL_PERCENTILES && model->percentile[below] <= decision)
        below++;
    return below == 0 ? 1.0 : (double)(MODEL_PERCENTILES - below) / (MODEL_PERCENTILES - 1);
}

double model_confidence(const struct model *model, double rf)
{
    const double(*table)[2] = model->calibration;
    size_t i = 0;

    while (i < model->calibrations && table[i][0] < rf)
        i++;
    if (i == 0)
        return table[0][1];
    if (i == model->calibrations)
        return table[i - 1][1];
    return table[i - 1][1] +
           (table[i][1] - table[i - 1][1]) * (rf - table[i - 1][0]) / (table[i][0] - table[i - 1][0]);
}
