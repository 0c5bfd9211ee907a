/* store_mongo_cuts.h: a server that fails in the middle of a change; for store_mongo_test.c, which has the database
 * that is opened. */
#ifndef TESTS_STORE_MONGO_CUTS_H
#define TESTS_STORE_MONGO_CUTS_H

static bool order_admin(bson_t *order)
{
    mongoc_client_t *client = mongoc_client_new(server);
    bool ok = mongoc_client_command_simple(client, "admin", order, NULL, NULL, NULL);

    bson_destroy(order);
    mongoc_client_destroy(client);
    return ok;
}

/* False when the server has no fail points. */
static bool make_fail(const char *command, int times, int code, const char *label)
{
    return order_admin(BCON_NEW("configureFailPoint", "failCommand", "mode", "{", "times", BCON_INT32(times), "}",
                                "data", "{", "failCommands", "[", BCON_UTF8(command), "]", "errorCode",
                                BCON_INT32(code), "errorLabels", "[", BCON_UTF8(label), "]", "}"));
}

/* After so many more writes every one fails, until let_write. */
static bool refuse_writes(int after)
{
    return order_admin(BCON_NEW("configureFailPoint", "failCommand", "mode", "{", "skip", BCON_INT32(after), "times",
                                BCON_INT32(1000000), "}", "data", "{", "failCommands", "[", "insert", "update",
                                "delete", "findAndModify", "commitTransaction", "]", "errorCode", BCON_INT32(8000),
                                "}"));
}

static void let_write(void)
{
    order_admin(BCON_NEW("configureFailPoint", "failCommand", "mode", "off"));
}

static void a_lost_race_is_tried_again(void **state)
{
    struct threat t = make_threat("raced");
    struct store_item item;
    int64_t seq = 0;

    if (!store_shared(*state) || !make_fail("insert", 2, 112, "TransientTransactionError")) {
        threat_clear(&t);
        skip();
    }
    item = put_threat(*state, &t);
    assert_int_equal(item.result, STORE_STORED);
    free(item.json);
    assert_true(store_last_seq(*state, &seq, NULL));
    assert_int_equal(seq, 1); /* what the lost attempts took was given back */
}

static bool hold_an_insert(int ms)
{
    return order_admin(BCON_NEW("configureFailPoint", "failCommand", "mode", "{", "times", BCON_INT32(1), "}", "data",
                                "{", "failCommands", "[", "insert", "]", "blockConnection", BCON_BOOL(true),
                                "blockTimeMS", BCON_INT32(ms), "}"));
}

/* That one is known is met by the first attempt alone; on a server that takes as long for it as all may take, a
 * second one is made all the same, or the sender would come back with the same batch for ever. */
static void a_slow_server_learns_that_one_is_known(void **state)
{
    struct threat t = make_threat("known");
    struct store_item item;

    put_many(*state, 1);
    free(put_threat(*state, &t).json);
    if (!store_shared(*state) || !hold_an_insert(4500)) {
        threat_clear(&t);
        skip();
    }
    item = put_threat(*state, &t);
    assert_int_equal(item.result, STORE_DUPLICATE);
    threat_clear(&t);
}

static void the_uri_says_how_long_an_answer_may_take(void **state)
{
    struct threat t = make_threat("late");
    struct store_item item;

    put_many(*state, 1);
    if (!store_shared(*state) || !hold_an_insert(MONGO_SOCKET_MS + 1000)) {
        threat_clear(&t);
        skip();
    }
    item = put_threat(*state, &t);
    assert_int_equal(item.result, STORE_STORED);
    free(item.json);
    threat_clear(&t);
}

/* A backend that died within a transaction: its lock on the sequence is still held at the server. */
static void what_a_dead_backend_left_open_stops_nobody(void **state)
{
    struct mongo_store *dead;
    struct store *other = open_database();
    struct threat t = make_threat("after");
    struct mongo_call call = {0};
    int64_t began, last = 0;
    struct store_item item;
    bool again = false;

    if (!store_shared(*state)) {
        store_close(other);
        skip();
    }
    dead = MONGO_STORE(other);
    call.store = dead;
    assert_true(mongo_writer(&call, NULL));
    assert_true(mongoc_client_session_start_transaction(call.session, NULL, NULL));
    assert_true(mongo_count_up(&call, "seq", 1, &last, &again, NULL));
    began = clock_monotonic_ms();
    item = put_threat(*state, &t);
    assert_int_equal(item.result, STORE_STORED);
    assert_int_equal(item.seq, 1);
    assert_true(clock_monotonic_ms() - began < 4000);
    free(item.json);
    store_close(other);
}

/* A server that stops taking writes in the middle of a change, and a backend that is gone (reopen) or not when it
 * takes them again. */
static char *all_counts(struct store *store)
{
    cJSON *s = statistics_of(store, (struct store_span){0});
    char *text;

    assert_non_null(s);
    text = cJSON_PrintUnformatted(s);
    cJSON_Delete(s);
    return text;
}

struct cut {
    const char *what;
    bool (*change)(struct store *store, int n, struct err *err);
};

static bool cut_insert(struct store *store, int n, struct err *err)
{
    struct threat threats[3];
    struct store_item items[3];
    char id[3][32];
    bool ok;

    for (int i = 0; i < 3; i++) {
        if (i < 2)
            snprintf(id[i], sizeof id[i], "new-%d-%d", n, i);
        else
            snprintf(id[i], sizeof id[i], "t00001");
        threats[i] = make_threat(id[i]);
        threats[i].severity = i < 2 ? SEVERITY_LOW : SEVERITY_CRITICAL;
        threats[i].revision = i < 2 ? 1 : (uint32_t)n + 2;
        items[i] = item_of(&threats[i]);
    }
    ok = store_insert(store, items, 3, err);
    if (ok) {
        assert_int_equal(items[0].result, STORE_STORED);
        assert_int_equal(items[1].result, STORE_STORED);
        assert_int_equal(items[2].result, STORE_UPDATED);
    }
    for (int i = 0; i < 3; i++)
        free(items[i].json);
    return ok;
}

static bool cut_triage(struct store *store, int n, struct err *err)
{
    struct store_change change = {
        .status = n % 2 == 0 ? "closed" : "new", .comment = "looked at", .actor = "ana", .version = -1};
    char *json = NULL;
    int64_t seq;
    bool ok = store_triage(store, "t00002", &change, &seq, &json, err);

    free(json);
    return ok;
}

static bool cut_remove(struct store *store, int n, struct err *err)
{
    int64_t count = 0;
    bool ok = store_remove(store, NULL, 0, false, 2, NULL, NULL, &count, err);

    (void)n;
    assert_true(!ok || count == 2);
    return ok;
}

/* NULL: it is not there. */
static char *text_of_threat(struct store *store, const char *id)
{
    struct triage triage;
    char *json = NULL;
    int64_t seq;

    return store_threat(store, id, &json, &seq, &triage, NULL) ? json : NULL;
}

static void is_as_before(struct store *store, const char *counts, const char *threat)
{
    char *now = all_counts(store), *same = text_of_threat(store, "t00001");

    assert_string_equal(now, counts);
    assert_int_equal(same != NULL, threat != NULL);
    if (same != NULL && threat != NULL)
        assert_string_equal(same, threat);
    free(now);
    free(same);
}

static void cut_at_every_write(struct store **store, const struct cut *cut)
{
    bool done = false;

    for (int after = 0; !done; after++) {
        char *before = all_counts(*store), *threat = text_of_threat(*store, "t00001");
        struct err err = {0};

        assert_true(after < 40);
        assert_true(refuse_writes(after));
        done = cut->change(*store, after, &err);
        let_write();
        if (!done) {
            assert_int_equal(err.code, ERR_UNAVAILABLE);
            if (after % 2 == 0) {
                *store = conformance_reopen(*store);
                assert_non_null(*store);
                is_as_before(*store, before, threat);
            }
            if (!cut->change(*store, after, &err))
                fail_msg("%s cut after %d writes: %s", cut->what, after, err.text);
        }
        free(before);
        free(threat);
    }
}

static void a_change_that_is_cut_short_leaves_nothing_behind(void **state)
{
    static const struct cut cuts[] = {{"insert", cut_insert}, {"triage", cut_triage}, {"remove", cut_remove}};
    struct store *store = *state;
    cJSON *s;

    put_many(store, 100);
    if (!refuse_writes(1000000))
        skip();
    let_write();
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        cut_at_every_write(&store, &cuts[i]);
    *state = store;
    /* The counts are those of what is there. */
    s = statistics_of(store, (struct store_span){0});
    {
        struct found found = {0};
        int64_t total = 0;

        assert_true(store_find(store, &(struct store_query){.limit = 1000}, collect, &found, &total, NULL));
        assert_int_equal((int)number_at(s, "total"), (int)found.count);
        cJSON_Delete(found.last);
    }
    cJSON_Delete(s);
}

static void take_step(mongoc_client_t *client, const bson_iter_t *at, int64_t mark)
{
    mongoc_collection_t *rollups = mongoc_client_get_collection(client, database, "rollups");
    bson_t which, inc, *change;
    const uint8_t *bytes;
    uint32_t length;
    bson_iter_t step;

    assert_true(bson_iter_recurse(at, &step) && bson_iter_find(&step, "which"));
    bson_iter_document(&step, &length, &bytes);
    assert_true(bson_init_static(&which, bytes, length) && bson_iter_find(&step, "inc"));
    bson_iter_document(&step, &length, &bytes);
    assert_true(bson_init_static(&inc, bytes, length) && !bson_empty(&inc));
    change = BCON_NEW("$inc", BCON_DOCUMENT(&inc), "$set", "{", "mark", BCON_INT64(mark), "}");
    assert_true(mongoc_collection_update_one(rollups, &which, change, NULL, NULL, NULL));
    bson_destroy(change);
    mongoc_collection_destroy(rollups);
}

/* True when a change was cut between its plan for the counts and the first of them; takes all of its steps but the
 * first or the last, as if the server had died in the middle of that command. */
static bool take_steps_but(mongoc_client_t *client, bool last)
{
    mongoc_collection_t *meta = mongoc_client_get_collection(client, database, "meta");
    bson_t *which = BCON_NEW("_id", "intent");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(meta, which, NULL, NULL);
    const bson_t *intent;
    const uint8_t *bytes;
    uint32_t length, steps;
    bson_iter_t at;
    int64_t number;
    bson_t plan;
    bool planned;

    assert_true(mongoc_cursor_next(cursor, &intent));
    assert_true(bson_iter_init_find(&at, intent, "number"));
    number = bson_iter_as_int64(&at);
    planned = bson_iter_init_find(&at, intent, "open") && bson_iter_as_bool(&at) &&
              bson_iter_init_find(&at, intent, "counts") && BSON_ITER_HOLDS_BINARY(&at);
    if (planned) {
        bson_iter_binary(&at, NULL, &length, &bytes);
        assert_true(bson_init_static(&plan, bytes, length) && bson_iter_init(&at, &plan));
        steps = bson_count_keys(&plan);
        assert_true(steps > 1);
        for (uint32_t n = 0; bson_iter_next(&at); n++)
            if (n != (last ? steps - 1 : 0))
                take_step(client, &at, number);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(which);
    mongoc_collection_destroy(meta);
    return planned;
}

/* The last step is that of the counts that all_counts tells. */
static void cut_within_the_counts(struct store **store, mongoc_client_t *client, bool last)
{
    char *before = all_counts(*store), *threat = text_of_threat(*store, "t00001");
    bool taken = false;

    for (int after = 1; !taken; after++) {
        struct err err = {0};
        char *now;

        assert_true(after < 40);
        assert_true(refuse_writes(after));
        assert_false(cut_triage(*store, 0, &err));
        let_write();
        taken = take_steps_but(client, last);
        now = all_counts(*store);
        assert_int_equal(strcmp(now, before) != 0, taken && !last);
        free(now);
        *store = conformance_reopen(*store);
        assert_non_null(*store);
        is_as_before(*store, before, threat);
    }
    free(before);
    free(threat);
}

static void counts_that_were_taken_in_by_half_are_taken_out(void **state)
{
    mongoc_client_t *client = mongoc_client_new(uri);
    struct store *store = *state;

    if (store_shared(store) || !refuse_writes(1000000)) {
        mongoc_client_destroy(client);
        skip(); /* there a transaction takes them out */
    }
    let_write();
    put_many(store, 3);
    cut_within_the_counts(&store, client, false);
    cut_within_the_counts(&store, client, true);
    *state = store;
    mongoc_client_destroy(client);
}

#endif
