/* batch.h: --read: captures in, lines out (threats as JSON or EVE, features as CSV), or threats to the webhook. */
#ifndef DETECTOR_BATCH_H
#define DETECTOR_BATCH_H

#include "common/config.h"
#include "detector/outlet.h"
#include "detector/pipeline.h"
#include "detector/settings.h"

/* With --send the outlet takes the threats; else it is NULL. SIGINT and SIGTERM must be blocked: they end the reading
 * in order. Adds what was read to *counters. Returns the exit status: 0, 1 (a file could not be read, or the output
 * not be written) or 3 (one ended short). */
int batch_run(const struct settings *settings, const struct pipeline_settings *pipeline,
              const struct config_list *files, struct outlet *outlet, struct pipeline_counters *counters);

#endif
