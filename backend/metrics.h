/* metrics.h: /healthz, /readyz, /metrics and /openapi.yaml. Counters live in their rooms; here they are written down.
 */
#ifndef BACKEND_METRICS_H
#define BACKEND_METRICS_H

#include "backend/api.h"
#include "common/json.h"

/* Everything as Prometheus text (format 0.0.4). */
void metrics_write(struct api *api, struct text *out);

#endif
