/* explain.h: why something is a threat, and the threat as a record. */
#ifndef DETECTOR_EXPLAIN_H
#define DETECTOR_EXPLAIN_H

#include "detector/incident.h"

/* The features that moved the random forest most for this row, with share = contribution / sum of the amounts of all
 * contributions (below 0: it spoke against an attack). usual: benign quantiles of each feature; NULL: the model's. */
size_t explain_attack(const struct model *model, const double (*usual)[MODEL_QUANTILES], const float *row,
                      struct incident_reason out[INCIDENT_REASONS]);
/* The features farthest outside the range of 98 % of benign flows, for what only the isolation forest found. */
size_t explain_anomaly(const struct model *model, const double (*usual)[MODEL_QUANTILES], const float *row,
                       struct incident_reason out[INCIDENT_REASONS]);

struct explain_source {
    const char *sensor, *source, *model; /* model NULL: windows only */
};
/* Fills *out from the incident as it stands; threat_clear it. False when memory is out. */
bool explain_threat(const struct incident *incident, const struct explain_source *from, struct threat *out);

#endif
