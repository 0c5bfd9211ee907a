/* capture_fuzz.c: any bytes as a capture file, also compressed; what comes out is decoded. */
#include "detector/capture.h"
#include "detector/packet.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Both ways of reading, in turn. */
static bool next(struct capture *capture, int turn, struct capture_frame *frame, struct err *err)
{
    if (turn % 4 != 3 && capture_more(capture, frame, 1) == 1)
        return true;
    return capture_next(capture, 0, frame, err) == CAPTURE_FRAME;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64];
    struct err err;
    struct capture_frame frame;
    struct packet packet;
    uint8_t sum = 0;

    if (file < 0)
        file = memfd_create("capture", 0);
    if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct capture *capture = capture_open_file(path, NULL, &err);
    struct packet_decoder *decoder = packet_decoder_create(true);
    int64_t done = 0, total = 0;
    /* A bomb is bounded: what a small file unpacks to is read in part. */
    for (int i = 0; capture != NULL && i < 10000 && next(capture, i, &frame, &err); i++) {
        if (frame.time_ns < 0 || frame.time_ns > INT64_C(1) << 62)
            abort();
        for (size_t k = 0; k < frame.captured; k += 64)
            sum ^= frame.bytes[k];
        if (frame.captured > 0)
            sum ^= frame.bytes[frame.captured - 1];
        (void)packet_decode(decoder, frame.link, frame.time_ns, frame.bytes, frame.captured, &packet);
    }
    if (capture != NULL) {
        capture_progress(capture, &done, &total);
        if (done < 0 || done > total || total != (int64_t)size)
            abort();
    }
    __asm__ volatile("" : : "r"(sum)); /* keeps the reads above */
    packet_decoder_free(decoder);
    capture_close(capture);
    return 0;
}
