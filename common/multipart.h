/* multipart.h: a multipart/form-data body read piece by piece (RFC 7578, RFC 2046).
 *
 * Bytes are fed as they come and parts are handed on as they are found; memory is bounded whatever is sent. For the
 * bodies of uploads, which do not fit into memory. One thread. */
#ifndef COMMON_MULTIPART_H
#define COMMON_MULTIPART_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_NAME = 256, MULTIPART_HEADERS = 8192, MULTIPART_PARTS = 64 };

struct multipart_sink {
    /* A part begins; file is NULL when it has no file name. Any of them may return false to end the reading (err is
     * then the callback's to fill). */
    bool (*part)(void *context, const char *name, const char *file);
    bool (*data)(void *context, const char *bytes, size_t length);
    bool (*end)(void *context); /* the part is whole */
    void *context;
};

struct multipart;
/* NULL with err when the Content-Type is no multipart/form-data with a boundary of 1 to 70 characters. */
struct multipart *multipart_create(const char *content_type, const struct multipart_sink *sink, struct err *err);
void multipart_free(struct multipart *multipart);
/* False: the bytes are no multipart body (ERR_INVALID), or a callback said no (ERR_DENIED unless it filled err). */
bool multipart_feed(struct multipart *multipart, const char *bytes, size_t length, struct err *err);
/* The body is over: false with ERR_CUT_SHORT when its last boundary has not come. */
bool multipart_finish(const struct multipart *multipart, struct err *err);

#endif
