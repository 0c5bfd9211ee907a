/* sessions.c: see sessions.h. The copy is an array in order of id, read again when another backend wrote a session.
 */
#include "backend/sessions.h"

#include "backend/hub.h"
#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/token.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 500 };
static const char kind[] = "session";

struct list {
    struct session *items;
    size_t count, room;
};

struct sessions {
    struct store *store;
    struct hub *hub;
    struct watch *watch;
    int64_t idle_ms;
    pthread_mutex_t lock; /* guards list and births; held for a search or a copy, never over the store or the hub */
    struct list list;
    int64_t births;
};

static bool list_find(const struct list *list, const char *id, size_t *at)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list->items[middle].id, id);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

/* One that does not fit in is asked from the store at every request: slower, but right. */
static bool list_put(struct list *list, const struct session *session)
{
    size_t at;

    if (list_find(list, session->id, &at)) {
        list->items[at] = *session;
        return true;
    }
    if (list->count >= SESSIONS_KEPT)
        return true;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct session *items = realloc(list->items, room * sizeof *items);
        if (items == NULL)
            return false;
        list->items = items;
        list->room = room;
    }
    memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof list->items[0]);
    list->items[at] = *session;
    list->count++;
    return true;
}

static void list_cut(struct list *list, size_t at)
{
    memmove(&list->items[at], &list->items[at + 1], (list->count - at - 1) * sizeof list->items[0]);
    list->count--;
}

static bool session_read(struct session *out, const char *id, int64_t version, const char *json)
{
    cJSON *o = json_parse(json, strlen(json), NULL);
    bool ok = o != NULL && strlen(id) < sizeof out->id && json_text(o, "user", out->user, sizeof out->user, NULL) &&
              json_text(o, "address", out->address, sizeof out->address, NULL) &&
              json_integer(o, "created", 0, INT64_MAX / 2, &out->created_ms, NULL) &&
              json_integer(o, "expires", 0, INT64_MAX / 2, &out->expires_ms, NULL);

    if (ok)
        snprintf(out->id, sizeof out->id, "%s", id);
    out->version = version;
    out->born = 0;
    cJSON_Delete(o);
    return ok;
}

struct page {
    struct list *list;
    char last[SESSION_ID];
    size_t seen;
    bool failed;
};

static bool page_row(void *context, const char *id, int64_t version, const char *json)
{
    struct page *page = context;
    struct session session = {0};

    page->seen++;
    snprintf(page->last, sizeof page->last, "%s", id);
    if (session_read(&session, id, version, json) && !list_put(page->list, &session))
        page->failed = true;
    return !page->failed;
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
            return err_set(err, ERR_MEMORY, "sessions: out of memory");
        from = page.last;
    } while (page.seen == PAGE && list->count < SESSIONS_KEPT);
    return true;
}

static void end_streams(struct sessions *sessions, const char *id)
{
    if (sessions->hub != NULL)
        hub_end_session(sessions->hub, id);
}

/* Called by the watch. What this backend added while the store was being read is kept. */
static bool sessions_reload(void *context, struct err *err)
{
    struct sessions *sessions = context;
    struct list fresh = {0}, old;
    int64_t start;
    size_t at;
    bool ok;

    pthread_mutex_lock(&sessions->lock);
    start = sessions->births;
    pthread_mutex_unlock(&sessions->lock);
    ok = read_all(sessions->store, &fresh, err);
    if (!ok) {
        free(fresh.items);
        return false;
    }
    pthread_mutex_lock(&sessions->lock);
    old = sessions->list;
    for (size_t i = 0; i < old.count; i++)
        if (old.items[i].born > start && !list_put(&fresh, &old.items[i]))
            log_warn("sessions.memory", "kept=%zu", fresh.count);
    for (size_t i = 0; i < old.count; i++)
        if (list_find(&fresh, old.items[i].id, &at))
            old.items[i].id[0] = '\0'; /* it lives on */
    sessions->list = fresh;
    pthread_mutex_unlock(&sessions->lock);
    for (size_t i = 0; i < old.count; i++)
        if (old.items[i].id[0] != '\0')
            end_streams(sessions, old.items[i].id);
    free(old.items);
    return true;
}

/* Called by the watch every round: streams of sessions that ran out end, though nobody asks for them any more. */
static bool sessions_expire(void *context, struct err *err)
{
    struct sessions *sessions = context;
    int64_t now = clock_now_ms();
    char gone[64][SESSION_ID];
    size_t count = 0;

    (void)err;
    pthread_mutex_lock(&sessions->lock);
    for (size_t i = 0; i < sessions->list.count && count < 64;) {
        if (sessions->list.items[i].expires_ms <= now) {
            memcpy(gone[count++], sessions->list.items[i].id, SESSION_ID);
            list_cut(&sessions->list, i);
        } else {
            i++;
        }
    }
    pthread_mutex_unlock(&sessions->lock);
    for (size_t i = 0; i < count; i++)
        end_streams(sessions, gone[i]);
    return true;
}

struct sessions *sessions_create(struct store *store, struct hub *hub, struct watch *watch, int64_t idle_ms,
                                 struct err *err)
{
    struct sessions *sessions = calloc(1, sizeof *sessions);

    if (sessions == NULL) {
        err_set(err, ERR_MEMORY, "sessions: out of memory");
        return NULL;
    }
    sessions->store = store;
    sessions->hub = hub;
    sessions->watch = watch;
    sessions->idle_ms = idle_ms;
    pthread_mutex_init(&sessions->lock, NULL);
    if (!watch_add(watch, kind, sessions_reload, sessions, err) ||
        !watch_add(watch, NULL, sessions_expire, sessions, err)) {
        sessions_free(sessions);
        return NULL;
    }
    return sessions;
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    pthread_mutex_destroy(&sessions->lock);
    free(sessions->list.items);
    free(sessions);
}

static bool session_write(struct sessions *sessions, struct session *session, int64_t expected, struct err *err)
{
    struct text json = {.max = 1024};
    bool ok;

    text_addf(&json, "{\"user\":");
    text_add_json(&json, session->user);
    text_addf(&json, ",\"created\":%lld,\"expires\":%lld,\"address\":", (long long)session->created_ms,
              (long long)session->expires_ms);
    text_add_json(&json, session->address);
    text_addf(&json, "}");
    ok = !json.failed || err_set(err, ERR_MEMORY, "session: out of memory");
    ok = ok && store_doc_put(sessions->store, kind, session->id, NULL, json.bytes, session->expires_ms, expected,
                             &session->version, err);
    free(json.bytes);
    return ok;
}

static void remember(struct sessions *sessions, const struct session *session)
{
    struct session mine = *session;

    pthread_mutex_lock(&sessions->lock);
    mine.born = ++sessions->births;
    list_put(&sessions->list, &mine);
    pthread_mutex_unlock(&sessions->lock);
}

bool sessions_begin(struct sessions *sessions, const char *user, const char *address, int64_t now_ms,
                    struct session *out, struct err *err)
{
    struct session session = {.created_ms = now_ms, .expires_ms = now_ms + sessions->idle_ms};

    token_text(session.id, sizeof session.id);
    snprintf(session.user, sizeof session.user, "%s", user);
    snprintf(session.address, sizeof session.address, "%s", address);
    if (!session_write(sessions, &session, 0, err))
        return false;
    remember(sessions, &session);
    *out = session;
    return true;
}

static bool session_fetch(struct sessions *sessions, const char *id, struct session *out, struct err *err)
{
    char *json = NULL;
    int64_t version = 0;
    bool ok = store_doc_get(sessions->store, kind, id, &json, &version, err);

    if (ok && !session_read(out, id, version, json))
        ok = err_set(err, ERR_NOT_FOUND, "session: cannot be read");
    free(json);
    return ok;
}

static void move_in_memory(struct sessions *sessions, const struct session *session)
{
    size_t at;

    pthread_mutex_lock(&sessions->lock);
    if (list_find(&sessions->list, session->id, &at)) {
        sessions->list.items[at].expires_ms = session->expires_ms;
        sessions->list.items[at].version = session->version;
    }
    pthread_mutex_unlock(&sessions->lock);
}

/* Only the version that was read is written: a session that was ended meanwhile stays ended. The new end stands in
 * memory first, so that one request of many writes. */
static void slide(struct sessions *sessions, struct session *session, int64_t now_ms)
{
    int64_t end = now_ms + sessions->idle_ms, last = session->created_ms + SESSION_LIFE_MS;
    struct session before = *session;
    struct err err = {0};

    if (end > last)
        end = last;
    if (end - session->expires_ms < SESSION_SLIDE_MS)
        return;
    session->expires_ms = end;
    move_in_memory(sessions, session);
    if (session_write(sessions, session, before.version, &err)) {
        move_in_memory(sessions, session);
    } else {
        log_debug("sessions.slide", "error=\"%s\"", err.text);
        move_in_memory(sessions, &before);
        *session = before;
    }
}

bool sessions_use(struct sessions *sessions, const char *id, int64_t now_ms, struct session *out, struct err *err)
{
    size_t at;
    bool found;

    if (strlen(id) >= SESSION_ID)
        return err_set(err, ERR_NOT_FOUND, "session: no such one");
    pthread_mutex_lock(&sessions->lock);
    found = list_find(&sessions->list, id, &at);
    if (found)
        *out = sessions->list.items[at];
    pthread_mutex_unlock(&sessions->lock);
    if (!found) {
        if (!session_fetch(sessions, id, out, err))
            return false;
        remember(sessions, out);
    }
    if (out->expires_ms <= now_ms || out->created_ms + SESSION_LIFE_MS <= now_ms)
        return err_set(err, ERR_NOT_FOUND, "session: it has expired");
    slide(sessions, out, now_ms);
    return true;
}

static void forget(struct sessions *sessions, const char *id)
{
    size_t at;

    pthread_mutex_lock(&sessions->lock);
    if (list_find(&sessions->list, id, &at))
        list_cut(&sessions->list, at);
    pthread_mutex_unlock(&sessions->lock);
    end_streams(sessions, id);
}

bool sessions_end(struct sessions *sessions, const char *id, struct err *err)
{
    struct err local = {0};

    if (!store_doc_remove(sessions->store, kind, id, &local) && local.code != ERR_NOT_FOUND)
        return err_set(err, local.code, "%s", local.text);
    forget(sessions, id);
    watch_changed(sessions->watch, kind);
    return true;
}

bool sessions_end_user(struct sessions *sessions, const char *user, const char *except, struct err *err)
{
    struct list all = {0};
    bool ok = read_all(sessions->store, &all, err);

    for (size_t i = 0; ok && i < all.count; i++) {
        struct err local = {0};
        if (strcmp(all.items[i].user, user) != 0 || (except != NULL && strcmp(all.items[i].id, except) == 0))
            continue;
        ok = store_doc_remove(sessions->store, kind, all.items[i].id, &local) || local.code == ERR_NOT_FOUND ||
             err_set(err, local.code, "%s", local.text);
        if (ok)
            forget(sessions, all.items[i].id);
    }
    free(all.items);
    watch_changed(sessions->watch, kind);
    return ok;
}

void sessions_each(struct sessions *sessions, int64_t now_ms,
                   bool (*each)(void *context, const struct session *session), void *context)
{
    struct session session;
    bool go_on = true;

    for (size_t i = 0; go_on; i++) {
        pthread_mutex_lock(&sessions->lock);
        go_on = i < sessions->list.count;
        if (go_on)
            session = sessions->list.items[i];
        pthread_mutex_unlock(&sessions->lock);
        if (go_on && session.expires_ms > now_ms)
            go_on = each(context, &session);
    }
}
