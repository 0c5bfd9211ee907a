/* capture_stream.h: a capture file as plain bytes, whether or not it is compressed: to look at in place, or as a
 * FILE.
 *
 * Both may be used in turn: the FILE has no buffer of its own and takes no byte more than it is asked for.
 * gzip (RFC 1952, also several members) and zstd (RFC 8878, also several frames) are told by their first bytes, not
 * by the name. Only detector/capture*.c use it. */
#ifndef DETECTOR_CAPTURE_STREAM_H
#define DETECTOR_CAPTURE_STREAM_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct capture_stream;

/* Opens path ("-": standard input). The FILE belongs to the stream. */
struct capture_stream *capture_stream_open(const char *path, struct err *err);
void capture_stream_close(struct capture_stream *stream);

/* The bytes from here on, at least n unless the stream ends, fails or n is more than CAPTURE_STREAM_PEEK: *have says
 * how many. They stay until the next peek for more than *have, or read of the FILE. Failures are told by the FILE. */
enum { CAPTURE_STREAM_PEEK = 384 * 1024 };
const uint8_t *capture_stream_peek(struct capture_stream *stream, size_t n, size_t *have);
void capture_stream_skip(struct capture_stream *stream, size_t n); /* of what was peeked at */

FILE *capture_stream_file(struct capture_stream *stream);
/* From now on somebody else closes the FILE, before the stream is closed. */
void capture_stream_hand_over(struct capture_stream *stream);
/* Bytes read of the file as it lies on the disk, and its size (0: unknown). */
void capture_stream_progress(const struct capture_stream *stream, int64_t *done, int64_t *total);
/* What is wrong with the compressed data, or NULL. *cut: they merely end too early. */
const char *capture_stream_fault(const struct capture_stream *stream, bool *cut);

#endif
