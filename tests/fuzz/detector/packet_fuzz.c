/* packet_fuzz.c: any bytes as frames of any link type; fragments meet in one decoder. */
#include "detector/packet.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct packet *p, enum packet_reason reason, const uint8_t *frame, size_t n)
{
    if (reason != PACKET_OK)
        return;
    if (p->version != 4 && p->version != 6)
        abort();
    if (p->payload_captured > 0 && (p->payload < frame || p->payload + p->payload_captured > frame + n))
        abort();
    if ((uint64_t)p->header_bytes + p->payload_bytes > p->ip_bytes || p->payload_captured > p->payload_bytes)
        abort();
}

/* Input: a byte of options, then frames: link, length (2 bytes), bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int links[] = {1, 0, 9, 12, 50, 101, 108, 113, 228, 229, 276, 147};

    if (size == 0)
        return 0;
    struct packet_decoder *decoder = packet_decoder_create(data[0] & 1);
    if (decoder == NULL)
        return 0;
    data++;
    size--;
    for (int64_t time = 0; size >= 3; time += 1000000000) {
        size_t n = (size_t)data[1] << 8 | data[2];
        if (n > size - 3)
            n = size - 3;
        uint8_t *frame = malloc(n > 0 ? n : 1); /* of its own, so that a read beyond it is seen */
        struct packet packet;
        memcpy(frame, data + 3, n);
        check(&packet, packet_decode(decoder, links[data[0] % 12], time, frame, n, &packet), frame, n);
        free(frame);
        data += 3 + n;
        size -= 3 + n;
    }
    packet_decoder_free(decoder);
    return 0;
}
