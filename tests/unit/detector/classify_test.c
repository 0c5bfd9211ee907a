/* Tests of classify.h: the type by port, techniques, confidence. */
#include "tests/unit/check.h"

#include "detector/classify.h"
#include "detector/limits.h"

#include <string.h>

static const char *type(uint8_t protocol, uint16_t port, uint64_t packets)
{
    struct flow flow = {.protocol = protocol, .packets = {packets, 0}};

    flow.port[FLOW_BACKWARD] = port;
    return classify_flow(&flow);
}

static void without_better_evidence_the_port_names_the_type(void **state)
{
    (void)state;
    assert_string_equal(type(6, 22, 5), "brute_force");
    assert_string_equal(type(6, 3389, 5), "brute_force");
    assert_string_equal(type(6, 80, 5), "web_attack");
    assert_string_equal(type(6, 443, 5), "web_attack");
    assert_string_equal(type(6, 9999, 5), "suspicious_tcp");
    assert_string_equal(type(17, 53, 100), "suspicious_udp");
    assert_string_equal(type(17, 53, 101), "ddos");
    assert_string_equal(type(1, 0, 5), "anomaly");
    assert_string_equal(type(17, 22, 5), "suspicious_udp"); /* SSH is TCP */
}

static void every_type_of_the_limits_has_a_technique(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTERS; i++) {
        assert_string_not_equal(classify_mitre(limits[i].type, limits[i].counter), "[]");
        assert_true(limits[i].limit >= 2 * limits[i].benign_max); /* the room that docs/limits.md promises */
        assert_true(limits[i].reason[0] != '\0');
    }
    assert_string_equal(classify_mitre("anomaly", NULL), "[]");
}

static void each_doubling_above_the_limit_halves_the_doubt(void **state)
{
    struct evidence evidence = {.limit = 10, .value = 10};

    (void)state;
    assert_true(classify_confidence(&evidence) == 0.75);
    evidence.value = 20;
    assert_true(classify_confidence(&evidence) == 0.875);
    evidence.value = 1e9;
    assert_true(classify_confidence(&evidence) == 0.99);
    evidence.value = 5; /* it cannot be less sure than at its limit */
    assert_true(classify_confidence(&evidence) == 0.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_better_evidence_the_port_names_the_type),
        cmocka_unit_test(every_type_of_the_limits_has_a_technique),
        cmocka_unit_test(each_doubling_above_the_limit_halves_the_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
