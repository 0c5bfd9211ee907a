/* form.h: reads the members of a request's body and answers once for all that is wrong with them.
 *
 *   form_begin(&form, request)           400 when the body is no JSON object
 *   form_text(&form, "name", ...)        notes {field, expected} where it does not fit
 *   if (!form_end(&form)) return;        400 with all the notes, as "details"
 *   form_free(&form)
 *
 * Members it is not asked for are ignored. */
#ifndef BACKEND_FORM_H
#define BACKEND_FORM_H

#include "common/http_server.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct form {
    struct http_request *request;
    cJSON *body;    /* NULL: answered already */
    cJSON *details; /* what is wrong; NULL: nothing */
};

enum form_need { FORM_NEEDED, FORM_OPTIONAL };

bool form_begin(struct form *form, struct http_request *request);
bool form_end(struct form *form); /* false: answered with 400, and freed */
void form_free(struct form *form);

/* Notes a field as wrong. */
void form_wrong(struct form *form, const char *field, const char *expected);

/* True when the member is there and fits; out is untouched otherwise. null counts as missing. */
bool form_text(struct form *form, const char *name, enum form_need need, size_t min, size_t max, char *out,
               size_t size);
bool form_integer(struct form *form, const char *name, enum form_need need, int64_t min, int64_t max, int64_t *out);
bool form_number(struct form *form, const char *name, enum form_need need, double min, double max, double *out);
bool form_flag(struct form *form, const char *name, enum form_need need, bool *out);
/* An ISO time in the future, or null: *out_ms 0. */
bool form_expiry(struct form *form, const char *name, int64_t now_ms, int64_t *out_ms);
bool form_has(const struct form *form, const char *name); /* there, though it may be null */

#endif
