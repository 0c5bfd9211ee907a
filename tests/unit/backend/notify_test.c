/* Tests of notices: planned once, tried again by the schedule, dead in the end, never lost. */
#include "tests/unit/check.h"

#include "backend/notify.h"
#include "backend/watch.h"
#include "common/http_client.h"
#include "common/json.h"
#include "common/token.h"
#include "tests/unit/backend/fake_http.h"
#include "tests/unit/backend/fake_store.h"

#include <unistd.h>

/* --- the way out is a fake --- */

static int answer = 200, calls;
static char last_url[256], last_id[160];

bool http_client_call(struct http_client *client, const struct http_call *call, struct http_reply *reply,
                      struct err *err)
{
    (void)client;
    calls++;
    snprintf(last_url, sizeof last_url, "%s", call->url);
    for (const char *const *h = call->headers; *h != NULL; h++)
        if (strncmp(*h, "webhook-id: ", 12) == 0)
            snprintf(last_id, sizeof last_id, "%s", *h + 12);
    *reply = (struct http_reply){.status = answer, .retry_after_s = -1};
    return answer != 0 || err_set(err, ERR_UNAVAILABLE, "%s: silence", call->url);
}

struct http_client *http_client_create(void)
{
    return NULL;
}

void http_client_free(struct http_client *client)
{
    (void)client;
}

void http_reply_clear(struct http_reply *reply)
{
    (void)reply;
}

/* --- a room --- */

static struct seal *test_seal(void)
{
    char folder[] = "/tmp/threatline-seal-XXXXXX", path[64];
    struct seal *seal;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    seal = seal_open(path, NULL);
    assert_non_null(seal);
    unlink(path);
    rmdir(folder);
    return seal;
}

struct room {
    struct seal *seal;
    struct store *store;
    struct watch *watch;
    struct notify *notify;
};

static void open_notify(struct room *room)
{
    struct notify_settings settings = {.store = room->store, .seal = room->seal, .all_addresses = true};

    room->watch = watch_create(room->store);
    room->notify = notify_create(&settings, room->watch, NULL);
    assert_non_null(room->notify);
}

static void close_notify(struct room *room)
{
    notify_free(room->notify);
    watch_free(room->watch);
}

static int begin(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    token_setup();
    answer = 200;
    calls = 0;
    room->store = fake_store();
    room->seal = test_seal();
    open_notify(room);
    *state = room;
    return 0;
}

static int end(void **state)
{
    struct room *room = *state;

    close_notify(room);
    fake_store_free(room->store);
    seal_close(room->seal);
    free(room);
    return 0;
}

static void put_target(struct room *room, const char *id, const char *filter)
{
    struct target target = {.type = TARGET_WEBHOOK, .enabled = true, .created_ms = 1};

    snprintf(target.name, sizeof target.name, "n");
    snprintf(target.author, sizeof target.author, "a");
    snprintf(target.url, sizeof target.url, "http://%s.example/", id);
    snprintf(target.filter, sizeof target.filter, "%s", filter);
    signature_new_secret(target.secret);
    assert_true(doc_put(room->store, TARGET_KIND, id, NULL, target_to_doc(&target, room->seal), 0, -1, NULL, NULL));
    watch_changed(room->watch, TARGET_KIND);
}

#define THREAT(id, more)                                                                                             \
    "{\"threat_id\":\"" id "\",\"threat_type\":\"port_scan\",\"severity\":\"high\",\"source_ip\":\"10.0.0.1\","      \
    "\"destination_ip\":\"10.0.0.2\",\"source_port\":1,\"destination_port\":22,\"protocol\":\"TCP\","                \
    "\"confidence\":0.8,\"timestamp\":\"2026-11-23T01:02:03Z\",\"receivedAt\":\"2026-11-23T01:02:04.000Z\"" more "}"

static void happen(struct room *room, const char *json)
{
    room->store->events[room->store->last_seq++] = json;
}

static void plan(struct room *room)
{
    struct err err = {0};

    if (!notify_plan(room->notify, &err))
        fail_msg("%s", err.text);
}

static size_t documents(struct room *room, const char *kind)
{
    size_t count = 0;

    for (size_t i = 0; i < room->store->count; i++)
        count += strcmp(room->store->docs[i].kind, kind) == 0;
    return count;
}

static void a_new_threat_goes_to_whom_it_fits(void **state)
{
    struct room *room = *state;

    put_target(room, "one", "severity:high");
    put_target(room, "two", "severity:low");
    plan(room);
    happen(room, THREAT("t1", ""));
    plan(room);
    assert_int_equal(documents(room, "outbox"), 1);
    assert_true(notify_try_one(room->notify, NULL, clock_now_ms()));
    assert_string_equal(last_url, "http://one.example/");
    assert_int_equal(documents(room, "outbox"), 0);
    assert_false(notify_try_one(room->notify, NULL, clock_now_ms()));
    plan(room);
    assert_int_equal(documents(room, "outbox"), 0); /* not twice */
}

static void what_was_before_the_first_look_or_is_suppressed_is_not_told(void **state)
{
    struct room *room = *state;

    happen(room, THREAT("old", ""));
    put_target(room, "one", "");
    plan(room); /* the cursor begins here */
    happen(room, THREAT("hidden", ",\"suppressedBy\":\"sup_1\""));
    happen(room, "{\"broken\":true}");
    plan(room);
    assert_int_equal(documents(room, "outbox"), 0);
    happen(room, THREAT("t2", ""));
    plan(room);
    assert_int_equal(documents(room, "outbox"), 1);
}

static void pauses_are_as_the_schedule_says(void **state)
{
    static const int64_t seconds[] = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};

    (void)state;
    for (int i = 0; i < 9; i++)
        assert_int_equal(notify_pause_ms(i + 1), seconds[i] * 1000);
    assert_int_equal(notify_pause_ms(10), -1);
    assert_int_equal(notify_pause_ms(0), -1);
}

static void a_failure_is_tried_ten_times_with_one_id_and_is_then_a_dead_letter(void **state)
{
    struct room *room = *state;
    int64_t now;
    char id[160];

    put_target(room, "one", "");
    plan(room);
    happen(room, THREAT("t1", ""));
    plan(room);
    now = clock_now_ms(); /* what was planned is due */
    answer = 0;
    for (int i = 1; i <= NOTIFY_TRIES; i++) {
        assert_true(notify_try_one(room->notify, NULL, now));
        assert_int_equal(calls, i);
        assert_false(notify_try_one(room->notify, NULL, now + 4000)); /* each pause is 4.5 s or more */
        if (i == 1)
            snprintf(id, sizeof id, "%s", last_id);
        assert_string_equal(last_id, id);
        now += 27LL * 3600 * 1000;
    }
    assert_int_equal(documents(room, "outbox"), 0);
    assert_int_equal(documents(room, "dead"), 1);
    assert_false(notify_try_one(room->notify, NULL, now));
    answer = 200;
    assert_true(notify_replay(room->notify, id, NULL));
    assert_int_equal(documents(room, "dead"), 0);
    assert_true(notify_try_one(room->notify, NULL, now));
    assert_int_equal(documents(room, "outbox"), 0);
    assert_false(notify_replay(room->notify, id, NULL));
}

static void a_notice_is_not_lost_by_a_restart(void **state)
{
    struct room *room = *state;

    put_target(room, "one", "");
    plan(room);
    happen(room, THREAT("t1", ""));
    plan(room);
    happen(room, THREAT("t2", "")); /* not planned yet */
    close_notify(room);
    open_notify(room);
    plan(room);
    assert_true(notify_try_one(room->notify, NULL, clock_now_ms()));
    assert_true(notify_try_one(room->notify, NULL, clock_now_ms()));
    assert_int_equal(calls, 2);
    assert_int_equal(documents(room, "outbox"), 0);
}

static void a_store_that_is_away_delays_and_loses_nothing(void **state)
{
    struct room *room = *state;
    struct err err = {0};

    put_target(room, "one", "");
    plan(room);
    happen(room, THREAT("t1", ""));
    room->store->away = true;
    assert_false(notify_plan(room->notify, &err));
    room->store->away = false;
    plan(room);
    room->store->away = true;
    assert_true(notify_try_one(room->notify, NULL, clock_now_ms()));
    assert_int_equal(calls, 0); /* what to send could not be read */
    room->store->away = false;
    assert_true(notify_try_one(room->notify, NULL, clock_now_ms() + 600000));
    assert_int_equal(calls, 1);
}

static void only_the_holder_of_the_lease_tells(void **state)
{
    struct room *room = *state, other = {.store = room->store, .seal = room->seal};

    room->store->shared = true;
    open_notify(&other);
    put_target(room, "one", "");
    watch_round(other.watch);
    plan(room);
    plan(&other);
    happen(room, THREAT("t1", ""));
    plan(&other);
    assert_int_equal(documents(room, "outbox"), 0);
    plan(room);
    assert_int_equal(documents(room, "outbox"), 1);
    assert_false(notify_try_one(other.notify, NULL, clock_now_ms()));
    assert_true(notify_try_one(room->notify, NULL, clock_now_ms()));
    close_notify(&other);
}

/* Another backend made the target; this one hears of it a moment later, and of the threat at once. */
static void a_target_that_is_not_known_yet_misses_nothing(void **state)
{
    struct room *room = *state, other = {.store = room->store, .seal = room->seal};

    open_notify(&other);
    plan(room);
    assert_true(notify_begin(room->store, NULL));
    put_target(&other, "one", "");
    happen(room, THREAT("t1", ""));
    plan(room);
    assert_int_equal(documents(room, "outbox"), 0);
    watch_round(room->watch);
    plan(room);
    assert_int_equal(documents(room, "outbox"), 1);
    close_notify(&other);
}

static void a_target_may_have_so_many_waiting_and_no_more(void **state)
{
    struct room *room = *state;
    struct notify_figures figures;

    put_target(room, "one", "");
    plan(room);
    for (int i = 0; i < NOTIFY_PENDING; i++) {
        char id[80];
        snprintf(id, sizeof id, "%016d.one", i);
        assert_true(
            store_doc_put(room->store, "outbox", id, NULL, "{\"target\":\"one\",\"next\":0}", 0, 0, NULL, NULL));
    }
    close_notify(room);
    open_notify(room);
    plan(room);
    happen(room, THREAT("t1", ""));
    plan(room);
    assert_true(notify_figures(room->notify, "one", &figures));
    assert_int_equal(figures.pending, NOTIFY_PENDING);
    assert_int_equal(figures.dropped, 1);
}

static void letters_of_a_target_that_is_gone_go_too(void **state)
{
    struct room *room = *state;

    put_target(room, "one", "");
    plan(room);
    happen(room, THREAT("t1", ""));
    plan(room);
    assert_true(store_doc_remove(room->store, TARGET_KIND, "one", NULL));
    watch_changed(room->watch, TARGET_KIND);
    assert_true(notify_try_one(room->notify, NULL, clock_now_ms()));
    assert_int_equal(calls, 0);
    assert_int_equal(documents(room, "outbox"), 0);
}

int main(void)
{
#define ROOM(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        ROOM(a_new_threat_goes_to_whom_it_fits),
        ROOM(what_was_before_the_first_look_or_is_suppressed_is_not_told),
        cmocka_unit_test(pauses_are_as_the_schedule_says),
        ROOM(a_failure_is_tried_ten_times_with_one_id_and_is_then_a_dead_letter),
        ROOM(a_notice_is_not_lost_by_a_restart),
        ROOM(a_store_that_is_away_delays_and_loses_nothing),
        ROOM(only_the_holder_of_the_lease_tells),
        ROOM(a_target_that_is_not_known_yet_misses_nothing),
        ROOM(a_target_may_have_so_many_waiting_and_no_more),
        ROOM(letters_of_a_target_that_is_gone_go_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
