/* Tests of where notices may go. */
#include "tests/unit/check.h"

#include "backend/target_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static bool is_public(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return target_guard_public((const struct sockaddr *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return target_guard_public((const struct sockaddr *)&six);
}

static void public_addresses_are_public(void **state)
{
    static const char *const list[] = {
        "1.1.1.1",       "9.255.255.255",   "11.0.0.0",       "172.15.255.255",   "172.32.0.1",     "192.167.255.1",
        "192.169.0.1",   "100.63.255.255",  "100.128.0.1",    "169.253.1.1",      "198.17.0.1",     "223.255.255.255",
        "2606:4700::11", "2a00:1450::200e", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"};

    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (!is_public(list[i]))
            fail_msg("%s", list[i]);
}

static void all_others_are_not(void **state)
{
    static const char *const list[] = {"0.0.0.0",
                                       "0.1.2.3",
                                       "10.0.0.0",
                                       "10.255.255.255",
                                       "100.64.0.1",
                                       "127.0.0.1",
                                       "127.255.0.1",
                                       "169.254.169.254",
                                       "172.16.0.1",
                                       "172.31.255.255",
                                       "192.0.2.1",
                                       "192.168.0.1",
                                       "192.168.255.255",
                                       "198.18.0.1",
                                       "198.19.255.255",
                                       "198.51.100.1",
                                       "203.0.113.1",
                                       "224.0.0.1",
                                       "239.1.1.1",
                                       "255.255.255.255",
                                       "::",
                                       "::1",
                                       "fe80::1",
                                       "fc00::1",
                                       "fdff::1",
                                       "ff02::1",
                                       "::ffff:127.0.0.1",
                                       "::ffff:10.0.0.1",
                                       "64:ff9b::7f00:1",
                                       "2002:7f00:1::1",
                                       "2001::1",
                                       "2001:db8::1",
                                       "::127.0.0.1",
                                       "4000::1"};

    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (is_public(list[i]))
            fail_msg("%s", list[i]);
}

static void other_families_are_not_and_all_lets_all(void **state)
{
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool all = true, some = false;

    (void)state;
    assert_false(target_guard_public(&other));
    assert_true(target_guard_may_connect((const struct sockaddr *)&loopback, &all));
    assert_false(target_guard_may_connect((const struct sockaddr *)&loopback, &some));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses_are_public),
        cmocka_unit_test(all_others_are_not),
        cmocka_unit_test(other_families_are_not_and_all_lets_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
