/* users.h: the people who may log in. Kind "user" of the store; a copy in memory answers requests.
 *
 * Names are unique whatever their case. There is always an admin who can log in: what would take the last one away
 * is refused (ERR_CONFLICT). Disabling or removing a user ends the sessions and the streams at once, on every
 * backend within a second. Any thread may call. */
#ifndef BACKEND_USERS_H
#define BACKEND_USERS_H

#include "backend/api.h"
#include "backend/password.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { USER_ID = 65, USER_NAME = 65, USER_EMAIL = 255, USERS_MAX = 10000 };

struct hub;
struct sessions;
struct store;
struct users;
struct watch;

struct user {
    char id[USER_ID];
    char name[USER_NAME];
    char email[USER_EMAIL];
    char hash[PASSWORD_HASH];
    enum role role; /* ROLE_VIEWER, ROLE_ANALYST, ROLE_ADMIN */
    bool disabled;
    int64_t created_ms, version;
};

const char *role_text(enum role role);
bool role_from_text(const char *text, enum role *role);
bool user_name_is_fine(const char *name); /* 1..64 of [A-Za-z0-9._@-] */

struct users *users_create(struct store *store, struct hub *hub, struct sessions *sessions, struct watch *watch,
                           struct err *err);
void users_free(struct users *users);

bool users_find(struct users *users, const char *id, struct user *out, struct err *err);      /* from memory */
bool users_fetch(struct users *users, const char *id, struct user *out, struct err *err);     /* from the store */
bool users_by_name(struct users *users, const char *name, struct user *out, struct err *err); /* from the store */
bool users_known(struct users *users, const char *name); /* an active one of that name; from memory */
void users_each(struct users *users, void (*each)(void *context, const struct user *user), void *context);

/* Fills in id, created_ms and version. ERR_CONFLICT: the name is taken. */
bool users_add(struct users *users, struct user *user, struct err *err);
/* user->version must be the one that was read; ERR_CONFLICT else, or when it would be the last admin. */
bool users_change(struct users *users, struct user *user, struct err *err);
bool users_remove(struct users *users, const char *id, struct err *err);

/* Makes "admin" when the store has no user at all. password_file NULL: a random one, printed once on stdout by the
 * backend that won the insert. */
bool users_first_admin(struct users *users, struct passwords *passwords, const char *password_file, struct err *err);

#endif
