/* Tests of the rules that hide threats. */
#include "tests/unit/check.h"

#include "backend/suppression.h"
#include "backend/watch.h"
#include "common/json.h"
#include "common/token.h"
#include "tests/unit/backend/fake_store.h"

struct room {
    struct store *store;
    struct watch *watch;
    struct suppressions *rules;
};

static int begin(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    token_setup();
    room->store = fake_store();
    room->watch = watch_create(room->store);
    room->rules = suppressions_create(room->store, room->watch, NULL);
    *state = room;
    return room->rules == NULL;
}

static int end(void **state)
{
    struct room *room = *state;

    suppressions_free(room->rules);
    watch_free(room->watch);
    fake_store_free(room->store);
    free(room);
    return 0;
}

static struct suppression_match match_of(const char *json)
{
    struct suppression_match match;
    struct suppression_fault faults[8];
    size_t count;
    cJSON *o = cJSON_Parse(json);

    assert_true(suppression_match_read(o, &match, faults, &count));
    cJSON_Delete(o);
    return match;
}

static void put_rule(struct room *room, const char *id, const char *match, int64_t expires_ms)
{
    struct suppression rule = {.reason = "r", .author = "a", .expires_ms = expires_ms};

    rule.match = match_of(match);
    assert_true(doc_put(room->store, "suppression", id, NULL, suppression_to_doc(&rule), 0, -1, NULL, NULL));
    watch_round(room->watch);
}

static const struct threat scan = {.id = "t",
                                   .type = "port_scan",
                                   .source_ip = "10.1.2.3",
                                   .destination_ip = "192.168.1.4",
                                   .source_port = 5,
                                   .destination_port = 80,
                                   .protocol = "TCP",
                                   .confidence = 0.4,
                                   .sensor = "edge-1"};

static void every_part_of_a_match_must_fit(void **state)
{
    static const struct {
        const char *match;
        bool fits;
    } rows[] = {
        {"{\"source\":\"10.1.2.3\"}", true},
        {"{\"source\":\"10.1.2.4\"}", false},
        {"{\"source\":\"10.0.0.0/8\"}", true},
        {"{\"source\":\"::/16\"}", true}, /* IPv4 lies in ::ffff:0:0/96 */
        {"{\"source\":\"2001:db8::/32\"}", false},
        {"{\"destination\":\"192.168.0.0/16\"}", true},
        {"{\"destination\":\"10.1.2.3\"}", false},
        {"{\"port\":80}", true},
        {"{\"port\":5}", false},
        {"{\"type\":\"port_scan\"}", true},
        {"{\"type\":\"port\"}", false},
        {"{\"sensor\":\"edge-1\"}", true},
        {"{\"sensor\":\"edge-2\"}", false},
        {"{\"max_confidence\":0.4}", true},
        {"{\"max_confidence\":0.39}", false},
        {"{\"source\":\"10.1.2.3\",\"port\":81}", false},
        {"{\"source\":\"10.1.2.3\",\"port\":80,\"type\":\"port_scan\"}", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct suppression_match match = match_of(rows[i].match);
        if (suppression_match_fits(&match, &scan) != rows[i].fits)
            fail_msg("%s", rows[i].match);
    }
}

static void a_match_that_says_nothing_or_nonsense_is_refused(void **state)
{
    static const char *const rows[] = {"{}",
                                       "[]",
                                       "null",
                                       "{\"port\":-1}",
                                       "{\"port\":1.5}",
                                       "{\"port\":\"80\"}",
                                       "{\"source\":\"\"}",
                                       "{\"source\":\"x\"}",
                                       "{\"source\":\"10.0.0.0/33\"}",
                                       "{\"type\":7}",
                                       "{\"max_confidence\":1.1}",
                                       "{\"unknown\":1}"};
    struct suppression_match match;
    struct suppression_fault faults[8];
    size_t count;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cJSON *o = cJSON_Parse(rows[i]);
        if (suppression_match_read(o, &match, faults, &count) || count == 0)
            fail_msg("%s", rows[i]);
        cJSON_Delete(o);
    }
}

static void the_first_rule_that_fits_is_named_and_its_hits_are_kept(void **state)
{
    struct room *room = *state;
    char id[DOC_ID], *json = NULL;

    assert_false(suppression_match(room->rules, &scan, id));
    put_rule(room, "sup_1", "{\"port\":81}", 0);
    put_rule(room, "sup_2", "{\"port\":80}", 0);
    for (int i = 0; i < 3; i++)
        assert_true(suppression_match(room->rules, &scan, id));
    assert_string_equal(id, "sup_2");
    put_rule(room, "sup_3", "{\"port\":82}", 0); /* read again: the hits move over */
    suppressions_flush(room->rules);
    assert_true(suppression_match(room->rules, &scan, id));
    suppressions_flush(room->rules);
    assert_true(store_doc_get(room->store, "hits", "sup_2", &json, NULL, NULL));
    assert_non_null(strstr(json, "\"hits\":4"));
    free(json);
}

static void hits_wait_for_a_store_that_is_away(void **state)
{
    struct room *room = *state;
    char id[DOC_ID], *json = NULL;

    put_rule(room, "sup_1", "{\"port\":80}", 0);
    assert_true(suppression_match(room->rules, &scan, id));
    room->store->away = true;
    suppressions_flush(room->rules);
    assert_true(suppression_match(room->rules, &scan, id)); /* rules go on from memory */
    room->store->away = false;
    suppressions_flush(room->rules);
    assert_true(store_doc_get(room->store, "hits", "sup_1", &json, NULL, NULL));
    assert_non_null(strstr(json, "\"hits\":2"));
    free(json);
}

static void an_expired_rule_fits_nothing(void **state)
{
    struct room *room = *state;
    char id[DOC_ID];

    put_rule(room, "sup_1", "{\"port\":80}", clock_now_ms() - 1);
    assert_false(suppression_match(room->rules, &scan, id));
    put_rule(room, "sup_1", "{\"port\":80}", clock_now_ms() + 60000);
    assert_true(suppression_match(room->rules, &scan, id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_a_match_must_fit),
        cmocka_unit_test(a_match_that_says_nothing_or_nonsense_is_refused),
        cmocka_unit_test_setup_teardown(the_first_rule_that_fits_is_named_and_its_hits_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(hits_wait_for_a_store_that_is_away, begin, end),
        cmocka_unit_test_setup_teardown(an_expired_rule_fits_nothing, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
