/* Tests of the shape of a syslog message. */
#include "tests/unit/check.h"

#include "backend/mail.h"
#include "backend/syslog.h"

#include <stdlib.h>
#include <string.h>

static char *format(const struct threat *threat, const char *host)
{
    struct text out = {.max = 8192};

    syslog_format(&out, threat, 1795413985123, host);
    assert_false(out.failed);
    return out.bytes;
}

static void a_message_is_one_line_of_rfc_5424(void **state)
{
    const struct threat threat = {.id = "t:1",
                                  .type = "port_scan",
                                  .severity = SEVERITY_CRITICAL,
                                  .source_ip = "10.0.0.1",
                                  .destination_ip = "2001:db8::2",
                                  .source_port = -1,
                                  .destination_port = 22,
                                  .protocol = "TCP",
                                  .confidence = 0.93,
                                  .timestamp_us = 1795413985123456,
                                  .sensor = "edge-1"};
    char *text = format(&threat, "box");

    (void)state;
    assert_string_equal(text,
                        "<130>1 2026-11-23T06:06:25.123Z box threatline - threat [threat@32473 id=\"t:1\" "
                        "type=\"port_scan\" severity=\"critical\" src=\"10.0.0.1\" dst=\"2001:db8::2\" dpt=\"22\" "
                        "proto=\"TCP\" confidence=\"0.930\" sensor=\"edge-1\" time=\"2026-11-23T06:06:25.123456Z\"] "
                        "critical port_scan from 10.0.0.1 to 2001:db8::2 seen by edge-1");
    free(text);
}

static void what_could_end_a_value_is_escaped_and_control_bytes_are_not_sent(void **state)
{
    const struct threat threat = {.id = "t",
                                  .type = "x",
                                  .source_ip = "10.0.0.1",
                                  .destination_ip = "10.0.0.2",
                                  .protocol = "a\"b]c\\d\ne",
                                  .sensor = "s\r\n<0>1 forged"};
    char *text = format(&threat, "a b\n");

    (void)state;
    assert_non_null(strstr(text, "proto=\"a\\\"b\\]c\\\\d e\""));
    assert_null(strpbrk(text, "\r\n"));
    assert_non_null(strstr(text, " a-b- threatline "));
    free(text);
}

static void only_whole_urls_are_fine(void **state)
{
    static const char *const fine[] = {"udp://h:514", "tcp://10.0.0.1:601", "udp://[::1]:514",
                                       "tcp://a.example.org:1"};
    static const char *const wrong[] = {
        "",           "udp://",       "udp://:514",    "udp://h", "udp://h:", "udp://h:0", "udp://h:65536",
        "udp://h:5x", "http://h:514", "udp://h /:514", "h:514",   "udp:",     "udp:///:1"};

    (void)state;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        if (!syslog_url_is_fine(fine[i]))
            fail_msg("%s", fine[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (syslog_url_is_fine(wrong[i]))
            fail_msg("%s", wrong[i]);
}

static void nothing_that_could_end_a_header_is_an_address(void **state)
{
    static const char *const wrong[] = {"",      "a",       "@b",     "a@", "a@b@c", "a b@c", "a@b\r\nBcc: c@d",
                                        "<a@b>", "a@b,c@d", "\"x\"@b"};

    (void)state;
    assert_true(mail_address_is_fine("first.last+tag@mail.example.org"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (mail_address_is_fine(wrong[i]))
            fail_msg("%s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_line_of_rfc_5424),
        cmocka_unit_test(what_could_end_a_value_is_escaped_and_control_bytes_are_not_sent),
        cmocka_unit_test(only_whole_urls_are_fine),
        cmocka_unit_test(nothing_that_could_end_a_header_is_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
