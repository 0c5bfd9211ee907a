/* store_sqlite_checkpoint.c: moves what stands in the log into the file, beside the writing.
 *
 * A commit that finds the log long asks for it and goes on. The first passes run while others write; what came in
 * meanwhile is little, and is moved while the writer is held up, so that the next transaction begins the log anew.
 * A pass that fails or is kept short by a reader is made up for by the next commit's. */
#include "backend/store_sqlite.h"

#include "common/log.h"

enum { PASSES = 2 /* beside the writing */ };

static int after_commit(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_store *store = context;

    (void)db;
    (void)name;
    if (pages >= store->log_pages) {
        pthread_mutex_lock(&store->mover_lock);
        store->move_wanted = true;
        pthread_cond_signal(&store->mover_work);
        pthread_mutex_unlock(&store->mover_lock);
    }
    return SQLITE_OK;
}

static void move_once(struct sqlite_store *store)
{
    int code = sqlite3_wal_checkpoint_v2(store->mover.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (code != SQLITE_OK)
        log_debug("store.checkpoint", "why=\"%s\"", sqlite3_errmsg(store->mover.db));
}

static void move_all(struct sqlite_store *store)
{
    for (int i = 0; i < PASSES; i++)
        move_once(store);
    pthread_mutex_lock(&store->write_lock);
    move_once(store);
    pthread_mutex_unlock(&store->write_lock);
}

static void *run(void *context)
{
    struct sqlite_store *store = context;

    pthread_mutex_lock(&store->mover_lock);
    while (!store->mover_ends) {
        if (!store->move_wanted) {
            pthread_cond_wait(&store->mover_work, &store->mover_lock);
            continue;
        }
        store->move_wanted = false;
        pthread_mutex_unlock(&store->mover_lock);
        move_all(store);
        pthread_mutex_lock(&store->mover_lock);
    }
    pthread_mutex_unlock(&store->mover_lock);
    return NULL;
}

bool sqlite_mover_start(struct sqlite_store *store, struct err *err)
{
    if (!sqlite_connect(&store->mover, store->path, false, err) ||
        !sqlite_text(&store->mover, "PRAGMA synchronous = FULL", err))
        return false;
    if (pthread_create(&store->mover_thread, NULL, run, store) != 0)
        return err_set(err, ERR_SYSTEM, "store: no thread could be started");
    pthread_setname_np(store->mover_thread, "checkpoint");
    store->mover_runs = true;
    sqlite3_wal_hook(store->writer.db, after_commit, store); /* in place of SQLite's own */
    return true;
}

void sqlite_mover_stop(struct sqlite_store *store)
{
    if (store->mover_runs) {
        pthread_mutex_lock(&store->mover_lock);
        store->mover_ends = true;
        pthread_cond_signal(&store->mover_work);
        pthread_mutex_unlock(&store->mover_lock);
        pthread_join(store->mover_thread, NULL);
        store->mover_runs = false;
    }
    sqlite_disconnect(&store->mover);
}
