/* api.h: what every request handler stands on: the rooms of the backend in one struct, the roles, and the route table
 * that is joined from one table per area.
 *
 * http_settings.context is the struct api. A handler finds the caller by api_caller(). */
#ifndef BACKEND_API_H
#define BACKEND_API_H

#include "backend/network.h"
#include "backend/settings.h"
#include "common/err.h"
#include "common/http_server.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct committer;
struct bus;
struct hub;
struct auth;
struct watch;
struct suppressions;
struct blocklist;
struct notify;
struct assets;
struct sensors;
struct metrics;
struct detectors;
struct uploads;
struct webhook;
struct seal;

struct api {
    const struct settings *settings;
    struct store *store;
    struct committer *committer;
    struct bus *bus;
    struct hub *hub;
    struct seal *seal;                 /* of secrets in the store (seal.h) */
    struct watch *watch;               /* this and the next five: people_open, people_close (people.h) */
    struct auth *auth;                 /* people, sessions, keys (auth.h) */
    struct suppressions *suppressions; /* NULL until that room exists */
    struct blocklist *blocklist;       /* the same */
    struct notify *notify;             /* the same */
    struct assets *assets;             /* the same */
    struct sensors *sensors;
    struct metrics *metrics;
    struct detectors *detectors;
    struct uploads *uploads;
    struct webhook *webhook;
    struct networks trusted, proxies;
    int64_t started_ms;
    atomic_int export_places; /* exports that may still begin */
};

/* Rising rights from viewer on: a route's role is the least that is needed. */
enum role {
    ROLE_NOBODY,   /* no credential needed */
    ROLE_WEBHOOK,  /* signature, key or trusted network: the handler checks (webhook_sender) */
    ROLE_KEY_FEED, /* an API key or a person of role analyst */
    ROLE_VIEWER,
    ROLE_ANALYST,
    ROLE_ADMIN
};

struct api_user {
    char id[65];
    char name[65];
    enum role role;
    char session[65]; /* "" when a key was used */
    bool by_cookie;
};

/* One table per area; api.c joins them. Rows with an exact path win over rows with {segments}. */
extern const struct http_route people_routes[]; /* /api/auth, /api/users, /api/keys, /api/audit */
extern const size_t people_route_count;
extern const struct http_route triage_routes[]; /* PATCH threats/{id}, bulk, comments */
extern const size_t triage_route_count;
extern const struct http_route suppression_routes[];
extern const size_t suppression_route_count;
extern const struct http_route blocklist_routes[];
extern const size_t blocklist_route_count;
extern const struct http_route notify_routes[]; /* targets, dead letters */
extern const size_t notify_route_count;
extern const struct http_route assets_routes[]; /* names of addresses, saved searches */
extern const size_t assets_route_count;
extern const struct http_route threats_routes[]; /* history, list, export, statistics, clear, evidence */
extern const size_t threats_route_count;
extern const struct http_route stream_routes[];
extern const size_t stream_route_count;
extern const struct http_route webhook_routes[];
extern const size_t webhook_route_count;
extern const struct http_route sensors_routes[];
extern const size_t sensors_route_count;
extern const struct http_route control_routes[];
extern const size_t control_route_count;
extern const struct http_route upload_routes[];
extern const size_t upload_route_count;
extern const struct http_route metrics_routes[]; /* /healthz, /readyz, /metrics, /openapi.yaml */
extern const size_t metrics_route_count;

/* All tables as one, made once at start; the caller frees. NULL when memory is out. */
struct http_route *api_routes(size_t *count);

/* The http_settings.authorize and origin_allowed of the program. */
bool api_authorize(struct http_request *request, const struct http_route *route, void *context);
bool api_origin_allowed(const char *origin, void *context);

/* Who asks; NULL on ROLE_NOBODY and ROLE_WEBHOOK routes. Borrowed. */
const struct api_user *api_caller(const struct http_request *request);
/* The client's address: the peer, or what a trusted proxy says in X-Forwarded-For. */
void api_client(struct http_request *request, const struct api *api, char out[46]);

/* Tells every stream. json is the value of "data" (NULL: the event is {"type","timestamp"} alone). seq: 0 when the
 * event is not durable. On a shared store durable events come back by the store's change stream instead. */
void api_emit(struct api *api, const char *type, int64_t seq, const char *json);

/* Answers a failure of a store or of another room: 400, 403, 404, 409, 503 (with Retry-After) or 500, by err's code.
 */
void api_fail(struct http_request *request, const struct err *err);
/* Removes the document that the path names as {id}, says so to the watch and the audit log. False: answered already.
 */
bool api_remove(struct http_request *request, struct api *api, const char *kind, const char *event);
/* The body as a JSON object; answers 400 itself and gives NULL when it is none. The caller deletes. */
cJSON *api_body(struct http_request *request);
/* A text of the query. False (and answered with 400) when it is there and does not fit; *given: it is there. */
bool api_query_text(struct http_request *request, const char *name, char *out, size_t size, bool *given);
/* A whole number of the query. False (and answered with 400) when it is there and wrong; *out is untouched when
 * missing. */
bool api_query_number(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *out);

/* What the room "people" gives (declared again in auth.h). auth_authorize finds the caller (cookie
 * threatline_session, Authorization: Bearer, ?token= on the stream alone, X-API-Key), puts a struct api_user on the
 * request by http_set_user and compares with route->role. False: it has answered 401 or 403 itself. ROLE_NOBODY and
 * ROLE_WEBHOOK pass unseen. auth_key_allows: key is a live API key that may do scope ("webhook", "feed"); who gets
 * its name, or, when it is bound to a sensor, that sensor; ERR_NOT_FOUND: there is no such key, ERR_DENIED: it may
 * not do that. */
bool auth_authorize(struct http_request *request, const struct http_route *route, struct api *api);
bool auth_key_allows(struct api *api, const char *key, const char *scope, char who[65], bool *bound, struct err *err);

#endif
