/* shadow.h: a second model that scores what the first one scores, and never says a word about it.
 *
 * Counted is how often both flag a flow (at their own thresholds), neither, or one of them alone; kept are the last
 * SHADOW_LAST flows at whose end they differed. One thread. */
#ifndef DETECTOR_SHADOW_H
#define DETECTOR_SHADOW_H

#include "detector/rowmap.h"

enum { SHADOW_LAST = 32 };

struct shadow_difference {
    int64_t time_ns; /* of the flow's last packet */
    uint8_t source[16], target[16];
    uint16_t source_port, target_port;
    uint8_t protocol;
    bool flagged; /* by the model in use; the shadow says the opposite */
    struct score ours, its;
};

struct shadow_counts {
    uint64_t both, neither, only_ours, only_its;
    struct shadow_difference last[SHADOW_LAST]; /* a ring */
    size_t next;                                /* place of the oldest, once it is full */
    size_t kept;
};

struct shadow;
struct shadow *shadow_create(const struct model *model, struct err *err);
void shadow_free(struct shadow *shadow);
bool shadow_uses_windows(const struct shadow *shadow);
/* A flow at its end with all its values, as the model in use judged it. */
void shadow_judge(struct shadow *shadow, const struct flow *flow, uint64_t shape, const double values[ROWMAP_VALUES],
                  const struct score *ours, bool flagged);
const struct shadow_counts *shadow_counts(const struct shadow *shadow);

#endif
