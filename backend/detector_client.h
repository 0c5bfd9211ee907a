/* detector_client.h: the detectors' control APIs, by name.
 *
 * Requests go out on the caller's thread with short limits; a thread of its own asks each detector every few seconds,
 * so that lists and statistics never wait for one. */
#ifndef BACKEND_DETECTOR_CLIENT_H
#define BACKEND_DETECTOR_CLIENT_H

#include "backend/api.h"
#include "common/http_client.h"
#include "common/json.h"

enum { DETECTORS_POLL_MS = 5000 };

struct detectors;
/* named: NAME=URL each; key_file may be NULL. */
struct detectors *detectors_open(const struct config_list *named, const char *key_file, struct err *err);
void detectors_close(struct detectors *detectors);
/* Starts asking; news of the running detector go out as model_stats events of api. */
bool detectors_watch(struct detectors *detectors, struct api *api, struct err *err);

size_t detectors_count(const struct detectors *detectors);
const char *detectors_name(const struct detectors *detectors, size_t index);
/* name "" or NULL: the first. ERR_NOT_FOUND. */
bool detectors_find(const struct detectors *detectors, const char *name, size_t *index, struct err *err);
/* call->url is the path ("/health"); the key is added. ERR_UNAVAILABLE when there is no answer. */
bool detectors_call(struct detectors *detectors, size_t index, const struct http_call *call, struct http_reply *reply,
                    struct err *err);

/* What was last heard, as JSON values: {} or null before. */
void detectors_add_models(struct detectors *detectors, struct text *out);
void detectors_add_monitoring(struct detectors *detectors, struct text *out);

#endif
