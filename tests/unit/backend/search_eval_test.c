/* Tests of a search held against one threat. */
#include "tests/unit/check.h"

#include "backend/search_eval.h"

#include <stdlib.h>
#include <string.h>

static bool fits(const char *query)
{
    struct threat threat = {.id = "threat_1",
                            .revision = 1,
                            .type = "port_scan",
                            .severity = SEVERITY_HIGH,
                            .source_ip = "10.1.2.3",
                            .destination_ip = "192.0.2.9",
                            .source_port = 40000,
                            .destination_port = 443,
                            .protocol = "TCP",
                            .confidence = 0.8,
                            .timestamp_us = 1795413985000000,
                            .sensor = "edge-1"};
    struct store_record *record = calloc(1, sizeof *record);
    struct err err = {0};
    size_t at = 0;
    struct search *search = search_parse(query, &at, &err);
    bool result;

    if (search == NULL)
        fail_msg("%s: %s", query, err.text);
    threat.details = strdup("{\"source\":\"simulator\",\"note\":\"slow probing\"}");
    assert_true(store_record_make(record, &threat, NULL));
    result = search_fits(search, &threat, record);
    store_record_clear(record);
    free(record);
    search_free(search);
    free(threat.details);
    return result;
}

static void what_is_true_of_it_fits(void **state)
{
    static const char *const queries[] = {"",
                                          "type:port_scan",
                                          "type:port*",
                                          "severity:high",
                                          "status:new",
                                          "source:10.0.0.0/8",
                                          "source:10.1.2.3",
                                          "address:192.0.2.9",
                                          "destination:192.0.2.0/24",
                                          "port:443",
                                          "port:40000",
                                          "port:400-500",
                                          "protocol:tcp",
                                          "sensor:edge-1",
                                          "confidence:>0.7",
                                          "confidence:0.8",
                                          "is:simulated",
                                          "scan",
                                          "prob*",
                                          "-type:beacon",
                                          "type:beacon OR port:443",
                                          "type:port_scan -status:closed severity:high",
                                          "-(type:beacon OR type:flood)"};

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        if (!fits(queries[i]))
            fail_msg("%s", queries[i]);
}

static void what_is_not_does_not(void **state)
{
    static const char *const queries[] = {"type:port",
                                          "type:beacon",
                                          "severity:critical",
                                          "status:closed",
                                          "verdict:true_positive",
                                          "source:11.0.0.0/8",
                                          "source:192.0.2.9",
                                          "address:10.9.9.9",
                                          "port:80",
                                          "port:1-100",
                                          "protocol:udp",
                                          "sensor:edge-2",
                                          "confidence:>0.8",
                                          "confidence:<0.8",
                                          "is:suppressed",
                                          "is:commented",
                                          "-is:simulated",
                                          "absentword",
                                          "abs*",
                                          "type:port_scan port:80",
                                          "-(port:443)"};

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        if (fits(queries[i]))
            fail_msg("%s", queries[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_true_of_it_fits),
        cmocka_unit_test(what_is_not_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
