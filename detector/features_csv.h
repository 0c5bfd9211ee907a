/* features_csv.h: flows as lines of CSV (RFC 4180, but lines end in LF): who, when, how it ended, the features.
 *
 * source_ip,destination_ip,source_port,destination_port,protocol,first_seen,last_seen,end,packets,bytes,community_id,
 * then the 25 features. The source is the initiator; times are UTC with nanoseconds; bytes are IP bytes; a number
 * reads back as exactly the double that it was. */
#ifndef DETECTOR_FEATURES_CSV_H
#define DETECTOR_FEATURES_CSV_H

#include "detector/features.h"

enum features_csv_names {
    FEATURES_CSV_OWN,         /* source_ip, ..., duration, total_fwd_packets, ... */
    FEATURES_CSV_CICFLOWMETER /* Source IP, ..., Flow Duration, Total Fwd Packets, ...: names only, values are the
                                 same */
};

enum { FEATURES_CSV_LINE = 1024 }; /* bytes that any line fits in, with LF and NUL */

/* Both return the length of the line. */
size_t features_csv_header(enum features_csv_names names, char out[FEATURES_CSV_LINE]);
size_t features_csv_row(const struct flow *flow, char out[FEATURES_CSV_LINE]);

const char *flow_end_text(enum flow_end end); /* "fin", "rst", "idle", "active", "evicted", "input", "open" */

#endif
