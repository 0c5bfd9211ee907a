/* Whatever json_parse takes, json_print writes and json_parse takes again; a tree in a room is the same tree. */
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_same(const char *wanted, const cJSON *json)
{
    char *text = json_print(json);

    if (text == NULL || strcmp(text, wanted) != 0)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *json = json_parse((const char *)data, size, NULL);
    struct json_room room;
    const cJSON *inside;
    char *text;

    json_room_open(&room);
    inside = json_parse_in(&room, (const char *)data, size, NULL);
    if ((json == NULL) != (inside == NULL))
        abort();
    if (json != NULL) {
        text = json_print(json);
        print_same(text, inside);
        inside = json_parse_in(&room, text, strlen(text), NULL); /* beside the first one */
        if (inside == NULL)
            abort();
        print_same(text, inside);
        free(text);
        cJSON_Delete(json);
    }
    json_room_close(&room);
    return 0;
}
