/* Addresses and networks. */
#include "tests/unit/check.h"

#include "backend/network.h"

static bool within(const char *network, const char *address)
{
    struct networks list;
    struct config_list texts = {.items = {network}, .count = 1};

    assert_true(networks_read(&list, &texts, NULL));
    return networks_have(&list, address);
}

static void an_address_lies_in_its_network(void **state)
{
    (void)state;
    assert_true(within("10.0.0.0/8", "10.255.255.255"));
    assert_false(within("10.0.0.0/8", "11.0.0.0"));
    assert_true(within("10.1.2.3/8", "10.9.9.9")); /* host bits are cut off */
    assert_true(within("192.0.2.1", "192.0.2.1"));
    assert_false(within("192.0.2.1", "192.0.2.2"));
    assert_true(within("0.0.0.0/0", "255.255.255.255"));
    assert_true(within("172.16.0.0/12", "172.31.0.1"));
    assert_false(within("172.16.0.0/12", "172.32.0.0"));
    assert_true(within("fe80::/10", "febf::1"));
    assert_false(within("fe80::/10", "fec0::1"));
    assert_true(within("::1", "::1"));
}

static void an_ipv4_network_has_mapped_addresses_and_no_other_ipv6(void **state)
{
    (void)state;
    assert_true(within("127.0.0.0/8", "::ffff:127.0.0.1"));
    assert_false(within("0.0.0.0/0", "2001:db8::1"));
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const wrong[] = {"",         "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x",
                                        "10.0.0/8", "::/129",      "nobody",    "1.2.3.4/ 8",  "1.2.3.4/08888888888",
                                        "01.2.3.4"};
    struct network network;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = {0};

        assert_false(network_parse(wrong[i], &network, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void a_text_that_is_no_address_is_nowhere(void **state)
{
    (void)state;
    assert_false(within("0.0.0.0/0", "localhost"));
    assert_false(within("0.0.0.0/0", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_lies_in_its_network),
        cmocka_unit_test(an_ipv4_network_has_mapped_addresses_and_no_other_ipv6),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(a_text_that_is_no_address_is_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
