/* store_sqlite_docs.c: small documents under (kind, id). */
#include "backend/store_sqlite.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

static void bind_key(sqlite3_stmt *statement, const char *kind, const char *key)
{
    sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
}

static bool raise_generation(struct sqlite_store *store, const char *kind, struct err *err)
{
    sqlite3_stmt *raise = sqlite_statement(
        &store->writer,
        "INSERT INTO generation (kind, value) VALUES (?1, 1) ON CONFLICT DO UPDATE SET value = value + 1", err);

    if (raise == NULL)
        return false;
    sqlite3_bind_text(raise, 1, kind, -1, SQLITE_STATIC);
    return sqlite_run(&store->writer, raise, err);
}

static bool forget_expired(struct sqlite_store *store, struct err *err)
{
    sqlite3_stmt *forget =
        sqlite_statement(&store->writer, "DELETE FROM document WHERE expires_ms > 0 AND expires_ms <= ?1", err);

    if (forget == NULL)
        return false;
    sqlite3_bind_int64(forget, 1, clock_now_ms());
    return sqlite_run(&store->writer, forget, err);
}

static bool present_version(struct sqlite_store *store, const struct store_doc *doc, int64_t *version,
                            struct err *err)
{
    sqlite3_stmt *get =
        sqlite_statement(&store->writer, "SELECT version FROM document WHERE kind = ?1 AND id = ?2", err);
    int step;

    if (get == NULL)
        return false;
    bind_key(get, doc->kind, doc->id);
    step = sqlite3_step(get);
    *version = step == SQLITE_ROW ? sqlite3_column_int64(get, 0) : 0;
    sqlite3_reset(get);
    return step == SQLITE_ROW || step == SQLITE_DONE || sqlite_failed(&store->writer, doc->kind, err);
}

static bool write_doc(struct sqlite_store *store, const struct store_doc *doc, int64_t version, struct err *err)
{
    static const char sql[] = "INSERT INTO document (kind, id, name, json, version, expires_ms) VALUES "
                              "(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (kind, id) DO UPDATE SET name = ?3, json = ?4, "
                              "version = ?5, expires_ms = ?6";
    sqlite3_stmt *put = sqlite_statement(&store->writer, sql, err);
    struct err why = {0};

    if (put == NULL)
        return false;
    bind_key(put, doc->kind, doc->id);
    if (doc->name != NULL)
        sqlite3_bind_text(put, 3, doc->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(put, 4, doc->json, -1, SQLITE_STATIC);
    sqlite3_bind_int64(put, 5, version);
    sqlite3_bind_int64(put, 6, doc->expires_ms);
    if (sqlite_run(&store->writer, put, &why))
        return true;
    if (why.code == ERR_CONFLICT)
        return err_set(err, ERR_CONFLICT, "%s: the name is taken", doc->kind);
    return err_set(err, why.code, "%s", why.text);
}

bool sqlite_doc_put(struct store *store, const struct store_doc *doc, int64_t *version, struct err *err)
{
    struct sqlite_store *s = SQLITE_STORE(store);
    int64_t present = 0;
    bool ok;

    if (!sqlite_begin(s, err))
        return false;
    ok = forget_expired(s, err) && present_version(s, doc, &present, err);
    if (ok && doc->expected_version >= 0 && doc->expected_version != present)
        ok = err_set(err, ERR_CONFLICT,
                     doc->expected_version == 0 ? "%s %s: exists already" : "%s %s: somebody else changed it first",
                     doc->kind, doc->id);
    ok = ok && write_doc(s, doc, present + 1, err) && raise_generation(s, doc->kind, err);
    if (!ok) {
        sqlite_rollback(s);
        return false;
    }
    *version = present + 1;
    return sqlite_commit(s, err);
}

static bool copy_text(sqlite3_stmt *row, int column, char **out, struct err *err)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    *out = text != NULL ? strdup(text) : NULL;
    return *out != NULL || err_set(err, ERR_MEMORY, "store: out of memory");
}

/* One document by a statement that gives json, version and, where id is wanted, id. */
static bool get_doc(struct store *store, const char *sql, const char *kind, const char *key, char **id, char **json,
                    int64_t *version, struct err *err)
{
    struct sqlite_connection *reader = sqlite_lend(SQLITE_STORE(store), err);
    sqlite3_stmt *get = NULL;
    bool ok = false;
    int step;

    if (reader == NULL)
        return false;
    get = sqlite_statement(reader, sql, err);
    if (get == NULL)
        goto done;
    bind_key(get, kind, key);
    sqlite3_bind_int64(get, 3, clock_now_ms());
    step = sqlite3_step(get);
    if (step == SQLITE_ROW) {
        *version = sqlite3_column_int64(get, 1);
        ok = copy_text(get, 0, json, err) && (id == NULL || copy_text(get, 2, id, err));
        if (!ok) {
            free(*json);
            *json = NULL;
        }
    } else if (step == SQLITE_DONE) {
        err_set(err, ERR_NOT_FOUND, "%s: no such entry", kind);
    } else {
        sqlite_failed(reader, kind, err);
    }
done:
    sqlite3_reset(get);
    sqlite_return(SQLITE_STORE(store), reader);
    return ok;
}

bool sqlite_doc_get(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                    struct err *err)
{
    static const char sql[] = "SELECT json, version FROM document WHERE kind = ?1 AND id = ?2 AND "
                              "(expires_ms = 0 OR expires_ms > ?3)";

    *json = NULL;
    return get_doc(store, sql, kind, id, NULL, json, version, err);
}

bool sqlite_doc_by_name(struct store *store, const char *kind, const char *name, char **id, char **json,
                        int64_t *version, struct err *err)
{
    static const char sql[] = "SELECT json, version, id FROM document WHERE kind = ?1 AND name = ?2 AND "
                              "(expires_ms = 0 OR expires_ms > ?3)";

    *json = *id = NULL;
    return get_doc(store, sql, kind, name, id, json, version, err);
}

bool sqlite_doc_remove(struct store *store, const char *kind, const char *id, struct err *err)
{
    static const char sql[] =
        "DELETE FROM document WHERE kind = ?1 AND id = ?2 AND (expires_ms = 0 OR expires_ms > ?3)";
    struct sqlite_store *s = SQLITE_STORE(store);
    sqlite3_stmt *remove;
    bool ok;

    if (!sqlite_begin(s, err))
        return false;
    remove = sqlite_statement(&s->writer, sql, err);
    ok = remove != NULL;
    if (ok) {
        bind_key(remove, kind, id);
        sqlite3_bind_int64(remove, 3, clock_now_ms());
        ok = sqlite_run(&s->writer, remove, err);
    }
    if (ok && sqlite3_changes(s->writer.db) == 0)
        ok = err_set(err, ERR_NOT_FOUND, "%s %s: no such entry", kind, id);
    ok = ok && raise_generation(s, kind, err);
    if (ok)
        return sqlite_commit(s, err);
    sqlite_rollback(s);
    return false;
}

bool sqlite_doc_list(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                     store_each_doc *each, void *context, struct err *err)
{
    static const char up[] = "SELECT id, version, json FROM document WHERE kind = ?1 AND id > ?2 AND "
                             "(expires_ms = 0 OR expires_ms > ?3) ORDER BY id LIMIT ?4";
    static const char down[] = "SELECT id, version, json FROM document WHERE kind = ?1 AND id < ?2 AND "
                               "(expires_ms = 0 OR expires_ms > ?3) ORDER BY id DESC LIMIT ?4";
    static const char last[] = "SELECT id, version, json FROM document WHERE kind = ?1 AND "
                               "(expires_ms = 0 OR expires_ms > ?3) ORDER BY id DESC LIMIT ?4";
    struct sqlite_connection *reader = sqlite_lend(SQLITE_STORE(store), err);
    sqlite3_stmt *list;
    bool more = true;
    int step = SQLITE_DONE;

    if (reader == NULL)
        return false;
    list = sqlite_statement(reader, !newest_first ? up : from != NULL ? down : last, err);
    if (list != NULL) {
        sqlite3_bind_text(list, 1, kind, -1, SQLITE_STATIC);
        if (from != NULL || !newest_first)
            sqlite3_bind_text(list, 2, from != NULL ? from : "", -1, SQLITE_STATIC);
        sqlite3_bind_int64(list, 3, clock_now_ms());
        sqlite3_bind_int64(list, 4, (int64_t)limit);
        while (more && (step = sqlite3_step(list)) == SQLITE_ROW)
            more = each(context, (const char *)sqlite3_column_text(list, 0), sqlite3_column_int64(list, 1),
                        (const char *)sqlite3_column_text(list, 2));
        if (more && step != SQLITE_DONE)
            sqlite_failed(reader, kind, err);
        sqlite3_reset(list);
    }
    sqlite_return(SQLITE_STORE(store), reader);
    return list != NULL && (!more || step == SQLITE_DONE);
}

bool sqlite_doc_generation(struct store *store, const char *kind, int64_t *generation, struct err *err)
{
    struct sqlite_connection *reader = sqlite_lend(SQLITE_STORE(store), err);
    sqlite3_stmt *get;
    int step = SQLITE_ERROR;

    if (reader == NULL)
        return false;
    get = sqlite_statement(reader, "SELECT value FROM generation WHERE kind = ?1", err);
    if (get != NULL) {
        sqlite3_bind_text(get, 1, kind, -1, SQLITE_STATIC);
        step = sqlite3_step(get);
        *generation = step == SQLITE_ROW ? sqlite3_column_int64(get, 0) : 0;
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            sqlite_failed(reader, kind, err);
        sqlite3_reset(get);
    }
    sqlite_return(SQLITE_STORE(store), reader);
    return step == SQLITE_ROW || step == SQLITE_DONE;
}
