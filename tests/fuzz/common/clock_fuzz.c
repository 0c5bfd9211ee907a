/* A time that is read is written so that it reads the same. */
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[64] = "", out[CLOCK_TEXT];
    int64_t us = 0, again = 0;

    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    if (!clock_parse_us(text, &us))
        return 0;
    clock_text_us(us, out);
    if (!clock_parse_us(out, &again) || again != us)
        abort();
    return 0;
}
