/* store_sqlite_look.c: keeps one row of a word in memory, and how far it tells all. */
#include "backend/store_sqlite_look.h"

#include <stddef.h>
#include <string.h>

void looked_clear(struct looked *looked)
{
    sqlite3_finalize(looked->get);
    sqlite3_finalize(looked->next);
}

bool looked_prepare(struct looked *looked, sqlite3 *db)
{
    static const char get[] =
        "SELECT first, seqs FROM posting WHERE word = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1";
    static const char next[] = "SELECT first FROM posting WHERE word = ?1 AND first > ?2 ORDER BY first LIMIT 1";

    memset(looked, 0, offsetof(struct looked, seqs));
    return sqlite3_prepare_v2(db, get, -1, &looked->get, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(db, next, -1, &looked->next, NULL) == SQLITE_OK;
}

static bool look(struct looked *looked, const char *word, int64_t seq)
{
    int step;

    sqlite3_bind_text(looked->get, 1, word, -1, SQLITE_STATIC);
    sqlite3_bind_int64(looked->get, 2, seq);
    step = sqlite3_step(looked->get);
    looked->count = 0;
    looked->low = INT64_MIN;
    if (step == SQLITE_ROW) {
        looked->low = sqlite3_column_int64(looked->get, 0);
        looked->count = list_read(looked->low, sqlite3_column_blob(looked->get, 1),
                                  (size_t)sqlite3_column_bytes(looked->get, 1), looked->seqs, LIST_SEQS);
    }
    looked->known = step == SQLITE_ROW || step == SQLITE_DONE;
    sqlite3_reset(looked->get);
    looked->high = looked->count > 0 ? looked->seqs[looked->count - 1] : INT64_MIN;
    if (!looked->known || looked->high > seq)
        return looked->known;
    /* Behind it there is none of the word, up to where the next row begins. */
    sqlite3_bind_text(looked->next, 1, word, -1, SQLITE_STATIC);
    sqlite3_bind_int64(looked->next, 2, seq);
    step = sqlite3_step(looked->next);
    looked->high = step == SQLITE_ROW ? sqlite3_column_int64(looked->next, 0) - 1 : INT64_MAX;
    looked->known = step == SQLITE_ROW || step == SQLITE_DONE;
    sqlite3_reset(looked->next);
    return looked->known;
}

bool looked_has(struct looked *looked, const char *word, int64_t seq, bool *has)
{
    size_t low = 0, high;

    if ((!looked->known || seq < looked->low || seq > looked->high) && !look(looked, word, seq))
        return false;
    for (high = looked->count; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (looked->seqs[middle] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    *has = low < looked->count && looked->seqs[low] == seq;
    return true;
}
