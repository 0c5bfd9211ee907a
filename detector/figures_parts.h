/* figures_parts.h: what the files of figures.h share. */
#ifndef DETECTOR_FIGURES_PARTS_H
#define DETECTOR_FIGURES_PARTS_H

#include "detector/figures.h"

/* Into model-stats: false_alarms, drift, learning, shadow. */
void figures_add_tune(cJSON *object, const struct figures *figures, const struct tune_figures *tuned);
/* Into the heartbeat: false alarms a day, wanted, expected and reached. */
void figures_add_alarms(cJSON *object, const struct tune_figures *tuned);
void figures_tune_metrics(const struct figures *figures, struct text *out);

#endif
