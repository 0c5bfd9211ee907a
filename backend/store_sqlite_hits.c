/* store_sqlite_hits.c: what SQL sees of the lists of words: a table that unpacks them, and functions. */
#include "backend/store_sqlite_list.h"
#include "backend/store_sqlite_look.h"
#include "backend/store_sqlite_words.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* How a scan was planned, as its index number. */
enum {
    HITS_WORD = 1,    /* word = ? */
    HITS_RANGE = 2,   /* word >= ? AND word < ? */
    HITS_BELOW = 4,   /* seq < ? */
    HITS_ABOVE = 8,   /* seq > ? */
    HITS_UPWARD = 16, /* by rising seq; else by falling */
    HITS_ALSO = 32    /* also = ? */
};
enum { ALSO_MOST = 4 };

/* Words that a threat has to have as well: a scan of one word leaves out what lacks the others. */
struct also {
    size_t count;
    char words[ALSO_MOST][SEARCH_WORD_MAX];
    struct looked looked[ALSO_MOST];
};

struct hits {
    sqlite3_vtab base;
    sqlite3 *db;
};

struct hits_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_stmt *rows;
    const char *sql; /* its text */
    bool upward, ended;
    int64_t above, below; /* exclusive */
    int64_t seqs[LIST_SEQS];
    size_t first, count; /* what is left of the row */
    sqlite3_int64 number;
    struct also *also; /* NULL: none so far */
};

static int hits_connect(sqlite3 *db, void *context, int argc, const char *const *argv, sqlite3_vtab **out,
                        char **error)
{
    struct hits *hits = sqlite3_malloc(sizeof *hits);
    int code = sqlite3_declare_vtab(db, "CREATE TABLE hits (word TEXT, seq INTEGER, also TEXT HIDDEN)");

    (void)context;
    (void)argc;
    (void)argv;
    (void)error;
    if (hits == NULL || code != SQLITE_OK) {
        sqlite3_free(hits);
        return hits == NULL ? SQLITE_NOMEM : code;
    }
    memset(hits, 0, sizeof *hits);
    hits->db = db;
    *out = &hits->base;
    return SQLITE_OK;
}

static int hits_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* The usable constraint on a column; -1: none. */
static int constraint_on(const sqlite3_index_info *info, int column, int op)
{
    for (int i = 0; i < info->nConstraint; i++)
        if (info->aConstraint[i].usable && info->aConstraint[i].iColumn == column && info->aConstraint[i].op == op)
            return i;
    return -1;
}

static void use(sqlite3_index_info *info, int constraint, int *argument)
{
    info->aConstraintUsage[constraint].argvIndex = ++*argument;
    info->aConstraintUsage[constraint].omit = 1;
}

static int hits_best(sqlite3_vtab *table, sqlite3_index_info *info)
{
    int word = constraint_on(info, 0, SQLITE_INDEX_CONSTRAINT_EQ);
    int from = constraint_on(info, 0, SQLITE_INDEX_CONSTRAINT_GE);
    int to = constraint_on(info, 0, SQLITE_INDEX_CONSTRAINT_LT);
    int below = constraint_on(info, 1, SQLITE_INDEX_CONSTRAINT_LT);
    int above = constraint_on(info, 1, SQLITE_INDEX_CONSTRAINT_GT);
    int also = constraint_on(info, 2, SQLITE_INDEX_CONSTRAINT_EQ);
    int argument = 0;

    (void)table;
    if (word < 0 && (from < 0 || to < 0))
        return SQLITE_CONSTRAINT; /* all words of all threats: nobody wants that */
    if (word >= 0) {
        use(info, word, &argument);
    } else {
        use(info, from, &argument);
        use(info, to, &argument);
    }
    info->idxNum = word >= 0 ? HITS_WORD : HITS_RANGE;
    if (below >= 0) {
        use(info, below, &argument);
        info->idxNum |= HITS_BELOW;
    }
    if (above >= 0) {
        use(info, above, &argument);
        info->idxNum |= HITS_ABOVE;
    }
    if (also >= 0) {
        use(info, also, &argument);
        info->idxNum |= HITS_ALSO;
    }
    if (word >= 0 && info->nOrderBy == 1 && info->aOrderBy[0].iColumn == 1) {
        info->orderByConsumed = 1;
        info->idxNum |= info->aOrderBy[0].desc ? 0 : HITS_UPWARD;
    }
    info->idxStr =
        sqlite3_mprintf("%s%s%s%s", word >= 0 ? "word=?" : "word>? AND word<?", below >= 0 ? " AND seq<?" : "",
                        above >= 0 ? " AND seq>?" : "", also >= 0 ? " AND also=?" : ""); /* for EXPLAIN alone */
    info->needToFreeIdxStr = 1;
    info->estimatedCost = word >= 0 ? 1000 : 10000;
    info->estimatedRows = word >= 0 ? 1000 : 10000;
    return SQLITE_OK;
}

static void also_free(struct also *also)
{
    for (size_t i = 0; also != NULL && i < ALSO_MOST; i++)
        looked_clear(&also->looked[i]);
    sqlite3_free(also);
}

/* Words with a space between; those beyond ALSO_MOST are left to the condition on the row. */
static int also_set(struct hits_cursor *cursor, const char *own, const char *words)
{
    struct also *also = cursor->also;
    char *word;

    if (also == NULL) {
        also = cursor->also = sqlite3_malloc(sizeof *also);
        if (also == NULL)
            return SQLITE_NOMEM;
        memset(also, 0, sizeof *also);
    }
    for (also->count = 0; also->count < ALSO_MOST && words != NULL && words[0] != '\0';) {
        size_t length = strcspn(words, " ");

        if (length >= SEARCH_WORD_MAX)
            return SQLITE_ERROR;
        word = also->words[also->count];
        memcpy(word, words, length);
        word[length] = '\0';
        words += length + (words[length] == ' ');
        if (own != NULL && strcmp(word, own) == 0)
            continue;
        looked_clear(&also->looked[also->count]);
        if (!looked_prepare(&also->looked[also->count++], ((struct hits *)(void *)cursor->base.pVtab)->db))
            return SQLITE_ERROR;
    }
    return SQLITE_OK;
}

/* Leaves those of the row that have the other words too. */
static bool keep_also(struct hits_cursor *cursor)
{
    struct also *also = cursor->also;
    size_t kept;

    for (size_t w = 0; also != NULL && w < also->count; w++) {
        kept = cursor->first;
        for (size_t i = cursor->first; i < cursor->count; i++) {
            bool has;

            if (!looked_has(&also->looked[w], also->words[w], cursor->seqs[i], &has))
                return false;
            if (has)
                cursor->seqs[kept++] = cursor->seqs[i];
        }
        cursor->count = kept;
    }
    return true;
}

static int hits_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    struct hits_cursor *cursor = sqlite3_malloc(sizeof *cursor);

    (void)table;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static int hits_close(sqlite3_vtab_cursor *base)
{
    struct hits_cursor *cursor = (struct hits_cursor *)(void *)base;

    sqlite3_finalize(cursor->rows);
    also_free(cursor->also);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* The next row of posting; what of it is out of bounds is left away. A scan by falling seq ends below its bound. */
static int next_row(struct hits_cursor *cursor)
{
    for (;;) {
        int step = sqlite3_step(cursor->rows);

        if (step != SQLITE_ROW) {
            cursor->ended = true;
            return step == SQLITE_DONE ? SQLITE_OK : step;
        }
        cursor->count = list_read(sqlite3_column_int64(cursor->rows, 0), sqlite3_column_blob(cursor->rows, 1),
                                  (size_t)sqlite3_column_bytes(cursor->rows, 1), cursor->seqs, LIST_SEQS);
        cursor->first = 0;
        while (cursor->count > 0 && cursor->seqs[cursor->count - 1] >= cursor->below)
            cursor->count--;
        while (cursor->first < cursor->count && cursor->seqs[cursor->first] <= cursor->above)
            cursor->first++;
        if (!keep_also(cursor))
            return SQLITE_ERROR;
        if (cursor->first < cursor->count)
            return SQLITE_OK;
    }
}

static int hits_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv)
{
    static const char falling[] = "SELECT first, seqs, word FROM posting WHERE word = ?1 AND first < ?2 AND first >= "
                                  "coalesce((SELECT max(first) FROM posting WHERE word = ?1 AND first <= ?3), ?3) "
                                  "ORDER BY first DESC";
    static const char rising[] = "SELECT first, seqs, word FROM posting WHERE word = ?1 AND first < ?2 AND first >= "
                                 "coalesce((SELECT max(first) FROM posting WHERE word = ?1 AND first <= ?3), ?3) "
                                 "ORDER BY first";
    static const char range[] =
        "SELECT first, seqs, word FROM posting WHERE word >= ?1 AND first < ?2 AND ?3 IS NOT NULL AND word < ?4";
    struct hits_cursor *cursor = (struct hits_cursor *)(void *)base;
    const char *sql = (plan & HITS_RANGE) ? range : (plan & HITS_UPWARD) ? rising : falling;
    int at = (plan & HITS_RANGE) ? 2 : 1, code;

    (void)text;
    (void)argc;
    cursor->below = (plan & HITS_BELOW) ? sqlite3_value_int64(argv[at++]) : INT64_MAX;
    cursor->above = (plan & HITS_ABOVE) ? sqlite3_value_int64(argv[at++]) : INT64_MIN;
    if (cursor->also != NULL)
        cursor->also->count = 0;
    code = (plan & HITS_ALSO) ? also_set(cursor, (const char *)sqlite3_value_text(argv[0]),
                                         (const char *)sqlite3_value_text(argv[at]))
                              : SQLITE_OK;
    if (code != SQLITE_OK)
        return code;
    cursor->upward = (plan & HITS_UPWARD) != 0;
    cursor->ended = false;
    if (cursor->sql != sql) {
        sqlite3_finalize(cursor->rows);
        cursor->rows = NULL;
        code = sqlite3_prepare_v2(((struct hits *)(void *)base->pVtab)->db, sql, -1, &cursor->rows, NULL);
        if (code != SQLITE_OK)
            return code;
        cursor->sql = sql;
    }
    sqlite3_reset(cursor->rows);
    sqlite3_bind_value(cursor->rows, 1, argv[0]);
    sqlite3_bind_int64(cursor->rows, 2, cursor->below);
    sqlite3_bind_int64(cursor->rows, 3, cursor->above);
    if (plan & HITS_RANGE)
        sqlite3_bind_value(cursor->rows, 4, argv[1]);
    return next_row(cursor);
}

static int hits_next(sqlite3_vtab_cursor *base)
{
    struct hits_cursor *cursor = (struct hits_cursor *)(void *)base;

    cursor->number++;
    if (cursor->upward)
        cursor->first++;
    else
        cursor->count--;
    return cursor->first < cursor->count ? SQLITE_OK : next_row(cursor);
}

static int hits_eof(sqlite3_vtab_cursor *base)
{
    return ((struct hits_cursor *)(void *)base)->ended;
}

static int hits_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct hits_cursor *cursor = (struct hits_cursor *)(void *)base;

    if (column == 0)
        sqlite3_result_value(context, sqlite3_column_value(cursor->rows, 2));
    else
        sqlite3_result_int64(context, cursor->seqs[cursor->upward ? cursor->first : cursor->count - 1]);
    return SQLITE_OK;
}

static int hits_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((struct hits_cursor *)(void *)base)->number;
    return SQLITE_OK;
}

/* --- word_has --- */

static void looked_free(void *context)
{
    looked_clear(context);
    sqlite3_free(context);
}

static struct looked *looked_of(sqlite3_context *context)
{
    struct looked *looked = sqlite3_get_auxdata(context, 0);

    if (looked != NULL)
        return looked;
    looked = sqlite3_malloc(sizeof *looked);
    if (looked == NULL)
        return NULL;
    if (!looked_prepare(looked, sqlite3_context_db_handle(context))) {
        looked_free(looked);
        return NULL;
    }
    sqlite3_set_auxdata(context, 0, looked, looked_free);
    return sqlite3_get_auxdata(context, 0); /* NULL when it was not kept, and freed already */
}

static void word_has(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct looked *looked = looked_of(context);
    const char *word = (const char *)sqlite3_value_text(argv[0]);
    bool has;

    (void)argc;
    if (looked == NULL || word == NULL)
        sqlite3_result_error_nomem(context);
    else if (!looked_has(looked, word, sqlite3_value_int64(argv[1]), &has))
        sqlite3_result_error(context, "words cannot be read", -1);
    else
        sqlite3_result_int(context, has);
}

/* --- word_begins --- */

enum { WINDOW = 1 << 16 };

/* Which threats of one stretch of seq have a word of the range; lives as struct looked does. */
struct window {
    sqlite3_stmt *next, *lists;
    int64_t start; /* -1: none yet */
    uint8_t bits[WINDOW / 8];
};

static void window_free(void *context)
{
    struct window *window = context;

    sqlite3_finalize(window->next);
    sqlite3_finalize(window->lists);
    sqlite3_free(window);
}

static struct window *window_of(sqlite3_context *context)
{
    static const char next[] = "SELECT word FROM posting WHERE word > ?1 AND word < ?2 ORDER BY word LIMIT 1";
    static const char lists[] = "SELECT first, seqs FROM posting WHERE word = ?1 AND first < ?3 AND first >= "
                                "coalesce((SELECT max(first) FROM posting WHERE word = ?1 AND first <= ?2), ?2)";
    struct window *window = sqlite3_get_auxdata(context, 0);
    sqlite3 *db = sqlite3_context_db_handle(context);

    if (window != NULL)
        return window;
    window = sqlite3_malloc(sizeof *window);
    if (window == NULL)
        return NULL;
    *window = (struct window){.start = -1};
    if (sqlite3_prepare_v2(db, next, -1, &window->next, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, lists, -1, &window->lists, NULL) != SQLITE_OK) {
        window_free(window);
        return NULL;
    }
    sqlite3_set_auxdata(context, 0, window, window_free);
    return sqlite3_get_auxdata(context, 0);
}

/* Marks the threats of one word. */
static bool mark_word(struct window *window, sqlite3_value *word)
{
    int64_t seqs[LIST_SEQS];
    int step;

    sqlite3_bind_value(window->lists, 1, word);
    sqlite3_bind_int64(window->lists, 2, window->start);
    sqlite3_bind_int64(window->lists, 3, window->start + WINDOW);
    while ((step = sqlite3_step(window->lists)) == SQLITE_ROW) {
        size_t count = list_read(sqlite3_column_int64(window->lists, 0), sqlite3_column_blob(window->lists, 1),
                                 (size_t)sqlite3_column_bytes(window->lists, 1), seqs, LIST_SEQS);

        for (size_t i = 0; i < count; i++) {
            int64_t at = seqs[i] - window->start;

            if (at >= 0 && at < WINDOW)
                window->bits[at / 8] |= (uint8_t)(1u << at % 8);
        }
    }
    sqlite3_reset(window->lists);
    return step == SQLITE_DONE;
}

/* From word to word, so that the lists outside the window are not read. */
static bool fill_window(struct window *window, sqlite3_value *from, sqlite3_value *to, int64_t start)
{
    sqlite3_value *word = sqlite3_value_dup(from);
    bool ok = word != NULL;
    int step = SQLITE_ROW;

    window->start = start;
    memset(window->bits, 0, sizeof window->bits);
    ok = ok && mark_word(window, word); /* the beginning may be a word itself */
    while (ok && step == SQLITE_ROW) {
        sqlite3_bind_value(window->next, 1, word);
        sqlite3_bind_value(window->next, 2, to);
        step = sqlite3_step(window->next);
        if (step == SQLITE_ROW) {
            sqlite3_value_free(word);
            word = sqlite3_value_dup(sqlite3_column_value(window->next, 0));
        }
        sqlite3_reset(window->next);
        ok = (step == SQLITE_ROW && word != NULL && mark_word(window, word)) || step == SQLITE_DONE;
    }
    sqlite3_value_free(word);
    if (!ok)
        window->start = -1;
    return ok;
}

static void word_begins(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct window *window = window_of(context);
    int64_t seq = sqlite3_value_int64(argv[2]), start = seq / WINDOW * WINDOW;

    (void)argc;
    if (window == NULL)
        sqlite3_result_error_nomem(context);
    else if (seq < 0 || (window->start != start && !fill_window(window, argv[0], argv[1], start)))
        sqlite3_result_error(context, "words cannot be read", -1);
    else
        sqlite3_result_int(context, window->bits[(seq - start) / 8] >> (seq - start) % 8 & 1);
}

/* --- word_list --- */

struct summed {
    int64_t *seqs;
    size_t count;
};

static void list_step(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct summed *summed = sqlite3_aggregate_context(context, sizeof *summed);

    (void)argc;
    if (summed == NULL || (summed->seqs == NULL && (summed->seqs = malloc(LIST_SEQS * sizeof *summed->seqs)) == NULL))
        sqlite3_result_error_nomem(context);
    else if (summed->count == LIST_SEQS)
        sqlite3_result_error_toobig(context);
    else
        summed->seqs[summed->count++] = sqlite3_value_int64(argv[0]);
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void list_final(sqlite3_context *context)
{
    struct summed *summed = sqlite3_aggregate_context(context, 0);
    uint8_t bytes[LIST_BYTES];
    size_t length;

    if (summed == NULL || summed->seqs == NULL)
        return;
    qsort(summed->seqs, summed->count, sizeof *summed->seqs, by_value);
    if (list_write(summed->seqs, summed->count, bytes, &length) == summed->count)
        sqlite3_result_blob(context, bytes, (int)length, SQLITE_TRANSIENT);
    else
        sqlite3_result_error_toobig(context);
    free(summed->seqs);
    summed->seqs = NULL;
}

bool words_register(struct sqlite_connection *connection, struct err *err)
{
    static const sqlite3_module hits = {.xConnect = hits_connect,
                                        .xBestIndex = hits_best,
                                        .xDisconnect = hits_disconnect,
                                        .xOpen = hits_open,
                                        .xClose = hits_close,
                                        .xFilter = hits_filter,
                                        .xNext = hits_next,
                                        .xEof = hits_eof,
                                        .xColumn = hits_column,
                                        .xRowid = hits_rowid};
    const int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;

    return (sqlite3_create_module(connection->db, "hits", &hits, NULL) == SQLITE_OK &&
            sqlite3_create_function(connection->db, "word_has", 2, flags, NULL, word_has, NULL, NULL) == SQLITE_OK &&
            sqlite3_create_function(connection->db, "word_begins", 3, flags, NULL, word_begins, NULL, NULL) ==
                SQLITE_OK &&
            sqlite3_create_function(connection->db, "word_list", 1, flags, NULL, NULL, list_step, list_final) ==
                SQLITE_OK) ||
           sqlite_failed(connection, "words", err);
}
