/* auth.h: who asks, and may they.
 *
 * A login makes a session (sessions.h) and two tokens that name it: an access token of 15 minutes for programs
 * (Authorization: Bearer, or ?token= on the stream) and a session token that only ever travels in the HttpOnly
 * cookie. Both are JWT, HS256 and nothing else, with a key of at least 32 bytes that every backend reads from the
 * store. A token alone opens nothing: each request looks up its session and its user. API keys are in keys.h. */
#ifndef BACKEND_AUTH_H
#define BACKEND_AUTH_H

#include "backend/api.h"
#include "backend/sessions.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AUTH_KEY_MIN = 32, AUTH_KEY_MAX = 256, AUTH_TOKEN = 640, AUTH_ACCESS_S = 15 * 60, AUTH_LEEWAY_S = 30 };
#define AUTH_COOKIE "threatline_session"

struct keys;
struct limiter;
struct passwords;
struct users;
struct watch;

struct auth_key {
    unsigned char bytes[AUTH_KEY_MAX];
    size_t length;
};

bool auth_key_read(struct auth_key *out, const char *path, struct err *err); /* of a jwt-key-file */

enum auth_use { AUTH_ACCESS, AUTH_SESSION };
struct auth_claims {
    char user[SESSION_USER];
    char session[SESSION_ID];
    enum auth_use use;
    int64_t issued_s, expires_s;
};

/* False: memory is out or the key is too short. */
bool auth_token_make(const struct auth_key *key, const struct auth_claims *claims, char out[AUTH_TOKEN],
                     struct err *err);
/* Foreign text. False (ERR_DENIED) unless signed with key by HS256, ours, begun and not over at now_s. */
bool auth_token_read(const struct auth_key *key, const char *text, int64_t now_s, struct auth_claims *out,
                     struct err *err);

struct auth {
    struct auth_key key;
    struct watch *watch;
    struct sessions *sessions;
    struct users *users;
    struct keys *keys;
    struct passwords *passwords;
    struct limiter *by_name, *by_address; /* failed logins */
};

/* Takes nothing but borrows watch, store and hub (may be NULL); makes the first admin where there is no user. */
struct auth *auth_open(const struct settings *settings, struct store *store, struct hub *hub, struct watch *watch,
                       struct err *err);
void auth_close(struct auth *auth); /* after the watch's thread has ended */

/* See api.h. */
bool auth_authorize(struct http_request *request, const struct http_route *route, struct api *api);
bool auth_key_allows(struct api *api, const char *key, const char *scope, char who[65], bool *bound, struct err *err);

/* A request that came with an Origin is from a page: it must be ours or an allowed one. needed: none at all is
 * refused, too. False: it has answered 403. */
bool auth_origin_fits(struct http_request *request, struct api *api, bool needed);
/* True when an admin is logged in from that address; from anywhere within that network. */
bool auth_admin_at(struct auth *auth, const char *address);
bool auth_admin_within(struct auth *auth, const struct network *network);
void auth_clear_cookie(struct http_request *request, const struct api *api);

#endif
