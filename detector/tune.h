/* tune.h: what fits the detection to this network: the budget of false alarms, what was learned, how far the traffic
 * is from the model's, and a second model beside it.
 *
 * It outlives the verdict that it tunes, so that learning goes on over stops and starts. tune_begin, then all up to
 * tune_end is for the thread that decides; tune_figures is for any thread. Everything follows packet time: the same
 * packets give the same limits and thresholds. */
#ifndef DETECTOR_TUNE_H
#define DETECTOR_TUNE_H

#include "detector/budget.h"
#include "detector/drift.h"
#include "detector/learn.h"
#include "detector/shadow.h"

struct tune;
struct tune_settings {
    const struct model *model;  /* NULL: windows alone judge */
    const struct model *shadow; /* NULL: none */
    double false_alarms;        /* a day; 0: the model's own thresholds */
    double agree;               /* flagged flows that make an alarm */
    int64_t learn_ns;           /* 0: nothing is learned */
    const char *learned;        /* path of what was learned; copied */
};
struct tune *tune_create(const struct tune_settings *settings, struct err *err);
void tune_free(struct tune *tune);

/* A run begins, with a budget and a drift of its own. real: its traffic is worth learning from. */
void tune_begin(struct tune *tune, bool real);
void tune_end(struct tune *tune); /* what was learned so far is kept */

const struct budget_choice *tune_thresholds(const struct tune *tune); /* of the hour; the struct stays where it is */
bool tune_uses_windows(const struct tune *tune);
bool tune_wants_scores(const struct tune *tune);   /* also of flows that are not flagged */
double tune_samples_from(const struct tune *tune); /* share of a limit from which its values are asked for; 1: none */

/* A judged flow: its values among the 25 and the window counts, and its row. */
struct tune_flow {
    const struct flow *flow;
    const double *values;
    const float *row;          /* MODEL_FEATURES_MAX of them */
    uint64_t shape;            /* for the score cache */
    const struct score *score; /* only whole where flagged, or when tune_wants_scores */
    bool flagged, ended;
};
void tune_judged(struct tune *tune, const struct tune_flow *judged);
void tune_alarm(struct tune *tune); /* a threat that only forests found */
/* Whether the evidence counts: a mere sample does not, nor what is below a learned limit. Puts the limit in. */
bool tune_admits(struct tune *tune, struct evidence *evidence, int64_t now_ns, learn_suspect *suspect, void *context);
void tune_tick(struct tune *tune, int64_t now_ns, learn_suspect *suspect, void *context);
/* Benign quantiles of each feature here; NULL: the model's. */
const double (*tune_usual(const struct tune *tune))[MODEL_QUANTILES];

struct tune_learned {
    bool on, over;
    double wanted_h, seen_h;
    uint32_t flows;
    size_t limits;          /* above their floor */
    double limit[COUNTERS]; /* in force */
    double greatest[COUNTERS];
};
struct tune_figures {
    bool has_model, has_shadow;
    struct budget_figures budget;
    uint32_t drift_flows;
    double drift[MODEL_FEATURES_MAX]; /* below 0: too few flows */
    struct tune_learned learned;
    char shadow_model[MODEL_NAME];
    struct shadow_counts shadow;
};
void tune_figures(struct tune *tune, struct tune_figures *out);

#endif
