/* payload.h: what control.c, exploit.c and talk.c look at a payload with. Never reads beyond what was captured. */
#ifndef DETECTOR_PAYLOAD_H
#define DETECTOR_PAYLOAD_H

#include "detector/packet.h"
#include "detector/phrases.h"

static inline unsigned payload_le16(const uint8_t *p)
{
    return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static inline uint32_t payload_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline size_t payload_first(const struct packet *packet, size_t most)
{
    return packet->payload_captured < most ? packet->payload_captured : most;
}

/* Within the first bytes; the text may hold zeroes. */
bool payload_holds(const struct packet *packet, const char *text, size_t length, size_t most);
#define PAYLOAD_HOLDS(packet, text, most) payload_holds(packet, text, sizeof(text) - 1, most)
bool payload_finds(const struct packet *packet, const struct phrases *set, size_t most);

/* A run of 0x90, "do nothing" to a processor, which no text, and no number in a question, is. */
bool payload_has_sled(const uint8_t *bytes, size_t length);

#endif
