/* figures.h: the counters of all rooms, as the heartbeat, the control API and Prometheus want them. Any thread. */
#ifndef DETECTOR_FIGURES_H
#define DETECTOR_FIGURES_H

#include "common/json.h"
#include "detector/monitor.h"
#include "detector/outlet.h"
#include "detector/sender.h"
#include "detector/spool.h"
#include "detector/tune.h"

#include <cjson/cJSON.h>

struct figures { /* all borrowed */
    const char *sensor;
    const struct model *model; /* NULL: none */
    struct tune *tune;
    struct monitor *monitor;
    struct outlet *outlet;
    struct spool *spool;
    struct sender *sender; /* NULL: not there (yet) */
    int64_t started_ms;
};

cJSON *figures_heartbeat(const struct figures *figures);
cJSON *figures_health(const struct figures *figures);
cJSON *figures_statistics(const struct figures *figures);
cJSON *figures_model(const struct figures *figures);
void figures_metrics(const struct figures *figures, struct text *out); /* Prometheus text format 0.0.4 */

#endif
