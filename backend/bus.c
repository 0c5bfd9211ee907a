/* bus.c: the latest events in memory, put in order. */
#include "backend/bus.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 4096, FRAME_MAX = 4 * 1024 * 1024, FRAME_ROOM = 192 /* beside the JSON */ };

struct entry {
    int64_t seq;
    char *frame; /* NULL: a number without anything to show */
    size_t length;
};

struct bus {
    /* guards all below; held for copies and for the listener, which only copies too */
    pthread_mutex_t lock;
    char name[64];
    bool dense;
    struct entry *ring; /* durable events, oldest at first */
    size_t depth, first, count;
    size_t bytes, max_bytes;
    int64_t last;          /* newest sequence given out */
    int64_t floor;         /* memory has everything above it */
    struct entry *waiting; /* above a missing number, by rising seq */
    size_t waiting_count;
    int64_t waiting_since; /* monotonic ms */
    bus_listener *listener;
    void *context;
    struct bus_counters counters;
};

struct bus *bus_create(const struct bus_settings *settings)
{
    struct bus *bus = calloc(1, sizeof *bus);

    if (bus == NULL)
        return NULL;
    bus->ring = calloc(settings->depth, sizeof *bus->ring);
    bus->waiting = calloc(WAITING_MAX, sizeof *bus->waiting);
    if (bus->ring == NULL || bus->waiting == NULL) {
        free(bus->ring);
        free(bus->waiting);
        free(bus);
        return NULL;
    }
    pthread_mutex_init(&bus->lock, NULL);
    snprintf(bus->name, sizeof bus->name, "%s", settings->name);
    bus->dense = settings->dense;
    bus->depth = settings->depth;
    bus->max_bytes = settings->bytes;
    bus->last = bus->floor = settings->last;
    return bus;
}

void bus_free(struct bus *bus)
{
    if (bus == NULL)
        return;
    for (size_t i = 0; i < bus->count; i++)
        free(bus->ring[(bus->first + i) % bus->depth].frame);
    for (size_t i = 0; i < bus->waiting_count; i++)
        free(bus->waiting[i].frame);
    pthread_mutex_destroy(&bus->lock);
    free(bus->ring);
    free(bus->waiting);
    free(bus);
}

void bus_listen(struct bus *bus, bus_listener *listener, void *context)
{
    pthread_mutex_lock(&bus->lock);
    bus->listener = listener;
    bus->context = context;
    pthread_mutex_unlock(&bus->lock);
}

/* A line break would end the event's line; in JSON it can only be white space. */
static void flatten(char *bytes, size_t length)
{
    static const char breaks[] = "\n\r";

    for (size_t i = 0; i < 2; i++)
        for (char *p = bytes; (p = memchr(p, breaks[i], length - (size_t)(p - bytes))) != NULL;)
            *p = ' ';
}

char *bus_frame(const char *name, int64_t id, const char *type, const char *json, size_t *length)
{
    struct text text = {.max = FRAME_MAX};
    char now[CLOCK_TEXT];
    size_t body;

    text.room = (json != NULL ? strlen(json) : 0) + FRAME_ROOM; /* in most cases enough; else it grows */
    text.bytes = malloc(text.room);
    text.room = text.bytes != NULL ? text.room : 0;
    clock_text_ms(clock_now_ms(), now);
    if (id >= 0)
        text_addf(&text, "id: %s.%lld\n", name, (long long)id);
    body = text.length;
    text_addf(&text, "data: {\"type\":\"%s\"", type);
    if (json != NULL) {
        text_add(&text, ",\"data\":", 8);
        text_add(&text, json, strlen(json));
    }
    text_addf(&text, ",\"timestamp\":\"%s\"}", now);
    if (!text.failed)
        flatten(text.bytes + body, text.length - body);
    text_add(&text, "\n\n", 2);
    if (text.failed) {
        free(text.bytes);
        return NULL;
    }
    *length = text.length;
    return text.bytes;
}

/* Forgets the oldest until there is room. */
static void make_room(struct bus *bus, size_t length)
{
    while (bus->count > 0 && (bus->count == bus->depth || bus->bytes + length > bus->max_bytes)) {
        struct entry *oldest = &bus->ring[bus->first];

        if (oldest->seq > bus->floor)
            bus->floor = oldest->seq;
        bus->bytes -= oldest->length;
        free(oldest->frame);
        bus->first = (bus->first + 1) % bus->depth;
        bus->count--;
    }
}

static void give_out(struct bus *bus, struct entry entry)
{
    bus->last = entry.seq;
    if (entry.frame == NULL)
        return;
    bus->counters.published++;
    if (bus->listener != NULL)
        bus->listener(bus->context, entry.seq, entry.frame, entry.length);
    make_room(bus, entry.length);
    if (entry.length > bus->max_bytes) {
        bus->floor = entry.seq;
        free(entry.frame);
        return;
    }
    bus->ring[(bus->first + bus->count++) % bus->depth] = entry;
    bus->bytes += entry.length;
}

static void tell_gap(struct bus *bus, int64_t from, int64_t to)
{
    char json[96];
    size_t length;
    char *frame;

    snprintf(json, sizeof json, "{\"from\":%lld,\"to\":%lld}", (long long)from, (long long)to);
    frame = bus_frame(bus->name, to, "gap", json, &length);
    bus->counters.gaps++;
    bus->floor = to; /* one who comes back must be told too, by the store */
    if (frame != NULL && bus->listener != NULL)
        bus->listener(bus->context, 0, frame, length);
    free(frame);
}

/* Gives out what follows bus->last without a hole; with force, jumps over the first hole. */
static void drain(struct bus *bus, bool force)
{
    size_t done = 0;

    while (done < bus->waiting_count && (force || bus->waiting[done].seq == bus->last + 1)) {
        if (bus->waiting[done].seq != bus->last + 1)
            tell_gap(bus, bus->last + 1, bus->waiting[done].seq - 1);
        force = false;
        give_out(bus, bus->waiting[done++]);
    }
    if (done == 0)
        return;
    bus->waiting_count -= done;
    memmove(bus->waiting, bus->waiting + done, bus->waiting_count * sizeof *bus->waiting);
    bus->waiting_since = clock_monotonic_ms();
}

/* Keeps an event that came before its turn. False: it is there already. */
static bool wait_for_turn(struct bus *bus, struct entry entry)
{
    size_t at = bus->waiting_count;

    while (at > 0 && bus->waiting[at - 1].seq > entry.seq)
        at--;
    if (at > 0 && bus->waiting[at - 1].seq == entry.seq)
        return false;
    if (bus->waiting_count == 0)
        bus->waiting_since = clock_monotonic_ms();
    memmove(bus->waiting + at + 1, bus->waiting + at, (bus->waiting_count - at) * sizeof *bus->waiting);
    bus->waiting[at] = entry;
    bus->waiting_count++;
    bus->counters.held++;
    if (bus->waiting_count == WAITING_MAX)
        drain(bus, true);
    return true;
}

static void publish_durable(struct bus *bus, struct entry entry)
{
    if (entry.seq <= bus->last) {
        bus->counters.ignored++;
        free(entry.frame);
    } else if (!bus->dense || entry.seq == bus->last + 1) {
        give_out(bus, entry);
        drain(bus, false);
    } else if (!wait_for_turn(bus, entry)) {
        bus->counters.ignored++;
        free(entry.frame);
    }
}

void bus_publish(struct bus *bus, const struct bus_event *event)
{
    struct entry entry = {.seq = event->seq};

    if (event->type != NULL) {
        entry.frame = bus_frame(bus->name, event->seq > 0 ? event->seq : -1, event->type, event->json, &entry.length);
        if (entry.frame == NULL)
            log_error("bus.frame_lost", "type=%s seq=%lld", event->type, (long long)event->seq);
    }
    pthread_mutex_lock(&bus->lock);
    if (event->seq > 0) {
        publish_durable(bus, entry);
    } else {
        bus->counters.published++;
        if (bus->listener != NULL && entry.frame != NULL)
            bus->listener(bus->context, 0, entry.frame, entry.length);
        free(entry.frame);
    }
    pthread_mutex_unlock(&bus->lock);
}

void bus_tick(struct bus *bus, int64_t now_ms)
{
    pthread_mutex_lock(&bus->lock);
    if (bus->waiting_count > 0 && now_ms - bus->waiting_since >= BUS_HOLD_MS)
        drain(bus, true);
    pthread_mutex_unlock(&bus->lock);
}

/* The first kept event above seq, counted from the oldest. */
static size_t find_after(const struct bus *bus, int64_t seq)
{
    size_t low = 0, high = bus->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (bus->ring[(bus->first + middle) % bus->depth].seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool bus_replay(struct bus *bus, int64_t after_seq, char **frames, size_t *length, int64_t *last_seq)
{
    struct text text = {.max = SIZE_MAX / 2};
    bool ok;

    pthread_mutex_lock(&bus->lock);
    ok = after_seq >= bus->floor && after_seq <= bus->last;
    if (ok) {
        for (size_t i = find_after(bus, after_seq); i < bus->count; i++) {
            const struct entry *entry = &bus->ring[(bus->first + i) % bus->depth];

            text_add(&text, entry->frame, entry->length);
        }
        *last_seq = bus->last;
        bus->counters.replays++;
    }
    pthread_mutex_unlock(&bus->lock);
    if (!ok || text.failed) {
        free(text.bytes);
        return false;
    }
    *frames = text.bytes;
    *length = text.length;
    return true;
}

int64_t bus_last(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    int64_t last = bus->last;
    pthread_mutex_unlock(&bus->lock);
    return last;
}

void bus_counters(struct bus *bus, struct bus_counters *out)
{
    pthread_mutex_lock(&bus->lock);
    *out = bus->counters;
    pthread_mutex_unlock(&bus->lock);
}
