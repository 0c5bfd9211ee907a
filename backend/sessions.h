/* sessions.h: who is logged in. Sessions live in the store (kind "session"), so that every backend honours them; a
 * copy in memory answers requests.
 *
 * A session ends at logout, when its user is disabled, when it was idle for too long, and at the latest
 * SESSION_LIFE_MS after its login. Its streams end with it. Any thread may call. */
#ifndef BACKEND_SESSIONS_H
#define BACKEND_SESSIONS_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { SESSION_ID = 33, SESSION_USER = 65, SESSIONS_KEPT = 65536 };
#define SESSION_LIFE_MS  (30LL * 24 * 3600 * 1000)
#define SESSION_SLIDE_MS (5LL * 60 * 1000) /* use moves the end at most this often: each move is a write */

struct hub;
struct sessions;
struct store;
struct watch;

struct session {
    char id[SESSION_ID];
    char user[SESSION_USER];
    char address[46]; /* where the login came from */
    int64_t created_ms, expires_ms;
    int64_t version, born; /* born: when it came into memory, counted in additions */
};

/* hub may be NULL (no streams). Reads what the store has. */
struct sessions *sessions_create(struct store *store, struct hub *hub, struct watch *watch, int64_t idle_ms,
                                 struct err *err);
void sessions_free(struct sessions *sessions); /* after the watch's thread has ended */

bool sessions_begin(struct sessions *sessions, const char *user, const char *address, int64_t now_ms,
                    struct session *out, struct err *err);
/* ERR_NOT_FOUND: there is none of that id that lives. Use moves its end. */
bool sessions_use(struct sessions *sessions, const char *id, int64_t now_ms, struct session *out, struct err *err);
bool sessions_end(struct sessions *sessions, const char *id, struct err *err);
/* All of a user's but one (except NULL: all). */
bool sessions_end_user(struct sessions *sessions, const char *user, const char *except, struct err *err);

/* Calls each with a copy of every live one that is in memory; false ends it. */
void sessions_each(struct sessions *sessions, int64_t now_ms,
                   bool (*each)(void *context, const struct session *session), void *context);

#endif
