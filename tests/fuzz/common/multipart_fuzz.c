/* multipart_fuzz.c: the first byte is the size of the pieces, the rest a body. What is found must not depend on the
 * pieces. */
#include "common/multipart.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    uint64_t hash;
    size_t bytes;
};

static bool part(void *context, const char *name, const char *file)
{
    struct seen *seen = context;

    for (const char *p = name; *p; p++)
        seen->hash = seen->hash * 31 + (unsigned char)*p;
    for (const char *p = file ? file : "?"; *p; p++)
        seen->hash = seen->hash * 37 + (unsigned char)*p;
    return true;
}

static bool data(void *context, const char *bytes, size_t length)
{
    struct seen *seen = context;

    for (size_t i = 0; i < length; i++)
        seen->hash = seen->hash * 41 + (unsigned char)bytes[i];
    seen->bytes += length;
    return true;
}

static bool end(void *context)
{
    ((struct seen *)context)->hash++;
    return true;
}

static bool run(const char *bytes, size_t length, size_t piece, struct seen *seen)
{
    const struct multipart_sink sink = {part, data, end, seen};
    struct multipart *m = multipart_create("multipart/form-data; boundary=b", &sink, NULL);
    bool ok = m != NULL;

    for (size_t at = 0; ok && at < length; at += piece)
        ok = multipart_feed(m, bytes + at, piece < length - at ? piece : length - at, NULL);
    ok = ok && multipart_finish(m, NULL);
    multipart_free(m);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct seen one = {0}, other = {0};

    if (size < 2)
        return 0;
    if (run((const char *)bytes + 1, size - 1, (size_t)bytes[0] + 1, &one) &&
        (!run((const char *)bytes + 1, size - 1, size, &other) || one.hash != other.hash || one.bytes != other.bytes))
        abort();
    return 0;
}
