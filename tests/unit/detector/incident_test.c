/* Tests of incident.h: one attack is one thing, whatever its flows; what is told, and when. */
#include "tests/unit/check.h"

#include "detector/incident.h"

#include <string.h>

static const int64_t minute = 60 * INT64_C(1000000000);
static const uint8_t source[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 1, 9};

struct heard {
    size_t count;
    uint64_t keys[8];
};

static void hear(void *context, struct incident *incident)
{
    struct heard *heard = context;

    heard->keys[heard->count++ % 8] = incident->key;
    incident->told = incident->flows;
}

static const uint8_t *target(uint8_t net, uint8_t number)
{
    static uint8_t address[16];

    memcpy(address, source, 16);
    address[14] = net;
    address[15] = number;
    return address;
}

static void a_pairs_incident_is_found_by_type_source_and_target_net(void **state)
{
    struct heard heard = {0};
    struct incidents *incidents = incidents_create(4, hear, &heard, NULL);
    struct incident *one = incidents_open(incidents, "port_scan", LIMIT_PAIR, source, target(2, 1), minute);

    (void)state;
    assert_ptr_equal(incidents_find(incidents, "port_scan", LIMIT_PAIR, source, target(2, 200)), one);
    assert_null(incidents_find(incidents, "port_scan", LIMIT_PAIR, source, target(3, 1)));
    assert_null(incidents_find(incidents, "dos", LIMIT_PAIR, source, target(2, 1)));
    assert_null(incidents_find(incidents, "port_scan", LIMIT_SOURCE, source, target(2, 1)));
    assert_null(incidents_find(incidents, "port_scan", LIMIT_PAIR, target(9, 9), target(2, 1)));
    incidents_free(incidents);
}

static void a_sources_incident_has_any_target_and_a_targets_any_source(void **state)
{
    struct heard heard = {0};
    struct incidents *incidents = incidents_create(4, hear, &heard, NULL);
    struct incident *scan = incidents_open(incidents, "port_scan", LIMIT_SOURCE, source, target(2, 1), minute);
    uint8_t victim[16];
    struct incident *flood;

    (void)state;
    memcpy(victim, target(5, 5), 16);
    flood = incidents_open(incidents, "ddos", LIMIT_TARGET, source, victim, minute);
    assert_ptr_equal(incidents_find(incidents, "port_scan", LIMIT_SOURCE, source, target(77, 7)), scan);
    assert_ptr_equal(incidents_find(incidents, "ddos", LIMIT_TARGET, target(66, 6), victim), flood);
    assert_null(incidents_find(incidents, "ddos", LIMIT_TARGET, source, target(5, 6)));
    incidents_free(incidents);
}

static void a_pause_of_ten_minutes_ends_it_and_what_was_not_told_is_told(void **state)
{
    struct heard heard = {0};
    struct incidents *incidents = incidents_create(4, hear, &heard, NULL);
    struct incident *one = incidents_open(incidents, "port_scan", LIMIT_PAIR, source, target(2, 1), 0);

    (void)state;
    one->flows = 5;
    one->told = 1;
    incidents_touch(incidents, one, 5 * minute);
    incidents_expire(incidents, 15 * minute);
    assert_int_equal(incidents_open_count(incidents), 1); /* ten minutes, and not more */
    incidents_expire(incidents, 15 * minute + 1);
    assert_int_equal(incidents_open_count(incidents), 0);
    assert_int_equal(heard.count, 1);
    assert_null(incidents_find(incidents, "port_scan", LIMIT_PAIR, source, target(2, 1)));
    one = incidents_open(incidents, "port_scan", LIMIT_PAIR, source, target(2, 1), 20 * minute);
    one->flows = one->told = 3;
    incidents_finish(incidents);
    assert_int_equal(heard.count, 1); /* all was told already */
    incidents_free(incidents);
}

static void when_the_table_is_full_the_longest_quiet_one_gives_way(void **state)
{
    struct heard heard = {0};
    struct incidents *incidents = incidents_create(2, hear, &heard, NULL);
    struct incident *first = incidents_open(incidents, "dos", LIMIT_PAIR, source, target(1, 1), 1);
    struct incident *second = incidents_open(incidents, "dos", LIMIT_PAIR, source, target(2, 1), 2);

    (void)state;
    second->flows = 7;
    incidents_touch(incidents, first, 3);
    incidents_open(incidents, "dos", LIMIT_PAIR, source, target(3, 1), 4);
    assert_int_equal(incidents_open_count(incidents), 2);
    assert_int_equal(heard.count, 1); /* the one that went told its flows first */
    assert_non_null(incidents_find(incidents, "dos", LIMIT_PAIR, source, target(1, 1)));
    assert_null(incidents_find(incidents, "dos", LIMIT_PAIR, source, target(2, 1)));
    assert_non_null(incidents_find(incidents, "dos", LIMIT_PAIR, source, target(3, 1)));
    incidents_free(incidents);
}

static void it_is_told_again_at_powers_of_ten(void **state)
{
    (void)state;
    assert_int_equal(incident_next(1), 10);
    assert_int_equal(incident_next(9), 10);
    assert_int_equal(incident_next(10), 100);
    assert_int_equal(incident_next(99999), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pairs_incident_is_found_by_type_source_and_target_net),
        cmocka_unit_test(a_sources_incident_has_any_target_and_a_targets_any_source),
        cmocka_unit_test(a_pause_of_ten_minutes_ends_it_and_what_was_not_told_is_told),
        cmocka_unit_test(when_the_table_is_full_the_longest_quiet_one_gives_way),
        cmocka_unit_test(it_is_told_again_at_powers_of_ten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
