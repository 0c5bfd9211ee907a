/* spool.h: threats on disk until somebody has answered for them (SQLite, WAL, synchronous FULL).
 *
 * A row is there before anything else learns of its threat, and it leaves only by an answer: delivered rows
 * are deleted, refused ones stay as dead letters, kept ones (the receiver wants another secret, clock or URL) wait
 * for their next time. The file has a ceiling; an append over it fails and is counted, it never pushes out others.
 * Any thread may call; two processes may share the file. */
#ifndef DETECTOR_SPOOL_H
#define DETECTOR_SPOOL_H

#include "common/err.h"
#include "common/threat.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

/* max_bytes 0: no ceiling. A spool of a newer version is refused, an older one is migrated after a copy. */
struct spool *spool_open(const char *path, int64_t max_bytes, struct err *err);
void spool_close(struct spool *spool);

/* True once it is on disk. The same id and revision again is true and changes nothing. ERR_UNAVAILABLE: full. */
bool spool_append(struct spool *spool, const char *id, uint32_t revision, const char *json, struct err *err);

struct spool_row {
    int64_t n; /* order of arrival */
    char id[THREAT_ID];
    uint32_t revision;
    char *json;
    size_t length;
};
/* The oldest rows that are waiting, or kept and due at now_ms: at most max and at most max_bytes of JSON in all (but
 * always one). The caller frees by spool_rows_clear. */
bool spool_take(struct spool *spool, int64_t now_ms, struct spool_row *rows, size_t max, size_t max_bytes,
                size_t *count, struct err *err);
void spool_rows_clear(struct spool_row *rows, size_t count);

enum spool_outcome { SPOOL_DELIVERED, SPOOL_REFUSED, SPOOL_KEPT };
struct spool_answer {
    int64_t n;
    enum spool_outcome outcome;
    int status;          /* HTTP */
    const char *message; /* what the receiver said, cut to fit; NULL: nothing */
    int64_t next_ms;     /* SPOOL_KEPT: not before */
};
/* All in one transaction. */
bool spool_settle(struct spool *spool, const struct spool_answer *answers, size_t count, struct err *err);

/* The packets of a threat, to be handed over once no notice of it waits any more. One a threat: the first counts.
 * Evidence takes at most half of the room: threats count more. ERR_UNAVAILABLE: no room. */
bool spool_evidence(struct spool *spool, const char *threat_id, const void *bytes, size_t length, struct err *err);
struct spool_packets {
    int64_t n;
    char threat_id[THREAT_ID];
    uint8_t *bytes; /* owned: free */
    size_t length;
    int tries;        /* before this one */
    int64_t since_ms; /* when it came */
};
/* The oldest that is due; *found says whether there is one. */
bool spool_take_evidence(struct spool *spool, int64_t now_ms, struct spool_packets *out, bool *found,
                         struct err *err);
/* next_ms 0: it is settled and goes; else it is tried again then. */
bool spool_settle_evidence(struct spool *spool, int64_t n, int64_t next_ms, struct err *err);

/* Dead letters wait again: the one of this id, or all for NULL. Returns how many, -1 with err. */
int64_t spool_replay(struct spool *spool, const char *id, struct err *err);
/* Kept rows are due at once (something has changed). */
bool spool_wake(struct spool *spool, struct err *err);

struct spool_counts {
    int64_t waiting, kept, refused;
    int64_t oldest_ms;               /* of waiting and kept; 0: none */
    int64_t evidence, evidence_kept; /* captures that may be handed over; that were tried and wait for their time */
    int64_t bytes, max_bytes;
    int64_t turned_away; /* appends that failed (full, or the disk said no), since opening */
};
/* From the last look at the file by this process; costs no disk access. */
void spool_counts(struct spool *spool, struct spool_counts *out);
/* Reads them anew, as when another process shares the file. */
bool spool_refresh(struct spool *spool, struct err *err);
/* The latest dead letters, newest first: [{"threat_id","revision","since","status","message","threat"}]. NULL: err.
 */
cJSON *spool_dead_letters(struct spool *spool, size_t limit, struct err *err);

#endif
