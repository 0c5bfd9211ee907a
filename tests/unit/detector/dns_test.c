/* Tests of dns.h. */
#include "tests/unit/check.h"

#include "detector/dns.h"

#include <string.h>

/* A message with one question, of the labels in name ("www.example.com"). */
static size_t message(uint8_t *out, const char *name, uint16_t flags, uint16_t type)
{
    uint8_t head[12] = {0, 1, (uint8_t)(flags >> 8), (uint8_t)flags, 0, 1};
    size_t used = sizeof head;

    memcpy(out, head, sizeof head);
    while (*name != '\0') {
        size_t label = strcspn(name, ".");

        out[used++] = (uint8_t)label;
        memcpy(out + used, name, label);
        used += label;
        name += label + (name[label] == '.');
    }
    out[used++] = 0;
    out[used++] = (uint8_t)(type >> 8);
    out[used++] = (uint8_t)type;
    out[used++] = 0;
    out[used++] = 1;
    return used;
}

static void a_question_is_read_whole(void **state)
{
    uint8_t bytes[300];
    struct dns dns;

    (void)state;
    assert_true(dns_read(bytes, message(bytes, "Www.Example.COM", 0x0100, 16), &dns));
    assert_string_equal(dns.name, "www.example.com");
    assert_string_equal(dns.name + dns.domain, "example.com");
    assert_int_equal(dns.type, DNS_TYPE_TXT);
    assert_false(dns.response);
    assert_int_equal(dns.longest_label, 7);
}

static void a_country_domain_has_three_labels(void **state)
{
    uint8_t bytes[300];
    struct dns dns;

    (void)state;
    assert_true(dns_read(bytes, message(bytes, "a.b.example.co.uk", 0x8183, 1), &dns));
    assert_string_equal(dns.name + dns.domain, "example.co.uk");
    assert_true(dns.response);
    assert_int_equal(dns.code, DNS_NO_SUCH_NAME);
}

static void the_root_has_no_labels(void **state)
{
    uint8_t bytes[300];
    struct dns dns;

    (void)state;
    assert_true(dns_read(bytes, message(bytes, "", 0x0100, 2), &dns));
    assert_int_equal(dns.name_length, 0);
    assert_int_equal(dns.domain, 0);
}

static void every_cut_is_taken_or_refused_but_never_overread(void **state)
{
    uint8_t bytes[300];
    size_t length = message(bytes, "www.example.com", 0x0100, 1);
    struct dns dns;

    (void)state;
    for (size_t cut = 0; cut < 12; cut++)
        assert_false(dns_read(bytes, cut, &dns));
    assert_true(dns_read(bytes, 15, &dns));
    assert_true(dns.cut);
    assert_string_equal(dns.name, "ww");
    assert_false(dns_read(bytes, length - 1, &dns)); /* the name is whole, its type is not */
}

static void pointers_and_long_names_are_refused(void **state)
{
    uint8_t bytes[400] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1};
    struct dns dns;

    (void)state;
    assert_false(dns_read(bytes, 18, &dns));
    for (size_t i = 12; i + 64 < sizeof bytes; i += 64)
        bytes[i] = 63;
    assert_false(dns_read(bytes, sizeof bytes, &dns));
}

static void bytes_that_are_no_text_become_question_marks(void **state)
{
    uint8_t bytes[20] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0, '.', 0, 0, 1, 0, 1};
    struct dns dns;

    (void)state;
    assert_true(dns_read(bytes, sizeof bytes, &dns));
    assert_string_equal(dns.name, "??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_read_whole),
        cmocka_unit_test(a_country_domain_has_three_labels),
        cmocka_unit_test(the_root_has_no_labels),
        cmocka_unit_test(every_cut_is_taken_or_refused_but_never_overread),
        cmocka_unit_test(pointers_and_long_names_are_refused),
        cmocka_unit_test(bytes_that_are_no_text_become_question_marks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
