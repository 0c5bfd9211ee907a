/* Tests of who is kept out. */
#include "tests/unit/check.h"

#include "backend/blocklist.h"
#include "backend/watch.h"
#include "common/json.h"
#include "tests/unit/backend/fake_store.h"

static void addresses_get_one_shape(void **state)
{
    static const struct {
        const char *text, *canonical; /* NULL: refused */
    } rows[] = {
        {"10.1.2.3", "10.1.2.3"},
        {"10.1.2.3/32", "10.1.2.3"},
        {"10.1.2.3/8", "10.0.0.0/8"},
        {"10.1.2.3/9", "10.0.0.0/9"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"2001:db8::1/48", "2001:db8::/48"},
        {"::1/128", "::1"},
        {"0.0.0.0/7", NULL},
        {"10.0.0.0/7", NULL},
        {"::/0", NULL},
        {"2000::/15", NULL},
        {"2000::/16", "2000::/16"},
        {"1.2.3", NULL},
        {"", NULL},
        {"10.0.0.0/x", NULL},
    };
    char out[BLOCK_ADDRESS];
    struct network network;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool ok = block_canonical(rows[i].text, out, &network, NULL);
        if (ok != (rows[i].canonical != NULL) || (ok && strcmp(out, rows[i].canonical) != 0))
            fail_msg("%s: %s", rows[i].text, ok ? out : "refused");
    }
}

struct room {
    struct store *store;
    struct watch *watch;
    struct blocklist *list;
};

static int begin(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    room->store = fake_store();
    room->watch = watch_create(room->store);
    room->list = blocklist_create(room->store, room->watch, NULL);
    *state = room;
    return room->list == NULL;
}

static int end(void **state)
{
    struct room *room = *state;

    blocklist_free(room->list);
    watch_free(room->watch);
    fake_store_free(room->store);
    free(room);
    return 0;
}

static void put(struct room *room, const char *address, int64_t expires_ms)
{
    char json[200];

    snprintf(json, sizeof json, "{\"address\":\"%s\",\"expires\":%lld}", address, (long long)expires_ms);
    assert_true(store_doc_put(room->store, "block", address, address, json, 0, -1, NULL, NULL));
}

static void networks_within_networks_are_found(void **state)
{
    struct room *room = *state;

    put(room, "10.0.0.0/8", 0);
    put(room, "10.1.0.0/16", clock_now_ms() - 1);
    put(room, "10.1.2.3", clock_now_ms() - 1);
    put(room, "10.200.0.1", 0);
    put(room, "192.0.2.0/24", 0);
    put(room, "2001:db8::/32", 0);
    watch_round(room->watch);
    assert_true(blocklist_has(room->list, "10.1.2.3"));
    assert_true(blocklist_has(room->list, "10.255.255.255"));
    assert_true(blocklist_has(room->list, "10.0.0.0"));
    assert_false(blocklist_has(room->list, "11.0.0.0"));
    assert_false(blocklist_has(room->list, "9.255.255.255"));
    assert_true(blocklist_has(room->list, "192.0.2.255"));
    assert_false(blocklist_has(room->list, "192.0.3.0"));
    assert_true(blocklist_has(room->list, "2001:db8:ffff::1"));
    assert_false(blocklist_has(room->list, "2001:db9::1"));
    assert_false(blocklist_has(room->list, "nonsense"));
}

static void what_has_expired_lets_in(void **state)
{
    struct room *room = *state;

    put(room, "10.1.2.3", clock_now_ms() - 1);
    watch_round(room->watch);
    assert_false(blocklist_has(room->list, "10.1.2.3"));
}

/* Against the plain way: every entry asked in turn. */
static void a_search_agrees_with_looking_at_all(void **state)
{
    struct room *room = *state;
    struct network networks[200];
    char text[64];
    unsigned seed = 7;

    for (int i = 0; i < 200; i++) {
        seed = seed * 1103515245 + 12345;
        snprintf(text, sizeof text, "10.%u.%u.%u/%u", seed >> 16 & 3, seed >> 20 & 255, seed >> 8 & 255,
                 20 + (seed >> 28) % 13);
        put(room, text, 0);
        assert_true(network_parse(text, &networks[i], NULL));
    }
    watch_round(room->watch);
    for (int i = 0; i < 5000; i++) {
        uint8_t address[16];
        bool has = false;
        seed = seed * 1103515245 + 12345;
        snprintf(text, sizeof text, "10.%u.%u.%u", seed >> 16 & 3, seed >> 20 & 255, seed >> 8 & 255);
        assert_true(network_address(text, address));
        for (int k = 0; !has && k < 200; k++)
            has = network_has(&networks[k], address);
        assert_int_equal(blocklist_has(room->list, text), has);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_get_one_shape),
        cmocka_unit_test_setup_teardown(networks_within_networks_are_found, begin, end),
        cmocka_unit_test_setup_teardown(what_has_expired_lets_in, begin, end),
        cmocka_unit_test_setup_teardown(a_search_agrees_with_looking_at_all, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
