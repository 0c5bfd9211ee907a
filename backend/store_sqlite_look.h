/* store_sqlite_look.h: whether one threat after the other has a word; quick when they are asked for in order. For
 * store_sqlite_hits.c. */
#ifndef BACKEND_STORE_SQLITE_LOOK_H
#define BACKEND_STORE_SQLITE_LOOK_H

#include "backend/store_sqlite_list.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* The row of a word last looked at; it holds all threats of the word from low to high. Lives as long as the statement
 * around it runs, so nothing changes below it. */
struct looked {
    sqlite3_stmt *get, *next;
    bool known;
    int64_t low, high;
    int64_t seqs[LIST_SEQS];
    size_t count;
};

/* False: memory is out. Cleared by the caller, also then. */
bool looked_prepare(struct looked *looked, sqlite3 *db);
void looked_clear(struct looked *looked); /* all zeros are fine */

/* One word only for one struct looked. False: it cannot be read. */
bool looked_has(struct looked *looked, const char *word, int64_t seq, bool *has);

#endif
