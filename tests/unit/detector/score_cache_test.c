/* Tests of score_cache.h, of the walks and of the boxes it keeps, on the shipped model. */
#include "tests/unit/check.h"

#include "common/token.h"
#include "detector/forest_model.h"
#include "detector/score_cache.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 4000 };

static int read_model(void **state)
{
    struct err err = {0};

    *state = token_setup() ? model_load("models/threatline.model", &err) : NULL;
    return *state == NULL ? -1 : 0;
}

static int drop_model(void **state)
{
    model_free(*state);
    return 0;
}

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Values in and out of the usual range, and often the very ones seen before. */
static void fill(const struct model *model, uint64_t *state, float row[MODEL_FEATURES_MAX])
{
    double quantile[7];

    for (size_t i = 0; i < model_features(model); i++) {
        model_quantiles(model, i, quantile);
        row[i] = (float)(quantile[draw(state) % 7] * (double)(draw(state) % 3));
    }
}

static void the_machines_best_walk_adds_what_the_plain_one_adds(void **state)
{
    const struct model *model = *state;
    float row[MODEL_FEATURES_MAX] = {0};
    uint64_t seed = 1;

    for (int i = 0; i < ROWS; i++) {
        fill(model, &seed, row);
        assert_true(forest_walk_best()(&model->rf, row) == forest_walk_plain(&model->rf, row));
        assert_true(forest_walk_best()(&model->iso, row) == forest_walk_plain(&model->iso, row));
    }
}

static void every_row_inside_a_box_has_its_score(void **state)
{
    const struct model *model = *state;
    float row[MODEL_FEATURES_MAX], least[MODEL_FEATURES_MAX], most[MODEL_FEATURES_MAX];
    struct score score, plain;
    uint64_t seed = 2;

    for (int i = 0; i < ROWS; i++) {
        fill(model, &seed, row);
        model_score(model, row, &plain);
        model_score_box(model, row, &score, least, most);
        assert_true(score.rf == plain.rf && score.iso == plain.iso);
        for (size_t f = 0; f < model_features(model); f++) {
            assert_true(row[f] > least[f] && row[f] <= most[f]);
            if (draw(&seed) % 2 == 0 && most[f] < 1e30f)
                row[f] = most[f];
            else if (least[f] > -1e30f)
                row[f] = least[f] + (row[f] - least[f]) / 2 > least[f] ? least[f] + (row[f] - least[f]) / 2 : row[f];
        }
        model_score(model, row, &plain);
        assert_true(score.rf == plain.rf && score.iso == plain.iso);
    }
}

static bool is_flagged(const struct score *score)
{
    return score->rf >= 0.9 || score->iso < -0.4;
}

/* With usual thresholds, with ones that flag many rows, and with ones right where the row's score lies. */
static void what_is_quiet_is_flagged_by_no_forest(void **state)
{
    const struct model *model = *state;
    float row[MODEL_FEATURES_MAX] = {0}, least[MODEL_FEATURES_MAX], most[MODEL_FEATURES_MAX];
    struct score score;
    uint64_t seed = 6;
    size_t quiet = 0, flagged = 0, missed = 0;

    for (int i = 0; i < ROWS * 4; i++) {
        struct model_limits limits;
        double rf = i % 4 == 3 ? 0.3 : 0.9, iso = -0.4;
        bool is_quiet, is_flag;

        fill(model, &seed, row);
        model_score(model, row, &score);
        rf = i % 4 == 1 ? score.rf : rf;    /* just flagged by the random forest */
        iso = i % 4 == 2 ? score.iso : iso; /* just not flagged by the isolation forest */
        model_limits(model, rf, iso, &limits);
        is_quiet = model_is_quiet(model, &limits, row);
        is_flag = score.rf >= rf || score.iso < iso;
        assert_false(is_quiet && is_flag);
        quiet += is_quiet;
        flagged += is_flag;
        missed += !is_quiet && !is_flag;
        if (!model_is_quiet_box(model, &limits, row, least, most))
            continue;
        for (size_t f = 0; f < model_features(model); f++) {
            assert_true(row[f] > least[f] && row[f] <= most[f]);
            if (draw(&seed) % 2 == 0 && most[f] < 1e30f)
                row[f] = most[f];
            else if (least[f] > -1e30f && least[f] + (row[f] - least[f]) / 2 > least[f])
                row[f] = least[f] + (row[f] - least[f]) / 2;
        }
        model_score(model, row, &score);
        assert_false(score.rf >= rf || score.iso < iso);
    }
    assert_true(quiet > ROWS / 2 && flagged > ROWS / 2 && missed < ROWS + ROWS / 10); /* ROWS lie on a threshold */
}

/* Boxes made for thresholds that nothing reaches say nothing for lower ones. */
static void other_thresholds_forget_what_was_kept(void **state)
{
    const struct model *model = *state;
    struct score_cache *cache = score_cache_create(model);
    float row[MODEL_FEATURES_MAX];
    struct score score, plain;
    uint64_t seed = 7;

    fill(model, &seed, row);
    model_score(model, row, &plain);
    for (int i = 0; i < 4; i++)
        assert_false(score_cache_judge(cache, 2, -2, 7, row, &score));
    for (int i = 0; i < 4; i++) {
        assert_true(score_cache_judge(cache, plain.rf, -2, 7, row, &score));
        assert_true(score.rf == plain.rf && score.iso == plain.iso);
    }
    score_cache_free(cache);
}

static void a_kept_score_is_the_walks_own(void **state)
{
    const struct model *model = *state;
    struct score_cache *cache = score_cache_create(model);
    struct score_cache_counters counters;
    float rows[8][MODEL_FEATURES_MAX];
    struct score score, plain;
    uint64_t seed = 3;

    for (size_t i = 0; i < 8; i++)
        fill(model, &seed, rows[i]);
    for (int i = 0; i < ROWS; i++) {
        float *row = rows[draw(&seed) % 8];

        row[draw(&seed) % model_features(model)] += (float)(draw(&seed) % 3);
        model_score(model, row, &plain);
        if (score_cache_judge(cache, 0.9, -0.4, draw(&seed) % 3, row, &score))
            assert_true(score.rf == plain.rf && score.iso == plain.iso);
        else
            assert_false(is_flagged(&plain));
    }
    score_cache_counters(cache, &counters);
    assert_true(counters.hits > 0);
    assert_int_equal(counters.hits + counters.walks, ROWS);
    score_cache_free(cache);
}

static void a_flood_of_equal_flows_is_walked_a_few_times(void **state)
{
    const struct model *model = *state;
    struct score_cache *cache = score_cache_create(model);
    struct score_cache_counters counters;
    float row[MODEL_FEATURES_MAX];
    struct score score;
    uint64_t seed = 4;

    fill(model, &seed, row);
    for (int i = 0; i < ROWS; i++)
        score_cache_judge(cache, 0.9, -0.4, 7, row, &score);
    score_cache_counters(cache, &counters);
    assert_int_equal(counters.walks, 2);
    assert_int_equal(counters.boxes, 1);
    score_cache_free(cache);
}

static void shapes_that_never_come_again_get_no_boxes(void **state)
{
    const struct model *model = *state;
    struct score_cache *cache = score_cache_create(model);
    struct score_cache_counters counters;
    float row[MODEL_FEATURES_MAX];
    struct score score;
    uint64_t seed = 5;

    for (uint64_t i = 0; i < ROWS; i++) {
        fill(model, &seed, row);
        score_cache_judge(cache, 0.9, -0.4, i + 1, row, &score);
    }
    score_cache_counters(cache, &counters);
    assert_int_equal(counters.boxes, 0);
    score_cache_free(cache);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machines_best_walk_adds_what_the_plain_one_adds),
        cmocka_unit_test(every_row_inside_a_box_has_its_score),
        cmocka_unit_test(what_is_quiet_is_flagged_by_no_forest),
        cmocka_unit_test(other_thresholds_forget_what_was_kept),
        cmocka_unit_test(a_kept_score_is_the_walks_own),
        cmocka_unit_test(a_flood_of_equal_flows_is_walked_a_few_times),
        cmocka_unit_test(shapes_that_never_come_again_get_no_boxes),
    };

    return cmocka_run_group_tests(tests, read_model, drop_model);
}
