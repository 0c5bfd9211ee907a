/* Tests of drift.h. */
#include "tests/unit/check.h"

#include "common/token.h"
#include "detector/drift.h"

#include <math.h>
#include <string.h>

static const int64_t minute = INT64_C(60000000000), begin = INT64_C(1700000000000000000);

/* One feature with known marks: quantiles that are equal, as those of counts often are, make empty ranges. */
static void set_up(struct drift *drift)
{
    static const float mark[MODEL_QUANTILES] = {0, 0, 1.5F, 3, 4.5F, 7, 9};
    static const double usual[DRIFT_RANGES] = {0.4, 0, 0.2, 0.1, 0.1, 0.1, 0.08, 0.02};

    memset(drift, 0, sizeof *drift);
    drift->features = 1;
    for (size_t q = 0; q < MODEL_QUANTILES; q++)
        drift->mark[q][0] = mark[q];
    memcpy(drift->usual[0], usual, sizeof usual);
    drift_tick(drift, begin);
}

static void add(struct drift *drift, float value, int times)
{
    float row[MODEL_FEATURES_MAX] = {value};

    for (int i = 0; i < times; i++)
        drift_add(drift, row);
}

static double index_of(const struct drift *drift)
{
    double index[MODEL_FEATURES_MAX];

    drift_index(drift, index);
    return index[0];
}

static void the_index_is_that_of_the_reference(void **state)
{
    struct drift drift;

    (void)state;
    set_up(&drift);
    for (int i = 0; i < 1000; i++)
        add(&drift, (float)(i * i % 997) / 100, 1);
    /* Python: seen = bisect_left(marks, x) of the same 1000 values; sum((a - e) * log(a / e)) with shares of 1e-4 at
     * least */
    assert_true(fabs(index_of(&drift) - 2.524956220545997) < 1e-12);
}

static void the_usual_mixture_has_not_moved(void **state)
{
    struct drift drift;

    (void)state;
    set_up(&drift);
    add(&drift, 0, 400);
    add(&drift, 1, 200);
    add(&drift, 2, 100);
    add(&drift, 4, 100);
    add(&drift, 5, 100);
    add(&drift, 9, 80); /* on the mark: not above it */
    add(&drift, 9.5F, 20);
    assert_true(fabs(index_of(&drift)) < 1e-12);
}

static void few_flows_say_nothing(void **state)
{
    struct drift drift;

    (void)state;
    set_up(&drift);
    add(&drift, 9, DRIFT_FLOWS - 1);
    assert_true(index_of(&drift) < 0);
    add(&drift, 9, 1);
    assert_true(index_of(&drift) > 0.25);
}

static void an_hour_later_it_is_forgotten(void **state)
{
    struct drift drift;

    (void)state;
    set_up(&drift);
    add(&drift, 9, 1000);
    drift_tick(&drift, begin + 31 * minute);
    assert_int_equal(drift_flows(&drift), 1000); /* the half hour before still counts */
    drift_tick(&drift, begin + 62 * minute);
    assert_int_equal(drift_flows(&drift), 0);
    add(&drift, 9, 1000);
    drift_tick(&drift, begin + 500 * minute); /* after a silence nothing of it is of the last hour */
    assert_int_equal(drift_flows(&drift), 0);
}

static void every_feature_of_a_model_is_followed(void **state)
{
    struct model *model = token_setup() ? model_load("models", NULL) : NULL;
    float row[MODEL_FEATURES_MAX] = {0};
    double index[MODEL_FEATURES_MAX];
    struct drift drift;

    (void)state;
    assert_non_null(model);
    drift_init(&drift, model);
    for (int i = 0; i < DRIFT_FLOWS; i++)
        drift_add(&drift, row);
    drift_index(&drift, index);
    for (size_t i = 0; i < model_features(model); i++)
        assert_true(isfinite(index[i]) && index[i] >= 0);
    model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_is_that_of_the_reference),
        cmocka_unit_test(the_usual_mixture_has_not_moved),
        cmocka_unit_test(few_flows_say_nothing),
        cmocka_unit_test(an_hour_later_it_is_forgotten),
        cmocka_unit_test(every_feature_of_a_model_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
