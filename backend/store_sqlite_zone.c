/* store_sqlite_zone.c: sums up stretches of arrival, so that a search leaves out those in which nothing can fit.
 *
 * A zone is zone_rows numbers in a row. Its threats are summed up, a part at a time so that no commit takes long: a
 * row for each combination of the values that are few, with the lowest and the highest of those that are many. A
 * threat that changes afterwards widens what stands there, one that is removed leaves it as it is: a row may promise
 * too much, never too little. Zones that are not summed up as a whole are always looked at. A file that knew no zones
 * yet catches up by one with each transaction. */
#include "backend/store_sqlite_search.h"

#include <string.h>

/* GROUPS_MOST: of a zone; with more it forgets types and protocols, and 384 are possible. */
enum { GROUPS_MOST = 256, NEIGHBOURS_MOST = 4096, PARTS = 4 };

/* Threats from ?1 to ?2, all of the zone ?3. ?4: without type and protocol, which stand as '' then. */
static const char sum_up[] =
    "INSERT INTO zone (zone, type, severity, status, verdict, protocol, suppressed, simulated, commented,"
    " low_confidence, high_confidence, low_source_port, high_source_port, low_destination_port,"
    " high_destination_port, low_source, high_source, low_destination, high_destination, low_timestamp_us,"
    " high_timestamp_us) SELECT ?3, CASE WHEN ?4 THEN '' ELSE type END, severity, status, verdict,"
    " CASE WHEN ?4 THEN '' ELSE protocol END, suppressed_by IS NOT NULL, simulated, commented,"
    " min(confidence), max(confidence), min(coalesce(source_port, -1)), max(coalesce(source_port, -1)),"
    " min(coalesce(destination_port, -1)), max(coalesce(destination_port, -1)), min(source), max(source),"
    " min(destination), max(destination), min(timestamp_us), max(timestamp_us)"
    " FROM threat WHERE seq BETWEEN ?1 AND ?2 GROUP BY 2, 3, 4, 5, 6, 7, 8, 9"
    " ON CONFLICT DO UPDATE SET low_confidence = min(low_confidence, excluded.low_confidence),"
    " high_confidence = max(high_confidence, excluded.high_confidence),"
    " low_source_port = min(low_source_port, excluded.low_source_port),"
    " high_source_port = max(high_source_port, excluded.high_source_port),"
    " low_destination_port = min(low_destination_port, excluded.low_destination_port),"
    " high_destination_port = max(high_destination_port, excluded.high_destination_port),"
    " low_source = min(low_source, excluded.low_source), high_source = max(high_source, excluded.high_source),"
    " low_destination = min(low_destination, excluded.low_destination),"
    " high_destination = max(high_destination, excluded.high_destination),"
    " low_timestamp_us = min(low_timestamp_us, excluded.low_timestamp_us),"
    " high_timestamp_us = max(high_timestamp_us, excluded.high_timestamp_us)";

static bool add_up(struct sqlite_store *store, int64_t from, int64_t to, bool coarse, struct err *err)
{
    sqlite3_stmt *add = sqlite_statement(&store->writer, sum_up, err);

    if (add == NULL)
        return false;
    sqlite3_bind_int64(add, 1, from);
    sqlite3_bind_int64(add, 2, to);
    sqlite3_bind_int64(add, 3, from / store->zone_rows);
    sqlite3_bind_int(add, 4, coarse);
    return sqlite_run(&store->writer, add, err);
}

/* A file that is opened begins at the zone it was in: to sum up twice does no harm. */
static int64_t summed_below(const struct sqlite_store *store)
{
    int64_t zoned = store->zoned * store->zone_rows;

    return store->summed > zoned ? store->summed : zoned;
}

/* The zone is summed up; with too many rows once more without types and protocols. */
static bool close_zone(struct sqlite_store *store, int64_t zone, struct err *err)
{
    int64_t from = zone * store->zone_rows, to = from + store->zone_rows - 1, rows = 0;
    sqlite3_stmt *count = sqlite_statement(&store->writer, "SELECT count(*) FROM zone WHERE zone = ?1", err);
    sqlite3_stmt *forget = sqlite_statement(&store->writer, "DELETE FROM zone WHERE zone = ?1", err);
    bool ok = count != NULL && forget != NULL;

    if (ok) {
        sqlite3_bind_int64(count, 1, zone);
        ok = sqlite3_step(count) == SQLITE_ROW || sqlite_failed(&store->writer, "zone", err);
        rows = ok ? sqlite3_column_int64(count, 0) : 0;
        sqlite3_reset(count);
    }
    store->zoned = zone + 1;
    if (!ok || rows <= GROUPS_MOST)
        return ok;
    sqlite3_bind_int64(forget, 1, zone);
    return sqlite_run(&store->writer, forget, err) && add_up(store, from, to, true, err);
}

/* Where no threats are there is nothing to sum up. */
static bool skip_removed(struct sqlite_store *store, struct err *err)
{
    sqlite3_stmt *first = sqlite_statement(&store->writer, "SELECT min(seq) FROM threat WHERE seq >= ?1", err);
    bool ok;

    if (first == NULL)
        return false;
    sqlite3_bind_int64(first, 1, store->summed);
    ok = sqlite3_step(first) == SQLITE_ROW || sqlite_failed(&store->writer, "zone", err);
    if (ok)
        store->zoned =
            (sqlite3_column_type(first, 0) != SQLITE_NULL ? sqlite3_column_int64(first, 0) : store->last_seq + 1) /
            store->zone_rows;
    store->summed = store->zoned * store->zone_rows;
    sqlite3_reset(first);
    return ok;
}

bool sqlite_zone_close(struct sqlite_store *store, struct err *err)
{
    const int64_t part = store->zone_rows / PARTS;
    int64_t left = 1 + (store->last_seq - store->seq_before) / part;
    bool ok = true;

    store->summed = summed_below(store);
    for (; ok && left > 0 && store->last_seq + 1 >= store->summed + part; left--) {
        if (store->summed % store->zone_rows == 0) {
            ok = skip_removed(store, err);
            if (!ok || store->last_seq + 1 < store->summed + part)
                break;
        }
        ok = add_up(store, store->summed, store->summed + part - 1, false, err);
        store->summed += part;
        if (ok && store->summed % store->zone_rows == 0)
            ok = close_zone(store, store->summed / store->zone_rows - 1, err);
    }
    return ok && (store->zoned == store->zoned_before || sqlite_set_meta(&store->writer, "zoned", store->zoned, err));
}

bool sqlite_zone_widen(struct sqlite_store *store, int64_t seq, struct err *err)
{
    return seq >= summed_below(store) || add_up(store, seq, seq, false, err);
}

bool sqlite_zone_trim(struct sqlite_store *store, struct err *err)
{
    sqlite3_stmt *trim = sqlite_statement(
        &store->writer, "DELETE FROM zone WHERE zone < coalesce((SELECT min(seq) FROM threat), ?1) / ?2", err);

    if (trim == NULL)
        return false;
    sqlite3_bind_int64(trim, 1, INT64_MAX);
    sqlite3_bind_int64(trim, 2, store->zone_rows);
    return sqlite_run(&store->writer, trim, err);
}

/* --- reading --- */

static void write_fits(struct sql *sql, const struct store_query *query, bool explain)
{
    sql->text.max = SQL_TEXT_MAX;
    sql_add(sql, explain ? "EXPLAIN QUERY PLAN SELECT zone FROM zone WHERE " : "SELECT zone FROM zone WHERE ");
    if (query->search != NULL)
        sql_zone_condition(sql, query->search);
    else
        sql_add(sql, "1");
    if (!query->with_suppressed)
        sql_add(sql, " AND suppressed = 0");
    sql_bounds(sql, "zone");
    sql_add(sql, query->oldest_first ? " ORDER BY zone" : " ORDER BY zone DESC");
}

static bool says_nothing(const struct store_query *query)
{
    return query->with_suppressed && (query->search == NULL || query->search->kind == SEARCH_ALL);
}

bool sqlite_stretches_open(struct sqlite_stretches *s, struct sqlite_store *store, struct sqlite_connection *reader,
                           const struct store_query *query, struct err *err)
{
    bool up = query->oldest_first;
    int64_t above, below;

    memset(s, 0, sizeof *s);
    s->reader = reader;
    s->zone_rows = store->zone_rows;
    s->upward = up;
    s->above = up && query->before_seq > 0 ? query->before_seq : -1;
    s->below = !up && query->before_seq > 0 ? query->before_seq : INT64_MAX;
    s->most = 1;
    s->waiting = -1;
    if (says_nothing(query))
        return true;
    if (!sqlite_get_meta(reader, "zoned", &s->zoned, err))
        return false;
    write_fits(&s->sql, query, false);
    s->fits = sql_prepare(&s->sql, reader, err);
    if (s->fits == NULL)
        return false;
    above = (s->above + 1) / s->zone_rows - 1;
    below = (s->below - 1) / s->zone_rows + 1;
    sql_bind_bounds(&s->sql, s->fits, above, below < s->zoned ? below : s->zoned);
    return true;
}

void sqlite_stretches_close(struct sqlite_stretches *s)
{
    sqlite3_finalize(s->fits);
    s->fits = NULL;
    sql_clear(&s->sql);
}

/* The next zone in which something may fit; what is not summed up is one zone. -1: there is none. */
static bool next_zone(struct sqlite_stretches *s, int64_t *zone, struct err *err)
{
    int step = SQLITE_DONE;

    *zone = -1;
    if (!s->upward && !s->open_given) {
        s->open_given = true;
        *zone = s->zoned;
        return true;
    }
    do {
        if (!s->fits_ended && s->fits != NULL)
            step = sqlite3_step(s->fits);
        s->fits_ended = step != SQLITE_ROW;
    } while (step == SQLITE_ROW && s->last_given == sqlite3_column_int64(s->fits, 0) + 1);
    if (step == SQLITE_ROW) {
        *zone = sqlite3_column_int64(s->fits, 0);
        s->last_given = *zone + 1;
    } else if (step != SQLITE_DONE) {
        return sqlite_failed(s->reader, "search", err);
    } else if (!s->open_given) {
        s->open_given = true;
        *zone = s->zoned;
    }
    return true;
}

/* Neighbours are taken together, ever more of them: a page that is full soon asks for few zones, a walk through
 * all of them is in few parts. */
bool sqlite_stretches_next(struct sqlite_stretches *s, int64_t *above, int64_t *below, bool *more, struct err *err)
{
    int64_t first = s->waiting, last, next = -1;

    s->waiting = -1;
    if (first < 0 && !next_zone(s, &first, err))
        return false;
    *more = first >= 0;
    if (!*more)
        return true;
    last = first;
    for (int64_t count = 1; count < s->most; count++) {
        if (!next_zone(s, &next, err))
            return false;
        if (next != last + (s->upward ? 1 : -1)) {
            s->waiting = next;
            break;
        }
        last = next;
    }
    if (s->most < NEIGHBOURS_MOST)
        s->most *= 2;
    if (!s->upward) {
        next = first;
        first = last;
        last = next;
    }
    *above = first * s->zone_rows - 1 > s->above ? first * s->zone_rows - 1 : s->above;
    *below = last < s->zoned && (last + 1) * s->zone_rows < s->below ? (last + 1) * s->zone_rows : s->below;
    return true;
}

void sqlite_stretches_explain(struct sql *sql, const struct store_query *query)
{
    write_fits(sql, query, true);
}
