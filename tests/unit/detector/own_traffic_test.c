/* own_traffic_test.c: the product's own connections become a filter that leaves them out. */
#include "detector/own_traffic.h"

#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

static void expect(const char *webhook, const char *list, const char *filter)
{
    struct text out = {.max = 4096};

    own_traffic_filter(webhook, list, &out);
    assert_false(out.failed);
    assert_string_equal(out.bytes != NULL ? out.bytes : "", filter);
    free(out.bytes);
}

static void the_webhook_is_left_out_by_address_and_port(void **state)
{
    (void)state;
    expect("http://10.0.0.7:5000/api", NULL, "not (tcp port 5000 and (host 10.0.0.7))");
    expect("http://10.0.0.7", NULL, "not (tcp port 80 and (host 10.0.0.7))");
    expect("https://10.0.0.7/x:1", NULL, "not (tcp port 443 and (host 10.0.0.7))");
    expect("https://[::1]:8443/x", NULL, "not (tcp port 8443 and (host ::1))");
    expect("https://[::1]/x", NULL, "not (tcp port 443 and (host ::1))");
    expect(NULL, NULL, "");
    expect("no url", NULL, "");
}

/* By the hosts file of any machine. */
static void a_name_is_looked_up(void **state)
{
    struct text out = {.max = 4096};

    (void)state;
    own_traffic_filter("http://localhost:5000/", NULL, &out);
    assert_non_null(out.bytes); /* NULL: this machine has no address for localhost */
    assert_non_null(strstr(out.bytes, "not (tcp port 5000 and (host "));
    assert_true(strstr(out.bytes, "host 127.0.0.1") != NULL || strstr(out.bytes, "host ::1") != NULL);
    free(out.bytes);
    /* longer than a name may be: no resolver is asked */
    expect("http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:5000/", NULL, "");
}

static void others_are_left_out_beside_it_and_behind_what_was_there(void **state)
{
    struct text out = {.max = 4096};

    (void)state;
    text_addf(&out, "(udp)");
    own_traffic_filter("http://10.0.0.7:5000", "10.0.0.8:27017,[2001:db8::1]:5432", &out);
    assert_string_equal(
        out.bytes, "(udp) and not (tcp port 5000 and (host 10.0.0.7)) and not (tcp port 27017 and (host 10.0.0.8)) "
                   "and not (tcp port 5432 and (host 2001:db8::1))");
    free(out.bytes);
}

static void what_is_no_host_and_port_is_refused(void **state)
{
    static const char *const good[] = {"db:27017", "10.0.0.8:1,10.0.0.9:65535", "[::1]:5432"};
    static const char *const bad[] = {"",     "db",   "db:",       ":27017", "db:0",  "db:65536", "db:12x",
                                      "[::1", "[]:1", "[::1]5432", "db:1,",  ",db:1", "a:1,,b:2"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(own_traffic_check(good[i], &err));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(own_traffic_check(bad[i], &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_webhook_is_left_out_by_address_and_port),
        cmocka_unit_test(a_name_is_looked_up),
        cmocka_unit_test(others_are_left_out_beside_it_and_behind_what_was_there),
        cmocka_unit_test(what_is_no_host_and_port_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
