/* Login tokens from anybody. Nothing that the fuzzer makes may be accepted: it does not have the key. */
#include "backend/auth.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct auth_key key = {.bytes = "a key that is in no corpus: 0123456789", .length = 38};
    struct auth_claims claims;
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (auth_token_read(&key, text, 1500, &claims, NULL))
        abort();
    free(text);
    return 0;
}
