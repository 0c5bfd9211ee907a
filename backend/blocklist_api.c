/* blocklist_api.c: the routes below /api/blocklist, the feed, and the door; see blocklist.h. */
#include "backend/api.h"
#include "backend/audit.h"
#include "backend/auth.h"
#include "backend/blocklist.h"
#include "backend/form.h"
#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "block";

bool blocklist_lets(struct api *api, struct http_request *request)
{
    char client[46];

    if (api->blocklist == NULL)
        return true;
    api_client(request, api, client);
    if (!blocklist_has(api->blocklist, client) || networks_have(&api->trusted, client) ||
        networks_have(&api->proxies, client) || auth_admin_at(api->auth, client))
        return true;
    http_fail(request, 403, "blocked", "this address is on the blocklist");
    return false;
}

/* --- reading --- */

static bool block_read(struct block *out, const char *id, const char *json)
{
    cJSON *o = json_parse(json, strlen(json), NULL);
    bool ok = o != NULL && strlen(id) < sizeof out->id &&
              json_text(o, "address", out->address, sizeof out->address, NULL) &&
              network_parse(out->address, &out->network, NULL) &&
              json_text(o, "reason", out->reason, sizeof out->reason, NULL) &&
              json_text(o, "author", out->author, sizeof out->author, NULL) &&
              json_text(o, "threat", out->threat, sizeof out->threat, NULL) &&
              json_integer(o, "created", 0, INT64_MAX / 2, &out->created_ms, NULL) &&
              json_integer(o, "expires", 0, INT64_MAX / 2, &out->expires_ms, NULL);

    if (ok)
        snprintf(out->id, sizeof out->id, "%s", id);
    cJSON_Delete(o);
    return ok;
}

static cJSON *block_to_json(const struct block *block)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", block->id);
    cJSON_AddStringToObject(o, "address", block->address);
    cJSON_AddStringToObject(o, "reason", block->reason);
    cJSON_AddStringToObject(o, "author", block->author);
    if (block->threat[0] != '\0')
        cJSON_AddStringToObject(o, "threat", block->threat);
    doc_add_time(o, "createdAt", block->created_ms);
    doc_add_time(o, "expiresAt", block->expires_ms);
    return o;
}

/* The three shapes of the list are written row by row while the store is read. */
enum format { FORMAT_JSON, FORMAT_TEXT, FORMAT_NFT };
struct feed {
    enum format format;
    struct text text, other; /* nft: IPv4 and IPv6 apart */
    size_t count, count_other;
};

static bool feed_row(void *context, const char *id, int64_t version, const char *json)
{
    struct feed *feed = context;
    struct block block = {0};
    bool six;
    char *printed;
    cJSON *tree;

    (void)version;
    if (!block_read(&block, id, json))
        return true;
    six = strchr(block.address, ':') != NULL;
    switch (feed->format) {
    case FORMAT_TEXT:
        text_addf(&feed->text, "%s\n", block.address);
        break;
    case FORMAT_NFT:
        text_addf(six ? &feed->other : &feed->text, "%s%s",
                  (six ? feed->count_other : feed->count) > 0 ? ",\n  " : "\n  ", block.address);
        break;
    case FORMAT_JSON:
        tree = block_to_json(&block);
        printed = json_print(tree);
        text_addf(&feed->text, "%s%s", feed->count > 0 ? "," : "", printed != NULL ? printed : "{}");
        free(printed);
        cJSON_Delete(tree);
        break;
    }
    if (six && feed->format == FORMAT_NFT)
        feed->count_other++;
    else
        feed->count++;
    return true;
}

/* One file for "nft -f": sets are made once and their content changes at one stroke; rules that use them stay. */
static void nft_set(struct text *out, const char *name, const char *type, const struct text *elements, size_t count)
{
    text_addf(out, "add set inet threatline %s { type %s; flags interval; auto-merge; }\n", name, type);
    text_addf(out, "flush set inet threatline %s\n", name);
    if (count == 0)
        return;
    text_addf(out, "add element inet threatline %s {", name);
    text_add(out, elements->bytes, elements->length);
    text_addf(out, "\n}\n");
}

static void feed_answer(struct http_request *request, const struct feed *feed)
{
    struct text out = {.max = 16 * 1024 * 1024};
    const char *type = "text/plain; charset=utf-8";

    switch (feed->format) {
    case FORMAT_TEXT:
        text_add(&out, feed->text.length > 0 ? feed->text.bytes : "", feed->text.length);
        break;
    case FORMAT_NFT:
        text_addf(&out, "#!/usr/sbin/nft -f\nadd table inet threatline\n");
        nft_set(&out, "blocked4", "ipv4_addr", &feed->text, feed->count);
        nft_set(&out, "blocked6", "ipv6_addr", &feed->other, feed->count_other);
        break;
    case FORMAT_JSON:
        type = "application/json";
        text_addf(&out, "{\"success\":true,\"count\":%zu,\"blocklist\":[", feed->count);
        text_add(&out, feed->text.length > 0 ? feed->text.bytes : "", feed->text.length);
        text_addf(&out, "]}");
        break;
    }
    http_add_header(request, "Cache-Control", "no-store");
    if (out.failed)
        http_fail(request, 503, "memory", "out of memory");
    else
        http_answer(request, 200, type, out.length > 0 ? out.bytes : "", out.length);
    free(out.bytes);
}

static void blocklist_get(struct http_request *request, void *context)
{
    struct feed feed = {.format = FORMAT_JSON, .text = {.max = 16 * 1024 * 1024}, .other = {.max = 16 * 1024 * 1024}};
    char format[8];
    bool given;
    struct err err = {0};

    if (!api_query_text(request, "format", format, sizeof format, &given))
        return;
    if (strcmp(format, "txt") == 0)
        feed.format = FORMAT_TEXT;
    else if (strcmp(format, "nft") == 0)
        feed.format = FORMAT_NFT;
    else if (format[0] != '\0' && strcmp(format, "json") != 0) {
        http_fail(request, 400, "invalid", "format: expected txt, nft or json");
        return;
    }
    if (!store_doc_list(((struct api *)context)->store, kind, NULL, true, BLOCKLIST_MAX, feed_row, &feed, &err))
        api_fail(request, &err);
    else if (feed.text.failed || feed.other.failed)
        http_fail(request, 503, "memory", "out of memory");
    else
        feed_answer(request, &feed);
    free(feed.text.bytes);
    free(feed.other.bytes);
}

/* --- changing --- */

static cJSON *block_to_doc(const struct block *block)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "address", block->address);
    cJSON_AddStringToObject(o, "reason", block->reason);
    cJSON_AddStringToObject(o, "author", block->author);
    cJSON_AddStringToObject(o, "threat", block->threat);
    cJSON_AddNumberToObject(o, "created", (double)block->created_ms);
    cJSON_AddNumberToObject(o, "expires", (double)block->expires_ms);
    return o;
}

/* False: answered. Nobody locks themselves or an admin out. */
static bool may_be_listed(struct http_request *request, struct api *api, const struct block *block)
{
    char client[46];
    uint8_t address[16];

    api_client(request, api, client);
    if ((network_address(client, address) && network_has(&block->network, address)) ||
        auth_admin_within(api->auth, &block->network)) {
        http_fail(request, 409, "in_use", "%s: you or an admin are logged in from there", block->address);
        return false;
    }
    return true;
}

static bool read_block(struct http_request *request, struct block *block)
{
    struct form form;
    char address[BLOCK_ADDRESS];
    struct err err = {0};
    int64_t now = clock_now_ms();

    if (!form_begin(&form, request))
        return false;
    if (form_text(&form, "address", FORM_NEEDED, 1, sizeof address - 1, address, sizeof address) &&
        !block_canonical(address, block->address, &block->network, &err))
        form_wrong(&form, "address", "an address or a network such as 192.0.2.0/24, not wider than /8 (IPv6: /16)");
    form_text(&form, "reason", FORM_NEEDED, 1, sizeof block->reason - 1, block->reason, sizeof block->reason);
    form_text(&form, "threat", FORM_OPTIONAL, 1, sizeof block->threat - 1, block->threat, sizeof block->threat);
    form_expiry(&form, "expiresAt", now, &block->expires_ms);
    if (!form_end(&form))
        return false;
    form_free(&form);
    block->created_ms = now;
    doc_new_id("block", now, block->id);
    snprintf(block->author, sizeof block->author, "%s", api_caller(request)->name);
    return true;
}

static void blocklist_post(struct http_request *request, void *context)
{
    struct api *api = context;
    struct block block = {0};
    struct err err = {0};

    if (!read_block(request, &block) || !may_be_listed(request, api, &block))
        return;
    if (!doc_put(api->store, kind, block.id, block.address, block_to_doc(&block), block.expires_ms, 0, NULL, &err)) {
        if (err.code == ERR_CONFLICT)
            http_fail(request, 409, "conflict", "%s is listed already", block.address);
        else
            api_fail(request, &err);
        return;
    }
    watch_changed(api->watch, kind);
    audit_write(api, request, NULL, "ip_blocked", "success", block_to_json(&block));
    doc_answer_one(request, 201, "block", block_to_json(&block));
}

static void blocklist_delete(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *id = http_segment(request, "id");
    char *json = NULL;
    struct block block = {0};
    struct err err = {0};

    if (!store_doc_get(api->store, kind, id, &json, NULL, &err) || !store_doc_remove(api->store, kind, id, &err)) {
        api_fail(request, &err);
        free(json);
        return;
    }
    watch_changed(api->watch, kind);
    block_read(&block, id, json);
    audit_write(api, request, NULL, "ip_unblocked", "success", block_to_json(&block));
    http_answer_text(request, 200, "{\"success\":true,\"message\":\"Removed from the blocklist\"}");
    free(json);
}

const struct http_route blocklist_routes[] = {
    {"GET", "/api/blocklist", ROLE_KEY_FEED, blocklist_get, HTTP_NO_BODY, 0},
    {"POST", "/api/blocklist", ROLE_ANALYST, blocklist_post, HTTP_WHOLE_BODY, 16 * 1024},
    {"DELETE", "/api/blocklist/{id}", ROLE_ANALYST, blocklist_delete, HTTP_NO_BODY, 0},
};
const size_t blocklist_route_count = sizeof blocklist_routes / sizeof blocklist_routes[0];
