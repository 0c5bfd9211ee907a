/* utf8.c: the table of well-formed byte sequences of RFC 3629, section 4 (see utf8.h). */
#include "common/utf8.h"

#include <stdint.h>

size_t utf8_char(const char *bytes, size_t left)
{
    const uint8_t *p = (const uint8_t *)bytes;
    uint8_t low = 0x80, high = 0xbf; /* of the second byte */
    size_t length;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool utf8_valid(const char *bytes, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t step = utf8_char(bytes + at, length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}
