/* stream.h: GET /api/network/stream, and the ids by which a client says what it has. */
#ifndef BACKEND_STREAM_H
#define BACKEND_STREAM_H

#include "backend/api.h"
#include "backend/store.h"

/* "NAME.SEQ": false when text is none, or of another store than name. */
bool stream_position(const char *text, const char *name, int64_t *seq);

/* The type of a stored event on the stream. */
const char *stream_event_type(enum store_event event);

#endif
