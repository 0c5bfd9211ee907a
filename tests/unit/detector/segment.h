/* segment.h: packets that hold a payload and the ports it goes between; nothing else of them is set. */
#ifndef TESTS_UNIT_DETECTOR_SEGMENT_H
#define TESTS_UNIT_DETECTOR_SEGMENT_H

#include "tests/unit/check.h"

#include "detector/packet.h"

#include <stdlib.h>
#include <string.h>

/* The bytes are borrowed. */
static inline struct packet segment(uint8_t protocol, uint16_t from, uint16_t to, const void *bytes, size_t size)
{
    struct packet packet = {.protocol = protocol, .source_port = from, .destination_port = to, .payload = bytes};

    packet.payload_bytes = packet.payload_captured = (uint32_t)size;
    return packet;
}

/* The same with bytes of its own, in memory of just that size: AddressSanitizer sees what is read beyond it. */
static inline struct packet segment_copy(uint8_t protocol, uint16_t from, uint16_t to, const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return segment(protocol, from, to, copy, size);
}

static inline void segment_free(const struct packet *packet)
{
    free((void *)(uintptr_t)packet->payload);
}

#endif
