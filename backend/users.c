/* users.c: see users.h. */
#include "backend/users.h"

#include "backend/hub.h"
#include "backend/sessions.h"
#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/json.h"
#include "common/log.h"
#include "common/token.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 500, FIRST_PASSWORD = 20 };
static const char kind[] = "user";

struct list {
    struct user *items; /* in order of id; without the hash */
    size_t count, room;
};

struct users {
    struct store *store;
    struct hub *hub;
    struct sessions *sessions;
    struct watch *watch;
    pthread_mutex_t lock; /* guards list; held for a search or a copy, never over the store or the hub */
    struct list list;
    pthread_mutex_t
        admins; /* one change at a time, so that two cannot take the last two admins; held over the store */
};

static const struct {
    enum role role;
    const char *text;
} roles[] = {{ROLE_VIEWER, "viewer"}, {ROLE_ANALYST, "analyst"}, {ROLE_ADMIN, "admin"}};

const char *role_text(enum role role)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (roles[i].role == role)
            return roles[i].text;
    return "none";
}

bool role_from_text(const char *text, enum role *role)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i].text, text) == 0) {
            *role = roles[i].role;
            return true;
        }
    return false;
}

bool user_name_is_fine(const char *name)
{
    size_t length = strlen(name);

    return length >= 1 && length < USER_NAME &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-") == length;
}

static void lower(const char *name, char out[USER_NAME])
{
    size_t i = 0;

    for (; i < USER_NAME - 1 && name[i] != '\0'; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    out[i] = '\0';
}

static bool user_read(struct user *out, const char *id, int64_t version, const char *json)
{
    cJSON *o = json_parse(json, strlen(json), NULL);
    struct user user = {.version = version};
    char role[16];
    bool ok = o != NULL && strlen(id) < sizeof user.id &&
              json_text(o, "username", user.name, sizeof user.name, NULL) &&
              json_text(o, "email", user.email, sizeof user.email, NULL) &&
              json_text(o, "password", user.hash, sizeof user.hash, NULL) &&
              json_text(o, "role", role, sizeof role, NULL) && role_from_text(role, &user.role) &&
              json_flag(o, "disabled", &user.disabled, NULL) &&
              json_integer(o, "created", 0, INT64_MAX / 2, &user.created_ms, NULL);

    cJSON_Delete(o);
    if (!ok)
        return false;
    snprintf(user.id, sizeof user.id, "%s", id);
    *out = user;
    return true;
}

static bool user_write(struct users *users, struct user *user, int64_t expected, struct err *err)
{
    struct text json = {.max = 4096};
    char name[USER_NAME];
    bool ok;

    lower(user->name, name);
    text_addf(&json, "{\"username\":");
    text_add_json(&json, user->name);
    text_addf(&json, ",\"email\":");
    text_add_json(&json, user->email);
    text_addf(&json, ",\"password\":");
    text_add_json(&json, user->hash);
    text_addf(&json, ",\"role\":\"%s\",\"disabled\":%s,\"created\":%lld}", role_text(user->role),
              user->disabled ? "true" : "false", (long long)user->created_ms);
    ok = !json.failed || err_set(err, ERR_MEMORY, "user: out of memory");
    ok = ok && store_doc_put(users->store, kind, user->id, name, json.bytes, 0, expected, &user->version, err);
    free(json.bytes);
    return ok;
}

static const struct user *list_find(const struct list *list, const char *id)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list->items[middle].id, id);
        if (order == 0)
            return &list->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct page {
    struct list *list;
    char last[USER_ID];
    size_t seen;
    bool failed;
};

static bool page_row(void *context, const char *id, int64_t version, const char *json)
{
    struct page *page = context;
    struct list *list = page->list;
    struct user user;

    page->seen++;
    snprintf(page->last, sizeof page->last, "%s", id);
    if (!user_read(&user, id, version, json))
        return true;
    user.hash[0] = '\0';
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : list->room * 2;
        struct user *items = realloc(list->items, room * sizeof *items);
        if (items == NULL) {
            page->failed = true;
            return false;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = user;
    return true;
}

static bool read_all(struct store *store, struct list *list, struct err *err)
{
    struct page page = {.list = list};
    const char *from = NULL;

    do {
        page.seen = 0;
        if (!store_doc_list(store, kind, from, false, PAGE, page_row, &page, err))
            return false;
        if (page.failed)
            return err_set(err, ERR_MEMORY, "users: out of memory");
        from = page.last;
    } while (page.seen == PAGE);
    return true;
}

/* Called by the watch: the streams of users who are gone or disabled end. */
static bool users_reload(void *context, struct err *err)
{
    struct users *users = context;
    struct list fresh = {0}, old;

    if (!read_all(users->store, &fresh, err)) {
        free(fresh.items);
        return false;
    }
    pthread_mutex_lock(&users->lock);
    old = users->list;
    for (size_t i = 0; i < old.count; i++) {
        const struct user *now = list_find(&fresh, old.items[i].id);
        if (now != NULL && !now->disabled)
            old.items[i].id[0] = '\0'; /* nothing to end */
    }
    users->list = fresh;
    pthread_mutex_unlock(&users->lock);
    for (size_t i = 0; i < old.count; i++)
        if (old.items[i].id[0] != '\0' && users->hub != NULL)
            hub_end_user(users->hub, old.items[i].id);
    free(old.items);
    return true;
}

struct users *users_create(struct store *store, struct hub *hub, struct sessions *sessions, struct watch *watch,
                           struct err *err)
{
    struct users *users = calloc(1, sizeof *users);

    if (users == NULL) {
        err_set(err, ERR_MEMORY, "users: out of memory");
        return NULL;
    }
    users->store = store;
    users->hub = hub;
    users->sessions = sessions;
    users->watch = watch;
    pthread_mutex_init(&users->lock, NULL);
    pthread_mutex_init(&users->admins, NULL);
    if (!watch_add(watch, kind, users_reload, users, err)) {
        users_free(users);
        return NULL;
    }
    return users;
}

void users_free(struct users *users)
{
    if (users == NULL)
        return;
    pthread_mutex_destroy(&users->admins);
    pthread_mutex_destroy(&users->lock);
    free(users->list.items);
    free(users);
}

bool users_find(struct users *users, const char *id, struct user *out, struct err *err)
{
    const struct user *found;

    pthread_mutex_lock(&users->lock);
    found = list_find(&users->list, id);
    if (found != NULL)
        *out = *found;
    pthread_mutex_unlock(&users->lock);
    return found != NULL || users_fetch(users, id, out, err); /* another backend may just have made it */
}

bool users_fetch(struct users *users, const char *id, struct user *out, struct err *err)
{
    char *json = NULL;
    int64_t version = 0;
    bool ok = store_doc_get(users->store, kind, id, &json, &version, err);

    if (ok && !user_read(out, id, version, json))
        ok = err_set(err, ERR_NOT_FOUND, "user %s: cannot be read", id);
    free(json);
    return ok;
}

bool users_by_name(struct users *users, const char *name, struct user *out, struct err *err)
{
    char key[USER_NAME], *id = NULL, *json = NULL;
    int64_t version = 0;
    bool ok;

    if (!user_name_is_fine(name))
        return err_set(err, ERR_NOT_FOUND, "user: no such one");
    lower(name, key);
    ok = store_doc_by_name(users->store, kind, key, &id, &json, &version, err);
    if (ok && !user_read(out, id, version, json))
        ok = err_set(err, ERR_NOT_FOUND, "user %s: cannot be read", id);
    free(id);
    free(json);
    return ok;
}

bool users_known(struct users *users, const char *name)
{
    bool known = false;

    pthread_mutex_lock(&users->lock);
    for (size_t i = 0; !known && i < users->list.count; i++)
        known = strcasecmp(users->list.items[i].name, name) == 0 && !users->list.items[i].disabled;
    pthread_mutex_unlock(&users->lock);
    return known;
}

void users_each(struct users *users, void (*each)(void *context, const struct user *user), void *context)
{
    struct user *items = NULL;
    size_t count;

    pthread_mutex_lock(&users->lock);
    count = users->list.count;
    if (count > 0)
        items = malloc(count * sizeof *items);
    if (items != NULL)
        memcpy(items, users->list.items, count * sizeof *items);
    pthread_mutex_unlock(&users->lock);
    for (size_t i = 0; items != NULL && i < count; i++)
        each(context, &items[i]);
    free(items);
}

bool users_add(struct users *users, struct user *user, struct err *err)
{
    char ulid[TOKEN_ULID];
    uint8_t rest[10];
    size_t count;

    pthread_mutex_lock(&users->lock);
    count = users->list.count;
    pthread_mutex_unlock(&users->lock);
    if (count >= USERS_MAX)
        return err_set(err, ERR_CONFLICT, "there are %d users already", USERS_MAX);
    user->created_ms = clock_now_ms();
    token_random(rest, sizeof rest);
    token_ulid(user->created_ms, rest, ulid);
    snprintf(user->id, sizeof user->id, "user_%s", ulid);
    if (!user_write(users, user, 0, err)) {
        if (err != NULL && err->code == ERR_CONFLICT)
            err_set(err, ERR_CONFLICT, "a user named %s exists already", user->name);
        return false;
    }
    watch_changed(users->watch, kind);
    return true;
}

/* How many admins can log in, as the store has it. */
static bool count_admins(struct users *users, const char *without, size_t *count, struct err *err)
{
    struct list all = {0};
    bool ok = read_all(users->store, &all, err);

    *count = 0;
    for (size_t i = 0; ok && i < all.count; i++)
        if (all.items[i].role == ROLE_ADMIN && !all.items[i].disabled &&
            (without == NULL || strcmp(all.items[i].id, without) != 0))
            ++*count;
    free(all.items);
    return ok;
}

static bool refuse_last(struct err *err)
{
    return err_set(err, ERR_CONFLICT, "the last admin cannot be removed, disabled or given another role");
}

/* Another backend may take another admin away at the same moment: so it is counted again after the write, and
 * the write is taken back when nobody is left. */
static bool change_checked(struct users *users, struct user *user, const struct user *before, struct err *err)
{
    bool was = before->role == ROLE_ADMIN && !before->disabled;
    bool is = user->role == ROLE_ADMIN && !user->disabled;
    size_t left = 1;

    if (was && !is && !count_admins(users, user->id, &left, err))
        return false;
    if (left == 0)
        return refuse_last(err);
    if (!user_write(users, user, user->version, err))
        return false;
    if (was && !is && count_admins(users, NULL, &left, NULL) && left == 0) {
        struct user back = *before;
        user_write(users, &back, user->version, NULL);
        return refuse_last(err);
    }
    return true;
}

bool users_change(struct users *users, struct user *user, struct err *err)
{
    struct user before;
    bool ok;

    pthread_mutex_lock(&users->admins);
    ok = users_fetch(users, user->id, &before, err) && change_checked(users, user, &before, err);
    pthread_mutex_unlock(&users->admins);
    if (!ok)
        return false;
    watch_changed(users->watch, kind);
    return !user->disabled || sessions_end_user(users->sessions, user->id, NULL, err);
}

static bool remove_checked(struct users *users, const char *id, struct err *err)
{
    struct user before;
    size_t left = 1;

    if (!users_fetch(users, id, &before, err) || !count_admins(users, id, &left, err))
        return false;
    if (left == 0)
        return refuse_last(err);
    if (!store_doc_remove(users->store, kind, id, err))
        return false;
    if (count_admins(users, NULL, &left, NULL) && left == 0) {
        user_write(users, &before, 0, NULL);
        return refuse_last(err);
    }
    return true;
}

bool users_remove(struct users *users, const char *id, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&users->admins);
    ok = remove_checked(users, id, err);
    pthread_mutex_unlock(&users->admins);
    if (!ok)
        return false;
    watch_changed(users->watch, kind);
    return sessions_end_user(users->sessions, id, NULL, err);
}

static bool one_row(void *context, const char *id, int64_t version, const char *json)
{
    (void)id;
    (void)version;
    (void)json;
    *(bool *)context = true;
    return false;
}

bool users_first_admin(struct users *users, struct passwords *passwords, const char *password_file, struct err *err)
{
    struct user admin = {.name = "admin", .role = ROLE_ADMIN};
    char password[PASSWORD_MAX + 1];
    struct err local = {0};
    bool some = false;

    if (password_file != NULL && password_file[0] == '\0')
        password_file = NULL;
    if (!store_doc_list(users->store, kind, NULL, false, 1, one_row, &some, err))
        return false;
    if (some)
        return true;
    if (password_file == NULL)
        token_text(password, FIRST_PASSWORD + 1);
    else if (!config_read_secret(password_file, password, sizeof password, err))
        return err_prefix(err, "admin password");
    if (strlen(password) < PASSWORD_MIN)
        log_warn("users.weak_password", "user=admin length=%zu", strlen(password));
    if (!passwords_hash(passwords, password, admin.hash, err))
        return false;
    if (!users_add(users, &admin, &local)) /* another backend was first: its password counts */
        return local.code == ERR_CONFLICT || err_set(err, local.code, "%s", local.text);
    log_info("users.first_admin", "user=admin id=%s", admin.id);
    if (password_file == NULL) {
        printf("First password of user admin: %s\n", password);
        fflush(stdout);
    }
    return true;
}
