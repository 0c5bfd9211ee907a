/* audit.h: who changed what, when, and from where. Rows are documents of kind "audit" whose ids sort by time; nothing
 * removes them. */
#ifndef BACKEND_AUDIT_H
#define BACKEND_AUDIT_H

#include "backend/api.h"

#include <stdbool.h>

/* Writes one row: by the caller of the request, or (request NULL, or nobody logged in) by who. status "success" or
 * "failed". details: taken; NULL: none. A row that cannot be written is logged; the change itself stands. */
void audit_write(struct api *api, struct http_request *request, const char *who, const char *action,
                 const char *status, cJSON *details);

http_handler audit_get; /* /api/audit?limit&cursor&user&action&status&from&to */

#endif
