/* payload.c: see payload.h. */
#include "detector/payload.h"

#include <string.h>

bool payload_holds(const struct packet *packet, const char *text, size_t length, size_t most)
{
    return memmem(packet->payload, payload_first(packet, most), text, length) != NULL;
}

bool payload_finds(const struct packet *packet, const struct phrases *set, size_t most)
{
    return phrases_find(set, packet->payload, payload_first(packet, most)) != 0;
}

bool payload_has_sled(const uint8_t *bytes, size_t length)
{
    enum { STEP = 16, SLED = 24, NOTHING = 0x90 };

    for (size_t at = STEP; at < length; at += STEP) {
        size_t from = at, to = at;

        if (bytes[at] != NOTHING)
            continue;
        while (from > 0 && bytes[from - 1] == NOTHING)
            from--;
        while (to + 1 < length && bytes[to + 1] == NOTHING)
            to++;
        if (to - from >= SLED)
            return true;
    }
    return false;
}
