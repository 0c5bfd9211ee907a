/* classify.h: the name of a threat, what it means in ATT&CK, and how sure we are.
 *
 * A window that fired names its type itself; this is for a flow that only the forests found. The ports are the
 * rule of last resort, as the integration guide has it. */
#ifndef DETECTOR_CLASSIFY_H
#define DETECTOR_CLASSIFY_H

#include "detector/flow.h"
#include "detector/hosts.h"

const char *classify_flow(const struct flow *flow);
/* MITRE ATT&CK techniques of a type as a JSON array: ["T1046"]. */
const char *classify_mitre(const char *type, const char *counter);
/* A window at its limit is an attack in three of four cases, and each doubling of the value halves the doubt. */
double classify_confidence(const struct evidence *evidence);

#endif
