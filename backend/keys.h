/* keys.h: credentials of programs. A key is shown once and stored as its hash; it may only do what its scopes say.
 *
 *   webhook  hand in threats and heartbeats (also of one sensor only)
 *   read     every GET below /api/network that an analyst may do
 *   feed     the blocklist as a feed
 *   control  start and stop monitoring, upload captures, and what shows their state
 *
 * Kind "key" of the store; a copy in memory answers requests. Any thread may call. */
#ifndef BACKEND_KEYS_H
#define BACKEND_KEYS_H

#include "backend/api.h"
#include "common/err.h"

#include <stdbool.h>

struct hub;
struct keys;
struct store;
struct watch;

enum key_scope { KEY_WEBHOOK = 1, KEY_READ = 2, KEY_FEED = 4, KEY_CONTROL = 8 };

struct keys *keys_create(struct store *store, struct hub *hub, struct watch *watch, struct err *err);
void keys_free(struct keys *keys);

/* Who a key stands for on this route: ERR_DENIED: nobody. A live key without the scope gets ROLE_NOBODY (403). */
bool keys_user(struct keys *keys, const char *text, const struct http_route *route, struct api_user *out,
               struct err *err);
/* ERR_NOT_FOUND: no live key; ERR_DENIED: not for that scope. who: its name, or its sensor where it has one. */
bool keys_allow(struct keys *keys, const char *text, const char *scope, char who[65], bool *bound, struct err *err);

http_handler keys_get, keys_post, keys_delete; /* /api/keys */

#endif
