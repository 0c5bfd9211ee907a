/* assets.c: see assets.h. */
#include "backend/assets.h"

#include "backend/api.h"
#include "backend/audit.h"
#include "backend/doc.h"
#include "backend/form.h"
#include "backend/geo.h"
#include "backend/listing.h"
#include "backend/reverse.h"
#include "backend/search.h"
#include "backend/store.h"
#include "common/clock.h"
#include "common/json.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct assets {
    struct geo *geo[GEO_FILES];
    size_t geo_count;
    struct reverse *reverse; /* NULL: nobody is asked */
};

struct assets *assets_create(const struct config_list *files, bool reverse_names, struct err *err)
{
    struct assets *assets = calloc(1, sizeof *assets);

    if (assets == NULL) {
        err_set(err, ERR_MEMORY, "assets: out of memory");
        return NULL;
    }
    if (files->count > GEO_FILES) {
        err_set(err, ERR_INVALID, "geo-file: expected at most %d files", GEO_FILES);
        goto failed;
    }
    for (size_t i = 0; i < files->count; i++) {
        assets->geo[i] = geo_open(files->items[i], err);
        if (assets->geo[i] == NULL)
            goto failed;
        assets->geo_count++;
    }
    if (reverse_names && (assets->reverse = reverse_start(reverse_ask_system, NULL, err)) == NULL)
        goto failed;
    return assets;
failed:
    assets_free(assets);
    return NULL;
}

void assets_free(struct assets *assets)
{
    if (assets == NULL)
        return;
    for (size_t i = 0; i < assets->geo_count; i++)
        geo_close(assets->geo[i]);
    reverse_stop(assets->reverse);
    free(assets);
}

/* --- names of addresses --- */

static bool canonical(const char *text, char out[INET6_ADDRSTRLEN])
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, text, &four) == 1)
        return inet_ntop(AF_INET, &four, out, INET6_ADDRSTRLEN) != NULL;
    return inet_pton(AF_INET6, text, &six) == 1 && inet_ntop(AF_INET6, &six, out, INET6_ADDRSTRLEN) != NULL;
}

static bool stored_row(void *context, const char *id, int64_t version, const char *json)
{
    cJSON *o = json_parse(json, strlen(json), NULL);

    (void)id;
    (void)version;
    if (o != NULL)
        cJSON_AddItemToArray(context, o);
    return true;
}

static cJSON *asset_row(void *context, const char *id, int64_t version, const char *json)
{
    (void)context;
    (void)id;
    (void)version;
    return json_parse(json, strlen(json), NULL);
}

static void assets_get(struct http_request *request, void *context)
{
    static const struct listing all = {.kind = "asset", .name = "assets", .limit = ASSETS_MAX, .row = asset_row};

    listing_answer(request, ((struct api *)context)->store, &all);
}

/* False: answered with 400. */
static bool segment_address(struct http_request *request, char out[INET6_ADDRSTRLEN])
{
    if (canonical(http_segment(request, "address"), out))
        return true;
    http_fail(request, 400, "invalid", "address: expected an IPv4 or IPv6 address");
    return false;
}

static void asset_put(struct http_request *request, void *context)
{
    struct api *api = context;
    char address[INET6_ADDRSTRLEN], name[129] = "", note[1001] = "";
    struct form form;
    struct err err = {0};
    cJSON *o;

    if (!segment_address(request, address) || !form_begin(&form, request))
        return;
    form_text(&form, "name", FORM_NEEDED, 1, sizeof name - 1, name, sizeof name);
    form_text(&form, "note", FORM_OPTIONAL, 0, sizeof note - 1, note, sizeof note);
    if (!form_end(&form))
        return;
    form_free(&form);
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "address", address);
    cJSON_AddStringToObject(o, "name", name);
    cJSON_AddStringToObject(o, "note", note);
    cJSON_AddStringToObject(o, "author", api_caller(request)->name);
    doc_add_time(o, "changedAt", clock_now_ms());
    if (!doc_put(api->store, "asset", address, NULL, cJSON_Duplicate(o, true), 0, -1, NULL, &err)) {
        cJSON_Delete(o);
        api_fail(request, &err);
        return;
    }
    audit_write(api, request, NULL, "asset_named", "success", cJSON_Duplicate(o, true));
    doc_answer_one(request, 200, "asset", o);
}

static void asset_delete(struct http_request *request, void *context)
{
    struct api *api = context;
    char address[INET6_ADDRSTRLEN];
    struct err err = {0};
    cJSON *details;

    if (!segment_address(request, address))
        return;
    if (!store_doc_remove(api->store, "asset", address, &err)) {
        api_fail(request, &err);
        return;
    }
    details = cJSON_CreateObject();
    cJSON_AddStringToObject(details, "address", address);
    audit_write(api, request, NULL, "asset_removed", "success", details);
    http_answer_text(request, 200, "{\"success\":true,\"message\":\"Name removed\"}");
}

/* --- what is known of some addresses --- */

static void add_place(const struct assets *assets, const char *address, cJSON *out)
{
    struct geo_place place;

    for (size_t i = 0; i < assets->geo_count; i++) {
        if (!geo_find(assets->geo[i], address, &place))
            continue;
        if (place.country[0] != '\0' && json_member(out, "country") == NULL) {
            cJSON_AddStringToObject(out, "country", place.country);
            cJSON_AddStringToObject(out, "countryName", place.name);
        }
        if (place.city[0] != '\0' && json_member(out, "city") == NULL)
            cJSON_AddStringToObject(out, "city", place.city);
        if (place.asn != 0 && json_member(out, "asn") == NULL) {
            cJSON_AddNumberToObject(out, "asn", place.asn);
            cJSON_AddStringToObject(out, "network", place.network);
        }
    }
}

static bool add_names(struct api *api, const char *address, cJSON *names, struct err *err)
{
    cJSON *out = cJSON_CreateObject(), *asset;
    char *json = NULL, host[REVERSE_NAME];
    struct err local = {0};

    if (store_doc_get(api->store, "asset", address, &json, NULL, &local)) {
        asset = json_parse(json, strlen(json), NULL);
        for (int i = 0; i < 2; i++) {
            const char *name = i == 0 ? "name" : "note";
            const cJSON *value = json_member(asset, name);
            if (cJSON_IsString(value) && value->valuestring[0] != '\0')
                cJSON_AddStringToObject(out, name, value->valuestring);
        }
        cJSON_Delete(asset);
        free(json);
    } else if (local.code != ERR_NOT_FOUND) {
        cJSON_Delete(out);
        return err_set(err, local.code, "%s", local.text);
    }
    add_place(api->assets, address, out);
    if (api->assets->reverse != NULL && reverse_find(api->assets->reverse, address, clock_now_ms(), host))
        cJSON_AddStringToObject(out, "host", host);
    cJSON_AddItemToObject(names, address, out);
    return true;
}

static bool are_texts(const cJSON *list)
{
    const cJSON *item;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > NAMES_AT_ONCE)
        return false;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item))
            return false;
    }
    return true;
}

/* {"addresses":[...]} gives {"names":{address:{name,note,country,city,asn,network,host}}}; what is no address is left
 * out.
 */
static void names_post(struct http_request *request, void *context)
{
    struct form form;
    cJSON *names, *answer;
    const cJSON *addresses, *item;
    struct err err = {0};
    bool ok = true;

    if (!form_begin(&form, request))
        return;
    addresses = json_member(form.body, "addresses");
    if (!are_texts(addresses))
        form_wrong(&form, "addresses", "a list of at most 200 addresses");
    if (!form_end(&form))
        return;
    names = cJSON_CreateObject();
    cJSON_ArrayForEach(item, addresses)
    {
        char address[INET6_ADDRSTRLEN];
        if (ok && canonical(item->valuestring, address) && json_member(names, address) == NULL)
            ok = add_names(context, address, names, &err);
    }
    form_free(&form);
    if (!ok) {
        cJSON_Delete(names);
        api_fail(request, &err);
        return;
    }
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddItemToObject(answer, "names", names);
    http_answer_json(request, 200, answer);
}

/* --- saved searches: each person's own; ids begin with the owner's --- */

struct owned {
    const char *owner;
    cJSON *list;
};

static bool owned_row(void *context, const char *id, int64_t version, const char *json)
{
    struct owned *owned = context;
    size_t length = strlen(owned->owner);

    (void)version;
    if (strncmp(id, owned->owner, length) != 0 || id[length] != '.')
        return false; /* past them */
    return stored_row(owned->list, id, version, json);
}

static bool list_owned(struct api *api, const char *owner, cJSON *list, struct err *err)
{
    struct owned owned = {.owner = owner, .list = list};

    return store_doc_list(api->store, "search", owner, false, SEARCHES_MAX, owned_row, &owned, err);
}

static void searches_get(struct http_request *request, void *context)
{
    cJSON *list = cJSON_CreateArray();
    struct err err = {0};

    if (list_owned(context, api_caller(request)->id, list, &err)) {
        doc_answer_list(request, "searches", list);
        return;
    }
    cJSON_Delete(list);
    api_fail(request, &err);
}

/* False: answered with 409 or a failure. */
static bool has_room(struct http_request *request, struct api *api)
{
    cJSON *list = cJSON_CreateArray();
    struct err err = {0};
    bool ok = list_owned(api, api_caller(request)->id, list, &err), full = cJSON_GetArraySize(list) >= SEARCHES_MAX;

    cJSON_Delete(list);
    if (!ok)
        api_fail(request, &err);
    else if (full)
        http_fail(request, 409, "full", "you keep %d searches already", SEARCHES_MAX);
    return ok && !full;
}

static void searches_post(struct http_request *request, void *context)
{
    struct api *api = context;
    char name[129] = "", q[2049] = "", own[DOC_ID], id[128];
    struct search *search;
    struct form form;
    struct err err = {0};
    size_t at = 0;
    cJSON *o;

    if (!form_begin(&form, request))
        return;
    form_text(&form, "name", FORM_NEEDED, 1, sizeof name - 1, name, sizeof name);
    if (form_text(&form, "q", FORM_NEEDED, 0, sizeof q - 1, q, sizeof q)) {
        search = search_parse(q, &at, &err);
        if (search == NULL)
            form_wrong(&form, "q", err.text);
        search_free(search);
    }
    if (!form_end(&form))
        return;
    form_free(&form);
    if (!has_room(request, api))
        return;
    doc_new_id("s", clock_now_ms(), own);
    snprintf(id, sizeof id, "%s.%s", api_caller(request)->id, own);
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "id", own);
    cJSON_AddStringToObject(o, "name", name);
    cJSON_AddStringToObject(o, "q", q);
    doc_add_time(o, "createdAt", clock_now_ms());
    if (doc_put(api->store, "search", id, NULL, cJSON_Duplicate(o, true), 0, 0, NULL, &err)) {
        doc_answer_one(request, 201, "search", o);
        return;
    }
    cJSON_Delete(o);
    api_fail(request, &err);
}

static void search_delete(struct http_request *request, void *context)
{
    char id[256];
    struct err err = {0};

    snprintf(id, sizeof id, "%s.%.100s", api_caller(request)->id, http_segment(request, "id"));
    if (store_doc_remove(((struct api *)context)->store, "search", id, &err))
        http_answer_text(request, 200, "{\"success\":true,\"message\":\"Search removed\"}");
    else
        api_fail(request, &err);
}

const struct http_route assets_routes[] = {
    {"GET", "/api/assets", ROLE_VIEWER, assets_get, HTTP_NO_BODY, 0},
    {"PUT", "/api/assets/{address}", ROLE_ANALYST, asset_put, HTTP_WHOLE_BODY, 16 * 1024},
    {"DELETE", "/api/assets/{address}", ROLE_ANALYST, asset_delete, HTTP_NO_BODY, 0},
    {"POST", "/api/names", ROLE_VIEWER, names_post, HTTP_WHOLE_BODY, 16 * 1024},
    {"GET", "/api/searches", ROLE_VIEWER, searches_get, HTTP_NO_BODY, 0},
    {"POST", "/api/searches", ROLE_VIEWER, searches_post, HTTP_WHOLE_BODY, 16 * 1024},
    {"DELETE", "/api/searches/{id}", ROLE_VIEWER, search_delete, HTTP_NO_BODY, 0},
};
const size_t assets_route_count = sizeof assets_routes / sizeof assets_routes[0];
