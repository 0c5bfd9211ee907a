/* webhook.c: POST /api/network/webhook, one threat or an array of them. */
#include "backend/webhook.h"

#include "backend/committer.h"
#include "backend/store_record.h"
#include "backend/suppression.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/threat.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the body --- */

struct body {
    char *bytes;
    size_t length, room;
    struct webhook *webhook;
    bool large; /* holds one of the places for large bodies */
};

static void release_body(struct body *body)
{
    if (body->large)
        webhook_give_place(body->webhook);
    free(body->bytes);
}

static bool is_array(const struct body *body)
{
    size_t i = 0;

    while (i < body->length && isspace((unsigned char)body->bytes[i]))
        i++;
    return i < body->length && body->bytes[i] == '[';
}

/* False: it has answered 413 or 503. */
static bool more_room(struct http_request *request, struct body *body)
{
    int64_t length = http_content_length(request);
    size_t wanted = body->room > 0 ? body->room * 4 : length > 0 && length < 4096 ? (size_t)length + 1 : 4096;
    char *bigger;

    if (body->room >= WEBHOOK_ONE_MAX && !body->large) {
        if (!is_array(body)) {
            http_fail(request, 413, "too_large", "A threat may have at most %d bytes", WEBHOOK_ONE_MAX);
            return false;
        }
        if (!webhook_take_place(body->webhook)) {
            http_add_header(request, "Retry-After", "1");
            http_fail(request, 503, "busy", "Too many large arrays at once");
            return false;
        }
        body->large = true;
    }
    if (wanted > WEBHOOK_ONE_MAX && !body->large)
        wanted = WEBHOOK_ONE_MAX;
    bigger = realloc(body->bytes, wanted + 1);
    if (bigger == NULL) {
        http_add_header(request, "Retry-After", "1");
        http_fail(request, 503, "busy", "out of memory");
        return false;
    }
    body->bytes = bigger;
    body->room = wanted;
    return true;
}

/* Reads all of it. False: it has answered. */
static bool read_body(struct http_request *request, struct body *body)
{
    for (;;) {
        if (body->length == body->room && !more_room(request, body))
            return false;
        long n = http_read(request, body->bytes + body->length, body->room - body->length);
        if (n == 0)
            break;
        if (n == -2) {
            http_fail(request, 413, "too_large", "An array may have at most %d bytes", WEBHOOK_ARRAY_MAX);
            return false;
        }
        if (n < 0) {
            http_fail(request, 400, "broken_body", "The body ended early");
            return false;
        }
        body->length += (size_t)n;
    }
    body->bytes[body->length] = '\0';
    return true;
}

/* --- threats --- */

struct intake {
    struct http_request *request;
    struct api *api;
    struct webhook_sender sender;
    char client[46];
    int64_t now_ms;
};

/* A signed sender speaks for its own sensor alone. */
static bool may_speak(const struct intake *intake, struct threat *threat, struct err *err)
{
    if (!intake->sender.bound)
        return true;
    if (threat->sensor[0] == '\0')
        snprintf(threat->sensor, sizeof threat->sensor, "%s", intake->sender.name);
    if (strcmp(threat->sensor, intake->sender.name) == 0)
        return true;
    return err_set(err, ERR_DENIED, "sensor: %s signed for %s", intake->sender.name, threat->sensor);
}

/* rule: room for the id of the rule that suppresses it. */
static void fill_item(const struct intake *intake, const struct threat *threat, struct store_item *item,
                      char rule[DOC_ID])
{
    *item = (struct store_item){
        .threat = threat,
        .address = intake->client,
        .user_agent = http_header(intake->request, "User-Agent"),
        .source = threat->sensor[0] != '\0' ? threat->sensor : "webhook",
        .received_ms = intake->now_ms,
    };
    if (item->user_agent == NULL)
        item->user_agent = "";
    if (suppression_match(intake->api->suppressions, threat, rule))
        item->suppressed_by = rule;
}

static const char *result_text(enum store_result result)
{
    switch (result) {
    case STORE_STORED:
        return "stored";
    case STORE_UPDATED:
        return "updated";
    case STORE_DUPLICATE:
    case STORE_DIFFERENT:
        return "duplicate";
    case STORE_REFUSED:
        break;
    }
    return "refused";
}

static void answer_faults(struct http_request *request, const struct threat_fault *faults, size_t count,
                          const struct err *err)
{
    struct text text = {.max = 65536};

    text_add(&text, "{\"success\":false,\"code\":\"invalid\",\"message\":", 44);
    text_add_json(&text, err->text);
    text_add(&text, ",\"details\":[", 12);
    for (size_t i = 0; i < count; i++) {
        text_add(&text, i > 0 ? ",{\"field\":" : "{\"field\":", i > 0 ? 10 : 9);
        text_add_json(&text, faults[i].field);
        text_add(&text, ",\"expected\":", 12);
        text_add_json(&text, faults[i].expected);
        text_add(&text, "}", 1);
    }
    text_add(&text, "]}", 2);
    http_answer_text(request, 400, text.failed ? "{\"success\":false,\"code\":\"invalid\"}" : text.bytes);
    free(text.bytes);
}

static void answer_one(struct http_request *request, const struct store_item *item)
{
    char text[THREAT_ID + 200];

    if (item->result == STORE_REFUSED) {
        http_fail(request, 400, "refused", "%s", item->message);
        return;
    }
    snprintf(text, sizeof text, "{\"success\":true,\"message\":\"%s\",\"threat_id\":\"%s\",\"status\":\"%s\"}",
             item->seq > 0 ? "Threat received and broadcasted" : "Threat is known already", item->threat->id,
             result_text(item->result));
    http_answer_text(request, 200, text);
}

/* One threat on its way. On the heap: its request may be answered after the handler has returned. */
struct single {
    struct http_request *request;
    char client[46], rule[DOC_ID];
    char *user_agent;
    struct threat threat;
    struct store_item item;
    struct store_record record;
    struct committer_order order;
};

static void free_single(void *context)
{
    struct single *single = context;

    threat_clear(&single->threat);
    free(single->item.json);
    if (single->item.record != NULL)
        store_record_clear(&single->record);
    free(single->user_agent);
    free(single);
}

static void answer_single(void *context, const struct err *err)
{
    const struct single *single = context;
    struct http_request *request = single->request;

    if (err != NULL)
        api_fail(request, err);
    else
        answer_one(request, &single->item);
}

static void answer_later(void *context, const struct err *err)
{
    struct http_request *request = ((struct single *)context)->request;

    answer_single(context, err);
    http_let_go(request); /* which frees the single */
}

static void commit_single(struct committer *committer, struct single *single)
{
    struct err err = {0};

    if (!http_later(single->request)) {
        answer_single(single, committer_submit(committer, &single->item, 1, &err) ? NULL : &err);
        return;
    }
    single->order =
        (struct committer_order){.items = &single->item, .count = 1, .done = answer_later, .context = single};
    if (!committer_order(committer, &single->order, &err))
        answer_later(single, &err);
}

/* What the item needs beyond the handler is copied. */
static bool fill_single(const struct intake *intake, struct single *single, struct err *err)
{
    struct store_item *item = &single->item;

    fill_item(intake, &single->threat, item, single->rule);
    memcpy(single->client, intake->client, sizeof single->client);
    single->user_agent = strdup(item->user_agent);
    item->address = single->client;
    item->user_agent = single->user_agent;
    if (single->user_agent != NULL && store_takes_records(intake->api->store) &&
        store_record_of(&single->record, item, NULL))
        item->record = &single->record;
    return single->user_agent != NULL || err_set(err, ERR_MEMORY, "out of memory");
}

static void take_one(struct intake *intake, const cJSON *json)
{
    struct threat_fault faults[THREAT_FAULTS];
    struct single *single = calloc(1, sizeof *single);
    struct err err = {0};
    size_t count = 0;

    if (single == NULL) {
        err_set(&err, ERR_MEMORY, "out of memory");
        api_fail(intake->request, &err);
        return;
    }
    single->request = intake->request;
    http_set_user(intake->request, single, free_single);
    if (!threat_from_json(&single->threat, json, faults, &count, &err))
        answer_faults(intake->request, faults, count, &err);
    else if (!may_speak(intake, &single->threat, &err) || !fill_single(intake, single, &err))
        api_fail(intake->request, &err);
    else
        commit_single(intake->api->committer, single);
}

/* --- arrays --- */

struct batch {
    size_t count;
    struct threat *threats;   /* count of them; those refused are empty */
    struct store_item *items; /* the good ones, one after the other */
    size_t good;
    size_t *place;         /* of each good one in the array */
    char (*rules)[DOC_ID]; /* that suppress them */
    struct err *refused;   /* count of them: ERR_NONE when good */
};

static bool open_batch(struct batch *batch, size_t count)
{
    batch->count = count;
    batch->threats = calloc(count, sizeof *batch->threats);
    batch->items = calloc(count, sizeof *batch->items);
    batch->place = calloc(count, sizeof *batch->place);
    batch->refused = calloc(count, sizeof *batch->refused);
    batch->rules = calloc(count, sizeof *batch->rules);
    return batch->rules != NULL && batch->threats != NULL && batch->items != NULL && batch->place != NULL &&
           batch->refused != NULL;
}

static void close_batch(struct batch *batch)
{
    for (size_t i = 0; batch->items != NULL && i < batch->good; i++)
        free(batch->items[i].json);
    for (size_t i = 0; batch->threats != NULL && i < batch->count; i++)
        threat_clear(&batch->threats[i]);
    free(batch->threats);
    free(batch->items);
    free(batch->place);
    free(batch->rules);
    free(batch->refused);
}

static void fill_batch(struct intake *intake, struct batch *batch, const cJSON *array)
{
    const cJSON *json;
    size_t i = 0;

    cJSON_ArrayForEach(json, array)
    {
        struct threat *threat = &batch->threats[i];
        struct err *err = &batch->refused[i];

        if (threat_from_json(threat, json, NULL, NULL, err) && may_speak(intake, threat, err)) {
            fill_item(intake, threat, &batch->items[batch->good], batch->rules[batch->good]);
            batch->place[batch->good++] = i;
        }
        i++;
    }
}

static void add_result(struct text *text, const char *id, const char *status, const char *message)
{
    text_add(text, "{\"threat_id\":", 13);
    if (id != NULL)
        text_add_json(text, id);
    else
        text_add(text, "null", 4);
    text_addf(text, ",\"status\":\"%s\"", status);
    if (message != NULL) {
        text_add(text, ",\"message\":", 11);
        text_add_json(text, message);
    }
    text_add(text, "}", 1);
}

static void answer_batch(struct http_request *request, const struct batch *batch, const cJSON *array)
{
    struct text text = {.max = 4 * 1024 * 1024};
    size_t good = 0, i = 0;
    bool all = true;
    const cJSON *json;

    text_add(&text, "{\"success\":true,\"results\":[", 27);
    cJSON_ArrayForEach(json, array)
    {
        const cJSON *id = json_member(json, "threat_id");
        const char *name = cJSON_IsString(id) && strlen(id->valuestring) < 256 ? id->valuestring : NULL;

        if (i > 0)
            text_add(&text, ",", 1);
        if (good < batch->good && batch->place[good] == i) {
            const struct store_item *item = &batch->items[good++];

            add_result(&text, name, result_text(item->result), item->result == STORE_REFUSED ? item->message : NULL);
            all = all && item->result != STORE_REFUSED;
        } else {
            add_result(&text, name, "refused", batch->refused[i].text);
            all = false;
        }
        i++;
    }
    text_add(&text, "]}", 2);
    if (text.failed)
        http_fail(request, 503, "unavailable", "out of memory; the threats are stored");
    else
        http_answer_text(request, all ? 200 : 207, text.bytes);
    free(text.bytes);
}

static void take_array(struct intake *intake, const cJSON *array)
{
    int count = cJSON_GetArraySize(array);
    struct batch batch = {0};
    struct err err = {0};

    if (count < 1 || count > WEBHOOK_ITEMS_MAX) {
        http_fail(intake->request, count < 1 ? 400 : 413, count < 1 ? "invalid" : "too_large",
                  "body: expected 1 to %d threats", WEBHOOK_ITEMS_MAX);
        return;
    }
    if (!open_batch(&batch, (size_t)count)) {
        err_set(&err, ERR_MEMORY, "out of memory");
        api_fail(intake->request, &err);
    } else {
        fill_batch(intake, &batch, array);
        if (batch.good == 0 || committer_submit(intake->api->committer, batch.items, batch.good, &err))
            answer_batch(intake->request, &batch, array);
        else
            api_fail(intake->request, &err);
    }
    close_batch(&batch);
}

static void take(struct intake *intake, const struct body *body)
{
    struct err err = {0};
    struct json_room room;
    const cJSON *json;

    json_room_open(&room);
    json = json_parse_in(&room, body->bytes, body->length, &err);
    if (json == NULL)
        http_fail(intake->request, 400, "invalid_json", "%s", err.text);
    else if (cJSON_IsArray(json))
        take_array(intake, json);
    else if (cJSON_IsObject(json))
        take_one(intake, json);
    else
        http_fail(intake->request, 400, "invalid", "body: expected a threat or an array of threats");
    json_room_close(&room);
}

static void receive(struct http_request *request, void *context)
{
    struct intake intake = {.request = request, .api = context, .now_ms = clock_now_ms()};
    const char *type = http_header(request, "Content-Type");
    struct body body = {.webhook = intake.api->webhook};

    if (!webhook_may_come(request, intake.api))
        return;
    if (type != NULL && strncasecmp(type, "application/json", 16) != 0) {
        http_fail(request, 415, "unsupported_type", "Content-Type: expected application/json");
        return;
    }
    if (read_body(request, &body) && webhook_sender(request, intake.api, body.bytes, body.length, &intake.sender)) {
        api_client(request, intake.api, intake.client);
        take(&intake, &body);
    }
    release_body(&body);
}

const struct http_route webhook_routes[] = {
    {"POST", "/api/network/webhook", ROLE_WEBHOOK, receive, HTTP_OWN_BODY, WEBHOOK_ARRAY_MAX},
};
const size_t webhook_route_count = sizeof webhook_routes / sizeof *webhook_routes;
