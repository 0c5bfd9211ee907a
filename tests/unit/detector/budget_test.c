/* Tests of budget.h. */
#include "tests/unit/check.h"

#include "common/token.h"
#include "detector/budget.h"

#include <string.h>

static const int64_t second = INT64_C(1000000000), hour = INT64_C(3600000000000);
enum { AGREE = 100 };

static int load(void **state)
{
    *state = token_setup() ? model_load("models", NULL) : NULL;
    return *state != NULL ? 0 : -1;
}

static int drop(void **state)
{
    model_free(*state);
    return 0;
}

static void the_loosest_thresholds_that_keep_to_it_are_taken(void **state)
{
    const struct model *model = *state;
    struct budget_choice choice;
    struct model_budget row;
    double flows = 1e6, wanted;

    for (size_t i = 0; i < model_budgets(model); i++) {
        model_budget(model, i, &row);
        wanted = row.expected / 1e6 * flows / AGREE;
        budget_choose(model, wanted, flows, AGREE, &choice);
        assert_true(choice.within);
        assert_true(choice.alarms <= wanted);
        assert_true(choice.flagged == row.expected); /* not a stricter one; equal ones cost the same */
        assert_true(choice.rf <= row.rf && choice.iso >= row.iso);
        budget_choose(model, wanted * 0.999, flows, AGREE, &choice);
        assert_true(choice.flagged < row.expected || !choice.within);
    }
}

/* So many alarms a day that, until flows are counted, the loosest thresholds keep to them: of whatever model. */
static double wish_of(const struct model *model)
{
    struct model_budget loosest;

    model_budget(model, model_budgets(model) - 1, &loosest);
    return loosest.expected / 1e6 * BUDGET_FLOWS_A_DAY / AGREE;
}

static void a_busier_network_gets_stricter_thresholds(void **state)
{
    struct budget_choice quiet, busy;
    double wish = wish_of(*state);

    budget_choose(*state, wish, BUDGET_FLOWS_A_DAY, AGREE, &quiet);
    budget_choose(*state, wish, 100.0 * BUDGET_FLOWS_A_DAY, AGREE, &busy);
    assert_true(quiet.within);
    assert_true(busy.rf > quiet.rf && busy.iso < quiet.iso);
    assert_true(busy.rf_sure >= busy.rf && busy.iso_sure <= busy.iso);
}

static void what_cannot_be_kept_to_is_said(void **state)
{
    struct budget_choice choice;
    struct model_budget strictest;

    model_budget(*state, 0, &strictest);
    budget_choose(*state, 0.001, 1e9, AGREE, &choice);
    assert_false(choice.within);
    assert_true(choice.rf == strictest.rf && choice.iso == strictest.iso);
    assert_true(choice.alarms > 0.001);
}

static void without_a_wish_the_model_decides(void **state)
{
    struct budget_choice choice;

    budget_choose(*state, 0, 1e6, AGREE, &choice);
    assert_true(choice.within && choice.rf == model_rf_threshold(*state) &&
                choice.iso == model_iso_threshold(*state));
    assert_true(choice.alarms > 0); /* and the curve says what that costs */
}

static void the_choice_follows_the_flows_of_the_last_day(void **state)
{
    struct budget budget;
    struct budget_figures figures;
    int64_t now = 1700000000 * second;
    double first;

    budget_init(&budget, *state, wish_of(*state), AGREE);
    first = budget.now.rf;
    budget_tick(&budget, now);
    budget.hour[budget.at].flows = 5000000;
    budget.hour[budget.at].alarms = 3;
    for (int minute = 0; minute < 59; minute++)
        budget_tick(&budget, now += 60 * second);
    assert_true(budget.now.rf == first); /* an hour has to pass */
    budget_tick(&budget, now += 60 * second);
    budget_figures(&budget, &figures);
    assert_true(figures.measured && figures.flows_a_day == 120e6);
    assert_true(budget.now.rf > first);
    assert_true(figures.alarms == 3 && figures.hours == 1);
    for (int i = 0; i < BUDGET_HOURS + 1; i++)
        budget_tick(&budget, now += hour);
    budget_figures(&budget, &figures);
    assert_true(figures.alarms == 0 && figures.flows_a_day == 0); /* a day later nothing of it is left */
    assert_true(figures.hours <= BUDGET_HOURS);
}

static void a_clock_that_jumps_is_no_time_watched(void **state)
{
    struct budget budget;
    struct budget_figures figures;

    budget_init(&budget, *state, 50, AGREE);
    budget_tick(&budget, 1700000000 * second);
    budget_tick(&budget, 1700000000 * second + 30 * 24 * hour);
    budget_tick(&budget, 1700000000 * second);
    budget_figures(&budget, &figures);
    assert_true(figures.hours <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loosest_thresholds_that_keep_to_it_are_taken),
        cmocka_unit_test(a_busier_network_gets_stricter_thresholds),
        cmocka_unit_test(what_cannot_be_kept_to_is_said),
        cmocka_unit_test(without_a_wish_the_model_decides),
        cmocka_unit_test(the_choice_follows_the_flows_of_the_last_day),
        cmocka_unit_test(a_clock_that_jumps_is_no_time_watched),
    };

    return cmocka_run_group_tests(tests, load, drop);
}
