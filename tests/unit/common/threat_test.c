#include "common/clock.h"
#include "common/json.h"
#include "common/threat.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRED                                                                                                     \
    "\"threat_id\":\"t1\",\"threat_type\":\"web_attack\",\"severity\":\"low\",\"source_ip\":\"192.168.1.144\","      \
    "\"destination_ip\":\"192.168.1.4\",\"protocol\":\"TCP\",\"confidence\":0.13,"                                   \
    "\"timestamp\":\"2025-10-21T12:24:37.482505\""

static bool read_threat(const char *json_text, struct threat *out, struct threat_fault *faults, size_t *count)
{
    struct err err = {0};
    cJSON *json = json_parse(json_text, strlen(json_text), &err);
    bool ok;

    if (json == NULL)
        fail_msg("%s in %s", err.text, json_text);
    ok = threat_from_json(out, json, faults, count, &err);
    if (!ok)
        assert_non_null(strstr(err.text, "expected"));
    cJSON_Delete(json);
    return ok;
}

static void check_written(const char *given, const char *expected)
{
    struct threat threat = {0};
    char *text;

    assert_true(read_threat(given, &threat, NULL, NULL));
    text = threat_to_json(&threat);
    assert_string_equal(text, expected);
    free(text);
    threat_clear(&threat);
}

/* One member more behind the required ones; how many faults, and the first one's field. */
static void check_refused(const char *member, const char *field)
{
    struct threat threat = {.revision = 77};
    struct threat_fault faults[THREAT_FAULTS];
    size_t count = 0;
    char text[4096];

    snprintf(text, sizeof text, "{" REQUIRED ",%s}", member);
    if (read_threat(text, &threat, faults, &count))
        fail_msg("taken: %s", member);
    assert_int_equal(count, 1);
    assert_string_equal(faults[0].field, field);
    assert_int_equal(threat.revision, 77);
}

static void the_golden_record_is_read_and_written_unchanged(void **state)
{
    FILE *file = fopen("tests/data/threat_golden.json", "rb");
    char golden[8192];
    size_t length;

    (void)state;
    assert_non_null(file);
    length = fread(golden, 1, sizeof golden - 1, file);
    fclose(file);
    assert_in_range(length, 2, sizeof golden - 2);
    golden[length - 1] = '\0'; /* the newline */
    check_written(golden, golden);
}

static void the_first_integrators_example_is_read(void **state)
{
    (void)state;
    check_written("{" REQUIRED ",\"source_port\": 59510, \"destination_port\": 80, \"details\": {"
                  "\"rf_prediction\": 0, \"rf_confidence\": 0.13, \"iso_prediction\": 1, \"iso_score\": 0.005,"
                  "\"flow_duration\": 3.13, \"packet_count\": 534, \"byte_count\": 6031 } }",
                  "{\"threat_id\":\"t1\",\"revision\":1,\"threat_type\":\"web_attack\",\"severity\":\"low\","
                  "\"source_ip\":\"192.168.1.144\",\"destination_ip\":\"192.168.1.4\",\"source_port\":59510,"
                  "\"destination_port\":80,\"protocol\":\"TCP\",\"confidence\":0.13,"
                  "\"timestamp\":\"2025-10-21T12:24:37.482505Z\",\"details\":{\"rf_prediction\":0,"
                  "\"rf_confidence\":0.13,\"iso_prediction\":1,\"iso_score\":0.005,\"flow_duration\":3.13,"
                  "\"packet_count\":534,\"byte_count\":6031}}");
}

static void what_is_missing_gets_its_default(void **state)
{
    struct threat threat = {0};

    (void)state;
    assert_true(
        read_threat("{" REQUIRED ",\"source_port\":null,\"details\":null,\"sensor\":\"\"}", &threat, NULL, NULL));
    assert_string_equal(threat.id, "t1");
    assert_int_equal(threat.revision, 1);
    assert_int_equal(threat.severity, SEVERITY_LOW);
    assert_int_equal(threat.source_port, -1);
    assert_int_equal(threat.destination_port, -1);
    assert_int_equal(threat.timestamp_us, INT64_C(1761049477482505));
    assert_null(threat.details);
    assert_null(threat.extra);
    assert_string_equal(threat.sensor, "");
    threat_clear(&threat);
    threat_clear(NULL);
}

static void every_wrong_field_is_named_at_once(void **state)
{
    struct threat threat;
    struct threat_fault faults[THREAT_FAULTS];
    size_t count = 0;

    (void)state;
    assert_false(read_threat("{}", &threat, faults, &count));
    assert_int_equal(count, 8);
    assert_string_equal(faults[0].field, "threat_id");
    assert_string_equal(faults[7].field, "timestamp");
    assert_false(read_threat("{\"threat_id\":1,\"threat_type\":\"A\",\"severity\":\"bad\",\"source_ip\":\"1.2.3\","
                             "\"destination_ip\":\"::g\",\"protocol\":\"\",\"confidence\":\"0.5\",\"timestamp\":1,"
                             "\"revision\":0,\"source_port\":65536,\"destination_port\":-1,\"sensor\":\"a b\","
                             "\"community_id\":7,\"details\":[]}",
                             &threat, faults, &count));
    assert_int_equal(count, 14);
    assert_string_equal(faults[13].field, "details");
    assert_string_equal(faults[13].expected, "an object");
    assert_false(read_threat("[]", &threat, faults, &count));
    assert_int_equal(count, 1);
    assert_false(read_threat("[]", &threat, NULL, NULL));
    assert_false(threat_from_json(&threat, NULL, NULL, NULL, NULL));
}

static void a_wrong_member_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    check_refused("\"source_port\":\"80\"", "source_port");
    check_refused("\"source_port\":80.5", "source_port");
    check_refused("\"source_port\":1e300", "source_port");
    check_refused("\"destination_port\":true", "destination_port");
    check_refused("\"revision\":\"1\"", "revision");
    check_refused("\"revision\":4294967296", "revision");
    check_refused("\"sensor\":\"a/b\"", "sensor");
    check_refused("\"community_id\":\"a b\"", "community_id");
    check_refused("\"details\":\"x\"", "details");
}

static void check_address(const char *given, const char *written)
{
    struct threat threat = {0};
    char text[1024];

    snprintf(
        text, sizeof text,
        "{\"threat_id\":\"t1\",\"threat_type\":\"x\",\"severity\":\"low\",\"source_ip\":\"%s\","
        "\"destination_ip\":\"::1\",\"protocol\":\"TCP\",\"confidence\":1,\"timestamp\":\"2025-10-21T12:24:37Z\"}",
        given);
    assert_int_equal(read_threat(text, &threat, NULL, NULL), written != NULL);
    if (written != NULL)
        assert_string_equal(threat.source_ip, written);
    threat_clear(&threat);
}

static void an_address_gets_its_one_spelling(void **state)
{
    (void)state;
    check_address("10.0.0.1", "10.0.0.1");
    check_address("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
    check_address("2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1");
    check_address("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
    check_address("::ffff:10.0.0.1", "10.0.0.1");
    check_address("::FFFF:0a00:0001", "10.0.0.1");
    check_address("::", "::");
    check_address("10.0.0.01", NULL);
    check_address("10.0.0.1 ", NULL);
    check_address("10.0.0", NULL);
    check_address("fe80::1%eth0", NULL);
    check_address("localhost", NULL);
    check_address("", NULL);
}

static void ids_have_their_limits(void **state)
{
    struct threat threat = {0};
    char id[140], text[1024];

    (void)state;
    for (size_t length = 127; length <= 130; length++) {
        memset(id, 'x', length);
        id[length] = '\0';
        snprintf(text, sizeof text,
                 "{\"threat_id\":\"%s\",\"threat_type\":\"x\",\"severity\":\"low\",\"source_ip\":\"::1\","
                 "\"destination_ip\":\"::1\",\"protocol\":\"TCP\",\"confidence\":1,"
                 "\"timestamp\":\"2025-10-21T12:24:37Z\"}",
                 id);
        assert_int_equal(read_threat(text, &threat, NULL, NULL), length <= 128);
        threat_clear(&threat);
    }
}

static void what_is_not_known_is_kept_within_limits(void **state)
{
    struct threat threat = {0};
    struct threat_fault faults[THREAT_FAULTS];
    struct text text = {0};
    size_t count = 0;

    (void)state;
    assert_true(read_threat("{\"a\":[1, 2],\"b\":null," REQUIRED ",\"c\":{\"d\":\"e\"}}", &threat, NULL, NULL));
    assert_string_equal(threat.extra, "{\"a\":[1,2],\"b\":null,\"c\":{\"d\":\"e\"}}");
    threat_clear(&threat);
    for (int n = 64; n <= 65; n++) {
        text_reset(&text);
        text_addf(&text, "{%s", REQUIRED);
        for (int i = 0; i < n; i++)
            text_addf(&text, ",\"x%d\":%d", i, i);
        text_add(&text, "}", 1);
        assert_int_equal(read_threat(text.bytes, &threat, faults, &count), n == 64);
        threat_clear(&threat);
    }
    assert_int_equal(count, 1);
    free(text.bytes);
}

static void a_record_is_at_most_256_kib(void **state)
{
    static const size_t fits = THREAT_JSON_MAX - 2 * 1024 - 24, sizes[] = {100, fits, fits + 100, THREAT_JSON_MAX};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char *long_text = malloc(sizes[i] + 1), *written;
        struct threat threat = {0};
        struct text text = {0};
        bool ok;

        memset(long_text, 'x', sizes[i]);
        long_text[sizes[i]] = '\0';
        text_addf(&text, "{%s,\"details\":{\"long\":\"%s\"}}", REQUIRED, long_text);
        ok = read_threat(text.bytes, &threat, NULL, NULL);
        assert_int_equal(ok, i < 2);
        if (ok) {
            written = threat_to_json(&threat);
            assert_true(strlen(written) <= THREAT_JSON_MAX);
            free(written);
        }
        threat_clear(&threat);
        free(text.bytes);
        free(long_text);
    }
}

static void a_record_has_at_most_28_levels(void **state)
{
    struct threat threat = {0};
    char text[1024];

    (void)state;
    for (int depth = 27; depth <= 28; depth++) { /* the record itself is one level */
        snprintf(text, sizeof text, "{" REQUIRED ",\"x\":%.*s%.*s}", depth, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", depth,
                 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
        assert_int_equal(read_threat(text, &threat, NULL, NULL), depth == 27);
        threat_clear(&threat);
    }
}

static void severity_follows_confidence(void **state)
{
    enum severity severity = SEVERITY_LOW;

    (void)state;
    assert_int_equal(severity_of_confidence(1), SEVERITY_CRITICAL);
    assert_int_equal(severity_of_confidence(0.9), SEVERITY_CRITICAL);
    assert_int_equal(severity_of_confidence(0.89), SEVERITY_HIGH);
    assert_int_equal(severity_of_confidence(0.7), SEVERITY_HIGH);
    assert_int_equal(severity_of_confidence(0.4), SEVERITY_MEDIUM);
    assert_int_equal(severity_of_confidence(0.39), SEVERITY_LOW);
    assert_true(severity_from_text("high", &severity));
    assert_int_equal(severity, SEVERITY_HIGH);
    assert_false(severity_from_text("High", &severity));
    assert_string_equal(severity_text(SEVERITY_CRITICAL), "critical");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_record_is_read_and_written_unchanged),
        cmocka_unit_test(the_first_integrators_example_is_read),
        cmocka_unit_test(what_is_missing_gets_its_default),
        cmocka_unit_test(every_wrong_field_is_named_at_once),
        cmocka_unit_test(a_wrong_member_is_refused_and_changes_nothing),
        cmocka_unit_test(an_address_gets_its_one_spelling),
        cmocka_unit_test(ids_have_their_limits),
        cmocka_unit_test(what_is_not_known_is_kept_within_limits),
        cmocka_unit_test(a_record_is_at_most_256_kib),
        cmocka_unit_test(a_record_has_at_most_28_levels),
        cmocka_unit_test(severity_follows_confidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
