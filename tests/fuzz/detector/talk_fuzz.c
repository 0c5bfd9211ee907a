/* Fuzzes the reader of detector/talk.h: two bytes of each port, then the segment. */
#include "detector/talk.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct packet packet = {.protocol = 6};

    if (size < 4)
        return 0;
    packet.source_port = (uint16_t)(bytes[0] << 8 | bytes[1]);
    packet.destination_port = (uint16_t)(bytes[2] << 8 | bytes[3]);
    packet.payload = bytes + 4;
    packet.payload_bytes = packet.payload_captured = (uint32_t)size - 4;
    (void)talk_of(&packet);
    return 0;
}
