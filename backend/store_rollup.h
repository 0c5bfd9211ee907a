/* store_rollup.h: counts by minute, hour, day and in all, so that statistics cost the same however much is stored.
 *
 * A store gathers the changes of a transaction in a struct rollup and adds them to its rows in that same
 * transaction; statistics are then sums over few rows. A row is (span, dimension, bucket, simulated, value) -> count;
 * the bucket is the number of the minute, hour or day since 1970 of the threat's timestamp. Minutes are kept for 48
 * h. */
#ifndef BACKEND_STORE_ROLLUP_H
#define BACKEND_STORE_ROLLUP_H

#include "backend/store.h"

enum rollup_span { ROLLUP_MINUTE, ROLLUP_HOUR, ROLLUP_DAY, ROLLUP_EVER, ROLLUP_SPANS };
enum rollup_dimension {
    ROLLUP_SEVERITY,   /* value "critical", ... */
    ROLLUP_SUPPRESSED, /* value ""; a suppressed threat counts here alone */
    ROLLUP_TYPE,
    ROLLUP_STATUS,
    ROLLUP_SENSOR,
    ROLLUP_VERDICT, /* value "true_positive:port_scan" */
    ROLLUP_SOURCE,  /* these two have no minutes */
    ROLLUP_DESTINATION,
    ROLLUP_DIMENSIONS
};

enum {
    ROLLUP_VALUE = 96,
    ROLLUP_VALUES_MAX = 500,   /* values of one dimension in a bucket; what comes later counts as "" */
    ROLLUP_VALUES_EVER = 5000, /* the same for ROLLUP_EVER */
    ROLLUP_MINUTES_KEPT = 48 * 60
};

struct rollup_fact { /* what is counted of one threat */
    int64_t timestamp_us;
    bool simulated, suppressed;
    enum severity severity;
    const char *type, *status, *verdict, *sensor, *source, *destination;
};

struct rollup_row {
    enum rollup_span span;
    enum rollup_dimension dimension;
    int64_t bucket;
    bool simulated;
    const char *value;
    int64_t count;
};

struct rollup;
struct rollup *rollup_create(void);
void rollup_free(struct rollup *rollup);
void rollup_reset(struct rollup *rollup);
/* Counts one threat in (+1) or out (-1). False when memory is out. */
bool rollup_add(struct rollup *rollup, const struct rollup_fact *fact, int delta, int64_t now_us);
bool rollup_add_row(struct rollup *rollup, const struct rollup_row *row);
size_t rollup_count(const struct rollup *rollup);
/* The row at index; changes that came to nothing have count 0. The value is borrowed. */
struct rollup_row rollup_row(const struct rollup *rollup, size_t index);

int64_t rollup_bucket(enum rollup_span span, int64_t us);
int64_t rollup_width_us(enum rollup_span span); /* 0 for ROLLUP_EVER */

typedef void rollup_visit(void *context, const struct rollup_row *row);
/* Tells visit of every row of one span and dimension with from <= bucket < to. */
typedef bool rollup_read(void *store, enum rollup_span span, enum rollup_dimension dimension, int64_t from,
                         int64_t to, rollup_visit *visit, void *context, struct err *err);

/* The object of store_statistics, from what read finds in the store. */
bool rollup_statistics(const struct store_span *span, int64_t now_us, rollup_read *read, void *store, char **json,
                       struct err *err);

#endif
