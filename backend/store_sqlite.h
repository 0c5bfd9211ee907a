/* store_sqlite.h: what the files of the SQLite store share; nobody else includes it.
 *
 * One connection writes, under write_lock; a few others read, each lent to one caller at a time. A statement is
 * prepared once per connection and found again by the address of its text, so its SQL must be a constant. */
#ifndef BACKEND_STORE_SQLITE_H
#define BACKEND_STORE_SQLITE_H

#include "backend/store_ops.h"
#include "backend/store_record.h"
#include "backend/store_rollup.h"

#include <pthread.h>
#include <sqlite3.h>

enum {
    SQLITE_READERS = 6,
    SQLITE_STATEMENTS = 64,
    SQLITE_WAIT_MS = 4000,
    SQLITE_LOG_PAGES = 4000, /* of the log, before they are moved into the file */
    SQLITE_ZONE_ROWS = 8192, /* of a file's zones; never another number once it has some */
    SQLITE_FEW_LEAST = 2000, /* so many hits are always all looked at; */
    SQLITE_FEW_MOST = 20000  /* so many never are */
};

struct sqlite_connection {
    sqlite3 *db; /* NULL: not opened yet */
    const char *texts[SQLITE_STATEMENTS];
    sqlite3_stmt *statements[SQLITE_STATEMENTS];
    size_t count;
    bool lent;
};

/* What a dimension of a bucket holds, as far as it was asked: how many values, and which may be among them. Saves
 * looking for each newcomer of each batch. */
enum { SQLITE_KNOWN = 64, SQLITE_KNOWN_BITS = 1 << 16 };
struct sqlite_known {
    int span, dimension;
    int64_t bucket, values; /* values 0: free; else one more than there are */
    uint8_t bits[SQLITE_KNOWN_BITS / 8];
};

struct sqlite_store {
    struct store base;
    char *path;
    /* write_lock guards writer and what follows, for one transaction. */
    pthread_mutex_t write_lock;
    struct sqlite_connection writer;
    int64_t last_seq, seq_before;           /* seq_before: at the start of the transaction */
    int64_t counted_seq, counted_before;    /* threats above it are in no count yet */
    int64_t zoned, zoned_before;            /* zones below it are summed up */
    int64_t summed, summed_before;          /* threats below it are: some of the next zone, too */
    int64_t zone_rows, few_least, few_most; /* as above; less in tests */
    struct rollup *rollup, *overflow;       /* overflow: what counts as "", summed */
    struct words *words;                    /* changes of this transaction */
    struct sqlite_known *known;             /* SQLITE_KNOWN of them */
    size_t known_next;
    int64_t pruned_minute;
    int log_pages;
    /* mover_lock guards what is wanted of the mover; never held over a statement. */
    pthread_mutex_t mover_lock;
    pthread_cond_t mover_work;
    bool move_wanted, mover_ends, mover_runs;
    pthread_t mover_thread;
    struct sqlite_connection mover; /* the thread's */
    /* pool_lock guards the lent flags of readers; never held over a query. */
    pthread_mutex_t pool_lock;
    pthread_cond_t pool_free;
    struct sqlite_connection readers[SQLITE_READERS];
};

#define SQLITE_STORE(store) ((struct sqlite_store *)(void *)(store))

/* False and err from what the connection says; lack of room, locks and broken disks are ERR_UNAVAILABLE. */
bool sqlite_failed(struct sqlite_connection *connection, const char *what, struct err *err);

/* The statement for a constant text, reset and without bindings; NULL: err is filled. */
sqlite3_stmt *sqlite_statement(struct sqlite_connection *connection, const char *sql, struct err *err);
/* Runs a statement that gives no rows, and resets it. */
bool sqlite_run(struct sqlite_connection *connection, sqlite3_stmt *statement, struct err *err);
bool sqlite_text(struct sqlite_connection *connection, const char *sql,
                 struct err *err); /* several statements at once */

bool sqlite_connect(struct sqlite_connection *connection, const char *path, bool writer, struct err *err);
void sqlite_disconnect(struct sqlite_connection *connection);

/* store_sqlite_checkpoint.c: from now on a commit never waits for the whole log to be moved into the file. */
bool sqlite_mover_start(struct sqlite_store *store, struct err *err);
void sqlite_mover_stop(struct sqlite_store *store);

/* Opened when it is lent for the first time. NULL after SQLITE_WAIT_MS. */
struct sqlite_connection *sqlite_lend(struct sqlite_store *store, struct err *err);
void sqlite_return(struct sqlite_store *store, struct sqlite_connection *connection);

/* Takes write_lock and begins; the two others end it and give the lock back. */
bool sqlite_begin(struct sqlite_store *store, struct err *err);
bool sqlite_commit(struct sqlite_store *store, struct err *err);
void sqlite_rollback(struct sqlite_store *store);

bool sqlite_set_meta(struct sqlite_connection *connection, const char *key, int64_t value, struct err *err);
bool sqlite_get_meta(struct sqlite_connection *connection, const char *key, int64_t *value, struct err *err);

/* Brings the file from the schema it has to the newest; steps[n] brings version n to n + 1. A file that holds
 * something is copied first. False: it is as it was, or as the last step that went well left it. */
bool sqlite_migrate(struct sqlite_store *store, const char *const *steps, int newest, struct err *err);

/* store_sqlite_rollup.c
 *
 * New threats are counted some hundreds at a time, by the transaction that fills the measure; meta holds the seq up
 * to which all are, and whoever reads counts adds the few threats above it. What changes or removes a threat counts
 * all of them first. */
bool sqlite_rollup_count(struct sqlite_store *store, const struct rollup_fact *fact, int delta, struct err *err);
bool sqlite_rollup_flush(struct sqlite_store *store, struct err *err); /* before the commit */
void sqlite_rollup_forget(struct sqlite_store *store);                 /* after a rollback */

/* The counts as of one read transaction of the connection. */
struct sqlite_counts {
    struct sqlite_connection *connection;
    struct rollup *above; /* of the threats that are in no row; NULL: they are left out */
};
bool sqlite_counts_open(struct sqlite_counts *counts, struct sqlite_connection *connection, struct err *err);
void sqlite_counts_close(struct sqlite_counts *counts);
bool sqlite_counts_read(void *counts, enum rollup_span span, enum rollup_dimension dimension, int64_t from,
                        int64_t to, rollup_visit *visit, void *context, struct err *err);

/* store_sqlite_zone.c
 *
 * Within a transaction: sums up zones that are full, before the commit; after a change of a threat; after removals.
 */
bool sqlite_zone_close(struct sqlite_store *store, struct err *err);
bool sqlite_zone_widen(struct sqlite_store *store, int64_t seq, struct err *err);
bool sqlite_zone_trim(struct sqlite_store *store, struct err *err);

/* store_sqlite_threats.c */
bool sqlite_insert(struct store *store, struct store_item *items, size_t count, struct err *err);
bool sqlite_triage(struct store *store, const char *id, const struct store_change *change, int64_t *seq, char **json,
                   struct err *err);
bool sqlite_add_monitoring(struct store *store, const char *json, int64_t *seq, struct err *err);
bool sqlite_put_evidence(struct store *store, const char *id, const void *bytes, size_t length, struct err *err);

/* store_sqlite_remove.c */
bool sqlite_remove(struct store *store, const struct store_removal *removal, store_each_id *each, void *context,
                   int64_t *count, struct err *err);
/* Takes out the words of a record and, where given, of its sensor's column and its comments. */
bool sqlite_remove_words(struct sqlite_store *store, int64_t seq, const char *json, const char *sensor,
                         const char *history, struct err *err);

/* store_sqlite_query.c */
bool sqlite_threat(struct store *store, const char *id, char **json, int64_t *seq, struct triage *triage,
                   struct err *err);
bool sqlite_find(struct store *store, const struct store_query *query, store_each_threat *each, void *context,
                 int64_t *total, struct err *err);
bool sqlite_statistics(struct store *store, const struct store_span *span, char **json, struct err *err);
bool sqlite_events(struct store *store, int64_t after_seq, size_t limit, store_each_event *each, void *context,
                   struct err *err);
bool sqlite_last_seq(struct store *store, int64_t *seq, struct err *err);
bool sqlite_first_seq(struct store *store, int64_t *seq, struct err *err);
bool sqlite_get_evidence(struct store *store, const char *id, void **bytes, size_t *length, struct err *err);

/* Columns of a row that sqlite_envelope reads, from a join of threat and body. */
#define STORED_COLUMNS                                                                                               \
    "threat.seq, body.json, threat.received_ms, threat.suppressed_by, threat.status, threat.verdict, "               \
    "threat.assignee, threat.version, body.history"
enum { STORED_COLUMN_COUNT = 9 };
/* Borrows from the row; *json is the record as kept. */
void sqlite_envelope(sqlite3_stmt *row, struct store_envelope *envelope, const char **json);
char *sqlite_given(sqlite3_stmt *row, struct err *err); /* what the API gives out; the caller frees */

/* store_sqlite_docs.c */
bool sqlite_doc_put(struct store *store, const struct store_doc *doc, int64_t *version, struct err *err);
bool sqlite_doc_get(struct store *store, const char *kind, const char *id, char **json, int64_t *version,
                    struct err *err);
bool sqlite_doc_by_name(struct store *store, const char *kind, const char *name, char **id, char **json,
                        int64_t *version, struct err *err);
bool sqlite_doc_remove(struct store *store, const char *kind, const char *id, struct err *err);
bool sqlite_doc_list(struct store *store, const char *kind, const char *from, bool newest_first, size_t limit,
                     store_each_doc *each, void *context, struct err *err);
bool sqlite_doc_generation(struct store *store, const char *kind, int64_t *generation, struct err *err);

#endif
