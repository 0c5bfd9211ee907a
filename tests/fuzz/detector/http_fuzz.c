/* Fuzzes the readers of detector/http.h and http_answer.h. */
#include "detector/http.h"
#include "detector/http_answer.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *at;

    (void)http_pattern(bytes, size);
    (void)http_answer_of(bytes, size);
    (void)http_is_denied(bytes, size);
    (void)http_password(bytes, size, &at);
    return 0;
}
