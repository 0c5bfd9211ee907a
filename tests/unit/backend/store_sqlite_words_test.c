/* The lists of words of the SQLite store, next to a plain array. */
#include "tests/unit/backend/sqlite_file.h"

#include "backend/store_sqlite_list.h"
#include "backend/store_sqlite_words.h"

#include <string.h>

static void a_list_reads_as_it_was_written(void **state)
{
    int64_t seqs[2000], read[LIST_SEQS];
    uint8_t bytes[LIST_BYTES];
    size_t length, n;

    (void)state;
    for (int width = 1; width < 62; width++) {
        for (size_t i = 0; i < 2000; i++)
            seqs[i] = (int64_t)i * (INT64_MAX >> 11 >> (62 - width)) + (int64_t)i;
        for (size_t done = 0; done < 2000; done += n) {
            n = list_write(seqs + done, 2000 - done, bytes, &length);
            assert_in_range(n, 1, LIST_SEQS);
            assert_true(length <= LIST_BYTES);
            assert_int_equal(list_read(seqs[done], bytes, length, read, LIST_SEQS), n);
            assert_memory_equal(read, seqs + done, n * sizeof *read);
        }
    }
    memset(bytes, 0xff, sizeof bytes); /* what is no list gives no more than its first */
    assert_int_equal(list_read(7, bytes, sizeof bytes, read, LIST_SEQS), 1);
}

enum { SEQS = 3000 };

static void words_agree(struct sqlite_store *s, const bool *has, int64_t below, const char *order)
{
    char sql[400];
    sqlite3_stmt *rows;
    int64_t at = order[0] == 'D' ? below - 1 : 1;

    snprintf(sql, sizeof sql,
             "SELECT seq, word_has('w', seq) AND word_begins('v', 'x', seq), word_has('w', seq + 1) OR "
             "word_begins('w', 'x', seq + 1) FROM hits WHERE word = 'w' AND seq < "
             "%lld ORDER BY seq %s",
             (long long)below, order);
    if (sqlite3_prepare_v2(s->writer.db, sql, -1, &rows, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(s->writer.db));
    for (;;) {
        while (at > 0 && at < below && !has[at])
            at += order[0] == 'D' ? -1 : 1;
        if (sqlite3_step(rows) != SQLITE_ROW)
            break;
        assert_int_equal(sqlite3_column_int64(rows, 0), at);
        assert_int_equal(sqlite3_column_int(rows, 1), 1);
        assert_int_equal(sqlite3_column_int(rows, 2), has[at + 1]);
        at += order[0] == 'D' ? -1 : 1;
    }
    assert_true(at == 0 || at == below); /* none is missing */
    sqlite3_finalize(rows);
}

/* New threats at the end, old ones again, removals: the lists hold what a plain array holds. */
static void words_come_and_go_in_any_order(void **state)
{
    struct sqlite_store *s = SQLITE_STORE(*state);
    static bool has[SEQS + 2];
    uint32_t random = 7;
    int64_t newest = 0;

    memset(has, 0, sizeof has);
    for (int round = 0; round < 300; round++) {
        assert_true(sqlite_begin(s, NULL));
        s->seq_before = newest;
        for (int i = 0; i < 40; i++) {
            random = random * 1664525u + 1013904223u;
            bool old = newest > 0 && random >> 24 < 90, add = !old || random >> 22 & 1;
            int64_t seq = old ? 1 + random % newest : newest + 1;

            if (seq > SEQS)
                continue;
            newest = seq > newest ? seq : newest;
            if (!old && random >> 20 & 1)
                continue; /* this one lacks the word */
            assert_true(words_change(s->words, "w", seq, add, NULL));
            has[seq] = add;
        }
        assert_true(words_flush(s, NULL));
        assert_true(sqlite_commit(s, NULL));
        if (round % 10 == 0) {
            words_agree(s, has, newest + 1, "DESC");
            words_agree(s, has, newest + 1, "ASC");
            words_agree(s, has, 1 + newest / 2, "DESC");
        }
    }
    assert_int_equal(newest, SEQS);
    assert_true(sqlite_begin(s, NULL));
    s->seq_before = newest;
    for (int64_t seq = 1; seq <= SEQS; seq++)
        assert_true(words_change(s->words, "w", seq, false, NULL));
    assert_true(words_flush(s, NULL));
    assert_true(sqlite_commit(s, NULL));
    memset(has, 0, sizeof has);
    words_agree(s, has, SEQS + 1, "DESC");
    assert_true(sqlite_text(&s->writer, "INSERT INTO posting SELECT 'w', 1, 1 FROM posting WHERE word = 'w'", NULL));
    assert_int_equal(sqlite3_changes(s->writer.db), 0); /* no empty row stays */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_reads_as_it_was_written),
        cmocka_unit_test_setup_teardown(words_come_and_go_in_any_order, open_store_file, drop_store_file),
    };

    return RUN_WITH_A_FILE(tests);
}
