/* store_sqlite_words.h: which threats hold a word; for the files of the SQLite store.
 *
 * A row of the table posting lists many threats of one word: a word that a thousand threats share costs a few rows
 * and not a thousand. The lists of a word do not overlap; a row is found by the least seq in it. Changes are gathered
 * during a transaction and written by words_flush before its commit, so that a batch touches each word once. */
#ifndef BACKEND_STORE_SQLITE_WORDS_H
#define BACKEND_STORE_SQLITE_WORDS_H

#include "backend/store_sqlite.h"

struct words *words_create(void);
void words_free(struct words *words);
void words_forget(struct words *words); /* what was gathered, after a rollback */

/* The threat seq has the word from now on, or has it no more. */
bool words_change(struct words *words, const char *word, int64_t seq, bool has, struct err *err);
bool words_flush(struct sqlite_store *store, struct err *err);

/* What SQL knows on this connection from now on:
 *   hits                  a table (word, seq), one row for each threat of a word; asked with "word = ?" it gives seq
 * in the order wanted, with "word >= ? AND word < ?" in any word_has(word, seq)   1 or 0 word_list(seq)        the
 * sum of rows as a row of posting keeps them */
bool words_register(struct sqlite_connection *connection, struct err *err);

#endif
