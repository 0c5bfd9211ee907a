/* auth.h: who asks, and may they. (The room "people" owns and extends this file.) */
#ifndef BACKEND_AUTH_H
#define BACKEND_AUTH_H

#include "backend/api.h"

/* Finds the caller (cookie threatline_session, Authorization: Bearer, ?token= on the stream alone, X-API-Key), puts a
 * struct api_user on the request, compares with route->role. False: it has answered 401 or 403 itself. ROLE_NOBODY and
 * ROLE_WEBHOOK pass without a look. */
bool auth_authorize(struct http_request *request, const struct http_route *route, struct api *api);

/* True when key is a live API key that may do scope ("webhook", "feed"); who gets its name. */
bool auth_key_allows(struct api *api, const char *key, const char *scope, char who[65], struct err *err);

#endif
