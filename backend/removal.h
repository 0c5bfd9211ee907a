/* removal.h: removes threats in bites, so that ingest is never held up for long, and tells the streams. */
#ifndef BACKEND_REMOVAL_H
#define BACKEND_REMOVAL_H

#include "backend/api.h"

struct removal {
    struct api *api; /* in */
    int64_t count;   /* out: removed so far */
};

/* Removes what was received before before_ms (0: whenever), escalated or commented ones stay when keep_marked; at
 * most most (0: no limit), oldest first. */
bool removal_run(struct removal *removal, int64_t before_ms, bool keep_marked, int64_t most, struct err *err);

#endif
