/* The committer over a store that is a fake: a gate holds a commit until the test lets it go. */
#include "backend/committer.h"
#include "tests/unit/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SUBMITTERS = 8 };

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_shut, away;
static size_t inside, batches, batch_sizes[64], pings;
static int64_t next_seq;

const char *store_kind(const struct store *store)
{
    (void)store;
    return "fake";
}

bool store_ping(struct store *store, struct err *err)
{
    bool answers;

    (void)store;
    pthread_mutex_lock(&gate_lock);
    answers = !away;
    pings++;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate_lock);
    return answers || err_set(err, ERR_UNAVAILABLE, "away");
}

bool store_insert(struct store *store, struct store_item *items, size_t count, struct err *err)
{
    bool ok;

    (void)store;
    pthread_mutex_lock(&gate_lock);
    inside++;
    pthread_cond_broadcast(&gate_moved);
    while (gate_shut)
        pthread_cond_wait(&gate_moved, &gate_lock);
    inside--;
    ok = !away;
    if (ok)
        batch_sizes[batches++ % 64] = count;
    for (size_t i = 0; ok && i < count; i++) {
        items[i].result = STORE_STORED;
        items[i].seq = ++next_seq;
    }
    pthread_mutex_unlock(&gate_lock);
    return ok || err_set(err, ERR_UNAVAILABLE, "away");
}

static void set_gate(bool shut)
{
    pthread_mutex_lock(&gate_lock);
    gate_shut = shut;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate_lock);
}

static void wait_until_inside(void)
{
    pthread_mutex_lock(&gate_lock);
    while (inside == 0)
        pthread_cond_wait(&gate_moved, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static int reset(void **state)
{
    (void)state;
    gate_shut = away = false;
    inside = batches = pings = 0;
    next_seq = 0;
    return 0;
}

struct listener {
    int64_t seqs[256];
    atomic_size_t count;
};

static void listen_to(void *context, const struct store_item *item)
{
    struct listener *listener = context;

    listener->seqs[listener->count % 256] = item->seq;
    listener->count++;
}

struct submitter {
    pthread_t thread;
    struct committer *committer;
    struct listener *listener;
    size_t count, heard; /* heard: events told when this one was answered */
    bool ok;
    struct err err;
    struct store_item items[64];
};

static void *submit(void *context)
{
    struct submitter *s = context;

    s->ok = committer_submit(s->committer, s->items, s->count, &s->err);
    s->heard = s->listener != NULL ? s->listener->count : 0;
    return NULL;
}

static void start(struct submitter *s, struct committer *committer, struct listener *listener, size_t count)
{
    memset(s, 0, sizeof *s);
    s->committer = committer;
    s->listener = listener;
    s->count = count;
    assert_int_equal(pthread_create(&s->thread, NULL, submit, s), 0);
}

static void wait_for_waiting(struct committer *c, int64_t count)
{
    struct committer_figures figures;

    do {
        committer_read(c, &figures);
    } while (figures.waiting < count);
}

static void what_waits_during_a_commit_shares_the_next(void **state)
{
    struct listener listener = {.count = 0};
    struct committer_settings settings = {.stored = listen_to, .context = &listener};
    struct committer *c = committer_start(NULL, &settings, NULL);
    struct submitter s[SUBMITTERS];

    (void)state;
    set_gate(true);
    start(&s[0], c, &listener, 1);
    wait_until_inside();
    for (int i = 1; i < SUBMITTERS; i++)
        start(&s[i], c, &listener, 1);
    wait_for_waiting(c, SUBMITTERS);
    set_gate(false);
    for (int i = 0; i < SUBMITTERS; i++) {
        pthread_join(s[i].thread, NULL);
        assert_true(s[i].ok);
        assert_int_equal(s[i].items[0].result, STORE_STORED);
        assert_true(s[i].heard >= (size_t)s[i].items[0].seq); /* told before it was answered */
    }
    assert_int_equal(batches, 2);
    assert_int_equal(batch_sizes[0], 1);
    assert_int_equal(batch_sizes[1], SUBMITTERS - 1);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(listener.seqs[i], i + 1);
    committer_stop(c);
}

static void a_long_request_is_cut_into_batches(void **state)
{
    struct committer_settings settings = {.max_batch = 10};
    struct committer *c = committer_start(NULL, &settings, NULL);
    struct submitter s;

    (void)state;
    start(&s, c, NULL, 25);
    pthread_join(s.thread, NULL);
    assert_true(s.ok);
    assert_int_equal(batches, 3);
    assert_int_equal(batch_sizes[2], 5);
    assert_int_equal(s.items[24].seq, 25);
    committer_stop(c);
}

static void more_than_may_wait_is_refused_at_once(void **state)
{
    struct committer_settings settings = {.max_waiting = 5};
    struct committer *c = committer_start(NULL, &settings, NULL);
    struct submitter s, late;
    struct committer_figures figures;

    (void)state;
    set_gate(true);
    start(&s, c, NULL, 4);
    wait_until_inside();
    start(&late, c, NULL, 2);
    pthread_join(late.thread, NULL);
    assert_false(late.ok);
    assert_int_equal(late.err.code, ERR_UNAVAILABLE);
    set_gate(false);
    pthread_join(s.thread, NULL);
    assert_true(s.ok);
    committer_read(c, &figures);
    assert_int_equal(figures.refused, 2);
    assert_int_equal(figures.waiting, 0);
    committer_stop(c);
}

static void while_the_store_is_away_all_are_refused_until_it_answers(void **state)
{
    struct committer *c = committer_start(NULL, NULL, NULL);
    struct committer_figures figures;
    struct submitter s;

    (void)state;
    away = true;
    start(&s, c, NULL, 1);
    pthread_join(s.thread, NULL);
    assert_false(s.ok);
    assert_int_equal(s.err.code, ERR_UNAVAILABLE);
    assert_int_equal(s.items[0].result, STORE_REFUSED);
    start(&s, c, NULL, 1);
    pthread_join(s.thread, NULL);
    assert_false(s.ok); /* without a second attempt to write */
    committer_read(c, &figures);
    assert_int_equal(figures.failed, 1);
    assert_true(figures.away);
    pthread_mutex_lock(&gate_lock);
    away = false;
    while (pings == 0)
        pthread_cond_wait(&gate_moved, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
    do {
        committer_read(c, &figures);
    } while (figures.away);
    start(&s, c, NULL, 1);
    pthread_join(s.thread, NULL);
    assert_true(s.ok);
    committer_stop(c);
}

static void stopping_commits_what_waits(void **state)
{
    struct committer *c = committer_start(NULL, NULL, NULL);
    struct submitter first, second;

    (void)state;
    set_gate(true);
    start(&first, c, NULL, 1);
    wait_until_inside();
    start(&second, c, NULL, 3);
    wait_for_waiting(c, 4);
    set_gate(false);
    committer_stop(c);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_true(first.ok && second.ok);
    assert_int_equal(second.items[2].result, STORE_STORED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_waits_during_a_commit_shares_the_next, reset),
        cmocka_unit_test_setup(a_long_request_is_cut_into_batches, reset),
        cmocka_unit_test_setup(more_than_may_wait_is_refused_at_once, reset),
        cmocka_unit_test_setup(while_the_store_is_away_all_are_refused_until_it_answers, reset),
        cmocka_unit_test_setup(stopping_commits_what_waits, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
