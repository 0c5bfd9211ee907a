/* eve.h: a threat as a line of Suricata's EVE JSON (event_type "alert"), for tools that read that.
 *
 * https://docs.suricata.io/en/latest/output/eve/eve-json-format.html */
#ifndef DETECTOR_EVE_H
#define DETECTOR_EVE_H

#include "common/threat.h"

/* file: base name of the capture, or NULL. The caller frees it; NULL: out of memory. */
char *eve_alert(const struct threat *threat, const char *file);

#endif
