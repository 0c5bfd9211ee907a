/* budget.c: see budget.h. */
#include "detector/budget.h"

static const int64_t hour_ns = INT64_C(3600000000000);

static double max_of(double a, double b)
{
    return a > b ? a : b;
}

static double min_of(double a, double b)
{
    return a < b ? a : b;
}

/* An alarm takes so many flagged flows; one, where the model has thresholds from which a single flow is enough. */
static double flows_of_an_alarm(const struct model *model, double agree)
{
    return model_rf_sure(model) > 1 && model_iso_sure(model) <= -1 ? agree : 1;
}

static void take(const struct model *model, const struct model_budget *row, double flows_a_day, double agree,
                 struct budget_choice *out)
{
    *out = (struct budget_choice){.rf = row->rf,
                                  .iso = row->iso,
                                  .rf_sure = max_of(model_rf_sure(model), row->rf),
                                  .iso_sure = min_of(model_iso_sure(model), row->iso),
                                  .flagged = row->expected,
                                  .alarms = row->expected / 1e6 * flows_a_day / flows_of_an_alarm(model, agree)};
}

/* The model's own thresholds, with what the curve says of them where they stand in it. */
static void take_own(const struct model *model, double flows_a_day, double agree, struct budget_choice *out)
{
    struct model_budget row;

    *out = (struct budget_choice){.rf = model_rf_threshold(model),
                                  .iso = model_iso_threshold(model),
                                  .rf_sure = model_rf_sure(model),
                                  .iso_sure = model_iso_sure(model),
                                  .flagged = -1,
                                  .alarms = -1,
                                  .within = true};
    for (size_t i = 0; i < model_budgets(model); i++) {
        model_budget(model, i, &row);
        if (row.rf == out->rf && row.iso == out->iso) {
            out->flagged = row.expected;
            out->alarms = row.expected / 1e6 * flows_a_day / flows_of_an_alarm(model, agree);
        }
    }
}

void budget_choose(const struct model *model, double wanted, double flows_a_day, double agree,
                   struct budget_choice *out)
{
    struct model_budget row;
    struct budget_choice looser;

    if (wanted <= 0) {
        take_own(model, flows_a_day, agree, out);
        return;
    }
    model_budget(model, 0, &row);
    take(model, &row, flows_a_day, agree, out);
    out->within = out->alarms <= wanted;
    for (size_t i = 1; i < model_budgets(model); i++) {
        model_budget(model, i, &row);
        take(model, &row, flows_a_day, agree, &looser);
        if (looser.alarms > wanted)
            break;
        *out = looser;
        out->within = true;
    }
}

static void total(const struct budget *budget, struct budget_hour *out)
{
    *out = (struct budget_hour){0};
    for (size_t i = 0; i < BUDGET_HOURS; i++) {
        out->flows += budget->hour[i].flows;
        out->flagged += budget->hour[i].flagged;
        out->alarms += budget->hour[i].alarms;
        out->ns += budget->hour[i].ns;
    }
}

static double flows_a_day(const struct budget *budget)
{
    struct budget_hour day;

    if (!budget->measured)
        return BUDGET_FLOWS_A_DAY;
    total(budget, &day);
    return (double)day.flows / (double)day.ns * (double)hour_ns * 24;
}

static void choose(struct budget *budget)
{
    budget_choose(budget->model, budget->wanted, flows_a_day(budget), budget->agree, &budget->now);
}

void budget_init(struct budget *budget, const struct model *model, double wanted, double agree)
{
    *budget = (struct budget){.model = model, .wanted = wanted, .agree = agree};
    choose(budget);
}

void budget_tick(struct budget *budget, int64_t now_ns)
{
    struct budget_hour *hour = &budget->hour[budget->at];
    int64_t passed = budget->last_ns == 0 ? 0 : now_ns - budget->last_ns;

    budget->last_ns = now_ns;
    if (passed > 0) /* a clock that jumps is no time that was watched */
        hour->ns += passed < hour_ns ? passed : hour_ns;
    if (hour->ns < hour_ns)
        return;
    budget->measured = true;
    choose(budget);
    budget->at = (budget->at + 1) % BUDGET_HOURS;
    budget->hour[budget->at] = (struct budget_hour){0};
}

void budget_figures(const struct budget *budget, struct budget_figures *out)
{
    struct budget_hour day;

    total(budget, &day);
    *out = (struct budget_figures){.now = budget->now,
                                   .wanted = budget->wanted,
                                   .flows_a_day = flows_a_day(budget),
                                   .measured = budget->measured,
                                   .hours = (double)day.ns / (double)hour_ns,
                                   .flows = day.flows,
                                   .flagged = day.flagged,
                                   .alarms = day.alarms};
}
