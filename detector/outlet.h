/* outlet.h: where a threat goes once the verdict says so.
 *
 * First onto the disk (spool), then into the list of recent ones and to the sender; when the disk says no, nobody
 * else learns of it either, and that is counted and logged. Any thread may call. */
#ifndef DETECTOR_OUTLET_H
#define DETECTOR_OUTLET_H

#include "common/err.h"
#include "common/json.h"
#include "common/threat.h"
#include "detector/sender.h"
#include "detector/spool.h"

enum { OUTLET_RECENT = 1000 };

struct outlet;
/* Borrowed; without a spool threats are only remembered. */
struct outlet *outlet_create(struct spool *spool, struct err *err);
void outlet_attach(struct outlet *outlet, struct sender *sender); /* who is woken; before the first threat */
void outlet_free(struct outlet *outlet);

/* file (base name) and job become members of details; NULL: none. */
bool outlet_take(struct outlet *outlet, const struct threat *threat, const char *file, const char *job);
/* The packets of a threat that was taken, as a capture file. Kept when somebody wants them and there is room. */
void outlet_evidence(struct outlet *outlet, const char *threat_id, const void *pcap, size_t length);
/* Waits at most ms until the spool has room (for files, which can wait; an interface cannot). */
bool outlet_room(struct outlet *outlet, int64_t ms);
/* The record as sent; the caller frees it; NULL: out of memory. */
char *outlet_json(const struct threat *threat, const char *file, const char *job);

/* The latest limit notices as a JSON array, oldest first; returns how many are remembered in all. */
size_t outlet_recent(struct outlet *outlet, size_t limit, struct text *out);
size_t outlet_clear(struct outlet *outlet); /* forgets the recent ones (not the spool); how many */

struct outlet_counters {
    uint64_t taken, lost;             /* notices; lost ones could not be written down */
    uint64_t by_severity[4];          /* first revisions only */
    uint64_t evidence, evidence_lost; /* captures of threats that were kept; that could not be */
};
void outlet_counters(struct outlet *outlet, struct outlet_counters *out);

#endif
