/* forest.h: the two forests of a model file, read once, walked for every flow.
 *
 * The file is described in docs/model-format.md: named features, extractor version, thresholds, benign
 * quantiles, checksum. A damaged, older or foreign file is refused. Scores equal scikit-learn's: P(attack) of
 * RandomForestClassifier.predict_proba exactly, IsolationForest.decision_function to 1e-12. Immutable
 * after loading: any thread may score. */
#ifndef DETECTOR_FOREST_H
#define DETECTOR_FOREST_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_FEATURES_MAX = 64, MODEL_NAME = 48, MODEL_QUANTILES = 7 };

struct model;
/* path: a file, or a folder that holds "threatline.model". */
struct model *model_load(const char *path, struct err *err);
struct model *model_read(const void *bytes, size_t length, struct err *err); /* the same from memory */
void model_free(struct model *model);

size_t model_features(const struct model *model);
const char *model_feature_name(const struct model *model, size_t index);
const char *model_name(const struct model *model);     /* short hash of the file, shown with each threat */
double model_rf_threshold(const struct model *model);  /* P(attack) from which "rf says attack" */
double model_iso_threshold(const struct model *model); /* decision value below which "iso says anomaly" */
/* The same for one flow without others that agree: far beyond what any benign flow of training had. */
double model_rf_sure(const struct model *model);
double model_iso_sure(const struct model *model);
/* The share of attacks among held-out training flows with this P(attack): the confidence that is shown. */
double model_confidence(const struct model *model, double rf);
/* Benign quantiles of a feature: 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99; and the shares of benign flows up to the
 * first, between two of them and above the last. */
void model_quantiles(const struct model *model, size_t index, double out[MODEL_QUANTILES]);
void model_shares(const struct model *model, size_t index, double out[MODEL_QUANTILES + 1]);
/* Share of benign training flows whose isolation score was higher (0..1): the percentile shown. */
double model_iso_percentile(const struct model *model, double decision);

/* What thresholds cost: the recorded curve, from the strictest thresholds to the loosest. */
struct model_budget {
    double per_million; /* benign flows that were to be flagged */
    double rf, iso;     /* the thresholds for that */
    double flagged;     /* held-out benign flows flagged by thresholds from other sources, ... */
    double expected;    /* ... in a million, one more than seen: none seen is not never */
};
size_t model_budgets(const struct model *model);
void model_budget(const struct model *model, size_t index, struct model_budget *out);

struct score {
    double rf;  /* P(attack), 0..1 */
    double iso; /* decision function: below 0 for an anomaly at training's offset */
};
void model_score(const struct model *model, const float *row, struct score *out);
void model_score_rows(const struct model *model, const float *rows, size_t count, struct score *out);
/* Thresholds as sums over the trees, a hair on the safe side. */
struct model_limits {
    double rf, iso;
};
void model_limits(const struct model *model, double rf, double iso, struct model_limits *out);
/* True: neither forest flags the row (its scores are short of both thresholds), found by a part of the walk; nearly
 * all benign flows end here. false: the score has to say. */
bool model_is_quiet(const struct model *model, const struct model_limits *limits, const float *row);
/* The same, with a box in which it holds for every row; when it is false the box is worth nothing. */
bool model_is_quiet_box(const struct model *model, const struct model_limits *limits, const float *row, float *least,
                        float *most);
/* Score, with the box in which every row has this very score: feature i above least[i] and not above most[i]. */
void model_score_box(const struct model *model, const float *row, struct score *out, float *least, float *most);
/* Path contributions of the random forest: sum of out[] = P(attack) - *base (Saabas 2014). */
void model_contributions(const struct model *model, const float *row, double *base, double *out);

#endif
