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
struct bus_settings {
    size_t depth;     /* events kept */
    size_t bytes;     /* ceiling of what they may take */
    const char *name; /* of the store: first half of the ids */
    int64_t last;     /* sequence of the newest event that is stored already */
    bool dense;       /* every number comes, though writers may hand in neighbours swapped: put them in order */
};
struct bus_event {
    int64_t seq; /* 0: not durable (sensor, model_stats, ...) */
    const char
        *type; /* "threat_detected", ...; NULL: the number is taken, but there is nothing to show (suppressed) */
    const char *json; /* value of "data"; NULL: none */
};
enum { BUS_HOLD_MS = 2000 }; /* so long a missing number holds back its successors; then a "gap" tells of it */

struct bus *bus_create(const struct bus_settings *settings); /* NULL when memory is out */
void bus_free(struct bus *bus);

/* Called in order, one at a time, with the bus locked: it must not wait and not call the bus. */
typedef void bus_listener(void *context, int64_t seq, const char *frame, size_t length);
void bus_listen(struct bus *bus, bus_listener *listener, void *context); /* before the first publish */

/* Durable events reach the listener in sequence order; one that was heard before is ignored. */
void bus_publish(struct bus *bus, const struct bus_event *event);
/* Lets go of what waited too long for a missing number; called a few times a second with the monotonic clock. */
void bus_tick(struct bus *bus, int64_t now_ms);

/* Frames after seq, oldest first, as one text (owned by the caller; may be empty), and the sequence reached. False:
 * memory does not reach back that far (or is out). */
bool bus_replay(struct bus *bus, int64_t after_seq, char **frames, size_t *length, int64_t *last_seq);
int64_t bus_last(struct bus *bus);

/* One frame of the stream: "id: NAME.ID\n" (none when id < 0) and "data: {type, data, timestamp}\n\n". Owned by the
 * caller; NULL when memory is out. */
char *bus_frame(const char *name, int64_t id, const char *type, const char *json, size_t *length);

struct bus_counters {
    uint64_t published, ignored, held, gaps, replays;
};
void bus_counters(struct bus *bus, struct bus_counters *out);

#endif
