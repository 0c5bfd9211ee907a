/* payload.h: what control.c, exploit.c and talk.c look at a payload with. Never reads beyond what was captured. */
#ifndef DETECTOR_PAYLOAD_H
#define DETECTOR_PAYLOAD_H

#include "detector/bytes.h"
#include "detector/packet.h"
#include "detector/phrases.h"

static inline size_t payload_first(const struct packet *packet, size_t most)
{
    return packet->payload_captured < most ? packet->payload_captured : most;
}

/* Within the first bytes; the text may hold zeroes. */
bool payload_holds(const struct packet *packet, const char *text, size_t length, size_t most);
#define PAYLOAD_HOLDS(packet, text, most) payload_holds(packet, text, sizeof(text) - 1, most)
bool payload_finds(const struct packet *packet, const struct phrases *set, size_t most);

/* Whether one of the bytes at each step is in the middle of a run of the same, longer than most. step: not above
 * most. */
bool payload_has_run(const uint8_t *bytes, size_t length, size_t step, size_t most, bool (*may)(uint8_t byte));
/* A run of 0x90, "do nothing" to a processor, which no text, and no number in a question, is. */
bool payload_has_sled(const uint8_t *bytes, size_t length);

#endif
