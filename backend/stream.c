/* stream.c: opens a stream: checks, head, replay, and over to the hub.
 *
 * Order: the replay says up to which sequence it reaches; the hub goes on right behind it, also with what was
 * published in between. */
#include "backend/stream.h"

#include "backend/bus.h"
#include "backend/events.h"
#include "backend/hub.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLAY_EVENTS = 20000, /* more than that is a gap: history is cheaper */
    REPLAY_BYTES = 32 * 1024 * 1024,
    REPLAY_ROUNDS = 4 /* store, then memory; again when much came in meanwhile */
};

bool stream_position(const char *text, const char *name, int64_t *seq)
{
    const char *dot = strrchr(text, '.');
    int64_t value = 0;

    if (dot == NULL || (size_t)(dot - text) != strlen(name) || strncmp(text, name, strlen(name)) != 0)
        return false;
    if (dot[1] == '\0' || strlen(dot + 1) > 18)
        return false;
    for (const char *p = dot + 1; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return false;
        value = value * 10 + (*p - '0');
    }
    *seq = value;
    return true;
}

const char *stream_event_type(enum store_event event)
{
    switch (event) {
    case EVENT_THREAT_DETECTED:
        return "threat_detected";
    case EVENT_THREAT_UPDATED:
        return "threat_updated";
    case EVENT_MONITORING:
        break;
    }
    return "monitoring_event";
}

struct opening {
    struct api *api;
    const char *name; /* of the store */
    int64_t start;    /* what the client has, or from where it begins */
    int64_t reached;  /* what head and replay bring it to */
    bool gap;
    int64_t gap_from;
    struct text replay;
    size_t events;
};

static bool add_event(void *context, int64_t seq, enum store_event event, const char *json)
{
    struct opening *opening = context;
    size_t length = 0;
    char *frame;

    opening->events++;
    opening->reached = seq;
    if (event != EVENT_MONITORING && events_suppressed(json))
        return true;
    frame = bus_frame(opening->name, seq, stream_event_type(event), json, &length);
    if (frame == NULL) {
        opening->replay.failed = true;
        return false;
    }
    text_add(&opening->replay, frame, length);
    free(frame);
    return !opening->replay.failed;
}

static bool from_memory(struct opening *opening)
{
    char *frames = NULL;
    size_t length = 0;
    int64_t last;

    if (!bus_replay(opening->api->bus, opening->reached, &frames, &length, &last))
        return false;
    if (length > 0)
        text_add(&opening->replay, frames, length);
    opening->reached = last;
    free(frames);
    return true;
}

static void give_up(struct opening *opening)
{
    free(opening->replay.bytes);
    opening->replay = (struct text){.max = REPLAY_BYTES};
    opening->gap = true;
    opening->gap_from = opening->start;
    opening->start = opening->reached = bus_last(opening->api->bus);
}

/* Everything after opening->start, from memory or from the store; a gap when that cannot be promised. */
static bool replay(struct opening *opening, struct err *err)
{
    struct store *store = opening->api->store;
    int64_t first, last;

    if (from_memory(opening))
        return true;
    if (!store_last_seq(store, &last, err) || !store_first_seq(store, &first, err))
        return false;
    if (opening->start == last) /* this backend has not heard of it yet, the store has */
        return true;
    if (opening->start > last || (first > 0 && opening->start < first - 1) || last - opening->start > REPLAY_EVENTS) {
        give_up(opening);
        return true;
    }
    for (int round = 0; round < REPLAY_ROUNDS; round++) {
        size_t before = opening->events;

        if (!store_events(store, opening->reached, REPLAY_EVENTS, add_event, opening, err))
            return false;
        if (opening->replay.failed)
            break;
        /* what is not given as an event (suppressed, removed) is no reason to look again */
        if (opening->events == before && opening->reached < last)
            opening->reached = last;
        if (opening->reached >= bus_last(opening->api->bus) || from_memory(opening))
            return !opening->replay.failed;
    }
    give_up(opening);
    return true;
}

/* Where the client stands: Last-Event-ID (sent by a browser that comes back) or ?last_event_id= (first connect). */
static bool find_start(struct http_request *request, struct opening *opening)
{
    const char *header = http_header(request, "Last-Event-ID");
    char text[128] = "";
    bool given = false;

    if (header != NULL)
        given = snprintf(text, sizeof text, "%s", header) < (int)sizeof text;
    else if (!api_query_text(request, "last_event_id", text, sizeof text, &given))
        return false;
    opening->start = bus_last(opening->api->bus);
    if (text[0] == '\0')
        return true;
    if (!given || !stream_position(text, opening->name, &opening->start)) {
        opening->gap = true;
        opening->gap_from = 0;
    }
    return true;
}

static void add_cors(struct http_request *request, const struct api *api, struct text *head)
{
    const char *origin = http_header(request, "Origin");

    text_addf(head, "Vary: Origin\r\n");
    if (origin != NULL && api_origin_allowed(origin, (void *)(uintptr_t)api))
        text_addf(head, "Access-Control-Allow-Origin: %s\r\nAccess-Control-Allow-Credentials: true\r\n", origin);
}

static void add_connection(const struct opening *opening, const char *user, struct text *head)
{
    char now[CLOCK_TEXT];

    clock_text_ms(clock_now_ms(), now);
    text_addf(head,
              "id: %s.%lld\ndata: {\"type\":\"connection\",\"message\":\"Connected to real-time threat stream\","
              "\"timestamp\":\"%s\",\"user\":",
              opening->name, (long long)opening->start, now);
    text_add_json(head, user);
    text_add(head, "}\n\n", 3);
}

static void add_gap(const struct opening *opening, struct text *head)
{
    char json[96];
    size_t length = 0;
    char *frame;

    snprintf(json, sizeof json, "{\"from\":%lld,\"to\":%lld}", (long long)opening->gap_from,
             (long long)opening->start);
    frame = bus_frame(opening->name, opening->start, "gap", json, &length);
    if (frame != NULL)
        text_add(head, frame, length);
    else
        head->failed = true;
    free(frame);
}

static void build_head(struct http_request *request, const struct opening *opening, const char *user,
                       struct text *head)
{
    text_addf(head,
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
              "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nX-Request-Id: %s\r\n",
              http_request_id(request));
    add_cors(request, opening->api, head);
    text_addf(head, "\r\nretry: 2000\n\n");
    add_connection(opening, user, head);
    if (opening->gap)
        add_gap(opening, head);
    if (opening->replay.length > 0)
        text_add(head, opening->replay.bytes, opening->replay.length);
}

static void hand_over(struct http_request *request, struct opening *opening, const struct api_user *user)
{
    struct text head = {.max = REPLAY_BYTES + 65536};
    struct err err = {0};
    int fd;

    build_head(request, opening, user->name, &head);
    if (head.failed) {
        free(head.bytes);
        err_set(&err, ERR_UNAVAILABLE, "out of memory");
        api_fail(request, &err);
        return;
    }
    fd = http_take_socket(request, &err);
    if (fd < 0) {
        free(head.bytes);
        api_fail(request, &err);
    } else if (!hub_add(opening->api->hub, fd, user->id, user->session, head.bytes, head.length, opening->reached,
                        &err)) {
        log_warn("stream.refused", "user=\"%s\" reason=\"%s\"", user->name, err.text);
    }
}

static void open_stream(struct http_request *request, void *context)
{
    struct opening opening = {.api = context, .replay = {.max = REPLAY_BYTES}};
    const struct api_user *user = api_caller(request);
    struct err err = {0};

    opening.name = store_name(opening.api->store);
    if (strcmp(http_method(request), "HEAD") == 0) {
        http_answer(request, 200, "text/event-stream", "", 0);
        return;
    }
    if (!hub_has_room(opening.api->hub, user->id)) {
        http_add_header(request, "Retry-After", "10");
        http_fail(request, 503, "too_many_streams", "Too many streams are open");
        return;
    }
    if (!find_start(request, &opening))
        return;
    opening.reached = opening.start;
    if (opening.gap || replay(&opening, &err))
        hand_over(request, &opening, user);
    else
        api_fail(request, &err);
    free(opening.replay.bytes);
}

const struct http_route stream_routes[] = {
    {"GET", "/api/network/stream", ROLE_VIEWER, open_stream, HTTP_NO_BODY, 0},
};
const size_t stream_route_count = sizeof stream_routes / sizeof *stream_routes;
