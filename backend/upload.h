/* upload.h: captures that people hand in: to disk, on to a detector, and what came of it.
 *
 * A job is a document ("upload"), so every backend can tell of it; the one that took it keeps it in memory while it
 * runs. The threats come by the webhook like all others, marked with the job. */
#ifndef BACKEND_UPLOAD_H
#define BACKEND_UPLOAD_H

#include "backend/api.h"

#define UPLOAD_BYTES_MAX (500LL * 1000 * 1000)
enum { UPLOADS_AT_ONCE = 8, UPLOAD_NAME = 256 };

struct uploads *uploads_open(struct api *api, struct err *err);
void uploads_stop(struct uploads *uploads);  /* ends what runs and wakes who waits; NULL is fine */
void uploads_close(struct uploads *uploads); /* after the last request; NULL is fine */

/* What a capture begins with: pcap, pcapng, or gzip around them. Needs 4 bytes. */
bool upload_is_capture(const unsigned char *bytes, size_t length);

#endif
