/* own_traffic.h: which packets are Threatline's own, as a BPF expression that leaves them out.
 *
 * Names are looked up when the expression is made; one that has no address just then is left out of it. */
#ifndef DETECTOR_OWN_TRAFFIC_H
#define DETECTOR_OWN_TRAFFIC_H

#include "common/err.h"
#include "common/text.h"

#include <stdbool.h>

/* webhook: a URL, list: "host:port,[v6]:port,..."; NULL: none. Adds "not (tcp port 5000 and (host 10.0.0.1))" for
 * each, joined to what out holds by "and". */
void own_traffic_filter(const char *webhook, const char *list, struct text *out);
bool own_traffic_check(const char *list, struct err *err); /* whether each of the list is a host and a port */

#endif
