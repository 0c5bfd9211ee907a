/* store_sqlite_search.h: a search as SQL with bound values; for store_sqlite_find.c and its tests.
 *
 * Written strictly from left to right, so that the n-th "?" of the text is the n-th value. */
#ifndef BACKEND_STORE_SQLITE_SEARCH_H
#define BACKEND_STORE_SQLITE_SEARCH_H

#include "backend/store_sqlite.h"
#include "common/json.h"

enum { SQL_VALUES = 512, SQL_TEXT_MAX = 256 * 1024 };

struct sql_value {
    enum { SQL_INTEGER, SQL_REAL, SQL_TEXT, SQL_BLOB16 } kind;
    int64_t integer;
    double real;
    char *text;          /* owned */
    const uint8_t *blob; /* borrowed from the search */
};

struct sql {
    struct text text;
    struct sql_value values[SQL_VALUES];
    size_t count;
    bool failed;
};

void sql_add(struct sql *sql, const char *text);
void sql_integer(struct sql *sql, int64_t value); /* writes "?" */
void sql_clear(struct sql *sql);
/* NULL: err is filled. Finalised by the caller. */
sqlite3_stmt *sql_prepare(struct sql *sql, struct sqlite_connection *connection, struct err *err);

/* The whole search as a condition on a row of threat, which no index is used for. */
void sql_condition(struct sql *sql, const struct search *search);

/* A single condition that an index answers: "SELECT seq FROM threat INDEXED BY ... WHERE ...". */
bool sql_is_indexed(const struct search *leaf);
bool sql_is_ordered(const struct search *leaf); /* the index gives seq in order */
bool sql_has_either(const struct search *leaf); /* "either end": two indexes, to be asked one by one */
/* bound: 0, or only seq below it (above it when upward). */
void sql_from_index(struct sql *sql, const struct search *leaf, bool either, int64_t bound, bool upward);

/* What SQLite says of how it would answer the query, a line each, for tests; the caller frees. NULL: err is filled.
 */
char *sqlite_find_plan(struct store *store, const struct store_query *query, struct err *err);

#endif
