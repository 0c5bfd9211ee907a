/* form.c: see form.h. */
#include "backend/form.h"

#include "backend/api.h"
#include "common/clock.h"
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool form_begin(struct form *form, struct http_request *request)
{
    form->request = request;
    form->details = NULL;
    form->body = api_body(request);
    return form->body != NULL;
}

void form_free(struct form *form)
{
    cJSON_Delete(form->body);
    cJSON_Delete(form->details);
    form->body = NULL;
    form->details = NULL;
}

bool form_end(struct form *form)
{
    cJSON *answer;
    char message[256];
    const cJSON *first = cJSON_GetArrayItem(form->details, 0);

    if (first == NULL)
        return true;
    snprintf(message, sizeof message, "%s: expected %s", json_member(first, "field")->valuestring,
             json_member(first, "expected")->valuestring);
    answer = cJSON_CreateObject();
    cJSON_AddFalseToObject(answer, "success");
    cJSON_AddStringToObject(answer, "code", "validation");
    cJSON_AddStringToObject(answer, "message", message);
    cJSON_AddItemToObject(answer, "details", form->details);
    form->details = NULL;
    http_answer_json(form->request, 400, answer);
    form_free(form);
    return false;
}

void form_wrong(struct form *form, const char *field, const char *expected)
{
    cJSON *detail = cJSON_CreateObject();

    if (form->details == NULL)
        form->details = cJSON_CreateArray();
    cJSON_AddStringToObject(detail, "field", field);
    cJSON_AddStringToObject(detail, "expected", expected);
    cJSON_AddItemToArray(form->details, detail);
}

bool form_has(const struct form *form, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(form->body, name) != NULL;
}

/* The member, or NULL, noted when it is needed. */
static const cJSON *member(struct form *form, const char *name, enum form_need need, const char *expected)
{
    const cJSON *value = json_member(form->body, name);

    if (value == NULL && need == FORM_NEEDED)
        form_wrong(form, name, expected);
    return value;
}

bool form_text(struct form *form, const char *name, enum form_need need, size_t min, size_t max, char *out,
               size_t size)
{
    const cJSON *value;
    char expected[96];

    if (max > size - 1)
        max = size - 1;
    snprintf(expected, sizeof expected, "a text of %zu to %zu bytes", min, max);
    value = member(form, name, need, expected);
    if (value == NULL)
        return false;
    if (!cJSON_IsString(value) || strlen(value->valuestring) < min || strlen(value->valuestring) > max) {
        form_wrong(form, name, expected);
        return false;
    }
    memcpy(out, value->valuestring, strlen(value->valuestring) + 1);
    return true;
}

bool form_number(struct form *form, const char *name, enum form_need need, double min, double max, double *out)
{
    const cJSON *value;
    char expected[96];

    snprintf(expected, sizeof expected, "a number from %g to %g", min, max);
    value = member(form, name, need, expected);
    if (value == NULL)
        return false;
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= min && value->valuedouble <= max)) {
        form_wrong(form, name, expected);
        return false;
    }
    *out = value->valuedouble;
    return true;
}

bool form_integer(struct form *form, const char *name, enum form_need need, int64_t min, int64_t max, int64_t *out)
{
    const cJSON *value;
    char expected[96];

    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)min, (long long)max);
    value = member(form, name, need, expected);
    if (value == NULL)
        return false;
    if (!cJSON_IsNumber(value) || value->valuedouble != floor(value->valuedouble) ||
        !(value->valuedouble >= (double)min && value->valuedouble <= (double)max)) {
        form_wrong(form, name, expected);
        return false;
    }
    *out = (int64_t)value->valuedouble;
    return true;
}

bool form_flag(struct form *form, const char *name, enum form_need need, bool *out)
{
    const cJSON *value = member(form, name, need, "true or false");

    if (value == NULL)
        return false;
    if (!cJSON_IsBool(value)) {
        form_wrong(form, name, "true or false");
        return false;
    }
    *out = cJSON_IsTrue(value);
    return true;
}

bool form_expiry(struct form *form, const char *name, int64_t now_ms, int64_t *out_ms)
{
    const cJSON *value = json_member(form->body, name);
    int64_t us;

    if (value == NULL) {
        *out_ms = 0;
        return form_has(form, name);
    }
    if (!cJSON_IsString(value) || !clock_parse_us(value->valuestring, &us) || us / 1000 <= now_ms) {
        form_wrong(form, name, "a time to come, like 2030-01-31T12:00:00Z, or null");
        return false;
    }
    *out_ms = us / 1000;
    return true;
}
