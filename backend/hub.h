/* hub.h: the streams. An own epoll writer for many sockets; no stream holds a worker.
 *
 * Frames are copied once into a byte ring per writer; a subscriber is a descriptor and a cursor; one send carries
 * all it lacks. One that falls a whole ring behind is closed and comes back with its last id. Publishing never waits
 * for subscribers. Any thread may call. */
#ifndef BACKEND_HUB_H
#define BACKEND_HUB_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;
struct hub_settings {
    int writers;       /* threads */
    size_t ring_bytes; /* power of two, per writer; a longer frame than half of it is dropped */
    int heartbeat_s;
    size_t max_streams; /* in all */
    size_t max_per_user;
};
struct hub_counters {
    uint64_t open, opened, closed_by_peer, closed_slow, ended, refused, bytes, frames;
};

struct hub *hub_start(const struct hub_settings *settings, struct err *err);
void hub_stop(struct hub *hub); /* tells streams to come back ("retry:"), closes all; nobody may call afterwards */
/* Durable frames (seq > 0) come in rising sequence. */
void hub_publish(struct hub *hub, int64_t seq, const char *frame, size_t length);
/* Room for one more of this user? Counts it as refused when not. */
bool hub_has_room(struct hub *hub, const char *user);
/* Takes fd (closes it on false). head (response head, first frames, replay) is taken too, an allocated text, and sent
 * first; then every frame published with a seq above after_seq, also when that happened before this call (and those
 * without one from now on). user and session are copied. */
bool hub_add(struct hub *hub, int fd, const char *user, const char *session, char *head, size_t length,
             int64_t after_seq, struct err *err);
void hub_end_user(struct hub *hub, const char *user); /* closes every stream of a user at once */
void hub_end_session(struct hub *hub, const char *session);
void hub_counters(struct hub *hub, struct hub_counters *out);

#endif
