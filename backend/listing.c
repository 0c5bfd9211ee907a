/* listing.c: see listing.h. */
#include "backend/listing.h"

#include "backend/api.h"
#include "backend/doc.h"
#include "backend/store.h"

struct shown {
    const struct listing *listing;
    cJSON *list;
};

static bool show_row(void *context, const char *id, int64_t version, const char *json)
{
    struct shown *shown = context;
    cJSON *row = shown->listing->row(shown->listing->context, id, version, json);

    if (row != NULL)
        cJSON_AddItemToArray(shown->list, row);
    return true;
}

void listing_answer(struct http_request *request, struct store *store, const struct listing *listing)
{
    struct shown shown = {.listing = listing, .list = cJSON_CreateArray()};
    struct err err = {0};

    if (store_doc_list(store, listing->kind, NULL, listing->newest_first, listing->limit, show_row, &shown, &err)) {
        doc_answer_list(request, listing->name, shown.list);
        return;
    }
    cJSON_Delete(shown.list);
    api_fail(request, &err);
}
