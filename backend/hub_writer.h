/* hub_writer.h: one thread that writes frames to many sockets. Only the hub calls it. */
#ifndef BACKEND_HUB_WRITER_H
#define BACKEND_HUB_WRITER_H

#include "backend/hub.h"

struct hub_writer;
struct hub_reader; /* one stream */

/* Takes fd and head. NULL when memory is out: then both stay the caller's. */
struct hub_reader *hub_reader_create(int fd, const char *user, const char *session, char *head, size_t length,
                                     int64_t after_seq);
void hub_reader_free(struct hub_reader *reader); /* closes its fd; NULL is fine */

/* left is called from the writer's thread for each stream that has ended. */
struct hub_writer *hub_writer_start(int number, size_t ring_bytes, int heartbeat_s,
                                    void (*left)(void *context, const char *user), void *context, struct err *err);
void hub_writer_stop(struct hub_writer *writer);

void hub_writer_publish(struct hub_writer *writer, int64_t seq, const char *frame, size_t length);
bool hub_writer_add(struct hub_writer *writer,
                    struct hub_reader *reader); /* false: memory is out, reader untouched */
void hub_writer_end(struct hub_writer *writer, const char *user, const char *session); /* one of them is NULL */
void hub_writer_count(const struct hub_writer *writer, struct hub_counters *add_to);

#endif
