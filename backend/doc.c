/* doc.c: see doc.h. */
#include "backend/doc.h"

#include "backend/store.h"
#include "common/clock.h"
#include "common/http_server.h"
#include "common/json.h"
#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>

void doc_new_id(const char *front, int64_t now_ms, char out[DOC_ID])
{
    uint8_t rest[10];
    char ulid[TOKEN_ULID];

    token_random(rest, sizeof rest);
    token_ulid(now_ms, rest, ulid);
    snprintf(out, DOC_ID, "%.12s_%s", front, ulid);
}

bool doc_put(struct store *store, const char *kind, const char *id, const char *name, cJSON *json, int64_t expires_ms,
             int64_t expected_version, int64_t *version, struct err *err)
{
    char *text = json_print(json);
    int64_t ignored;
    bool ok = text != NULL || err_set(err, ERR_MEMORY, "%s: out of memory", kind);

    ok = ok && store_doc_put(store, kind, id, name, text, expires_ms, expected_version,
                             version != NULL ? version : &ignored, err);
    free(text);
    cJSON_Delete(json);
    return ok;
}

void doc_add_time(cJSON *object, const char *name, int64_t ms)
{
    char text[CLOCK_TEXT];

    if (ms == 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    clock_text_ms(ms, text);
    cJSON_AddStringToObject(object, name, text);
}

void doc_answer_list(struct http_request *request, const char *name, cJSON *list)
{
    cJSON *answer = cJSON_CreateObject();

    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddNumberToObject(answer, "count", cJSON_GetArraySize(list));
    cJSON_AddItemToObject(answer, name, list);
    http_answer_json(request, 200, answer);
}

void doc_answer_one(struct http_request *request, int status, const char *name, cJSON *one)
{
    cJSON *answer = cJSON_CreateObject();

    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddItemToObject(answer, name, one);
    http_answer_json(request, status, answer);
}
