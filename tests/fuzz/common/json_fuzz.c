/* Whatever json_parse takes, json_print writes and json_parse takes again. */
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *json = json_parse((const char *)data, size, NULL), *again;
    char *first, *second;

    if (json == NULL)
        return 0;
    first = json_print(json);
    again = json_parse(first, strlen(first), NULL);
    if (again == NULL)
        abort();
    second = json_print(again);
    if (strcmp(first, second) != 0)
        abort();
    free(first);
    free(second);
    cJSON_Delete(json);
    cJSON_Delete(again);
    return 0;
}
