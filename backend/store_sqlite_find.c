/* store_sqlite_find.c: finds the newest threats that fit, in a time that does not follow how much is stored.
 *
 * The search becomes a condition on rows, and one part of it says which rows to look at. That part is chosen by
 * asking each index how many entries it has for it, up to a limit. Few: these are looked up and sorted. Many, in
 * order of arrival: they are walked from the newest. Otherwise the threats themselves are walked from the newest:
 * with that many hits, enough of them are near. Where conditions seldom meet they are not: a walk leaves out the
 * stretches of which is known that nothing in them fits (store_sqlite_zone.c). */
#include "backend/store_sqlite_search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 8, DRIVER_PARTS = 24, WORDS_BYTES = 512 };

/* The part of a search that says which rows to look at: the entries of a few indexes, taken together. */
struct driver {
    struct {
        const struct search *leaf;
        bool either; /* the second column of "either end" */
    } parts[DRIVER_PARTS];
    size_t count; /* 0: all rows */
    int64_t hits; /* few of the finding: that many or more */
    bool ordered;
    bool words; /* all by word: what lacks another word is then left out before its row is read */
};

struct finding {
    struct sqlite_store *store;
    struct sqlite_connection *reader;
    int64_t last_seq;
    int64_t few; /* so many hits are all looked at */
    const struct store_query *query;
    struct driver driver;
    char words[WORDS_BYTES]; /* that all which fit have, a space between; of a walk from word to word */
    struct sql sql;
};

/* Looking at all hits costs eight steps each; walking to enough of them, where they are spread evenly, a step for
 * each row on the way. Where both cost the same lies the measure. */
static bool measure(struct finding *f, struct err *err)
{
    if (!sqlite_get_meta(f->reader, "last_seq", &f->last_seq, err))
        return false;
    f->few = (int64_t)sqrt((double)f->last_seq * (double)(f->query->limit + f->query->offset) / STEPS);
    f->few = f->few > f->store->few_most ? f->store->few_most : f->few;
    f->few = f->few < f->store->few_least ? f->store->few_least : f->few;
    f->driver.hits = f->few;
    return true;
}

static bool count_hits(const struct finding *f, const struct search *leaf, bool either, int64_t *hits,
                       struct err *err)
{
    struct sql *sql = calloc(1, sizeof *sql);
    sqlite3_stmt *count = NULL;
    bool ok = false;

    if (sql == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    sql->text.max = SQL_TEXT_MAX;
    sql_add(sql, "SELECT count(*) FROM (");
    sql_from_index(sql, leaf, either, false, "");
    sql_add(sql, " LIMIT ");
    sql_integer(sql, f->few);
    sql_add(sql, ")");
    count = sql_prepare(sql, f->reader, err);
    if (count != NULL) {
        ok = sqlite3_step(count) == SQLITE_ROW || sqlite_failed(f->reader, "search", err);
        *hits = ok ? sqlite3_column_int64(count, 0) : 0;
    }
    sqlite3_finalize(count);
    sql_clear(sql);
    free(sql);
    return ok;
}

static bool choose(const struct finding *f, const struct search *s, struct driver *driver, struct err *err);

static bool choose_leaf(const struct finding *f, const struct search *s, struct driver *driver, struct err *err)
{
    size_t columns = sql_has_either(s) ? 2 : 1;
    char word[SEARCH_WORD_MAX];
    int64_t hits = 0;

    if (!sql_is_indexed(s))
        return true;
    driver->hits = 0;
    for (driver->count = 0; driver->count < columns; driver->count++) {
        driver->parts[driver->count].leaf = s;
        driver->parts[driver->count].either = driver->count > 0;
        if (!count_hits(f, s, driver->count > 0, &hits, err))
            return false;
        driver->hits += hits;
    }
    driver->hits = driver->hits < f->few ? driver->hits : f->few;
    driver->ordered = sql_is_ordered(s);
    driver->words = sql_word_of(s, word);
    return true;
}

/* All of an OR must be known by their index, or none helps. */
static bool choose_or(const struct finding *f, const struct search *s, struct driver *driver, struct err *err)
{
    struct driver child, all = {.ordered = true, .words = true};

    for (size_t i = 0; i < s->count; i++) {
        if (!choose(f, s->children[i], &child, err))
            return false;
        if (child.count > 0 && child.hits == 0 && s->count > 1 && (all.count > 0 || i + 1 < s->count))
            continue; /* there are none at all; the last may stay alone */
        if (child.count == 0 || all.count + child.count > DRIVER_PARTS)
            return true;
        memcpy(all.parts + all.count, child.parts, child.count * sizeof child.parts[0]);
        all.count += child.count;
        all.hits += child.hits;
        all.ordered = all.ordered && child.ordered;
        all.words = all.words && child.words;
    }
    all.hits = all.hits < f->few ? all.hits : f->few;
    *driver = all;
    return true;
}

static bool is_better(const struct driver *a, const struct driver *b)
{
    if (a->count == 0 || b->count == 0)
        return a->count != 0;
    if (a->hits != b->hits)
        return a->hits < b->hits;
    return a->ordered != b->ordered ? a->ordered : a->ordered && a->words && !b->words;
}

static bool choose(const struct finding *f, const struct search *s, struct driver *driver, struct err *err)
{
    driver->count = 0;
    driver->hits = f->few;
    driver->ordered = driver->words = false;
    if (s->kind == SEARCH_OR)
        return choose_or(f, s, driver, err);
    if (s->kind != SEARCH_AND)
        return choose_leaf(f, s, driver, err);
    for (size_t i = 0; i < s->count; i++) {
        struct driver child;

        if (!choose(f, s->children[i], &child, err))
            return false;
        if (is_better(&child, driver))
            *driver = child;
    }
    return true;
}

/* Adds the words that every threat which fits has. Of alternatives it is the one word of which there are threats at
 * all: what a user types may be an id, too. */
static bool add_words(struct finding *f, const struct search *s, struct err *err)
{
    char word[SEARCH_WORD_MAX];
    const struct search *only = NULL;
    struct driver child;

    if (s->kind == SEARCH_AND) {
        for (size_t i = 0; i < s->count; i++)
            if (!add_words(f, s->children[i], err))
                return false;
        return true;
    }
    for (size_t i = 0; s->kind == SEARCH_OR && i < s->count; i++) {
        bool by_word = sql_word_of(s->children[i], word);

        if (!by_word && !choose(f, s->children[i], &child, err))
            return false;
        if (!by_word && child.count > 0 && child.hits == 0)
            continue;
        if (!by_word || only != NULL)
            return true;
        only = s->children[i];
    }
    if (sql_word_of(only != NULL ? only : s, word) && strlen(f->words) + strlen(word) + 2 <= sizeof f->words)
        snprintf(f->words + strlen(f->words), sizeof f->words - strlen(f->words), "%s%s",
                 f->words[0] != '\0' ? " " : "", word);
    return true;
}

static bool is_walked(const struct finding *f)
{
    return f->driver.count == 0 || f->driver.hits >= f->few;
}

static bool decide(struct finding *f, struct err *err)
{
    char word[SEARCH_WORD_MAX];

    f->sql.text.max = SQL_TEXT_MAX;
    if (!measure(f, err) || (f->query->search != NULL && !choose(f, f->query->search, &f->driver, err)))
        return false;
    if (!is_walked(f) || !f->driver.words)
        return true;
    if (!add_words(f, f->query->search, err))
        return false;
    if (f->driver.count == 1 && sql_word_of(f->driver.parts[0].leaf, word) && strcmp(f->words, word) == 0)
        f->words[0] = '\0'; /* which is asked for anyway */
    return true;
}

static void add_driver(struct finding *f)
{
    for (size_t i = 0; i < f->driver.count; i++) {
        if (i > 0)
            sql_add(&f->sql, " UNION ");
        sql_from_index(&f->sql, f->driver.parts[i].leaf, f->driver.parts[i].either, is_walked(f), f->words);
    }
}

static void add_conditions(struct sql *sql, const struct store_query *query)
{
    sql_add(sql, " WHERE ");
    if (query->search != NULL)
        sql_condition(sql, query->search);
    else
        sql_add(sql, "1");
    if (!query->with_suppressed)
        sql_add(sql, " AND threat.suppressed_by IS NULL");
}

static void write_find(struct finding *f)
{
    const char *order = f->query->oldest_first ? "" : " DESC";

    sql_add(&f->sql, "SELECT " STORED_COLUMNS " FROM ");
    if (is_walked(f) && f->driver.count > 0 && f->driver.ordered) {
        sql_add(&f->sql, "(");
        add_driver(f);
        sql_add(&f->sql, " ORDER BY 1");
        sql_add(&f->sql, order);
        /* Without a limit SQLite leaves the order of a subquery out. */
        sql_add(&f->sql,
                " LIMIT -1) AS hit CROSS JOIN threat ON threat.seq = hit.seq CROSS JOIN body ON body.seq = hit.seq");
        add_conditions(&f->sql, f->query);
    } else {
        sql_add(&f->sql, "threat CROSS JOIN body ON body.seq = threat.seq");
        add_conditions(&f->sql, f->query);
        if (is_walked(f)) {
            sql_bounds(&f->sql, "threat.seq");
        } else {
            if (f->query->before_seq > 0) {
                sql_add(&f->sql, f->query->oldest_first ? " AND threat.seq > " : " AND threat.seq < ");
                sql_integer(&f->sql, f->query->before_seq);
            }
            sql_add(&f->sql, " AND threat.seq IN (");
            add_driver(f);
            sql_add(&f->sql, ")");
        }
        sql_add(&f->sql, " ORDER BY threat.seq");
        sql_add(&f->sql, order);
    }
    sql_add(&f->sql, " LIMIT ");
    sql_integer(&f->sql, (int64_t)(f->query->limit + f->query->offset));
}

/* What has been given out so far. */
struct giving {
    store_each_threat *each;
    void *context;
    size_t skip, left;
    int64_t before;
};

static bool give_rows(struct finding *f, sqlite3_stmt *rows, struct giving *giving, struct err *err)
{
    int step = SQLITE_DONE;

    while (giving->left > 0 && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        int64_t seq = sqlite3_column_int64(rows, 0);
        char *json;

        if (giving->before != 0 &&
            (seq > giving->before) != f->query->oldest_first) /* the order of a join is no promise of SQL's */
            return err_set(err, ERR_SYSTEM, "store: rows came out of order");
        giving->before = seq;
        if (giving->skip > 0) {
            giving->skip--;
            continue;
        }
        json = sqlite_given(rows, err);
        if (json == NULL)
            return false;
        giving->left = giving->each(giving->context, seq, json) ? giving->left - 1 : 0;
        free(json);
    }
    return giving->left == 0 || step == SQLITE_DONE || sqlite_failed(f->reader, "search", err);
}

/* Of a statement by era each era is asked for itself: there the index has them in order. */
static bool give_stretch(struct finding *f, sqlite3_stmt *rows, struct giving *giving, int64_t above, int64_t below,
                         struct err *err)
{
    bool up = f->query->oldest_first, ok = true;

    if (f->sql.by_era && below > f->last_seq)
        below = f->last_seq + 1;
    while (ok && giving->left > 0 && above + 1 < below) {
        int64_t from = above, to = below;

        if (f->sql.by_era && up && to > ((above + 1) / ERA + 1) * ERA)
            to = ((above + 1) / ERA + 1) * ERA;
        if (f->sql.by_era && !up && from < (below - 1) / ERA * ERA - 1)
            from = (below - 1) / ERA * ERA - 1;
        sql_bind_bounds(&f->sql, rows, from, to);
        ok = give_rows(f, rows, giving, err);
        above = up ? to - 1 : above;
        below = up ? below : from + 1;
    }
    return ok;
}

/* Stretch by stretch, until the page is full. */
static bool give_walked(struct finding *f, sqlite3_stmt *rows, struct giving *giving, struct err *err)
{
    struct sqlite_stretches *stretches = calloc(1, sizeof *stretches);
    int64_t above = 0, below = 0;
    bool more = true;
    bool ok = stretches != NULL || err_set(err, ERR_MEMORY, "store: out of memory");

    ok = ok && sqlite_stretches_open(stretches, f->store, f->reader, f->query, err);
    while (ok && giving->left > 0 && (ok = sqlite_stretches_next(stretches, &above, &below, &more, err)) && more)
        ok = give_stretch(f, rows, giving, above, below, err);
    if (stretches != NULL)
        sqlite_stretches_close(stretches);
    free(stretches);
    return ok;
}

static bool give_all(struct finding *f, store_each_threat *each, void *context, struct err *err)
{
    struct giving giving = {.each = each, .context = context, .skip = f->query->offset, .left = f->query->limit};
    sqlite3_stmt *rows = sql_prepare(&f->sql, f->reader, err);
    bool ok = rows != NULL && (is_walked(f) ? give_walked(f, rows, &giving, err) : give_rows(f, rows, &giving, err));

    sqlite3_finalize(rows);
    return ok;
}

static void add_visible(void *context, const struct rollup_row *row)
{
    *(int64_t *)context += row->count;
}

/* Everything: what the counts know, and the few threats that are in none of them yet. */
static bool count_without_search(struct finding *f, int64_t *total, struct err *err)
{
    static const char all[] = "SELECT count(*) FROM threat WHERE seq > ?1";
    static const char visible[] = "SELECT count(*) FROM threat WHERE seq > ?1 AND suppressed_by IS NULL";
    struct sqlite_counts counts = {.connection = f->reader};
    bool with = f->query->with_suppressed, ok;
    int64_t counted = 0;
    sqlite3_stmt *count = NULL;

    *total = 0;
    ok = sqlite_get_meta(f->reader, "counted_seq", &counted, err) &&
         sqlite_counts_read(&counts, ROLLUP_EVER, ROLLUP_SEVERITY, INT64_MIN, INT64_MAX, add_visible, total, err) &&
         (!with || sqlite_counts_read(&counts, ROLLUP_EVER, ROLLUP_SUPPRESSED, INT64_MIN, INT64_MAX, add_visible,
                                      total, err)) &&
         (count = sqlite_statement(f->reader, with ? all : visible, err)) != NULL;
    if (ok) {
        sqlite3_bind_int64(count, 1, counted);
        ok = sqlite3_step(count) == SQLITE_ROW || sqlite_failed(f->reader, "search", err);
        *total += ok ? sqlite3_column_int64(count, 0) : 0;
        sqlite3_reset(count);
    }
    return ok;
}

/* With a search only when few rows are to be looked at. */
static bool count_all(struct finding *f, int64_t *total, struct err *err)
{
    sqlite3_stmt *count;
    bool ok;

    if (f->driver.count == 0 && (f->query->search == NULL || f->query->search->kind == SEARCH_ALL))
        return count_without_search(f, total, err);
    *total = -1;
    if (is_walked(f))
        return true;
    sql_clear(&f->sql);
    f->sql.text.max = SQL_TEXT_MAX;
    sql_add(&f->sql, "SELECT count(*) FROM threat");
    add_conditions(&f->sql, f->query);
    sql_add(&f->sql, " AND threat.seq IN (");
    add_driver(f);
    sql_add(&f->sql, ")");
    count = sql_prepare(&f->sql, f->reader, err);
    ok = count != NULL && (sqlite3_step(count) == SQLITE_ROW || sqlite_failed(f->reader, "search", err));
    if (ok)
        *total = sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    return ok;
}

bool sqlite_find(struct store *store, const struct store_query *query, store_each_threat *each, void *context,
                 int64_t *total, struct err *err)
{
    struct finding *f = calloc(1, sizeof *f);
    bool ok;

    if (f == NULL)
        return err_set(err, ERR_MEMORY, "store: out of memory");
    f->store = SQLITE_STORE(store);
    f->reader = sqlite_lend(f->store, err);
    if (f->reader == NULL) {
        free(f);
        return false;
    }
    f->query = query;
    ok = sqlite_text(f->reader, "BEGIN", err) && decide(f, err);
    if (ok) {
        write_find(f);
        ok = give_all(f, each, context, err) && (total == NULL || count_all(f, total, err));
    }
    sql_clear(&f->sql);
    if (sqlite3_get_autocommit(f->reader->db) == 0)
        sqlite3_exec(f->reader->db, "COMMIT", NULL, NULL, NULL);
    sqlite_return(SQLITE_STORE(store), f->reader);
    free(f);
    return ok;
}

/* Takes what sql says; it begins with EXPLAIN QUERY PLAN. */
static void add_plan(struct finding *f, struct text *plan, struct err *err)
{
    sqlite3_stmt *rows = sql_prepare(&f->sql, f->reader, err);

    while (rows != NULL && sqlite3_step(rows) == SQLITE_ROW)
        text_addf(plan, "%s\n", (const char *)sqlite3_column_text(rows, 3));
    sqlite3_finalize(rows);
    sql_clear(&f->sql);
}

char *sqlite_find_plan(struct store *store, const struct store_query *query, struct err *err)
{
    struct finding *f = calloc(1, sizeof *f);
    struct text plan = {.max = SQL_TEXT_MAX};

    if (f == NULL || (f->reader = sqlite_lend(SQLITE_STORE(store), err)) == NULL) {
        free(f);
        return NULL;
    }
    f->store = SQLITE_STORE(store);
    f->query = query;
    if (decide(f, err)) {
        sql_add(&f->sql, "EXPLAIN QUERY PLAN ");
        write_find(f);
        add_plan(f, &plan, err);
        if (is_walked(f)) {
            sqlite_stretches_explain(&f->sql, query);
            add_plan(f, &plan, err);
        }
    }
    sqlite_return(SQLITE_STORE(store), f->reader);
    free(f);
    return plan.bytes;
}
