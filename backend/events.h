/* events.h: from the store to the bus. What was committed here, and on a shared store what any backend committed. */
#ifndef BACKEND_EVENTS_H
#define BACKEND_EVENTS_H

#include "backend/api.h"
#include "backend/store.h"

/* committer_settings.stored: context is the struct api. */
void events_stored(void *context, const struct store_item *item);

/* On a shared store: follows it from after_seq on. */
bool events_follow(struct api *api, int64_t after_seq, struct err *err);

/* Starts and stops of monitoring, analysed files: stored and streamed. data: a JSON object as text. */
bool events_monitoring(struct api *api, const char *type, const char *data, struct err *err);

/* True when the record, as the store gives it out, is marked as suppressed. */
bool events_suppressed(const char *json);

#endif
