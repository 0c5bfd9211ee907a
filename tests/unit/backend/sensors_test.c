/* Sensors: ok, late after 30 s, blind after 60 s; with a clock of the test's own. */
#include "tests/unit/check.h"

#include "backend/sensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct told {
    int count;
    char last[512];
};

static void tell(void *context, const char *json)
{
    struct told *told = context;

    told->count++;
    snprintf(told->last, sizeof told->last, "%s", json);
}

static bool hear(struct sensors *sensors, const char *name, int64_t at)
{
    bool news = false;

    assert_true(sensors_heard(sensors, name, "{\"packets\":1}", at, &news, NULL));
    return news;
}

static void silence_makes_a_sensor_late_and_then_blind(void **state)
{
    struct sensors *sensors = sensors_create();
    struct told told = {0};

    (void)state;
    assert_true(hear(sensors, "edge", 1000));
    sensors_tick(sensors, 1000, tell, &told);
    assert_int_equal(told.count, 1);
    sensors_tick(sensors, 1000 + SENSORS_LATE_MS - 1, tell, &told);
    assert_int_equal(told.count, 1);
    sensors_tick(sensors, 1000 + SENSORS_LATE_MS, tell, &told);
    assert_int_equal(told.count, 2);
    assert_non_null(strstr(told.last, "\"state\":\"late\""));
    sensors_tick(sensors, 1000 + SENSORS_BLIND_MS, tell, &told);
    assert_int_equal(told.count, 3);
    assert_non_null(strstr(told.last, "\"state\":\"blind\""));
    assert_true(hear(sensors, "edge", 1001 + SENSORS_BLIND_MS));
    sensors_tick(sensors, 1001 + SENSORS_BLIND_MS, tell, &told);
    assert_non_null(strstr(told.last, "\"state\":\"ok\",\"lastHeard\":\"1970-01-01T00:01:01.001Z\""));
    assert_non_null(strstr(told.last, "\"report\":{\"packets\":1}"));
    sensors_free(sensors);
}

static void a_steady_sensor_is_told_once(void **state)
{
    struct sensors *sensors = sensors_create();
    struct told told = {0};

    (void)state;
    for (int64_t at = 0; at < 300000; at += 10000) {
        hear(sensors, "edge", at);
        sensors_tick(sensors, at, tell, &told);
    }
    assert_int_equal(told.count, 1);
    sensors_free(sensors);
}

static void an_older_report_from_another_backend_changes_nothing(void **state)
{
    struct sensors *sensors = sensors_create();
    char *list;
    bool news;

    (void)state;
    assert_true(sensors_heard(sensors, "edge", "{\"n\":2}", 2000, &news, NULL));
    assert_true(sensors_heard(sensors, "edge", "{\"n\":1}", 1000, &news, NULL));
    list = sensors_list(sensors, 2000);
    assert_non_null(strstr(list, "{\"n\":2}"));
    free(list);
    sensors_free(sensors);
}

static void the_table_has_an_end(void **state)
{
    struct sensors *sensors = sensors_create();
    struct err err = {0};
    size_t states[3];
    char name[32];
    bool news;

    (void)state;
    for (int i = 0; i < SENSORS_MAX; i++) {
        snprintf(name, sizeof name, "edge-%d", i);
        hear(sensors, name, 5);
    }
    assert_false(sensors_heard(sensors, "one more", "{}", 5, &news, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(sensors_heard(sensors, "edge-0", "{}", 6, &news, &err));
    sensors_count(sensors, 5 + SENSORS_LATE_MS, states);
    assert_int_equal(states[SENSOR_OK], 1);
    assert_int_equal(states[SENSOR_LATE], SENSORS_MAX - 1);
    sensors_free(sensors);
}

static void names_are_plain(void **state)
{
    (void)state;
    assert_true(sensor_name_is_fine("edge-1.example_org"));
    assert_false(sensor_name_is_fine(""));
    assert_false(sensor_name_is_fine("a b"));
    assert_false(sensor_name_is_fine("../x"));
    assert_false(sensor_name_is_fine("12345678901234567890123456789012345678901234567890123456789012345"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_makes_a_sensor_late_and_then_blind),
        cmocka_unit_test(a_steady_sensor_is_told_once),
        cmocka_unit_test(an_older_report_from_another_backend_changes_nothing),
        cmocka_unit_test(the_table_has_an_end),
        cmocka_unit_test(names_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
