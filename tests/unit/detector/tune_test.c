/* Tests of tune.h, and of how figures.h shows it. */
#include "tests/unit/check.h"

#include "common/log.h"
#include "common/token.h"
#include "detector/figures_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t second = INT64_C(1000000000), begin = INT64_C(1700000000000000000);

struct scene {
    struct model *model;
    struct tune *tune;
    char path[40];
    int64_t now;
};

static bool nobody(void *context, const uint8_t source[16], const uint8_t target[16])
{
    (void)context;
    (void)source;
    (void)target;
    return false;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct tune_settings settings = {.false_alarms = 50, .agree = 100, .learn_ns = 3600 * second};

    log_setup(LOG_ERROR, false);
    snprintf(scene->path, sizeof scene->path, "/tmp/tune-%ld", (long)getpid());
    unlink(scene->path);
    scene->model = token_setup() ? model_load("models", NULL) : NULL;
    settings.model = settings.shadow = scene->model;
    settings.learned = scene->path;
    scene->tune = tune_create(&settings, NULL);
    scene->now = begin;
    *state = scene;
    return scene->tune != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    tune_free(scene->tune);
    model_free(scene->model);
    unlink(scene->path);
    free(scene);
    return 0;
}

static void wait_s(struct scene *scene, int seconds)
{
    for (int i = 0; i < seconds; i++)
        tune_tick(scene->tune, scene->now += second, nobody, NULL);
}

static void judge(struct scene *scene, int times, bool flagged, bool ended)
{
    static const double values[ROWMAP_VALUES];
    static const float row[MODEL_FEATURES_MAX];
    static const struct flow flow;
    static const struct score score;
    const struct tune_flow judged = {&flow, values, row, 1, &score, flagged, ended};

    for (int i = 0; i < times; i++)
        tune_judged(scene->tune, &judged);
}

static bool admits(struct scene *scene, double value, double *limit)
{
    struct evidence evidence = {.number = COUNT_HOSTS_PINGED,
                                .value = value,
                                .limit = limits[COUNT_HOSTS_PINGED].limit,
                                .benign_max = limits[COUNT_HOSTS_PINGED].benign_max,
                                .source = {1}};
    bool admitted = tune_admits(scene->tune, &evidence, scene->now, nobody, NULL);

    if (limit != NULL)
        *limit = evidence.limit;
    return admitted;
}

static cJSON *told(struct scene *scene)
{
    struct figures figures = {.model = scene->model, .tune = scene->tune};
    struct tune_figures tuned;
    cJSON *o = cJSON_CreateObject();

    tune_figures(scene->tune, &tuned);
    figures_add_tune(o, &figures, &tuned);
    return o;
}

static double figure(const cJSON *o, const char *group, const char *name)
{
    const cJSON *value = json_member(json_member(o, group), name);

    return cJSON_IsNumber(value) ? value->valuedouble : -1;
}

static void expected_and_reached_alarms_are_told(void **state)
{
    struct scene *scene = *state;
    cJSON *o;

    tune_begin(scene->tune, true);
    wait_s(scene, 1);
    judge(scene, 200, false, true);
    judge(scene, 50, true, true);
    judge(scene, 1000, true, false); /* not at its end: the same flow comes again */
    tune_alarm(scene->tune);
    tune_alarm(scene->tune);
    wait_s(scene, 1800);
    o = told(scene);
    assert_true(figure(o, "false_alarms", "reached") == -1); /* half an hour says nothing of a day */
    assert_true(figure(o, "false_alarms", "alarms") == 2);
    assert_true(figure(o, "false_alarms", "flagged_in_a_million_reached") == 200000);
    cJSON_Delete(o);
    wait_s(scene, 5400);
    o = told(scene);
    assert_true(figure(o, "false_alarms", "reached") > 23.9 && figure(o, "false_alarms", "reached") < 24.1);
    assert_true(figure(o, "false_alarms", "flows_a_day") > 2900 && figure(o, "false_alarms", "flows_a_day") < 6100);
    assert_true(figure(o, "false_alarms", "wanted") == 50);
    cJSON_Delete(o);
}

static void drift_is_told_for_each_feature_and_on_metrics(void **state)
{
    struct scene *scene = *state;
    struct figures figures = {.model = scene->model, .tune = scene->tune};
    struct text text = {.max = 100000};
    const cJSON *feature;
    cJSON *o;

    tune_begin(scene->tune, true);
    judge(scene, DRIFT_FLOWS - 1, false, true);
    wait_s(scene, 1);
    o = told(scene);
    assert_true(figure(o, "drift", "greatest") == -1);
    cJSON_Delete(o);
    judge(scene, 1, false, true);
    wait_s(scene, 1);
    o = told(scene);
    assert_true(figure(o, "drift", "greatest") > 0.25); /* of nothing but zeros */
    feature = json_member(json_member(o, "drift"), "feature");
    assert_true(cJSON_IsString(feature));
    figures_tune_metrics(&figures, &text);
    for (size_t i = 0; i < model_features(scene->model); i++) {
        char line[100];

        snprintf(line, sizeof line, "threatline_detector_drift{feature=\"%s\"} ",
                 model_feature_name(scene->model, i));
        assert_non_null(strstr(text.bytes, line));
    }
    free(text.bytes);
    cJSON_Delete(o);
}

static void a_learned_limit_is_the_one_that_counts(void **state)
{
    struct scene *scene = *state;
    double floor = limits[COUNT_HOSTS_PINGED].limit, limit;
    cJSON *o;

    tune_begin(scene->tune, true);
    assert_true(tune_samples_from(scene->tune) == 0.5);
    wait_s(scene, 1);
    assert_false(admits(scene, floor - 1, NULL)); /* a sample */
    assert_true(admits(scene, floor, NULL));      /* strict while it learns */
    wait_s(scene, 3600);
    assert_false(admits(scene, floor, &limit));
    assert_true(limit == 2 * (floor - 1));
    assert_true(admits(scene, limit, NULL));
    o = told(scene);
    assert_true(figure(o, "learning", "limits_raised") == 1);
    assert_string_equal(json_member(json_member(o, "learning"), "state")->valuestring, "over");
    cJSON_Delete(o);
}

static void what_is_simulated_teaches_nothing(void **state)
{
    struct scene *scene = *state;
    cJSON *o;

    tune_begin(scene->tune, false);
    wait_s(scene, 1);
    admits(scene, limits[COUNT_HOSTS_PINGED].limit - 1, NULL);
    judge(scene, 100, false, true);
    wait_s(scene, 4000);
    o = told(scene);
    assert_true(figure(o, "learning", "hours") == 0 && figure(o, "learning", "flows") == 0);
    cJSON_Delete(o);
}

static void flagged_flows_teach_nothing(void **state)
{
    struct scene *scene = *state;
    cJSON *o;

    tune_begin(scene->tune, true);
    judge(scene, 100, true, true);
    judge(scene, 7, false, true);
    wait_s(scene, 2);
    o = told(scene);
    assert_true(figure(o, "learning", "flows") == 7);
    assert_true(figure(o, "shadow", "both") + figure(o, "shadow", "neither") + figure(o, "shadow", "only_model") +
                    figure(o, "shadow", "only_shadow") ==
                107);
    cJSON_Delete(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(expected_and_reached_alarms_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drift_is_told_for_each_feature_and_on_metrics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_learned_limit_is_the_one_that_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_simulated_teaches_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flagged_flows_teach_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
