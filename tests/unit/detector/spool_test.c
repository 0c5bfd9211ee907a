/* spool_test.c: what the spool promises, also over restarts, with a full disk and with files of other versions. */
#include "tests/unit/check.h"

#include "common/clock.h"
#include "detector/spool.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char folder[64], path[80];
    struct spool *spool;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    snprintf(f->folder, sizeof f->folder, "%s/spool_test.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/spool.db", f->folder);
    f->spool = spool_open(f->path, 0, NULL);
    assert_non_null(f->spool);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];

    spool_close(f->spool);
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void reopen(struct fixture *f, int64_t max_bytes)
{
    spool_close(f->spool);
    f->spool = spool_open(f->path, max_bytes, NULL);
    assert_non_null(f->spool);
}

static void append(struct fixture *f, const char *id, uint32_t revision)
{
    char json[128];

    snprintf(json, sizeof json, "{\"threat_id\":\"%s\",\"revision\":%u}", id, revision);
    assert_true(spool_append(f->spool, id, revision, json, NULL));
}

static size_t take(struct fixture *f, struct spool_row *rows, size_t max, size_t bytes)
{
    size_t count = 0;

    assert_true(spool_take(f->spool, clock_now_ms(), rows, max, bytes, &count, NULL));
    return count;
}

static void settle(struct fixture *f, int64_t n, enum spool_outcome outcome, int64_t next_ms)
{
    const struct spool_answer answer = {n, outcome, 400, "no", next_ms};

    assert_true(spool_settle(f->spool, &answer, 1, NULL));
}

static struct spool_counts counts(struct fixture *f)
{
    struct spool_counts c;

    spool_counts(f->spool, &c);
    return c;
}

static void a_row_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct spool_row rows[4];

    append(f, "a", 1);
    append(f, "b", 7);
    reopen(f, 0);
    assert_int_equal(counts(f).waiting, 2);
    assert_int_equal(take(f, rows, 4, 1000), 2);
    assert_string_equal(rows[0].id, "a");
    assert_string_equal(rows[1].id, "b");
    assert_int_equal(rows[1].revision, 7);
    assert_string_equal(rows[1].json, "{\"threat_id\":\"b\",\"revision\":7}");
    assert_int_equal(rows[1].length, strlen(rows[1].json));
    spool_rows_clear(rows, 2);
}

static void the_same_id_and_revision_is_kept_once(void **state)
{
    struct fixture *f = *state;

    append(f, "a", 1);
    append(f, "a", 1);
    append(f, "a", 2);
    assert_int_equal(counts(f).waiting, 2);
}

static void taking_is_bounded_by_rows_and_bytes_but_gives_one(void **state)
{
    struct fixture *f = *state;
    struct spool_row rows[4];

    for (int i = 0; i < 4; i++)
        append(f, (const char *[]){"a", "b", "c", "d"}[i], 1);
    assert_int_equal(take(f, rows, 3, 1000), 3);
    spool_rows_clear(rows, 3);
    assert_int_equal(take(f, rows, 4, 1), 1);
    spool_rows_clear(rows, 1);
    assert_int_equal(take(f, rows, 4, 70), 2);
    spool_rows_clear(rows, 2);
}

static void a_delivered_row_is_gone(void **state)
{
    struct fixture *f = *state;
    struct spool_row row;

    append(f, "a", 1);
    take(f, &row, 1, 1000);
    settle(f, row.n, SPOOL_DELIVERED, 0);
    spool_rows_clear(&row, 1);
    reopen(f, 0);
    assert_int_equal(take(f, &row, 1, 1000), 0);
    assert_int_equal(counts(f).waiting + counts(f).kept + counts(f).refused, 0);
    assert_int_equal(counts(f).oldest_ms, 0);
}

static void a_refused_row_is_a_dead_letter_until_it_is_replayed(void **state)
{
    struct fixture *f = *state;
    struct spool_row row;
    cJSON *letters;

    append(f, "a", 3);
    take(f, &row, 1, 1000);
    settle(f, row.n, SPOOL_REFUSED, 0);
    spool_rows_clear(&row, 1);
    reopen(f, 0);
    assert_int_equal(counts(f).refused, 1);
    assert_int_equal(take(f, &row, 1, 1000), 0);
    letters = spool_dead_letters(f->spool, 10, NULL);
    assert_int_equal(cJSON_GetArraySize(letters), 1);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(letters, 0), "message")->valuestring, "no");
    cJSON_Delete(letters);
    assert_int_equal(spool_replay(f->spool, "other", NULL), 0);
    assert_int_equal(spool_replay(f->spool, "a", NULL), 1);
    assert_int_equal(counts(f).refused, 0);
    assert_int_equal(take(f, &row, 1, 1000), 1);
    spool_rows_clear(&row, 1);
}

static void a_kept_row_waits_for_its_time_or_for_a_wake(void **state)
{
    struct fixture *f = *state;
    struct spool_row row;
    size_t count;

    append(f, "a", 1);
    take(f, &row, 1, 1000);
    settle(f, row.n, SPOOL_KEPT, clock_now_ms() + 60000);
    spool_rows_clear(&row, 1);
    assert_int_equal(counts(f).kept, 1);
    assert_int_equal(take(f, &row, 1, 1000), 0);
    assert_true(spool_take(f->spool, clock_now_ms() + 61000, &row, 1, 1000, &count, NULL));
    assert_int_equal(count, 1);
    spool_rows_clear(&row, 1);
    assert_true(spool_wake(f->spool, NULL));
    assert_int_equal(take(f, &row, 1, 1000), 1);
    spool_rows_clear(&row, 1);
}

static void over_the_ceiling_an_append_fails_and_is_counted_and_the_rest_stays(void **state)
{
    struct fixture *f = *state;
    char *big = malloc(10001);
    struct spool_row rows[100];
    struct err err = {0};
    char id[16];
    int stored = 0;
    size_t n;

    memset(big, 'x', 10000);
    big[10000] = '\0';
    reopen(f, 200 * 1024);
    for (; stored < 100; stored++) {
        snprintf(id, sizeof id, "t%d", stored);
        if (!spool_append(f->spool, id, 1, big, &err))
            break;
    }
    assert_in_range(stored, 5, 20);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(counts(f).turned_away, 1);
    assert_int_equal(counts(f).waiting, stored);
    n = take(f, rows, 100, 1000000);
    assert_int_equal(n, stored);
    settle(f, rows[0].n, SPOOL_DELIVERED, 0);
    settle(f, rows[1].n, SPOOL_DELIVERED, 0);
    spool_rows_clear(rows, n);
    assert_true(spool_append(f->spool, id, 1, big, NULL)); /* room again */
    free(big);
}

static void a_newer_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    sqlite3 *db;

    spool_close(f->spool);
    f->spool = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_null(spool_open(f->path, 0, &err));
    assert_non_null(strstr(err.text, "newer"));
}

static void a_strange_database_is_refused_and_untouched(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char path[96];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/other.db", f->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE mine(a)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_null(spool_open(path, 0, &err));
    assert_int_equal(err.code, ERR_INVALID);
    snprintf(path, sizeof path, "%s/text.db", f->folder);
    FILE *text = fopen(path, "w");
    fputs("this is no database, but it is long enough to be read as one, or at least to look at its head........",
          text);
    fclose(text);
    assert_null(spool_open(path, 0, &err));
}

static void two_processes_may_share_the_file(void **state)
{
    struct fixture *f = *state;
    struct spool *other = spool_open(f->path, 0, NULL);

    assert_non_null(other);
    append(f, "a", 1);
    assert_true(spool_append(other, "b", 1, "{}", NULL));
    assert_true(spool_refresh(f->spool, NULL));
    assert_int_equal(counts(f).waiting, 2);
    spool_close(other);
}

static void the_oldest_unsent_is_told(void **state)
{
    struct fixture *f = *state;
    int64_t before = clock_now_ms();

    append(f, "a", 1);
    assert_in_range(counts(f).oldest_ms, before, clock_now_ms());
    reopen(f, 0);
    assert_in_range(counts(f).oldest_ms, before, clock_now_ms());
}

static bool packets_due(struct fixture *f, int64_t now_ms, struct spool_packets *out)
{
    bool found = false;

    assert_true(spool_take_evidence(f->spool, now_ms, out, &found, NULL));
    return found;
}

static void packets_wait_until_no_notice_of_their_threat_waits(void **state)
{
    struct fixture *f = *state;
    struct spool_packets packets;
    struct spool_row row;

    append(f, "a", 1);
    assert_true(spool_evidence(f->spool, "a", "pcap\0x", 6, NULL));
    assert_true(spool_evidence(f->spool, "a", "other", 5, NULL)); /* the first counts */
    assert_false(packets_due(f, clock_now_ms(), &packets));
    assert_int_equal(counts(f).evidence, 0);
    take(f, &row, 1, 1000);
    settle(f, row.n, SPOOL_DELIVERED, 0);
    spool_rows_clear(&row, 1);
    reopen(f, 0);
    assert_int_equal(counts(f).evidence, 1);
    assert_true(packets_due(f, clock_now_ms(), &packets));
    assert_string_equal(packets.threat_id, "a");
    assert_int_equal(packets.length, 6);
    assert_memory_equal(packets.bytes, "pcap\0x", 6);
    free(packets.bytes);
    assert_true(spool_settle_evidence(f->spool, packets.n, 5000, NULL)); /* later */
    assert_int_equal(counts(f).evidence, 0);
    assert_int_equal(counts(f).evidence_kept, 1);
    assert_false(packets_due(f, 4999, &packets));
    assert_true(packets_due(f, 5000, &packets));
    assert_int_equal(packets.tries, 1);
    free(packets.bytes);
    assert_true(spool_settle_evidence(f->spool, packets.n, 0, NULL)); /* done */
    assert_false(packets_due(f, INT64_MAX, &packets));
}

static void packets_leave_half_of_the_room_to_threats(void **state)
{
    struct fixture *f = *state;
    enum { BIG = 40000 };
    char *big = calloc(1, BIG), id[16];
    struct err err = {0};
    int kept = 0;

    reopen(f, 512 * 1024);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "t%d", i);
        kept += spool_evidence(f->spool, id, big, BIG, &err);
    }
    assert_in_range(kept, 2, 6);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    append(f, "a", 1);
    assert_int_equal(counts(f).waiting, 1);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_is_there_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packets_wait_until_no_notice_of_their_threat_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packets_leave_half_of_the_room_to_threats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_id_and_revision_is_kept_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(taking_is_bounded_by_rows_and_bytes_but_gives_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_delivered_row_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_row_is_a_dead_letter_until_it_is_replayed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_row_waits_for_its_time_or_for_a_wake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(over_the_ceiling_an_append_fails_and_is_counted_and_the_rest_stays, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_newer_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_strange_database_is_refused_and_untouched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_processes_may_share_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_unsent_is_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
