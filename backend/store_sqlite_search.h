/* store_sqlite_search.h: a search as SQL with bound values; for store_sqlite_find.c and its tests.
 *
 * Written strictly from left to right, so that the n-th "?" of the text is the n-th value. */
#ifndef BACKEND_STORE_SQLITE_SEARCH_H
#define BACKEND_STORE_SQLITE_SEARCH_H

#include "backend/store_sqlite.h"
#include "common/json.h"

/* ERA: numbers in a row that stand together in an index whose keys are spread, so that what comes in is written to
 * few pages however much is stored. SQL_ERA_OF: of a number in SQL, as the schema has it. */
#define SQL_ERA_OF(seq) seq " >> 15"
enum { SQL_VALUES = 512, SQL_TEXT_MAX = 256 * 1024, ERA = 1 << 15 };

struct sql_value {
    enum {
        SQL_INTEGER,
        SQL_REAL,
        SQL_TEXT,
        SQL_BLOB16,
        SQL_ABOVE,
        SQL_BELOW,
        SQL_ERA
    } kind; /* the last three: sql_bind_bounds */
    int64_t integer;
    double real;
    char *text;          /* owned */
    const uint8_t *blob; /* borrowed from the search */
};

struct sql {
    struct text text;
    struct sql_value values[SQL_VALUES];
    size_t count;
    bool by_era; /* the bounds must lie in one era */
    bool failed;
};

void sql_add(struct sql *sql, const char *text);
void sql_integer(struct sql *sql, int64_t value); /* writes "?" */
void sql_clear(struct sql *sql);
/* Writes " AND NAME > ? AND NAME < ?", whose values come later. */
void sql_bounds(struct sql *sql, const char *name);
/* NULL: err is filled. Finalised by the caller. */
sqlite3_stmt *sql_prepare(struct sql *sql, struct sqlite_connection *connection, struct err *err);
/* Both ends are exclusive; the statement is reset. */
void sql_bind_bounds(const struct sql *sql, sqlite3_stmt *statement, int64_t above, int64_t below);

/* The whole search as a condition on a row of threat, which no index is used for. */
void sql_condition(struct sql *sql, const struct search *search);
/* The search as a condition on a row of zone: true of every row that stands for a threat which fits. */
void sql_zone_condition(struct sql *sql, const struct search *search);

/* A single condition that an index answers: "SELECT seq FROM threat INDEXED BY ... WHERE ...". */
bool sql_is_indexed(const struct search *leaf);
bool sql_is_ordered(const struct search *leaf); /* the index gives seq in order */
bool sql_has_either(const struct search *leaf); /* "either end": two indexes, to be asked one by one */
/* Writes the word that every threat which fits the leaf has; false: there is no such word. */
bool sql_word_of(const struct search *leaf, char word[SEARCH_WORD_MAX]);
/* bounded: only within the bounds that are bound later. also: words, a space between, of which a threat must have all
 * where the index is one of words; "": none. */
void sql_from_index(struct sql *sql, const struct search *leaf, bool either, bool bounded, const char *also);

/* store_sqlite_zone.c: the stretches of seq in which a query may find something, in its order; as of one read
 * transaction. */
struct sqlite_stretches {
    struct sqlite_connection *reader;
    struct sql sql;
    sqlite3_stmt *fits;   /* gives such zones; NULL: everything is one stretch */
    int64_t zoned;        /* zones below it are summed up, what follows is always looked at */
    int64_t zone_rows;    /* of a zone */
    int64_t above, below; /* the query's, exclusive */
    int64_t most;         /* zones in the next stretch */
    int64_t waiting;      /* a zone that was no neighbour; -1: none */
    int64_t last_given;   /* the latest zone + 1 */
    bool upward, open_given, fits_ended;
};
/* Closed by the caller, also after a failure. */
bool sqlite_stretches_open(struct sqlite_stretches *s, struct sqlite_store *store, struct sqlite_connection *reader,
                           const struct store_query *query, struct err *err);
void sqlite_stretches_close(struct sqlite_stretches *s);
bool sqlite_stretches_next(struct sqlite_stretches *s, int64_t *above, int64_t *below, bool *more, struct err *err);
void sqlite_stretches_explain(struct sql *sql, const struct store_query *query);

/* What SQLite says of how it would answer the query, a line each, for tests; the caller frees. NULL: err is filled.
 */
char *sqlite_find_plan(struct store *store, const struct store_query *query, struct err *err);

#endif
