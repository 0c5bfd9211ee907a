/* sensors.h: who reports, and whether it still does: ok, late after 30 s without a heartbeat, blind after 60 s. */
#ifndef BACKEND_SENSORS_H
#define BACKEND_SENSORS_H

#include "backend/api.h"

enum { SENSORS_LATE_MS = 30000, SENSORS_BLIND_MS = 60000, SENSORS_MAX = 1024 };
enum sensor_state { SENSOR_OK, SENSOR_LATE, SENSOR_BLIND };

struct sensors *sensors_create(void);
void sensors_free(struct sensors *sensors);

const char *sensor_state_text(enum sensor_state state);
/* state: the JSON object that the sensor sent. False: the table is full (ERR_UNAVAILABLE). *news: it is new or was
 * not ok. */
bool sensors_heard(struct sensors *sensors, const char *name, const char *state, int64_t now_ms, bool *news,
                   struct err *err);
/* Looks at the clock; changed is called, with the sensor as JSON, for each whose state is another one now. */
void sensors_tick(struct sensors *sensors, int64_t now_ms, void (*changed)(void *context, const char *json),
                  void *context);
/* All as a JSON array; the caller frees. NULL when memory is out. */
char *sensors_list(struct sensors *sensors, int64_t now_ms);
void sensors_count(struct sensors *sensors, int64_t now_ms, size_t out[3]); /* by state */
bool sensor_name_is_fine(const char *name);

/* Once a second: states by the clock, and on a shared store what other backends heard. */
void sensors_round(struct api *api);

#endif
