/* events.c: durable events become frames, once each and in order. */
#include "backend/events.h"

#include "backend/bus.h"
#include "backend/stream.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

void events_stored(void *context, const struct store_item *item)
{
    struct api *api = context;
    const struct bus_event event = {
        .seq = item->seq,
        .type = item->suppressed_by != NULL     ? NULL
                : item->result == STORE_UPDATED ? "threat_updated"
                                                : "threat_detected",
        .json = item->json,
    };

    if (!store_shared(api->store))
        bus_publish(api->bus, &event);
}

/* The store writes suppressedBy behind the record's own members, so only a mark in the tail can be its own; a full
 * look decides. */
bool events_suppressed(const char *json)
{
    cJSON *record;
    bool suppressed;

    if (strstr(json, "\"suppressedBy\":") == NULL)
        return false;
    record = cJSON_Parse(json);
    suppressed = json_member(record, "suppressedBy") != NULL;
    cJSON_Delete(record);
    return suppressed;
}

static void heard(void *context, int64_t seq, enum store_event event, const char *json)
{
    struct api *api = context;
    bool hidden = event != EVENT_MONITORING && events_suppressed(json);
    const struct bus_event news = {.seq = seq, .type = hidden ? NULL : stream_event_type(event), .json = json};

    bus_publish(api->bus, &news);
}

bool events_follow(struct api *api, int64_t after_seq, struct err *err)
{
    if (!store_shared(api->store))
        return true;
    return store_follow(api->store, after_seq, heard, api, err);
}

bool events_monitoring(struct api *api, const char *type, const char *data, struct err *err)
{
    struct text json = {.max = 1024 * 1024};
    char now[CLOCK_TEXT];
    int64_t seq = 0;
    bool ok;

    clock_text_ms(clock_now_ms(), now);
    text_addf(&json, "{\"type\":\"%s\",\"data\":", type);
    text_add(&json, data, strlen(data));
    text_addf(&json, ",\"timestamp\":\"%s\"}", now);
    ok = !json.failed || err_set(err, ERR_MEMORY, "out of memory");
    ok = ok && store_add_monitoring(api->store, json.bytes, &seq, err);
    if (ok)
        api_emit(api, "monitoring_event", seq, json.bytes);
    free(json.bytes);
    return ok;
}
