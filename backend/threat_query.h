/* threat_query.h: the filters of a request as a search (q, from, to, type, severity, ...). */
#ifndef BACKEND_THREAT_QUERY_H
#define BACKEND_THREAT_QUERY_H

#include "backend/api.h"
#include "backend/search.h"

enum { THREAT_QUERY_MAX = 2048 };

/* All filters joined by "and". NULL: it has answered 400 (a bad q says at which character). The caller frees by
 * search_free. *suppressed: the query asks for suppressed ones itself. */
struct search *threat_query(struct http_request *request, bool *suppressed);

#endif
