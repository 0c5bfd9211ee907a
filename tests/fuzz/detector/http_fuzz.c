/* Fuzzes the reader of detector/http.h. */
#include "detector/http.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    (void)http_pattern(bytes, size);
    return 0;
}
