/* Tests of learn.h: what is learned, what is not, and the file it is kept in. */
#include "tests/unit/check.h"

#include "common/token.h"
#include "detector/learn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t second = INT64_C(1000000000), begin = INT64_C(1700000000000000000);
static const uint8_t monitor[16] = {[15] = 1}, server[16] = {[15] = 2}, attacker[16] = {[15] = 9};
enum { HOUR = 3600 };

struct scene {
    struct model *model;
    struct learn *learn;
    const uint8_t *bad; /* whoever is part of a threat */
    int64_t now;
    bool over;
};

static bool suspect(void *context, const uint8_t source[16], const uint8_t target[16])
{
    const struct scene *scene = context;

    return scene->bad != NULL && (memcmp(source, scene->bad, 16) == 0 || memcmp(target, scene->bad, 16) == 0);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    scene->model = token_setup() ? model_load("models", NULL) : NULL;
    scene->learn = malloc(sizeof *scene->learn);
    scene->now = begin;
    learn_init(scene->learn, scene->model, HOUR * second);
    *state = scene;
    return scene->model != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    model_free(scene->model);
    free(scene->learn);
    free(scene);
    return 0;
}

static void wait_s(struct scene *scene, int seconds)
{
    for (int i = 0; i < seconds; i++)
        scene->over |= learn_tick(scene->learn, scene->now += second, suspect, scene);
}

static double floor_now(void)
{
    return limits[COUNT_HOSTS_PINGED].limit;
}

/* Values are told in parts of which the floor has 24. */
static double parts(double count)
{
    return count * floor_now() / 24;
}

static void value(struct scene *scene, const uint8_t *source, double count)
{
    learn_value(scene->learn, COUNT_HOSTS_PINGED, parts(count), source, server, scene->now, suspect, scene);
}

static double limit_now(const struct scene *scene)
{
    return scene->learn->limit[COUNT_HOSTS_PINGED];
}

static void a_limit_becomes_twice_what_is_usual_here_once_the_time_is_over(void **state)
{
    struct scene *scene = *state;

    wait_s(scene, 10);
    value(scene, monitor, 20);
    wait_s(scene, HOUR - 60);
    assert_false(scene->over);
    assert_true(limit_now(scene) == floor_now());
    wait_s(scene, 60);
    assert_true(scene->over);
    assert_true(limit_now(scene) == parts(40));
    assert_true(scene->learn->limit[COUNT_LOGINS] == limits[COUNT_LOGINS].limit); /* the others stay */
    value(scene, monitor, 23);
    wait_s(scene, HOUR);
    assert_true(limit_now(scene) == parts(40)); /* nor does it go on learning */
}

static void a_steady_habit_is_learned_while_it_goes_on(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i <= HOUR; i++) {
        value(scene, monitor, 20);
        wait_s(scene, 1);
    }
    assert_true(scene->over && limit_now(scene) == parts(40));
}

static void no_limit_falls_below_its_floor(void **state)
{
    struct scene *scene = *state;

    value(scene, monitor, 2);
    wait_s(scene, HOUR + 1);
    assert_true(scene->over && limit_now(scene) == floor_now());
}

static void what_leads_to_a_threat_teaches_nothing(void **state)
{
    struct scene *scene = *state;

    for (int count = 13; count < 24; count++) /* the way up to the limit of a scan */
        value(scene, attacker, count);
    wait_s(scene, 1);
    scene->bad = attacker; /* the limit was reached: an incident, which stays open for ten quiet minutes */
    wait_s(scene, 700);
    scene->bad = NULL;
    wait_s(scene, HOUR);
    assert_true(scene->over && limit_now(scene) == floor_now());
}

static void who_is_part_of_a_threat_teaches_nothing(void **state)
{
    struct scene *scene = *state;

    scene->bad = server;
    value(scene, monitor, 20);
    scene->bad = NULL;
    wait_s(scene, HOUR + 1);
    assert_true(scene->over && limit_now(scene) == floor_now());
}

static void an_attacker_cannot_raise_a_limit_without_bound(void **state)
{
    struct scene *scene = *state;

    for (int step = 1; step < HOUR; step++) { /* ever more, for all the time, and never caught */
        value(scene, attacker, 12 + step * 0.01);
        value(scene, attacker, 2400); /* what is over the limit is not for learning */
        wait_s(scene, 1);
    }
    wait_s(scene, 2);
    assert_true(scene->over);
    assert_true(limit_now(scene) > floor_now() && limit_now(scene) <= LEARN_CEILING * floor_now());
}

static void a_crowd_of_invented_sources_teaches_at_most_nothing(void **state)
{
    struct scene *scene = *state;
    uint8_t invented[16] = {0};

    for (int i = 0; i < LEARN_CANDIDATES * 4; i++) {
        memcpy(invented, &i, sizeof i);
        learn_value(scene->learn, COUNT_HOSTS_PINGED, parts(13), invented, server, scene->now, suspect, scene);
    }
    wait_s(scene, HOUR + 1);
    assert_true(limit_now(scene) == parts(26));
}

static void feed(struct scene *scene, float size, int times)
{
    float row[MODEL_FEATURES_MAX] = {0};

    row[0] = size; /* duration */
    for (int i = 0; i < times; i++)
        learn_flow(scene->learn, row);
}

static void quantiles_go_up_and_not_down_and_not_without_bound(void **state)
{
    struct scene *scene = *state;
    double usual[MODEL_QUANTILES], *here = scene->learn->quantile[0];

    model_quantiles(scene->model, 0, usual);
    feed(scene, (float)usual[6] * 2, 500);
    feed(scene, 1e30F, 500);
    assert_true(here[6] == usual[6]); /* not before the end */
    wait_s(scene, HOUR + 1);
    assert_true(here[0] == usual[0] && here[1] == usual[1]);
    assert_true(here[3] > usual[6] * 1.7 && here[3] <= usual[6] * 2); /* the half: eight steps to a doubling */
    assert_true(here[6] == usual[6] * LEARN_QUANTILES);
    for (size_t q = 0; q < MODEL_QUANTILES; q++) /* of zeros nothing is learned */
        assert_true(scene->learn->quantile[1][q] >= 1);
}

static void few_flows_leave_the_quantiles_alone(void **state)
{
    struct scene *scene = *state;
    double usual[MODEL_QUANTILES];

    model_quantiles(scene->model, 0, usual);
    feed(scene, 1e3F, LEARN_FLOWS - 1);
    wait_s(scene, HOUR + 1);
    assert_memory_equal(scene->learn->quantile[0], usual, sizeof usual);
}

static void fill(struct scene *scene)
{
    feed(scene, 100, 600);
    feed(scene, 0.25F, 600);
    value(scene, monitor, 20.5);
    wait_s(scene, 700);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    struct scene *scene = *state;
    char path[] = "/tmp/learned-XXXXXX";
    struct learn *again = malloc(sizeof *again);
    struct err err = {0};

    assert_true(mkstemp(path) >= 0);
    fill(scene);
    assert_true(learn_save(scene->learn, path, &err));
    learn_init(again, scene->model, HOUR * second);
    if (!learn_load(again, path, &err))
        fail_msg("%s", err.text);
    assert_memory_equal(again->bucket, scene->learn->bucket, sizeof again->bucket);
    assert_memory_equal(again->greatest, scene->learn->greatest, sizeof again->greatest);
    assert_true(again->greatest[COUNT_HOSTS_PINGED] == parts(20.5));
    assert_int_equal(again->seen_ns / second, scene->learn->seen_ns / second);
    free(scene->learn);
    scene->learn = again;
    wait_s(scene, HOUR - 697);
    assert_true(scene->over && limit_now(scene) == parts(41) && scene->learn->quantile[0][6] > 80);
    unlink(path);
}

static void assert_refused(const struct scene *scene, const char *text, size_t length, const char *why)
{
    struct learn *learn = malloc(sizeof *learn);
    struct err err = {0};

    learn_init(learn, scene->model, HOUR * second);
    assert_false(learn_parse(learn, text, length, &err));
    if (strstr(err.text, why) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", why, err.text);
    free(learn);
}

/* The text with one part replaced and a checksum that is right again. */
static char *changed(const char *text, const char *from, const char *to)
{
    enum { HEAD = sizeof "threatline-learned 1 " - 1 };
    size_t size = strlen(text) + strlen(to) + 1;
    const char *at = strstr(text, from);
    char *copy = malloc(size), hash[TOKEN_HASH];

    assert_non_null(at);
    snprintf(copy, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    token_hash(copy + HEAD + TOKEN_HASH, strlen(copy) - HEAD - TOKEN_HASH, hash);
    memcpy(copy + HEAD, hash, TOKEN_HASH - 1);
    return copy;
}

static void a_file_that_does_not_fit_is_refused(void **state)
{
    char greatest[32], more[40], with_floor[64];
    const char *const wrong[][3] = {
        {greatest, " 20000", "limits"}, /* above the floor: nobody's honest figure */
        {greatest, " nan", "limits"},
        {greatest, more, "limits"},
        {with_floor, " 25 20.5", "limits"}, /* another floor than this program's */
        {"counter ", "counter 9", "limits"},
        {" of 3600", " of 7200", "3600 are wanted"},
        {"model ", "model x", "with model x"},
        {"flows 1200", "flows 1201", "damaged"},
        {"flows 1200", "flows -1", "head"},
        {"feature duration", "feature durations", "damaged"},
        {"feature total_fwd_packets", "feature total_bwd_packets", "damaged"},
        {" 0:1200\n", " 0:1200 481:0\n", "damaged"},
        {"watched", "wached", "head"},
    };
    struct scene *scene = *state;
    char *text, *copy;

    snprintf(greatest, sizeof greatest, " %.17g", parts(20.5));
    snprintf(more, sizeof more, "%s 1", greatest);
    snprintf(with_floor, sizeof with_floor, " %.17g%s", floor_now(), greatest);
    fill(scene);
    text = learn_text(scene->learn);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        copy = changed(text, wrong[i][0], wrong[i][1]);
        assert_refused(scene, copy, strlen(copy), wrong[i][2]);
        free(copy);
    }
    for (size_t at = 0; at < strlen(text); at += 41) {
        text[at] ^= 1;
        assert_refused(scene, text, strlen(text), "learned");
        text[at] ^= 1;
    }
    for (size_t length = 0; length < strlen(text); length += 41)
        assert_refused(scene, text, length, "learned");
    assert_refused(scene, "threatline-learned 2 x\n", 23, "another format");
    free(text);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    struct scene *scene = *state;
    struct err err = {0};

    assert_false(learn_save(scene->learn, "/tmp/no/such/folder/learned", &err));
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_false(learn_load(scene->learn, "/tmp/no/such/folder/learned", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_limit_becomes_twice_what_is_usual_here_once_the_time_is_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_steady_habit_is_learned_while_it_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_limit_falls_below_its_floor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_leads_to_a_threat_teaches_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_part_of_a_threat_teaches_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_attacker_cannot_raise_a_limit_without_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crowd_of_invented_sources_teaches_at_most_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quantiles_go_up_and_not_down_and_not_without_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_flows_leave_the_quantiles_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_goes_on_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_does_not_fit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
