/* Whatever threat_from_json takes is written within its limit, read again, and written the same. */
#include "common/json.h"
#include "common/threat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_threat(const char *text, size_t length, struct threat *out)
{
    struct threat_fault faults[THREAT_FAULTS];
    size_t count = 0;
    cJSON *json = json_parse(text, length, NULL);
    bool ok = json != NULL && threat_from_json(out, json, faults, &count, NULL);

    if (json != NULL && !ok && count == 0)
        abort(); /* a refusal names a field */
    cJSON_Delete(json);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct threat first = {0}, second = {0};
    char *a, *b;

    if (!read_threat((const char *)data, size, &first))
        return 0;
    a = threat_to_json(&first);
    if (strlen(a) > THREAT_JSON_MAX || !read_threat(a, strlen(a), &second))
        abort();
    b = threat_to_json(&second);
    if (strcmp(a, b) != 0)
        abort();
    free(a);
    free(b);
    threat_clear(&first);
    threat_clear(&second);
    return 0;
}
