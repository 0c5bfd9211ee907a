/* Any bytes as a query: a tree or an error that points inside of it, never a crash. */
#include "backend/search.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *query = malloc(size + 1);
    struct err err = {0};
    size_t at = 0;
    struct search *s;

    if (query == NULL)
        return 0;
    memcpy(query, data, size);
    query[size] = '\0';
    s = search_parse(query, &at, &err);
    if (s == NULL && (at > strlen(query) || err.text[0] == '\0'))
        abort();
    search_free(s);
    search_free(search_term("source", query, NULL));
    search_free(search_term("port", query, NULL));
    search_free(search_term("time", query, NULL));
    free(query);
    return 0;
}
