/* bus.h: tells the stream what has just been stored (step 9 of the guide).
 *
 * Keeps the latest events in memory, so that a page that comes back after a short while needs no store. Frames
 * are serialised once. Publishers never wait for readers. Any thread may call. */
#ifndef BACKEND_BUS_H
#define BACKEND_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct bus_event {
    int64_t seq;         /* 0: not durable (sensor, heartbeat, model_stats) */
    const char *type;    /* "threat_detected", ... */
    const char *json;    /* value of "data" */
};
/* depth: events kept; bytes: ceiling of what they may take. */
struct bus *bus_create(size_t depth, size_t bytes);
void bus_free(struct bus *bus);

typedef void bus_listener(void *context, const struct bus_event *event, const char *frame, size_t length);
void bus_listen(struct bus *bus, bus_listener *listener, void *context); /* before the first publish */

/* Durable events must come in sequence order; one that is not above the last is ignored (it was heard twice). */
void bus_publish(struct bus *bus, const struct bus_event *event);

/* Frames after seq, oldest first, as one text (owned by the caller). False: memory does not reach back that far. */
bool bus_replay(struct bus *bus, int64_t after_seq, char **frames, size_t *length, int64_t *last_seq);
int64_t bus_last(const struct bus *bus);

#endif
