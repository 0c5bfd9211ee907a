/* suppression.h: rules that say which threats are stored but not shown (kind "suppression").
 *
 * Every threat that comes in is held against the rules in memory; what fits is stored with the rule's id. Hits are
 * counted here and written to the store every few seconds (kind "hits"), so the last ones are lost in a crash. The
 * routes are suppression_routes (api.h). Any thread may call. */
#ifndef BACKEND_SUPPRESSION_H
#define BACKEND_SUPPRESSION_H

#include "backend/doc.h"
#include "backend/network.h"
#include "backend/search.h"
#include "common/err.h"
#include "common/threat.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SUPPRESSIONS_MAX = 1000, SUPPRESSION_REASON = 501, SUPPRESSION_ADDRESS = 64 };

struct store;
struct suppressions;
struct watch;

/* What must fit, all of it; a member that was not given fits everything. */
struct suppression_match {
    char source[SUPPRESSION_ADDRESS], destination[SUPPRESSION_ADDRESS]; /* address or CIDR; "": any */
    struct network source_net, destination_net;
    int32_t port;                                  /* destination port; -1: any */
    char type[THREAT_TYPE], sensor[THREAT_SENSOR]; /* "": any */
    double max_confidence;                         /* above 1: any */
};

struct suppression {
    char id[DOC_ID];
    struct suppression_match match;
    char reason[SUPPRESSION_REASON], author[65];
    int64_t created_ms, expires_ms; /* 0: never */
    int64_t version;
    _Atomic int64_t hits, last_ms; /* since they were last written */
};

struct suppressions *suppressions_create(struct store *store, struct watch *watch, struct err *err);
void suppressions_free(struct suppressions *suppressions); /* writes the hits; NULL is fine */

/* True when a live rule fits; id is that rule's, and its hit is counted. */
bool suppression_match(struct suppressions *suppressions, const struct threat *threat, char id[DOC_ID]);
/* Writes the hits that were counted since the last time. */
void suppressions_flush(struct suppressions *suppressions);
size_t suppressions_count(struct suppressions *suppressions);

/* A match from its JSON. False: the names in faults (count of them) are wrong, or nothing at all was given. */
struct suppression_fault {
    const char *field, *expected;
};
bool suppression_match_read(const cJSON *json, struct suppression_match *out, struct suppression_fault faults[8],
                            size_t *count);
cJSON *suppression_match_to_json(const struct suppression_match *match);
bool suppression_match_fits(const struct suppression_match *match, const struct threat *threat);
/* The same as a query of the store; NULL when memory is out. */
struct search *suppression_match_search(const struct suppression_match *match);

/* One rule as a document; the hits are in another. */
bool suppression_read(struct suppression *out, const char *id, int64_t version, const char *json);
cJSON *suppression_to_doc(const struct suppression *rule);

#endif
