/* sender_test.c: what becomes of a row for each kind of answer, against a scripted receiver on the loopback.
 *
 * Long because each answer has a test. */
#include "tests/unit/check.h"

#include "common/clock.h"
#include "common/http_client.h"
#include "common/http_server.h"
#include "common/json.h"
#include "common/signature.h"
#include "common/token.h"
#include "detector/sender.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS = 4096, SCRIPT = 16 };
static const char secret[] = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

struct heard {
    char *body;
    char id[160], timestamp[32], signature[160], agent[80], path[128];
    int64_t at_ms;
};

struct fixture {
    char folder[64], url[128], secret_file[96];
    struct spool *spool;
    struct sender *sender;
    struct http_server *server;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct heard heard[CALLS];
    size_t count, beats;
    struct {
        int status;
        const char *body, *retry_after;
    } script[SCRIPT]; /* the last one goes on */
    size_t script_length, script_at;
    bool no_arrays; /* arrays get 400, objects 200 */
};

static const char *header_or_nothing(struct http_request *request, const char *name)
{
    const char *value = http_header(request, name);

    return value ? value : "";
}

static void take(struct http_request *request, void *context)
{
    struct fixture *f = context;
    size_t length;
    const char *body = http_body(request, &length);
    const char *answer = "{\"success\":true}", *retry_after = NULL;
    int status = 200;
    struct heard *h;

    pthread_mutex_lock(&f->lock);
    assert_true(f->count < CALLS);
    h = &f->heard[f->count++];
    h->body = strdup(body);
    h->at_ms = clock_monotonic_ms();
    snprintf(h->id, sizeof h->id, "%s", header_or_nothing(request, "webhook-id"));
    snprintf(h->timestamp, sizeof h->timestamp, "%s", header_or_nothing(request, "webhook-timestamp"));
    snprintf(h->signature, sizeof h->signature, "%s", header_or_nothing(request, "webhook-signature"));
    snprintf(h->agent, sizeof h->agent, "%s", header_or_nothing(request, "User-Agent"));
    if (f->no_arrays) {
        status = body[0] == '[' ? 400 : 200;
    } else if (f->script_length > 0) {
        size_t at = f->script_at < f->script_length - 1 ? f->script_at++ : f->script_length - 1;

        status = f->script[at].status;
        answer = f->script[at].body ? f->script[at].body : answer;
        retry_after = f->script[at].retry_after;
    }
    pthread_cond_broadcast(&f->news);
    pthread_mutex_unlock(&f->lock);
    if (retry_after != NULL)
        http_add_header(request, "Retry-After", retry_after);
    http_answer_text(request, status, answer);
}

static void take_beat(struct http_request *request, void *context)
{
    struct fixture *f = context;
    size_t length;

    pthread_mutex_lock(&f->lock);
    f->heard[0].body = f->heard[0].body ? f->heard[0].body : strdup(http_body(request, &length));
    snprintf(f->heard[0].path, sizeof f->heard[0].path, "%s", http_segment(request, "name"));
    f->beats++;
    pthread_cond_broadcast(&f->news);
    pthread_mutex_unlock(&f->lock);
    http_answer_text(request, 200, "{\"success\":true}");
}

static const struct http_route routes[] = {
    {"PUT", "/api/network/threats/{id}/evidence", 0, take, HTTP_WHOLE_BODY, 1024 * 1024},
    {"POST", "/api/network/webhook", 0, take, HTTP_WHOLE_BODY, SENDER_BODY_MAX + 2},
    {"POST", "/api/network/sensors/{name}/heartbeat", 0, take_beat, HTTP_WHOLE_BODY, 65536},
};

static void serve(struct fixture *f)
{
    const int port = 0;
    const struct http_settings settings = {.bind = "127.0.0.1",
                                           .ports = &port,
                                           .port_count = 1,
                                           .threads = 2,
                                           .routes = routes,
                                           .route_count = 3,
                                           .context = f};

    f->server = http_server_start(&settings, NULL);
    assert_non_null(f->server);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/api/network/webhook", http_server_port(f->server, 0));
}

/* One server for all: it takes a second to stop. */
static int set_up_group(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->news, NULL);
    serve(f);
    *state = f;
    return 0;
}

static int tear_down_group(void **state)
{
    struct fixture *f = *state;

    http_server_stop(f->server);
    free(f);
    return 0;
}

static int set_up(void **state)
{
    struct fixture *f = *state;
    char path[96];
    FILE *file;

    snprintf(f->folder, sizeof f->folder, "%s/sender_test.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(f->folder));
    snprintf(path, sizeof path, "%s/spool.db", f->folder);
    f->spool = spool_open(path, 0, NULL);
    assert_non_null(f->spool);
    snprintf(f->secret_file, sizeof f->secret_file, "%s/secret", f->folder);
    file = fopen(f->secret_file, "w");
    fprintf(file, "other whsec_eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=\nunit %s\n", secret);
    fclose(file);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];

    sender_stop(f->sender);
    f->sender = NULL;
    spool_close(f->spool);
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < CALLS; i++)
        free(f->heard[i].body);
    memset(f->heard, 0, sizeof f->heard);
    f->count = f->beats = f->script_length = f->script_at = 0;
    f->no_arrays = false;
    pthread_mutex_unlock(&f->lock);
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    return 0;
}

static cJSON *figures(void *context)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "version", context);
    return o;
}

/* Pauses are short here; which pause is taken when is what the tests look at. */
static void start(struct fixture *f, bool sign, bool beats)
{
    struct sender_settings settings = {.url = f->url,
                                       .secret_file = sign ? f->secret_file : NULL,
                                       .sensor = "unit",
                                       .spool = f->spool,
                                       .timeout_ms = 20000,
                                       .pause_min_ms = 10,
                                       .pause_max_ms = 40,
                                       .kept_ms = 60,
                                       .heartbeat_ms = 20,
                                       .figures = beats ? figures : NULL};
    static char version[] = "9.9";
    struct err err = {0};

    settings.context = version;
    f->sender = sender_start(&settings, &err);
    assert_non_null(f->sender);
}

static void append(struct fixture *f, const char *id, uint32_t revision)
{
    char json[128];

    snprintf(json, sizeof json, "{\"threat_id\":\"%s\",\"revision\":%u}", id, revision);
    assert_true(spool_append(f->spool, id, revision, json, NULL));
    if (f->sender != NULL)
        sender_wake(f->sender);
}

static void script(struct fixture *f, int status, const char *body, const char *retry_after)
{
    pthread_mutex_lock(&f->lock);
    f->script[f->script_length].status = status;
    f->script[f->script_length].body = body;
    f->script[f->script_length++].retry_after = retry_after;
    pthread_mutex_unlock(&f->lock);
}

static bool wait_calls(struct fixture *f, size_t count)
{
    struct timespec until;
    bool reached;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&f->lock);
    while (f->count < count && pthread_cond_timedwait(&f->news, &f->lock, &until) == 0)
        ;
    reached = f->count >= count;
    pthread_mutex_unlock(&f->lock);
    return reached;
}

static struct spool_counts counts(struct fixture *f)
{
    struct spool_counts c;

    assert_true(spool_refresh(f->spool, NULL));
    spool_counts(f->spool, &c);
    return c;
}

/* The receiver has heard before the row is settled. */
static bool settled(struct fixture *f, int64_t waiting, int64_t kept, int64_t refused)
{
    for (int i = 0; i < 5000; i++) {
        struct spool_counts c = counts(f);

        if (c.waiting == waiting && c.kept == kept && c.refused == refused)
            return true;
        usleep(1000);
    }
    return false;
}

/* The counters follow the spool. */
static struct sender_counters delivered(struct fixture *f, uint64_t count)
{
    struct sender_counters c;

    for (int i = 0; i < 5000; i++) {
        sender_counters(f->sender, &c);
        if (c.delivered >= count)
            break;
        usleep(1000);
    }
    return c;
}

static void a_threat_goes_out_as_it_is_and_leaves_the_spool(void **state)
{
    struct fixture *f = *state;
    struct sender_counters c;

    start(f, false, false);
    append(f, "a", 1);
    assert_true(sender_drain(f->sender, 5000));
    assert_true(settled(f, 0, 0, 0));
    assert_int_equal(f->count, 1);
    assert_string_equal(f->heard[0].body, "{\"threat_id\":\"a\",\"revision\":1}");
    assert_string_equal(f->heard[0].agent, "threatline-detector/" THREATLINE_VERSION);
    assert_string_equal(f->heard[0].signature, "");
    c = delivered(f, 1);
    assert_int_equal(c.delivered, 1);
    assert_true(c.last_delivered_ms > 0);
}

static void every_attempt_is_signed_anew_with_the_sensors_own_secret(void **state)
{
    struct fixture *f = *state;
    const struct signature_key *who = NULL;
    struct signature_key key;

    script(f, 503, NULL, "1");
    script(f, 200, NULL, NULL);
    start(f, true, false);
    append(f, "a", 3);
    assert_true(wait_calls(f, 2));
    assert_true(signature_key_from_text(secret, &key, NULL));
    for (int i = 0; i < 2; i++) {
        struct heard *h = &f->heard[i];

        assert_string_equal(h->id, "a.3");
        assert_true(signature_check(&key, 1, h->signature, h->id, h->timestamp, clock_now_ms() / 1000, h->body,
                                    strlen(h->body), &who, NULL));
    }
    assert_string_not_equal(f->heard[0].timestamp, f->heard[1].timestamp);
}

static void what_cannot_be_taken_becomes_a_dead_letter(void **state)
{
    static const int statuses[] = {400, 409, 413, 415, 422};
    struct fixture *f = *state;
    char id[8];

    start(f, false, false);
    for (size_t i = 0; i < 5; i++) {
        f->script_length = f->script_at = 0;
        script(f, statuses[i], "{\"success\":false,\"message\":\"because\"}", NULL);
        snprintf(id, sizeof id, "t%zu", i);
        append(f, id, 1);
        assert_true(wait_calls(f, i + 1));
        assert_true(settled(f, 0, 0, (int64_t)i + 1));
    }
    assert_int_equal(f->count, 5); /* none of them again */
    f->script_length = f->script_at = 0;
    script(f, 200, NULL, NULL);
    assert_int_equal(spool_replay(f->spool, NULL, NULL), 5);
    sender_wake(f->sender);
    assert_true(settled(f, 0, 0, 0));
}

static void what_a_person_must_put_right_is_kept_and_tried_again(void **state)
{
    static const int statuses[] = {401, 403, 404, 405};
    struct fixture *f = *state;

    for (size_t i = 0; i < 4; i++) {
        struct sender_counters c;
        size_t before = f->count;

        f->script_length = f->script_at = 0;
        script(f, statuses[i], NULL, NULL);
        script(f, statuses[i], NULL, NULL);
        script(f, 200, NULL, NULL);
        start(f, false, false);
        append(f, "a", 1);
        assert_true(wait_calls(f, before + 3));
        assert_true(settled(f, 0, 0, 0));
        assert_true(f->heard[before + 1].at_ms - f->heard[before].at_ms >= 55); /* kept_ms, not pause_min_ms */
        c = delivered(f, 1);
        assert_int_equal(c.kept, 2);
        assert_int_equal(c.delivered, 1);
        assert_string_equal(c.trouble, "");
        sender_stop(f->sender);
        f->sender = NULL;
    }
}

static void anything_else_is_tried_again_until_it_is_delivered(void **state)
{
    static const int statuses[] = {500, 502, 503, 429, 408, 302, 418};
    struct fixture *f = *state;

    for (size_t i = 0; i < 7; i++)
        script(f, statuses[i], NULL, NULL);
    script(f, 200, NULL, NULL);
    start(f, false, false);
    append(f, "a", 1);
    assert_true(wait_calls(f, 8));
    assert_true(settled(f, 0, 0, 0));
    assert_int_equal(f->count, 8);
}

static void retry_after_is_honoured(void **state)
{
    struct fixture *f = *state;

    script(f, 503, NULL, "1");
    script(f, 200, NULL, NULL);
    start(f, false, false);
    append(f, "a", 1);
    assert_true(wait_calls(f, 2));
    assert_true(f->heard[1].at_ms - f->heard[0].at_ms >= 990);
}

static void silence_is_tried_again_and_nothing_is_lost_by_a_stop(void **state)
{
    struct fixture *f = *state;
    struct sender_counters c;
    char url[sizeof f->url];

    memcpy(url, f->url, sizeof url);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:9/api/network/webhook"); /* discard: nobody listens there */
    start(f, false, false);
    append(f, "a", 1);
    assert_false(sender_drain(f->sender, 150));
    sender_counters(f->sender, &c);
    assert_true(c.failures >= 2);
    assert_string_not_equal(c.trouble, "");
    sender_stop(f->sender);
    f->sender = NULL;
    assert_int_equal(counts(f).waiting, 1);
    memcpy(f->url, url, sizeof url);
    start(f, false, false);
    assert_true(sender_drain(f->sender, 5000));
    assert_int_equal(f->count, 1);
}

static void a_backlog_goes_as_arrays_of_at_most_1000(void **state)
{
    struct fixture *f = *state;
    char id[16];
    cJSON *list;

    for (int i = 0; i < 1200; i++) {
        snprintf(id, sizeof id, "t%04d", i);
        append(f, id, 1);
    }
    start(f, true, false);
    assert_true(sender_drain(f->sender, 10000));
    assert_int_equal(f->count, 2);
    list = cJSON_Parse(f->heard[0].body);
    assert_int_equal(cJSON_GetArraySize(list), 1000);
    assert_string_equal(f->heard[0].id, "t0000.1");
    cJSON_Delete(list);
    list = cJSON_Parse(f->heard[1].body);
    assert_int_equal(cJSON_GetArraySize(list), 200);
    cJSON_Delete(list);
}

static void a_207_settles_item_by_item(void **state)
{
    struct fixture *f = *state;

    script(f, 207,
           "{\"success\":true,\"results\":[{\"threat_id\":\"a\",\"status\":\"stored\"},"
           "{\"threat_id\":\"b\",\"status\":\"refused\",\"message\":\"bad\"},"
           "{\"threat_id\":\"c\",\"status\":\"duplicate\"}]}",
           NULL);
    script(f, 200, NULL, NULL);
    append(f, "a", 1);
    append(f, "b", 1);
    append(f, "c", 1);
    append(f, "d", 1); /* not spoken of: goes again */
    start(f, false, false);
    assert_true(wait_calls(f, 2));
    assert_true(settled(f, 0, 0, 1));
    assert_string_equal(f->heard[1].body, "{\"threat_id\":\"d\",\"revision\":1}");
}

static void two_revisions_in_one_array_are_told_apart_by_their_place(void **state)
{
    struct fixture *f = *state;
    cJSON *letters;

    script(f, 207,
           "{\"results\":[{\"threat_id\":\"a\",\"status\":\"stored\"},"
           "{\"threat_id\":\"a\",\"status\":\"refused\"}]}",
           NULL);
    append(f, "a", 1);
    append(f, "a", 2);
    start(f, false, false);
    assert_true(settled(f, 0, 0, 1));
    letters = spool_dead_letters(f->spool, 5, NULL);
    assert_int_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(letters, 0), "revision")->valueint, 2);
    cJSON_Delete(letters);
}

static void a_receiver_that_knows_no_arrays_gets_single_threats(void **state)
{
    struct fixture *f = *state;

    f->no_arrays = true;
    append(f, "a", 1);
    append(f, "b", 1);
    append(f, "c", 1);
    start(f, false, false);
    assert_true(sender_drain(f->sender, 5000));
    assert_true(settled(f, 0, 0, 0));
    assert_int_equal(f->count, 4);
    assert_string_equal(f->heard[3].body, "{\"threat_id\":\"c\",\"revision\":1}");
}

static void a_success_brings_kept_rows_back_at_once(void **state)
{
    struct fixture *f = *state;
    const struct spool_answer later = {1, SPOOL_KEPT, 401, NULL, clock_now_ms() + 3600000};

    append(f, "a", 1);
    assert_true(spool_settle(f->spool, &later, 1, NULL));
    script(f, 500, NULL, NULL); /* so that there is something to recover from */
    script(f, 200, NULL, NULL);
    start(f, false, false);
    append(f, "b", 1);
    assert_true(settled(f, 0, 0, 0));
}

static void heartbeats_go_out_beside_the_threats(void **state)
{
    struct fixture *f = *state;
    struct timespec until;

    start(f, true, true);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&f->lock);
    while (f->beats < 3 && pthread_cond_timedwait(&f->news, &f->lock, &until) == 0)
        ;
    assert_true(f->beats >= 3);
    assert_string_equal(f->heard[0].path, "unit");
    assert_string_equal(f->heard[0].body, "{\"version\":\"9.9\"}");
    pthread_mutex_unlock(&f->lock);
}

static void a_secret_file_without_the_sensor_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sender_settings settings = {
        .url = f->url, .secret_file = f->secret_file, .sensor = "stranger", .spool = f->spool};
    struct err err = {0};

    assert_false(sender_check(&settings, &err));
    assert_non_null(strstr(err.text, "stranger"));
    assert_null(sender_start(&settings, &err));
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static bool counted_packets(struct fixture *f, uint64_t handed, uint64_t refused)
{
    struct sender_counters c;

    for (int i = 0; i < 5000; i++) {
        sender_counters(f->sender, &c);
        if (c.evidence == handed && c.evidence_refused == refused)
            return true;
        usleep(1000);
    }
    return false;
}

static void packets_follow_their_threat_signed_and_again_while_it_is_not_there(void **state)
{
    struct fixture *f = *state;
    const struct signature_key *who = NULL;
    struct signature_key key;
    struct spool_counts left;

    script(f, 503, NULL, NULL);
    script(f, 200, NULL, NULL); /* the threat */
    script(f, 404, NULL, NULL);
    script(f, 500, NULL, NULL);
    script(f, 404, NULL, NULL);
    script(f, 200, NULL, NULL);
    append(f, "t1", 1);
    assert_true(spool_evidence(f->spool, "t1", "packets of t1", 13, NULL));
    start(f, true, false);
    assert_true(counted_packets(f, 1, 0));
    assert_true(sender_drain(f->sender, 5000));
    assert_int_equal(f->count, 6);
    assert_string_equal(f->heard[1].id, "t1.1");
    assert_true(signature_key_from_text(secret, &key, NULL));
    for (int i = 2; i < 6; i++) {
        struct heard *h = &f->heard[i];

        assert_string_equal(h->id, "t1.evidence");
        assert_string_equal(h->body, "packets of t1");
        assert_true(signature_check(&key, 1, h->signature, h->id, h->timestamp, clock_now_ms() / 1000, h->body, 13,
                                    &who, NULL));
    }
    left = counts(f);
    assert_int_equal(left.evidence + left.evidence_kept, 0);
}

static void packets_that_are_refused_are_given_up_and_counted(void **state)
{
    struct fixture *f = *state;

    script(f, 400, NULL, NULL);
    script(f, 413, NULL, NULL);
    script(f, 200, NULL, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(spool_evidence(f->spool, (const char *[]){"a", "b", "c"}[i], "x", 1, NULL));
    start(f, false, false);
    assert_true(counted_packets(f, 1, 2));
    assert_true(sender_drain(f->sender, 5000));
    assert_int_equal(f->count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_threat_goes_out_as_it_is_and_leaves_the_spool),
        WITH_SERVER(every_attempt_is_signed_anew_with_the_sensors_own_secret),
        WITH_SERVER(what_cannot_be_taken_becomes_a_dead_letter),
        WITH_SERVER(what_a_person_must_put_right_is_kept_and_tried_again),
        WITH_SERVER(anything_else_is_tried_again_until_it_is_delivered),
        WITH_SERVER(retry_after_is_honoured),
        WITH_SERVER(packets_follow_their_threat_signed_and_again_while_it_is_not_there),
        WITH_SERVER(packets_that_are_refused_are_given_up_and_counted),
        WITH_SERVER(silence_is_tried_again_and_nothing_is_lost_by_a_stop),
        WITH_SERVER(a_backlog_goes_as_arrays_of_at_most_1000),
        WITH_SERVER(a_207_settles_item_by_item),
        WITH_SERVER(two_revisions_in_one_array_are_told_apart_by_their_place),
        WITH_SERVER(a_receiver_that_knows_no_arrays_gets_single_threats),
        WITH_SERVER(a_success_brings_kept_rows_back_at_once),
        WITH_SERVER(heartbeats_go_out_beside_the_threats),
        WITH_SERVER(a_secret_file_without_the_sensor_is_refused),
    };

    if (!token_setup() || !http_client_setup())
        return 1;
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
