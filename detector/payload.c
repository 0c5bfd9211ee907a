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

bool payload_has_run(const uint8_t *bytes, size_t length, size_t step, size_t most, bool (*may)(uint8_t byte))
{
    for (size_t at = step; at < length; at += step) {
        size_t from = at, to = at;

        if (!may(bytes[at]))
            continue;
        while (from > 0 && bytes[from - 1] == bytes[at])
            from--;
        while (to + 1 < length && bytes[to + 1] == bytes[at])
            to++;
        if (to - from >= most)
            return true;
    }
    return false;
}

static bool is_nothing(uint8_t byte)
{
    return byte == 0x90;
}

bool payload_has_sled(const uint8_t *bytes, size_t length)
{
    enum { STEP = 16, SLED = 24 };

    return payload_has_run(bytes, length, STEP, SLED, is_nothing);
}
