/* listing.h: answers with all small documents of a kind: {"success":true,"count":n,NAME:[...]}. */
#ifndef BACKEND_LISTING_H
#define BACKEND_LISTING_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request;
struct store;

/* What is shown of one; NULL: it is left out. */
typedef cJSON *listing_row(void *context, const char *id, int64_t version, const char *json);

struct listing {
    const char *kind, *name;
    bool newest_first;
    size_t limit;
    listing_row *row;
    void *context;
};

void listing_answer(struct http_request *request, struct store *store, const struct listing *listing);

#endif
