/* Secrets, headers and timestamps of any bytes; none of them may open the door. */
#include "common/signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char letters[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    char *text = malloc(size + 1);
    struct signature_key key, own;

    memcpy(text, data, size);
    text[size] = '\0';
    if (!signature_key_from_text(letters, &own, NULL))
        abort();
    signature_key_from_text(text, &key, NULL);
    if (signature_check(&own, 1, text, "id", "1614265330", 1614265330, "", 0, NULL, NULL))
        abort();
    if (signature_check(&own, 1, "v1,AAAA", "id", text, 1614265330, "", 0, NULL, NULL))
        abort();
    free(text);
    return 0;
}
