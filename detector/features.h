/* features.h: the 25 numbers of a flow, in the order of the contract.
 *
 * Definitions, units and the differences to CICFlowMeter stand in docs/features.md. Times are
 * seconds, rates a second, lengths payload bytes, header lengths transport header bytes; standard deviation
 * and variance are of the sample (n-1). What has no value (one packet, no time passed) is 0; never NaN or
 * infinite. */
#ifndef DETECTOR_FEATURES_H
#define DETECTOR_FEATURES_H

#include "detector/flow.h"

enum { FEATURES = 25 };
#define FEATURES_EXTRACTOR "1" /* raised whenever a number could come out differently; models name it */

extern const char *const features_names[FEATURES];     /* "duration", "total_fwd_packets", ... */
extern const char *const features_cic_names[FEATURES]; /* CICFlowMeter's column names */

void features_of(const struct flow *flow, double out[FEATURES]);

#endif
