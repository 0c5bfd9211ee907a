/* doc.h: what all kinds of small documents need: ids that sort by time, writing a tree, times in answers. */
#ifndef BACKEND_DOC_H
#define BACKEND_DOC_H

#include "common/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum { DOC_ID = 40 };
struct store;
struct http_request;

/* "<front>_<ULID>"; front has at most 12 characters. */
void doc_new_id(const char *front, int64_t now_ms, char out[DOC_ID]);
/* As store_doc_put, with a tree, which is deleted. */
bool doc_put(struct store *store, const char *kind, const char *id, const char *name, cJSON *json, int64_t expires_ms,
             int64_t expected_version, int64_t *version, struct err *err);
void doc_add_time(cJSON *object, const char *name, int64_t ms); /* 0: null */

/* {"success":true,"count":n,NAME:list}; takes list. */
void doc_answer_list(struct http_request *request, const char *name, cJSON *list);
/* {"success":true,NAME:one}; takes one. */
void doc_answer_one(struct http_request *request, int status, const char *name, cJSON *one);

#endif
