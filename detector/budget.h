/* budget.h: which thresholds keep the forests' false alarms within so many a day.
 *
 * The model file records a curve: thresholds, and what each costs on benign flows of sources that neither the forests
 * nor the thresholds had seen. What that is a day depends on the flows of this network, which are counted here hour
 * by hour of packet time; until the first hour is over BUDGET_FLOWS_A_DAY are assumed. The thresholds are chosen anew
 * with each hour, so the same packets give the same ones. One thread. */
#ifndef DETECTOR_BUDGET_H
#define DETECTOR_BUDGET_H

#include "detector/forest.h"

enum { BUDGET_FLOWS_A_DAY = 1000000, BUDGET_HOURS = 24 };

struct budget_choice {
    double rf, iso, rf_sure, iso_sure; /* as model_rf_threshold and so on */
    double flagged; /* benign flows in a million that are expected to be flagged; below 0: unknown */
    double alarms;  /* at most so many false alarms a day are expected; below 0: unknown */
    bool within;    /* false: no thresholds of the curve are strict enough; these are the strictest */
};
/* wanted: alarms a day; 0: the model's own thresholds. agree: so many flagged flows make an alarm, where the model
 * does not trust a single one. */
void budget_choose(const struct model *model, double wanted, double flows_a_day, double agree,
                   struct budget_choice *out);

struct budget_hour {
    uint64_t flows, flagged, alarms;
    int64_t ns; /* of it that was seen */
};

struct budget {
    const struct model *model;
    double wanted, agree;
    struct budget_choice now;
    struct budget_hour hour[BUDGET_HOURS]; /* a ring; the last day */
    size_t at;
    int64_t last_ns; /* packet time of the last tick; 0: none yet */
    bool measured;
};
void budget_init(struct budget *budget, const struct model *model, double wanted, double agree);
void budget_tick(struct budget *budget, int64_t now_ns);

struct budget_figures {
    struct budget_choice now;
    double wanted;      /* 0: none was asked for */
    double flows_a_day; /* that the choice rests on */
    bool measured;      /* false: they are assumed */
    double hours;       /* that the rest was counted in, 24 at most */
    uint64_t flows, flagged, alarms;
};
void budget_figures(const struct budget *budget, struct budget_figures *out);

#endif
