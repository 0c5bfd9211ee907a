/* outlet_test.c: a threat is on disk before it is listed; the list is a ring; details get their origin. */
#include "tests/unit/check.h"

#include "common/json.h"
#include "detector/outlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct threat sample(const char *id, uint32_t revision, char *details)
{
    struct threat t = {.revision = revision,
                       .severity = SEVERITY_HIGH,
                       .source_port = 1,
                       .destination_port = 2,
                       .confidence = 0.8,
                       .timestamp_us = 1767225600000000,
                       .details = details};

    snprintf(t.id, sizeof t.id, "%s", id);
    snprintf(t.type, sizeof t.type, "port_scan");
    snprintf(t.source_ip, sizeof t.source_ip, "10.0.0.1");
    snprintf(t.destination_ip, sizeof t.destination_ip, "10.0.0.2");
    snprintf(t.protocol, sizeof t.protocol, "TCP");
    return t;
}

static void details_get_file_and_job_and_keep_every_byte_of_the_rest(void **state)
{
    char some[] = "{\"a\":0.10000000000000001,\"b\":[1]}", none[] = "{}";
    struct threat with = sample("t", 1, some), without = sample("t", 1, NULL), empty = sample("t", 1, none);
    char *json = outlet_json(&with, "x \"y\".pcap", "j:1");

    (void)state;
    assert_non_null(strstr(json, "\"details\":{\"file\":\"x \\\"y\\\".pcap\",\"job\":\"j:1\",\"a\":0.1"));
    free(json);
    json = outlet_json(&without, "f", NULL);
    assert_non_null(strstr(json, "\"details\":{\"file\":\"f\"}"));
    free(json);
    json = outlet_json(&empty, NULL, "j");
    assert_non_null(strstr(json, "\"details\":{\"job\":\"j\"}"));
    free(json);
    assert_string_equal(with.details, some); /* the caller's own is as it was */
}

static void a_file_name_that_is_no_text_makes_good_json(void **state)
{
    struct threat t = sample("t", 1, NULL);
    char *json = outlet_json(&t, "a\xff\xc3\xa9\x80.pcap", NULL);
    cJSON *parsed = json_parse(json, strlen(json), NULL);

    (void)state;
    assert_non_null(parsed);
    assert_string_equal(json_member(json_member(parsed, "details"), "file")->valuestring, "a?\xc3\xa9?.pcap");
    cJSON_Delete(parsed);
    free(json);
}

static void the_list_keeps_the_latest_in_order(void **state)
{
    struct outlet *outlet = outlet_create(NULL, NULL);
    struct text text = {.max = 1024 * 1024};
    struct outlet_counters counters;
    char id[16];
    cJSON *list;

    (void)state;
    for (int i = 0; i < OUTLET_RECENT + 5; i++) {
        snprintf(id, sizeof id, "t%d", i);
        struct threat t = sample(id, i % 2 ? 2 : 1, NULL);

        assert_true(outlet_take(outlet, &t, NULL, NULL));
    }
    assert_int_equal(outlet_recent(outlet, 2, &text), OUTLET_RECENT);
    list = json_parse(text.bytes, text.length, NULL);
    assert_int_equal(cJSON_GetArraySize(list), 2);
    assert_string_equal(json_member(cJSON_GetArrayItem(list, 1), "threat_id")->valuestring, "t1004");
    cJSON_Delete(list);
    free(text.bytes);
    outlet_counters(outlet, &counters);
    assert_int_equal(counters.taken, OUTLET_RECENT + 5);
    assert_int_equal(counters.by_severity[SEVERITY_HIGH], (OUTLET_RECENT + 6) / 2); /* first revisions only */
    assert_int_equal(outlet_clear(outlet), OUTLET_RECENT);
    text = (struct text){.max = 100};
    assert_int_equal(outlet_recent(outlet, 10, &text), 0);
    assert_string_equal(text.bytes, "[]");
    free(text.bytes);
    outlet_free(outlet);
}

static void what_the_disk_refuses_is_counted_and_nobody_else_learns_of_it(void **state)
{
    char path[96], command[128], folder[64], *big = malloc(100001);
    struct outlet_counters counters;
    struct text text = {.max = 1000};
    struct outlet *outlet;
    struct spool *spool;
    struct threat t;

    (void)state;
    snprintf(folder, sizeof folder, "%s/outlet_test.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spool.db", folder);
    spool = spool_open(path, 64 * 1024, NULL);
    outlet = outlet_create(spool, NULL);
    memset(big, 'x', 100000);
    memcpy(big, "{\"a\":\"", 6);
    memcpy(big + 99998, "\"}", 3);
    t = sample("t", 1, big);
    assert_false(outlet_take(outlet, &t, NULL, NULL));
    outlet_counters(outlet, &counters);
    assert_int_equal(counters.lost, 1);
    assert_int_equal(counters.taken, 0);
    assert_int_equal(outlet_recent(outlet, 10, &text), 0);
    free(text.bytes);
    outlet_free(outlet);
    spool_close(spool);
    free(big);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(details_get_file_and_job_and_keep_every_byte_of_the_rest),
        cmocka_unit_test(a_file_name_that_is_no_text_makes_good_json),
        cmocka_unit_test(the_list_keeps_the_latest_in_order),
        cmocka_unit_test(what_the_disk_refuses_is_counted_and_nobody_else_learns_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
