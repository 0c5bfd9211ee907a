/* Fuzzes the reader of detector/talk.h: two bytes of each port, then the segment or datagram. */
#include "detector/talk.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is wanted of it then. */
static void ask(const struct packet *packet, enum talk talk)
{
    struct guess guess;

    if (talk == TALK_COMMUNITY)
        (void)talk_community(packet);
    else if (talk == TALK_NAME)
        (void)talk_name(packet);
    else if (talk == TALK_LEASE)
        (void)talk_maker(packet);
    else if (talk == TALK_FUNCTION)
        (void)talk_function(packet);
    else if (talk == TALK_GUESS)
        (void)talk_guess(packet, &guess);
    else if (talk == TALK_REQUEST)
        (void)guess_in_request(packet->payload, packet->payload_captured, &guess);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t protocols[] = {6, 17};
    struct packet packet = {0};

    if (size < 4)
        return 0;
    packet.source_port = (uint16_t)(bytes[0] << 8 | bytes[1]);
    packet.destination_port = (uint16_t)(bytes[2] << 8 | bytes[3]);
    packet.payload = bytes + 4;
    packet.payload_bytes = packet.payload_captured = (uint32_t)size - 4;
    for (size_t i = 0; i < sizeof protocols; i++) {
        packet.protocol = protocols[i];
        ask(&packet, talk_of(&packet));
    }
    return 0;
}
