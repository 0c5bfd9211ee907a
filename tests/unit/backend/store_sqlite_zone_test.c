/* Zones of the SQLite store: a search gives what a full scan gives, whatever happened before, and leaves out what
 * cannot fit. Zones are small here, eras are short of numbers and half the searches walk, so that a few thousand
 * threats suffice. */
#include "tests/unit/backend/sqlite_file.h"

#include "backend/store_sqlite_search.h"

#include <string.h>

enum { ZONE = 64, FOUND = 8192 };

static struct store *open_file(int64_t zone_rows)
{
    struct err err = {0};
    struct store *store = store_open_sqlite(path, &err);

    if (store == NULL)
        fail_msg("%s", err.text);
    SQLITE_STORE(store)->zone_rows = zone_rows;
    SQLITE_STORE(store)->few_least = SQLITE_STORE(store)->few_most = 1;
    return store;
}

static int open_walking(void **state)
{
    *state = open_file(ZONE);
    return 0;
}

/* The same on every machine. */
static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

static const char *one_of(const char *const *values, size_t count)
{
    return values[random_below((uint32_t)count)];
}
#define ONE_OF(...)                                                                                                  \
    one_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* What arrives changes from one age of a hundred threats to the next, as it does in networks. */
static struct threat random_threat(uint32_t number, uint32_t revision)
{
    uint32_t age = number / 100;
    struct threat t = {.revision = revision, .source_port = -1, .destination_port = -1};

    snprintf(t.id, sizeof t.id, "t%u", number);
    snprintf(t.type, sizeof t.type, "%s", ONE_OF("port_scan", "beacon", "ddos"));
    if (age % 3 == 1)
        snprintf(t.type, sizeof t.type, "web_attack");
    t.severity = (enum severity)random_below(4);
    t.confidence = 0.1 * (double)t.severity + 0.05 * (double)random_below(age % 4 == 0 ? 12 : 3);
    snprintf(t.source_ip, sizeof t.source_ip, "10.%u.0.%u", age % 5, random_below(9));
    snprintf(t.destination_ip, sizeof t.destination_ip, "10.9.%u.%u", age % 2, random_below(9));
    snprintf(t.protocol, sizeof t.protocol, "%s", ONE_OF("TCP", "UDP", "ICMP"));
    if (strcmp(t.protocol, "ICMP") != 0) {
        t.source_port = (int32_t)(1000 * (age % 7) + random_below(900));
        t.destination_port = (int32_t)random_below(age % 2 ? 100 : 8000);
    }
    snprintf(t.sensor, sizeof t.sensor, "%s", ONE_OF("edge-1", "edge-2"));
    t.timestamp_us = 1795392000000000LL + (int64_t)number * 60000000 - (int64_t)random_below(3600) * 1000000;
    t.details = strdup(random_below(6) == 0 ? "{\"source\":\"simulator\"}" : "{\"note\":\"quiet\"}");
    return t;
}

static void put(struct store *store, struct threat *threats, size_t count)
{
    struct store_item items[128];
    struct err err = {0};

    assert_true(count <= 128);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct store_item){.threat = &threats[i],
                                       .address = "127.0.0.1",
                                       .user_agent = "test/1",
                                       .source = "webhook",
                                       .suppressed_by = random_below(4) == 0 ? "rule" : NULL,
                                       .received_ms = 1795392000000LL};
    if (!store_insert(store, items, count, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++) {
        free(items[i].json);
        threat_clear(&threats[i]);
    }
}

static void put_next(struct store *store, uint32_t *number, size_t count)
{
    struct threat threats[128];

    for (size_t i = 0; i < count; i++)
        threats[i] = random_threat((*number)++, 1);
    put(store, threats, count);
}

static void triage_one(struct store *store, uint32_t number)
{
    struct store_change change = {.status = ONE_OF("acknowledged", "escalated", "closed", "new"),
                                  .verdict = ONE_OF("true_positive", "false_positive", ""),
                                  .comment = random_below(3) == 0 ? "seen" : NULL,
                                  .actor = "ana",
                                  .version = -1};
    struct err err = {0};
    char *json = NULL, id[24];
    int64_t seq;

    snprintf(id, sizeof id, "t%u", number);
    if (!store_triage(store, id, &change, &seq, &json, &err) && err.code != ERR_NOT_FOUND)
        fail_msg("%s", err.text);
    free(json);
}

static void random_term(char *out, size_t size)
{
    unsigned a = random_below(5), b = random_below(9);

    switch (random_below(16)) {
    case 0:
        snprintf(out, size, "type:%s", ONE_OF("port_scan", "beacon", "web_attack", "port*", "never"));
        break;
    case 1:
        snprintf(out, size, "severity:%s", ONE_OF("low", "medium", "high", "critical", ">=high"));
        break;
    case 2:
        snprintf(out, size, "status:%s", ONE_OF("new", "acknowledged", "escalated", "closed"));
        break;
    case 3:
        snprintf(out, size, "verdict:%s", ONE_OF("true_positive", "false_positive", "none"));
        break;
    case 4:
        snprintf(out, size, "protocol:%s", ONE_OF("tcp", "udp", "icmp", "sctp"));
        break;
    case 5:
        snprintf(out, size, "is:%s", ONE_OF("suppressed", "simulated", "commented"));
        break;
    case 6:
        snprintf(out, size, "source:10.%u.0.%u", a, b);
        break;
    case 7:
        snprintf(out, size, "%s:10.%u.0.0/16", ONE_OF("source", "address", "destination"), a);
        break;
    case 8:
        snprintf(out, size, "destination:10.9.%u.0/24", a % 3);
        break;
    case 9:
        snprintf(out, size, "%s:%u-%u", ONE_OF("port", "source_port", "destination_port"), a * 1000,
                 a * 1000 + b * 99);
        break;
    case 10:
        snprintf(out, size, "%s:%s%u", ONE_OF("port", "source_port", "destination_port"), ONE_OF("<", ">", ">=", ""),
                 a * b * 100);
        break;
    case 11:
    case 12:
        snprintf(out, size, "confidence:%s0.%u", ONE_OF("<", ">", ">=", "<=", ""), b);
        break;
    case 13:
        snprintf(out, size, "time:%s2026-11-2%u", ONE_OF("<", ">"), 3 + a % 3);
        break;
    case 14:
        snprintf(out, size, "sensor:edge-%u", a);
        break;
    default:
        snprintf(out, size, "%s", ONE_OF("quiet", "seen", "bea*", "10.9.0.1"));
    }
}

/* One to four terms; some negated, some alternatives. */
static void random_query(char *out, size_t size)
{
    size_t n = 0;
    char term[64], other[64];

    for (uint32_t terms = 1 + random_below(4); terms > 0; terms--) {
        const char *not = random_below(3) == 0 ? "-" : "";

        random_term(term, sizeof term);
        random_term(other, sizeof other);
        n += (size_t)(random_below(4) == 0 ? snprintf(out + n, size - n, "%s(%s OR -%s) ", not, term, other)
                                           : snprintf(out + n, size - n, "%s%s ", not, term));
    }
}

struct list {
    size_t count;
    int64_t seqs[FOUND];
};

static bool add_seq(void *context, int64_t seq, const char *json)
{
    struct list *list = context;

    (void)json;
    assert_true(list->count < FOUND);
    list->seqs[list->count++] = seq;
    return true;
}

/* Row by row, by no index. */
static void full_scan(struct store *store, const struct store_query *query, struct list *list)
{
    struct sql sql = {.text.max = SQL_TEXT_MAX};
    struct err err = {0};
    sqlite3_stmt *rows;

    list->count = 0;
    sql_add(&sql, "SELECT seq FROM threat WHERE ");
    sql_condition(&sql, query->search);
    if (!query->with_suppressed)
        sql_add(&sql, " AND suppressed_by IS NULL");
    sql_add(&sql, query->oldest_first ? " ORDER BY seq" : " ORDER BY seq DESC");
    rows = sql_prepare(&sql, &SQLITE_STORE(store)->writer, &err);
    if (rows == NULL)
        fail_msg("%s", err.text);
    while (sqlite3_step(rows) == SQLITE_ROW)
        add_seq(list, sqlite3_column_int64(rows, 0), NULL);
    sqlite3_finalize(rows);
    sql_clear(&sql);
}

/* All pages, each from where the one before ended; the first skips some. */
static void by_pages(struct store *store, struct store_query query, struct list *list)
{
    struct err err = {0};
    size_t before;

    list->count = 0;
    query.offset = random_below(5);
    do {
        before = list->count;
        query.limit = 1 + random_below(200);
        if (!store_find(store, &query, add_seq, list, NULL, &err))
            fail_msg("%s", err.text);
        assert_true(list->count - before <= query.limit);
        query.offset = 0;
        query.before_seq = list->count > 0 ? list->seqs[list->count - 1] : query.before_seq;
    } while (list->count - before == query.limit);
}

static void check_queries(struct store *store, int count)
{
    static struct list all, paged;

    for (int i = 0; i < count; i++) {
        struct store_query query = {.with_suppressed = random_below(2) != 0, .oldest_first = random_below(2) != 0};
        struct err err = {0};
        struct search *search;
        char text[1024];
        size_t skipped;

        random_query(text, sizeof text);
        search = search_parse(text, NULL, &err);
        if (search == NULL)
            fail_msg("%s: %s", text, err.text);
        query.search = search;
        SQLITE_STORE(store)->few_least = SQLITE_STORE(store)->few_most = random_below(2) != 0 ? 1 : 500;
        full_scan(store, &query, &all);
        by_pages(store, query, &paged);
        skipped = all.count - paged.count;
        if (paged.count > all.count || skipped > 4 ||
            memcmp(all.seqs + skipped, paged.seqs, paged.count * sizeof *paged.seqs) != 0)
            fail_msg("%s: %zu by zones, %zu by a full scan", text, paged.count, all.count);
        search_free(search);
    }
}

static int64_t number_of(struct store *store, const char *sql)
{
    sqlite3_stmt *get = NULL;
    int64_t number;

    assert_int_equal(sqlite3_prepare_v2(SQLITE_STORE(store)->writer.db, sql, -1, &get, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(get), SQLITE_ROW);
    number = sqlite3_column_int64(get, 0);
    sqlite3_finalize(get);
    return number;
}

static void change_some(struct store *store, uint32_t number)
{
    for (int i = 0; i < 30; i++) {
        struct threat newer = random_threat(random_below(number), 2 + random_below(5));
        int64_t seq;

        put(store, &newer, 1);
        triage_one(store, random_below(number));
        if (i % 10 == 0)
            assert_true(store_add_monitoring(store, "{\"type\":\"detector_started\"}", &seq, NULL));
    }
}

static void a_search_gives_what_a_full_scan_gives(void **state)
{
    uint32_t number = 0;

    random_state = 20261129;
    for (int round = 0; round < 24; round++) {
        if (round % 9 == 5) /* soon in the next era */
            SQLITE_STORE(*state)->last_seq = ERA * (1 + round / 9) - (int64_t)random_below(300);
        put_next(*state, &number, 1 + random_below(120));
        put_next(*state, &number, 1);
        change_some(*state, number);
        if (round % 8 == 3) {
            char text[1024];
            struct search *search;
            int64_t removed;

            random_query(text, sizeof text);
            search = search_parse(text, NULL, NULL);
            assert_true(store_remove(*state, search, 0, false, 100, NULL, NULL, &removed, NULL));
            search_free(search);
        }
        if (round == 12) { /* as a file that knows no zones yet; it catches up while threats come */
            assert_true(sqlite_text(&SQLITE_STORE(*state)->writer,
                                    "DELETE FROM zone; DELETE FROM meta WHERE key = 'zoned'", NULL));
            store_close(*state);
            *state = open_file(ZONE);
            assert_int_equal(SQLITE_STORE(*state)->zoned, 0);
        }
        check_queries(*state, 60);
    }
    assert_int_equal(number_of(*state, "SELECT value FROM meta WHERE key = 'zoned'"),
                     (number_of(*state, "SELECT value FROM meta WHERE key = 'last_seq'") + 1) / ZONE);
}

static int count_step(void *context)
{
    ++*(int64_t *)context;
    return 0;
}

/* How many instructions of SQLite's machine a search takes, and what it gives. */
static int64_t steps_of(struct store *store, const char *query, size_t *found)
{
    static struct list list;
    struct search *search = search_parse(query, NULL, NULL);
    sqlite3 *reader = SQLITE_STORE(store)->readers[0].db;
    int64_t steps = 0;

    list.count = 0;
    assert_non_null(search);
    assert_non_null(reader); /* the first that is lent */
    sqlite3_progress_handler(reader, 1, count_step, &steps);
    assert_true(store_find(store, &(struct store_query){.search = search, .limit = 50, .with_suppressed = true},
                           add_seq, &list, NULL, NULL));
    sqlite3_progress_handler(reader, 0, NULL, NULL);
    *found = list.count;
    search_free(search);
    return steps;
}

/* Confidence follows from severity, but for one. */
static void put_usual(struct store *store, int count)
{
    struct threat threats[100];

    for (int done = 0; done < count; done += 100) {
        for (int i = 0; i < 100; i++) {
            threats[i] = random_threat((uint32_t)(done + i), 1);
            strcpy(threats[i].type, "port_scan");
            strcpy(threats[i].protocol, "TCP");
            threats[i].confidence = 0.2 + 0.2 * (double)threats[i].severity;
            if (done + i == 1000) {
                threats[i].severity = SEVERITY_LOW;
                threats[i].confidence = 0.95;
            }
        }
        put(store, threats, 100);
    }
}

static void what_seldom_meets_is_found_in_few_steps(void **state)
{
    enum { MANY = 6000, LARGER = 512 };
    static const char never[] = "severity:low confidence:>0.5 confidence:<0.9",
                      once[] = "severity:low confidence:>0.9";
    struct sqlite_store *s = SQLITE_STORE(*state);
    size_t found;
    int64_t walked;

    s->zone_rows = LARGER;
    random_state = 7;
    put_usual(*state, MANY);
    assert_true(sqlite_text(&s->writer, "DELETE FROM zone; DELETE FROM meta WHERE key = 'zoned'", NULL));
    (void)store_find(*state, &(struct store_query){.limit = 0}, add_seq, NULL, NULL, NULL); /* opens a reader */
    walked = steps_of(*state, never, &found);
    assert_int_equal(found, 0);
    assert_true(walked > MANY); /* each threat of low severity, a few steps each */
    s->zoned = s->summed = 0;
    while ((s->zoned + 1) * LARGER <= MANY) {
        assert_true(sqlite_begin(s, NULL));
        assert_true(sqlite_zone_close(s, NULL));
        assert_true(sqlite_commit(s, NULL));
    }
    assert_in_range(steps_of(*state, never, &found) * 4, 1, walked);
    assert_int_equal(found, 0);
    assert_in_range(steps_of(*state, once, &found) * 4, 1, walked);
    assert_int_equal(found, 1);
}

/* Each of half of all threats; the lists of words are laid side by side, no threat is looked at. */
static void words_that_never_meet_are_told_from_their_lists(void **state)
{
    static const char *const never[] = {"beacon ddos", "type:beacon note_ddos", "(beacon OR nothing) type:ddos"};
    enum { MANY = 6000 };
    size_t found;

    random_state = 11;
    for (int done = 0; done < MANY; done += 100) {
        struct threat threats[100];

        for (int i = 0; i < 100; i++) {
            threats[i] = random_threat((uint32_t)(done + i), 1);
            snprintf(threats[i].type, sizeof threats[i].type, "%s", i % 2 ? "beacon" : "ddos");
            free(threats[i].details);
            threats[i].details = strdup(i % 2 ? "{\"note\":\"note_beacon\"}" : "{\"note\":\"note_ddos\"}");
        }
        put(*state, threats, 100);
    }
    assert_true(sqlite_text(&SQLITE_STORE(*state)->writer,
                            "DELETE FROM zone; UPDATE meta SET value = 0 WHERE key = "
                            "'zoned'",
                            NULL)); /* not by zones */
    (void)store_find(*state, &(struct store_query){.limit = 0}, add_seq, NULL, NULL, NULL);
    for (size_t q = 0; q < sizeof never / sizeof *never; q++) {
        assert_in_range(steps_of(*state, never[q], &found), 1, MANY / 2);
        assert_int_equal(found, 0);
    }
    steps_of(*state, "beacon type:beacon note_beacon", &found);
    assert_int_equal(found, 50);
}

/* More kinds than a zone tells apart: it stays small, and nothing is missed. */
static void a_zone_of_too_many_kinds_forgets_them(void **state)
{
    uint32_t number = 0;
    size_t found;

    store_close(*state);
    unlink(path);
    *state = open_file(2048);
    random_state = 99;
    for (int done = 0; done < 2100; done += 100) {
        struct threat threats[100];

        for (int i = 0; i < 100; i++, number++) {
            threats[i] = random_threat(number, 1);
            snprintf(threats[i].type, sizeof threats[i].type, "kind_%u", number / 3);
        }
        put(*state, threats, 100);
    }
    assert_int_equal(number_of(*state, "SELECT count(*) FROM zone WHERE type <> '' OR protocol <> ''"), 0);
    assert_in_range(number_of(*state, "SELECT count(*) FROM zone"), 1, 64);
    (void)store_find(*state, &(struct store_query){.limit = 0}, add_seq, NULL, NULL, NULL);
    steps_of(*state, "type:kind_50", &found);
    assert_int_equal(found, 3);
    triage_one(*state, 150); /* a row beside those that forgot */
    steps_of(*state, "-type:kind_51 type:kind_50 -protocol:sctp", &found);
    assert_int_equal(found, 3);
    check_queries(*state, 40);
}

static void what_is_removed_leaves_no_zones(void **state)
{
    uint32_t number = 0;
    int64_t removed;

    random_state = 5;
    for (int i = 0; i < 10; i++)
        put_next(*state, &number, 100);
    assert_true(number_of(*state, "SELECT count(DISTINCT zone) FROM zone") >= 9);
    assert_true(store_remove(*state, NULL, 0, false, 500, NULL, NULL, &removed, NULL)); /* the oldest */
    assert_int_equal(removed, 500);
    assert_int_equal(number_of(*state, "SELECT min(zone) FROM zone"), 501 / ZONE);
    assert_true(store_remove(*state, NULL, 0, false, SIZE_MAX, NULL, NULL, &removed, NULL));
    assert_int_equal(number_of(*state, "SELECT count(*) FROM zone"), 0);
    put_next(*state, &number, 100);
    check_queries(*state, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_search_gives_what_a_full_scan_gives, open_walking, drop_store_file),
        cmocka_unit_test_setup_teardown(what_seldom_meets_is_found_in_few_steps, open_walking, drop_store_file),
        cmocka_unit_test_setup_teardown(words_that_never_meet_are_told_from_their_lists, open_walking,
                                        drop_store_file),
        cmocka_unit_test_setup_teardown(a_zone_of_too_many_kinds_forgets_them, open_walking, drop_store_file),
        cmocka_unit_test_setup_teardown(what_is_removed_leaves_no_zones, open_walking, drop_store_file),
    };

    return RUN_WITH_A_FILE(tests);
}
