/* keys.c: see keys.h. */
#include "backend/keys.h"

#include "backend/audit.h"
#include "backend/auth.h"
#include "backend/doc.h"
#include "backend/form.h"
#include "backend/hub.h"
#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/token.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 1000, KEY_TEXT = 45, KEY_NAME = 65 };
static const char kind[] = "key", prefix[] = "tlk_";

struct key {
    char id[DOC_ID];
    char name[KEY_NAME];
    char sensor[KEY_NAME];
    char hash[TOKEN_HASH];
    char created[CLOCK_TEXT], author[KEY_NAME];
    unsigned scopes;
    int64_t expires_ms; /* 0: never */
};

struct list {
    struct key *items;
    size_t count;
};

struct keys {
    struct store *store;
    struct hub *hub;
    struct watch *watch;
    pthread_mutex_t lock; /* guards list; held for a search, never over the store */
    struct list list;
};

static const struct {
    unsigned scope;
    const char *text;
} scopes[] = {{KEY_WEBHOOK, "webhook"}, {KEY_READ, "read"}, {KEY_FEED, "feed"}, {KEY_CONTROL, "control"}};
enum { SCOPES = sizeof scopes / sizeof scopes[0] };

static unsigned scope_from_text(const char *text)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (strcmp(scopes[i].text, text) == 0)
            return scopes[i].scope;
    return 0;
}

/* 0: not a list of known scopes. */
static unsigned scopes_from_json(const cJSON *list)
{
    unsigned all = 0;
    const cJSON *item;

    if (!cJSON_IsArray(list))
        return 0;
    cJSON_ArrayForEach(item, list)
    {
        unsigned scope = cJSON_IsString(item) ? scope_from_text(item->valuestring) : 0;
        if (scope == 0)
            return 0;
        all |= scope;
    }
    return all;
}

static cJSON *scopes_to_json(unsigned all)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < SCOPES; i++)
        if ((all & scopes[i].scope) != 0)
            cJSON_AddItemToArray(list, cJSON_CreateString(scopes[i].text));
    return list;
}

static bool key_read(struct key *out, const char *id, const char *json)
{
    cJSON *o = json_parse(json, strlen(json), NULL);
    struct key key = {0};
    bool ok = o != NULL && strlen(id) < sizeof key.id && json_text(o, "name", key.name, sizeof key.name, NULL) &&
              json_text(o, "sensor", key.sensor, sizeof key.sensor, NULL) &&
              json_text(o, "hash", key.hash, sizeof key.hash, NULL) &&
              json_text(o, "created", key.created, sizeof key.created, NULL) &&
              json_text(o, "author", key.author, sizeof key.author, NULL) &&
              json_integer(o, "expires", 0, INT64_MAX / 2, &key.expires_ms, NULL);

    if (ok) {
        key.scopes = scopes_from_json(json_member(o, "scopes"));
        snprintf(key.id, sizeof key.id, "%s", id);
        *out = key;
    }
    cJSON_Delete(o);
    return ok;
}

static bool key_write(struct store *store, const struct key *key, struct err *err)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", key->name);
    cJSON_AddStringToObject(o, "sensor", key->sensor);
    cJSON_AddStringToObject(o, "hash", key->hash);
    cJSON_AddStringToObject(o, "created", key->created);
    cJSON_AddStringToObject(o, "author", key->author);
    cJSON_AddNumberToObject(o, "expires", (double)key->expires_ms);
    cJSON_AddItemToObject(o, "scopes", scopes_to_json(key->scopes));
    return doc_put(store, kind, key->id, key->hash, o, key->expires_ms, 0, NULL, err);
}

static bool key_row(void *context, const char *id, int64_t version, const char *json)
{
    struct list *list = context;

    (void)version;
    if (key_read(&list->items[list->count], id, json))
        list->count++;
    return list->count < KEYS_MAX;
}

static bool gone(const struct list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].id, id) == 0)
            return false;
    return true;
}

/* Called by the watch: streams opened with a key that is gone end. */
static bool keys_reload(void *context, struct err *err)
{
    struct keys *keys = context;
    struct list fresh = {.items = calloc(KEYS_MAX, sizeof *fresh.items)}, old;

    if (fresh.items == NULL)
        return err_set(err, ERR_MEMORY, "keys: out of memory");
    if (!store_doc_list(keys->store, kind, NULL, false, KEYS_MAX, key_row, &fresh, err)) {
        free(fresh.items);
        return false;
    }
    pthread_mutex_lock(&keys->lock);
    old = keys->list;
    for (size_t i = 0; i < old.count; i++)
        if (!gone(&fresh, old.items[i].id))
            old.items[i].id[0] = '\0';
    keys->list = fresh;
    pthread_mutex_unlock(&keys->lock);
    for (size_t i = 0; i < old.count; i++)
        if (old.items[i].id[0] != '\0' && keys->hub != NULL)
            hub_end_user(keys->hub, old.items[i].id);
    free(old.items);
    return true;
}

struct keys *keys_create(struct store *store, struct hub *hub, struct watch *watch, struct err *err)
{
    struct keys *keys = calloc(1, sizeof *keys);

    if (keys == NULL) {
        err_set(err, ERR_MEMORY, "keys: out of memory");
        return NULL;
    }
    keys->store = store;
    keys->hub = hub;
    keys->watch = watch;
    pthread_mutex_init(&keys->lock, NULL);
    if (!watch_add(watch, kind, keys_reload, keys, err)) {
        keys_free(keys);
        return NULL;
    }
    return keys;
}

void keys_free(struct keys *keys)
{
    if (keys == NULL)
        return;
    pthread_mutex_destroy(&keys->lock);
    free(keys->list.items);
    free(keys);
}

static bool keys_find(struct keys *keys, const char *text, struct key *out)
{
    char hash[TOKEN_HASH];
    int64_t now = clock_now_ms();
    bool found = false;

    if (strlen(text) != KEY_TEXT - 1 || strncmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    token_hash(text, strlen(text), hash);
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; !found && i < keys->list.count; i++) {
        const struct key *key = &keys->list.items[i];
        found = token_equal(key->hash, hash) && (key->expires_ms == 0 || key->expires_ms > now);
        if (found)
            *out = *key;
    }
    pthread_mutex_unlock(&keys->lock);
    return found;
}

static const char *const control_paths[] = {
    "/api/network/start-monitoring", "/api/network/stop-monitoring", "/api/network/test-connection",
    "/api/network/status",           "/api/network/health",          "/api/network/interfaces",
    "/api/network/upload-pcap",      "/api/network/uploads",         "/api/network/uploads/{id}",
};

/* The least role that lets the key through where one of its scopes covers the route; ROLE_NOBODY else. */
static enum role key_role(const struct key *key, const struct http_route *route)
{
    if ((key->scopes & KEY_FEED) != 0 && route->role == ROLE_KEY_FEED)
        return ROLE_ANALYST;
    if ((key->scopes & KEY_READ) != 0 && strcmp(route->method, "GET") == 0 && route->role <= ROLE_ANALYST &&
        strncmp(route->path, "/api/network/", 13) == 0)
        return ROLE_ANALYST;
    for (size_t i = 0; (key->scopes & KEY_CONTROL) != 0 && i < sizeof control_paths / sizeof control_paths[0]; i++)
        if (strcmp(route->path, control_paths[i]) == 0)
            return ROLE_ADMIN;
    return ROLE_NOBODY;
}

bool keys_user(struct keys *keys, const char *text, const struct http_route *route, struct api_user *out,
               struct err *err)
{
    struct key key;

    if (!keys_find(keys, text, &key))
        return err_set(err, ERR_DENIED, "key: not a live one");
    snprintf(out->id, sizeof out->id, "%s", key.id);
    snprintf(out->name, sizeof out->name, "%s", key.name);
    out->session[0] = '\0';
    out->by_cookie = false;
    out->role = key_role(&key, route);
    return true;
}

bool keys_allow(struct keys *keys, const char *text, const char *scope, char who[65], bool *bound, struct err *err)
{
    struct key key;

    if (!keys_find(keys, text, &key))
        return err_set(err, ERR_NOT_FOUND, "key: not a live one");
    if ((key.scopes & scope_from_text(scope)) == 0)
        return err_set(err, ERR_DENIED, "key %s: has not the scope %s", key.name, scope);
    *bound = key.sensor[0] != '\0';
    snprintf(who, 65, "%s", *bound ? key.sensor : key.name);
    return true;
}

/* --- /api/keys --- */

static cJSON *key_to_json(const struct key *key)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", key->id);
    cJSON_AddStringToObject(o, "name", key->name);
    cJSON_AddItemToObject(o, "scopes", scopes_to_json(key->scopes));
    if (key->sensor[0] != '\0')
        cJSON_AddStringToObject(o, "sensor", key->sensor);
    cJSON_AddStringToObject(o, "createdAt", key->created);
    cJSON_AddStringToObject(o, "author", key->author);
    doc_add_time(o, "expiresAt", key->expires_ms);
    return o;
}

void keys_get(struct http_request *request, void *context)
{
    struct keys *keys = ((struct api *)context)->auth->keys;
    cJSON *list = cJSON_CreateArray();
    int64_t now = clock_now_ms();

    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < keys->list.count; i++)
        if (keys->list.items[i].expires_ms == 0 || keys->list.items[i].expires_ms > now)
            cJSON_AddItemToArray(list, key_to_json(&keys->list.items[i]));
    pthread_mutex_unlock(&keys->lock);
    doc_answer_list(request, "keys", list);
}

static bool key_from_form(struct http_request *request, struct key *key)
{
    struct form form;

    if (!form_begin(&form, request))
        return false;
    form_text(&form, "name", FORM_NEEDED, 1, KEY_NAME - 1, key->name, sizeof key->name);
    form_text(&form, "sensor", FORM_OPTIONAL, 1, KEY_NAME - 1, key->sensor, sizeof key->sensor);
    form_expiry(&form, "expiresAt", clock_now_ms(), &key->expires_ms);
    key->scopes = scopes_from_json(json_member(form.body, "scopes"));
    if (key->scopes == 0)
        form_wrong(&form, "scopes", "a list of webhook, read, feed, control");
    if (!form_end(&form))
        return false;
    form_free(&form);
    return true;
}

void keys_post(struct http_request *request, void *context)
{
    struct api *api = context;
    struct keys *keys = api->auth->keys;
    struct key key = {0};
    char text[KEY_TEXT];
    struct err err = {0};
    cJSON *answer, *shown;
    size_t count;

    if (!key_from_form(request, &key))
        return;
    pthread_mutex_lock(&keys->lock);
    count = keys->list.count;
    pthread_mutex_unlock(&keys->lock);
    if (count >= KEYS_MAX) {
        http_fail(request, 409, "full", "there are %d keys already", KEYS_MAX);
        return;
    }
    snprintf(text, sizeof text, "%s", prefix);
    token_text(text + sizeof prefix - 1, sizeof text - (sizeof prefix - 1));
    token_hash(text, strlen(text), key.hash);
    doc_new_id("key", clock_now_ms(), key.id);
    clock_text_ms(clock_now_ms(), key.created);
    snprintf(key.author, sizeof key.author, "%s", api_caller(request)->name);
    if (!key_write(keys->store, &key, &err)) {
        api_fail(request, &err);
        return;
    }
    watch_changed(keys->watch, kind);
    shown = key_to_json(&key);
    audit_write(api, request, NULL, "key_created", "success", cJSON_Duplicate(shown, true));
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddStringToObject(answer, "message", "Keep this key now: it is shown once");
    cJSON_AddStringToObject(answer, "key", text);
    cJSON_AddItemToObject(answer, "record", shown);
    http_answer_json(request, 201, answer);
}

void keys_delete(struct http_request *request, void *context)
{
    if (api_remove(request, context, kind, "key_removed"))
        http_answer_text(request, 200, "{\"success\":true,\"message\":\"Key removed\"}");
}
