/* search_eval.h: holds one new threat against a search, as the stores would: for notices, which are filtered by a
 * query before anybody has looked at the threat (status new, no verdict, nobody assigned). */
#ifndef BACKEND_SEARCH_EVAL_H
#define BACKEND_SEARCH_EVAL_H

#include "backend/search.h"
#include "backend/store_record.h"
#include "common/threat.h"

#include <stdbool.h>

/* record: made from threat by store_record_make. */
bool search_fits(const struct search *search, const struct threat *threat, const struct store_record *record);

#endif
