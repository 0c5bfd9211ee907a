/* Ids of the stream, and lines of an export. */
#include "tests/unit/check.h"

#include "backend/export.h"
#include "backend/stream.h"
#include "backend/upload.h"

#include <stdlib.h>
#include <string.h>

static void an_id_of_this_store_is_a_position(void **state)
{
    int64_t seq = -1;

    (void)state;
    assert_true(stream_position("abc.0", "abc", &seq));
    assert_int_equal(seq, 0);
    assert_true(stream_position("abc.999999999999999999", "abc", &seq));
    assert_int_equal(seq, 999999999999999999);
    assert_true(stream_position("a.b.7", "a.b", &seq));
    assert_int_equal(seq, 7);
}

static void any_other_id_is_none(void **state)
{
    static const char *const wrong[] = {"",
                                        "abc",
                                        "abc.",
                                        ".1",
                                        "abd.1",
                                        "abcd.1",
                                        "ab.1",
                                        "abc.-1",
                                        "abc.+1",
                                        "abc. 1",
                                        "abc.1x",
                                        "abc.0x1",
                                        "abc.9999999999999999999",
                                        "ABC.1"};
    int64_t seq = 42;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(stream_position(wrong[i], "abc", &seq));
    assert_int_equal(seq, 42);
}

static char *cell(const char *value)
{
    struct text text = {.max = 4096};

    export_cell(&text, value);
    assert_false(text.failed);
    return text.bytes;
}

static void a_cell_is_never_a_formula(void **state)
{
    static const struct {
        const char *value, *cell;
    } cases[] = {
        {"", "\"\""},        {"plain", "\"plain\""}, {"=1+2", "\"'=1+2\""},
        {"+1", "\"'+1\""},   {"-1", "\"'-1\""},      {"@SUM(A1)", "\"'@SUM(A1)\""},
        {"\tx", "\"'\tx\""}, {"a\"b", "\"a\"\"b\""}, {"a,b\r\nc", "\"a,b\r\nc\""},
        {"a=b", "\"a=b\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out = cell(cases[i].value);

        assert_string_equal(out, cases[i].cell);
        free(out);
    }
}

static const char stored[] =
    "{\"threat_id\":\"t1\",\"revision\":2,\"threat_type\":\"port_scan\",\"severity\":\"critical\","
    "\"source_ip\":\"10.0.0.1\",\"destination_ip\":\"10.0.0.2\",\"destination_port\":22,\"protocol\":\"TCP\","
    "\"confidence\":0.9,\"timestamp\":\"2026-11-23T01:02:03Z\",\"receivedAt\":\"2026-11-23T01:02:04.000Z\","
    "\"triage\":{\"status\":\"new\",\"verdict\":null,\"assignee\":\"=ann\"}}";

static void a_line_of_each_format(void **state)
{
    static const char *const lines[] = {
        "\"t1\",2,\"2026-11-23T01:02:03Z\",\"port_scan\",\"critical\",0.9,\"10.0.0.1\",,\"10.0.0.2\",22,\"TCP\",,,"
        "\"2026-11-23T01:02:04.000Z\",\"new\",,\"'=ann\",\r\n",
        NULL,
        "{\"timestamp\":\"2026-11-23T01:02:03Z\",\"event_type\":\"alert\",\"src_ip\":\"10.0.0.1\","
        "\"dest_ip\":\"10.0.0.2\",\"dest_port\":22,\"proto\":\"TCP\",\"alert\":{\"action\":\"allowed\",\"gid\":1,"
        "\"rev\":1,\"severity\":1,\"signature\":\"port_scan\",\"category\":\"Threatline\"},\"threatline\":"};

    (void)state;
    for (int format = EXPORT_CSV; format <= EXPORT_EVE; format++) {
        struct text out = {.max = 8192};

        export_line(&out, (enum export_format)format, stored);
        assert_false(out.failed);
        if (format == EXPORT_NDJSON) {
            assert_memory_equal(out.bytes, stored, sizeof stored - 1);
            assert_string_equal(out.bytes + sizeof stored - 1, "\n");
        } else {
            assert_memory_equal(out.bytes, lines[format], strlen(lines[format]));
        }
        free(out.bytes);
    }
}

static void what_is_no_json_makes_no_line(void **state)
{
    struct text out = {.max = 8192};

    (void)state;
    export_line(&out, EXPORT_CSV, "{");
    export_line(&out, EXPORT_EVE, "");
    assert_int_equal(out.length, 0);
}

static void a_capture_is_known_by_its_first_bytes(void **state)
{
    (void)state;
    assert_true(upload_is_capture((const unsigned char *)"\xd4\xc3\xb2\xa1", 4));
    assert_true(upload_is_capture((const unsigned char *)"\x0a\x0d\x0d\x0a", 4));
    assert_true(upload_is_capture((const unsigned char *)"\x1f\x8b\x08\x00", 4));
    assert_false(upload_is_capture((const unsigned char *)"\xd4\xc3\xb2", 3));
    assert_false(upload_is_capture((const unsigned char *)"PK\x03\x04", 4));
    assert_false(upload_is_capture((const unsigned char *)"\x7f"
                                                          "ELF",
                                   4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_of_this_store_is_a_position), cmocka_unit_test(any_other_id_is_none),
        cmocka_unit_test(a_cell_is_never_a_formula),         cmocka_unit_test(a_line_of_each_format),
        cmocka_unit_test(what_is_no_json_makes_no_line),     cmocka_unit_test(a_capture_is_known_by_its_first_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
