/* Tests of explain.h: what a threat tells of its incident, on the shipped model. */
#include "tests/unit/check.h"

#include "common/json.h"
#include "common/token.h"
#include "detector/explain.h"

#include <math.h>
#include <string.h>

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

static void usual(const struct model *model, float row[MODEL_FEATURES_MAX])
{
    double quantile[7];

    for (size_t i = 0; i < model_features(model); i++) {
        model_quantiles(model, i, quantile);
        row[i] = (float)quantile[3];
    }
}

static void contributions_add_up_to_the_score(void **state)
{
    const struct model *model = *state;
    float row[MODEL_FEATURES_MAX];
    double base, share[MODEL_FEATURES_MAX], sum;
    struct score score;

    for (size_t moved = 0; moved < model_features(model); moved++) {
        usual(model, row);
        row[moved] = row[moved] * 50 + 1000;
        model_score(model, row, &score);
        model_contributions(model, row, &base, share);
        sum = base;
        for (size_t i = 0; i < model_features(model); i++)
            sum += share[i];
        assert_true(fabs(sum - score.rf) < 1e-12);
    }
}

static void reasons_come_greatest_first_with_their_usual_range(void **state)
{
    const struct model *model = *state;
    struct incident_reason reason[INCIDENT_REASONS];
    float row[MODEL_FEATURES_MAX];
    size_t count;

    usual(model, row);
    for (size_t i = 0; i < model_features(model); i++)
        row[i] = i % 3 == 0 ? row[i] * 100 + 500 : row[i];
    count = explain_attack(model, NULL, row, reason);
    assert_true(count > 0 && count <= INCIDENT_REASONS);
    for (size_t i = 0; i < count; i++) {
        assert_true(reason[i].share > 0 && reason[i].share <= 1 && reason[i].low <= reason[i].high);
        assert_true(i == 0 || reason[i].share <= reason[i - 1].share);
    }
}

static void what_lies_farthest_outside_explains_an_anomaly(void **state)
{
    const struct model *model = *state;
    struct incident_reason reason[INCIDENT_REASONS];
    float row[MODEL_FEATURES_MAX];

    usual(model, row);
    assert_int_equal(explain_anomaly(model, NULL, row, reason), 0);
    row[0] = 1e9f;
    assert_int_equal(explain_anomaly(model, NULL, row, reason), 1);
    assert_string_equal(reason[0].feature, model_feature_name(model, 0));
    assert_true(reason[0].share == 1.0);
}

static void a_windows_threat_tells_counter_value_limit_and_what_is_usual(void **state)
{
    static const struct explain_source from = {"north", "live", NULL};
    struct incident incident = {
        .type = "port_scan", .id = "threat_X", .revision = 2, .by_window = true, .confidence = 0.9};
    struct threat threat;
    cJSON *details;
    const cJSON *why;

    (void)state;
    incident.flows = 30;
    incident.protocol = 6;
    incident.target_port = 80;
    incident.evidence =
        (struct evidence){.counter = "failed_ports", .value = 30.04, .limit = 15, .benign_max = 2, .window_s = 60};
    assert_true(explain_threat(&incident, &from, &threat));
    details = json_parse(threat.details, strlen(threat.details), NULL);
    why = json_member(details, "explanation")->child;
    assert_string_equal(json_member(why, "counter")->valuestring, "failed_ports");
    assert_true(json_member(why, "value")->valuedouble == 30.0);
    assert_true(json_member(why, "limit")->valuedouble == 15 && json_member(why, "benign_max")->valuedouble == 2);
    assert_true(json_member(details, "flow_count")->valuedouble == 30);
    assert_null(json_member(details, "rf_confidence")); /* no forest, no score */
    assert_non_null(strstr(threat.extra, "T1046"));
    assert_int_equal(threat.revision, 2);
    cJSON_Delete(details);
    threat_clear(&threat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contributions_add_up_to_the_score),
        cmocka_unit_test(reasons_come_greatest_first_with_their_usual_range),
        cmocka_unit_test(what_lies_farthest_outside_explains_an_anomaly),
        cmocka_unit_test(a_windows_threat_tells_counter_value_limit_and_what_is_usual),
    };

    return cmocka_run_group_tests(tests, read_model, drop_model);
}
