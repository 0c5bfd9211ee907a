/* removal.c: clear-threats and retention. */
#include "backend/removal.h"

#include "backend/bus.h"
#include "backend/store.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

enum { BITE = 1000, TOLD_MAX = 1000 };

struct told {
    struct text ids;
    size_t count; /* of all bites */
};

static void add_id(void *context, const char *id)
{
    struct told *told = context;

    if (told->count++ >= TOLD_MAX)
        return;
    if (told->ids.length > 0)
        text_add(&told->ids, ",", 1);
    text_add_json(&told->ids, id);
}

/* Up to a thousand are named; more are a gap, upon which a page loads everything again. */
static void tell(struct api *api, const struct told *told)
{
    struct text json = {.max = 1024 * 1024};

    if (told->count == 0)
        return;
    if (told->count > TOLD_MAX || told->ids.failed) {
        text_addf(&json, "{\"from\":0,\"to\":%lld}", (long long)bus_last(api->bus));
        if (!json.failed)
            api_emit(api, "gap", 0, json.bytes);
    } else {
        text_add(&json, "{\"ids\":[", 8);
        text_add(&json, told->ids.bytes, told->ids.length);
        text_add(&json, "]}", 2);
        if (!json.failed)
            api_emit(api, "threats_removed", 0, json.bytes);
    }
    free(json.bytes);
}

bool removal_run(struct removal *removal, int64_t before_ms, bool keep_marked, int64_t most, struct err *err)
{
    struct told told = {.ids = {.max = 512 * 1024}};
    bool ok = true;

    while (ok && (most == 0 || removal->count < most)) {
        size_t bite = most > 0 && most - removal->count < BITE ? (size_t)(most - removal->count) : BITE;
        int64_t count = 0;

        ok = store_remove(removal->api->store, NULL, before_ms, keep_marked, bite, add_id, &told, &count, err);
        removal->count += count;
        if (count < (int64_t)bite)
            break;
    }
    tell(removal->api, &told);
    free(told.ids.bytes);
    return ok;
}
