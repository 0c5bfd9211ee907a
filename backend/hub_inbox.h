/* hub_inbox.h: what waits for a writer: frames, new readers, and orders to end some. The writer locks it. */
#ifndef BACKEND_HUB_INBOX_H
#define BACKEND_HUB_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HUB_INBOX_MAX = 64 << 20 }; /* bytes of frames */

struct hub_reader;

struct hub_frame {
    int64_t seq;
    size_t length;
};
struct hub_order {
    char user[65], session[65];
};
struct hub_inbox {
    char *bytes;
    size_t length, room;
    struct hub_frame *frames;
    size_t frame_count, frame_room;
    struct hub_reader **readers;
    size_t reader_count, reader_room;
    struct hub_order *orders;
    size_t order_count, order_room;
};

/* Makes room in an array for one more element of size bytes. False: memory is out, the array is as it was. */
bool hub_grow(void **array, size_t count, size_t *room, size_t size);
/* Makes room for length bytes of a frame. */
bool hub_inbox_room(struct hub_inbox *inbox, size_t length);
void hub_inbox_clear(struct hub_inbox *inbox);

#endif
