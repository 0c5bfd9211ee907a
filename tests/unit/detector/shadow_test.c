/* Tests of shadow.h. */
#include "tests/unit/check.h"

#include "common/token.h"
#include "detector/shadow.h"

#include <stdlib.h>
#include <string.h>

struct scene {
    struct model *model;
    struct shadow *shadow;
    double values[ROWMAP_VALUES];
    struct score score; /* of them, by the shadow's model */
    bool flags;         /* whether it does */
    struct flow flow;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    float row[MODEL_FEATURES_MAX];
    struct rowmap map;

    scene->model = token_setup() ? model_load("models", NULL) : NULL;
    scene->shadow = scene->model != NULL ? shadow_create(scene->model, NULL) : NULL;
    *state = scene;
    if (scene->shadow == NULL || !rowmap_make(&map, scene->model, NULL))
        return -1;
    rowmap_row(&map, scene->values, row);
    model_score(scene->model, row, &scene->score);
    scene->flags =
        scene->score.rf >= model_rf_threshold(scene->model) || scene->score.iso < model_iso_threshold(scene->model);
    scene->flow.port[1] = 53;
    scene->flow.protocol = 17;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    shadow_free(scene->shadow);
    model_free(scene->model);
    free(scene);
    return 0;
}

static void judge(struct scene *scene, bool flagged)
{
    const struct score ours = {.rf = flagged ? 1 : 0};

    shadow_judge(scene->shadow, &scene->flow, 7, scene->values, &ours, flagged);
}

static void agreement_and_difference_are_counted(void **state)
{
    struct scene *scene = *state;
    const struct shadow_counts *counts = shadow_counts(scene->shadow);

    judge(scene, scene->flags);
    judge(scene, scene->flags);
    judge(scene, !scene->flags);
    assert_int_equal(counts->both + counts->neither, 2);
    assert_int_equal(scene->flags ? counts->both : counts->neither, 2);
    assert_int_equal(scene->flags ? counts->only_its : counts->only_ours, 1);
    assert_int_equal(counts->both + counts->neither + counts->only_its + counts->only_ours, 3);
}

static void a_difference_is_kept_with_both_scores(void **state)
{
    struct scene *scene = *state;
    const struct shadow_counts *counts = shadow_counts(scene->shadow);

    judge(scene, scene->flags);
    assert_int_equal(counts->kept, 0);
    scene->flow.last_ns = 5;
    judge(scene, !scene->flags);
    assert_int_equal(counts->kept, 1);
    assert_true(counts->last[0].flagged == !scene->flags && counts->last[0].target_port == 53);
    assert_true(counts->last[0].its.rf == scene->score.rf && counts->last[0].its.iso == scene->score.iso);
    assert_true(counts->last[0].ours.rf == !scene->flags && counts->last[0].time_ns == 5);
}

static void only_the_last_differences_are_kept(void **state)
{
    struct scene *scene = *state;
    const struct shadow_counts *counts = shadow_counts(scene->shadow);

    for (int i = 0; i < 3 * SHADOW_LAST + 1; i++) {
        scene->flow.last_ns = i;
        judge(scene, !scene->flags);
    }
    assert_int_equal(counts->kept, SHADOW_LAST);
    assert_int_equal(counts->last[counts->next].time_ns, 2 * SHADOW_LAST + 1); /* the oldest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agreement_and_difference_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_difference_is_kept_with_both_scores, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_last_differences_are_kept, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
