/* hub_inbox.c: arrays that grow. */
#include "backend/hub_inbox.h"

#include <stdlib.h>

bool hub_grow(void **array, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room == 0 ? 64 : *room * 2;
    void *bigger;

    if (count < *room)
        return true;
    bigger = realloc(*array, wanted * size);
    if (bigger == NULL)
        return false;
    *array = bigger;
    *room = wanted;
    return true;
}

bool hub_inbox_room(struct hub_inbox *inbox, size_t length)
{
    size_t wanted = (inbox->length + length) * 2 + 4096;
    char *bigger;

    if (inbox->length + length <= inbox->room)
        return true;
    if (inbox->length + length > HUB_INBOX_MAX || (bigger = realloc(inbox->bytes, wanted)) == NULL)
        return false;
    inbox->bytes = bigger;
    inbox->room = wanted;
    return true;
}

void hub_inbox_clear(struct hub_inbox *inbox)
{
    free(inbox->bytes);
    free(inbox->frames);
    free(inbox->readers);
    free(inbox->orders);
}
