/* Ids, networks and export lines from any bytes. */
#include "backend/export.h"
#include "backend/network.h"
#include "backend/stream.h"
#include "backend/upload.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct network network;
    int64_t seq = 0;

    memcpy(text, data, size);
    text[size] = '\0';
    if (stream_position(text, "abc", &seq) && seq < 0)
        abort();
    if (network_parse(text, &network, NULL) && !network_has(&network, network.low))
        abort();
    upload_is_capture(data, size);
    for (int format = EXPORT_CSV; format <= EXPORT_EVE; format++) {
        struct text out = {.max = 1 << 20};

        export_line(&out, (enum export_format)format, text);
        export_cell(&out, text);
        free(out.bytes);
    }
    free(text);
    return 0;
}
