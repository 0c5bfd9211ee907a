/* triage.h: what people say about threats: status, verdict, assignee and comments, one by one or many at once. The
 * routes are triage_routes (api.h). Each change is in the threat's history, in the audit log and on the streams. */
#ifndef BACKEND_TRIAGE_H
#define BACKEND_TRIAGE_H

#include <stdbool.h>
#include <stdint.h>

enum { TRIAGE_IDS_MAX = 1000, TRIAGE_COMMENT = 4001 };

/* "7" in quotes, weak or bare; "*": -1. False: none of these. For the header If-Match. */
bool triage_version(const char *header, int64_t *version);

#endif
