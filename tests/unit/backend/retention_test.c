/* Tests of retention on a real store: by age, by count, by the share of the disk; what people marked stays. */
#include "tests/unit/check.h"

#include "backend/api.h"
#include "backend/bus.h"
#include "backend/retention.h"
#include "backend/store.h"
#include "backend/store_ops.h"
#include "common/clock.h"
#include "common/threat.h"
#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_MS (24LL * 3600 * 1000)

static int told;

void api_emit(struct api *api, const char *type, int64_t seq, const char *json)
{
    (void)api;
    (void)type;
    (void)seq;
    (void)json;
    told++;
}

/* The store says that its disk is as large as the test wants; all else is the store's own. */
static struct store_ops narrow;
static int64_t disk;
static bool (*real_size)(struct store *store, int64_t *bytes, int64_t *disk, struct err *err);

static bool narrow_size(struct store *store, int64_t *bytes, int64_t *total, struct err *err)
{
    bool ok = real_size(store, bytes, total, err);

    *total = disk;
    return ok;
}

struct room {
    struct settings settings;
    struct api api;
    char path[64];
    int64_t now_ms;
};

static int begin(void **state)
{
    struct room *room = calloc(1, sizeof *room);
    struct err err = {0};

    token_setup();
    snprintf(room->path, sizeof room->path, "/tmp/threatline-retention-%ld.db", (long)getpid());
    unlink(room->path);
    room->api.settings = &room->settings;
    room->api.store = store_open_sqlite(room->path, &err);
    if (room->api.store == NULL)
        fail_msg("%s", err.text);
    room->api.bus = bus_create(&(struct bus_settings){.depth = 16, .bytes = 65536, .name = "test", .dense = true});
    room->now_ms = clock_now_ms();
    narrow = *room->api.store->ops;
    real_size = narrow.size;
    narrow.size = narrow_size;
    room->api.store->ops = &narrow;
    told = 0;
    disk = 0;
    *state = room;
    return 0;
}

static int end(void **state)
{
    struct room *room = *state;
    char other[80];

    store_close(room->api.store);
    bus_free(room->api.bus);
    unlink(room->path);
    snprintf(other, sizeof other, "%s-wal", room->path);
    unlink(other);
    snprintf(other, sizeof other, "%s-shm", room->path);
    unlink(other);
    free(room);
    return 0;
}

static void put(struct room *room, const char *front, size_t count, int64_t days_old)
{
    for (size_t i = 0; i < count; i++) {
        struct threat t = {
            .revision = 1, .severity = SEVERITY_HIGH, .confidence = 0.75, .source_port = 1, .destination_port = 2};
        struct store_item item = {.threat = &t,
                                  .address = "127.0.0.1",
                                  .user_agent = "test",
                                  .source = "webhook",
                                  .received_ms = room->now_ms - days_old * DAY_MS};
        struct err err = {0};

        t.timestamp_us = item.received_ms * 1000;
        snprintf(t.id, sizeof t.id, "%s%zu", front, i);
        strcpy(t.type, "port_scan");
        strcpy(t.source_ip, "10.0.0.5");
        strcpy(t.destination_ip, "192.168.1.4");
        strcpy(t.protocol, "TCP");
        strcpy(t.sensor, "edge-1");
        if (!store_insert(room->api.store, &item, 1, &err))
            fail_msg("%s", err.text);
        free(item.json);
    }
}

static void change(struct room *room, const char *id, const char *status, const char *comment)
{
    struct store_change wish = {
        .status = status, .comment = comment, .actor = "ana", .version = -1, .now_ms = room->now_ms};
    char *json = NULL;
    int64_t seq = 0;
    struct err err = {0};

    if (!store_triage(room->api.store, id, &wish, &seq, &json, &err))
        fail_msg("%s", err.text);
    free(json);
}

static bool is_there(struct room *room, const char *id)
{
    char *json = NULL;
    int64_t seq = 0;
    struct triage triage = {0};
    bool found = store_threat(room->api.store, id, &json, &seq, &triage, NULL);

    free(json);
    return found;
}

static int64_t round_of(struct room *room)
{
    struct err err = {0};
    int64_t removed = 0;

    if (!retention_round(&room->api, room->now_ms, &removed, &err))
        fail_msg("%s", err.text);
    return removed;
}

static void what_is_too_old_goes_unless_somebody_marked_it(void **state)
{
    struct room *room = *state;

    put(room, "old", 6, 40);
    put(room, "new", 3, 20);
    change(room, "old1", "escalated", NULL);
    change(room, "old2", NULL, "look at this");
    change(room, "old3", "closed", NULL);
    assert_int_equal(round_of(room), 0); /* nothing is set */
    room->settings.retention_days = 30;
    assert_int_equal(round_of(room), 4);
    assert_true(is_there(room, "old1") && is_there(room, "old2"));
    assert_false(is_there(room, "old0") || is_there(room, "old3"));
    assert_true(is_there(room, "new0"));
    assert_int_equal(told, 1);
    assert_int_equal(round_of(room), 0);
}

static void beyond_the_count_the_oldest_go(void **state)
{
    struct room *room = *state;

    put(room, "a", 5, 3);
    put(room, "b", 5, 1);
    change(room, "a0", "escalated", NULL);
    room->settings.retention_threats = 6;
    assert_int_equal(round_of(room), 4);
    assert_true(is_there(room, "a0") && is_there(room, "b0"));
    assert_false(is_there(room, "a1") || is_there(room, "a4"));
}

static void beyond_the_share_of_the_disk_the_oldest_go(void **state)
{
    struct room *room = *state;
    int64_t bytes = 0, total = 0, after = 0, removed = 0;

    put(room, "a", 500, 3);
    put(room, "b", 500, 1);
    change(room, "a0", "escalated", NULL);
    assert_true(store_size(room->api.store, &bytes, &total, NULL));
    assert_true(bytes > 0);
    room->settings.retention_disk = 80;
    assert_int_equal(round_of(room), 0); /* how large the disk is, is not known */
    disk = 2 * bytes;
    assert_int_equal(round_of(room), 0);
    disk = bytes; /* it may take 80 % of that */
    for (int i = 0; i < 20; i++)
        removed += round_of(room);
    assert_true(store_size(room->api.store, &after, &total, NULL));
    assert_true(after <= disk / 100 * 80);
    assert_true(removed >= 100 && removed < 500);
    assert_true(is_there(room, "a0") && is_there(room, "b0") && is_there(room, "b499"));
    assert_false(is_there(room, "a1"));
    assert_int_equal(round_of(room), 0); /* and then it rests */
}

static void a_real_disk_has_a_size(void **state)
{
    struct room *room = *state;
    int64_t bytes = 0, total = 0;

    assert_true(real_size(room->api.store, &bytes, &total, NULL));
    assert_true(total > bytes && bytes > 0);
}

int main(void)
{
#define RETENTION_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        RETENTION_TEST(what_is_too_old_goes_unless_somebody_marked_it),
        RETENTION_TEST(beyond_the_count_the_oldest_go),
        RETENTION_TEST(beyond_the_share_of_the_disk_the_oldest_go),
        RETENTION_TEST(a_real_disk_has_a_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
