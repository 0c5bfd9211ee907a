/* retention.h: forgets old threats, by age, by count and by their share of the disk. Escalated and commented ones
 * stay. */
#ifndef BACKEND_RETENTION_H
#define BACKEND_RETENTION_H

#include "backend/api.h"

enum { RETENTION_PERIOD_S = 60 };

struct retention;
struct retention *retention_start(struct api *api, struct err *err);
void retention_stop(struct retention *retention); /* NULL is fine */

/* One round at the time now_ms; *removed counts. False: the store is away. */
bool retention_round(struct api *api, int64_t now_ms, int64_t *removed, struct err *err);

#endif
