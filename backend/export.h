/* export.h: GET /api/network/threats/export, any number of threats as CSV, JSON lines, EVE or labelled rows. */
#ifndef BACKEND_EXPORT_H
#define BACKEND_EXPORT_H

#include "backend/api.h"
#include "common/json.h"

http_handler export_threats;

enum export_format { EXPORT_CSV, EXPORT_NDJSON, EXPORT_EVE, EXPORT_VERDICTS };
bool export_format_from_text(const char *text, enum export_format *format);
/* One threat as given out by the store as one line. Nothing is added when json is none, nor to the verdicts by a
 * threat without one or without features: those are rows to train with, numbers without addresses. */
void export_line(struct text *out, enum export_format format, const char *json);
/* A cell in quotes; what a spreadsheet would take for a formula gets an apostrophe in front. */
void export_cell(struct text *out, const char *value);

#endif
