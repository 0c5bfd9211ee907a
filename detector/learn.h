/* learn.h: what is usual on this network, from a while of watching it: window limits and benign quantiles go up.
 *
 * Only up, and not without bound: a limit becomes twice the most that was seen below it, at least what limits.c says
 * (the floor) and at most LEARN_CEILING times that; a quantile from the median on becomes this network's, at most
 * LEARN_QUANTILES times the model's 0.99 quantile. Nothing is learned from what is a threat: a value counts once ten
 * minutes have passed in which neither of its ends was part of one, and while it is learned every limit stays at its
 * floor. What was learned is kept in a file (docs/limits.md), written whole or not at all, with a checksum; a
 * damaged, older or foreign one is refused. One thread. */
#ifndef DETECTOR_LEARN_H
#define DETECTOR_LEARN_H

#include "common/err.h"
#include "detector/forest.h"
#include "detector/limits.h"

#include <stdbool.h>

enum { LEARN_CEILING = 2, LEARN_QUANTILES = 10, LEARN_CANDIDATES = 256, LEARN_FLOWS = 1000, LEARN_BUCKETS = 481 };

/* Whether one of the two addresses is part of a threat. */
typedef bool learn_suspect(void *context, const uint8_t source[16], const uint8_t target[16]);

struct learn_candidate {
    bool used;
    enum counter counter;
    uint8_t source[16], target[16];
    double value;
    int64_t since_ns; /* when it came to this value */
};

struct learn {
    const struct model *model; /* NULL: limits only */
    int64_t wanted_ns, seen_ns, last_ns;
    double greatest[COUNTERS]; /* below the floor, and no threat */
    struct learn_candidate candidate[LEARN_CANDIDATES];
    uint32_t bucket[MODEL_FEATURES_MAX][LEARN_BUCKETS]; /* by size, eight to each doubling */
    uint32_t flows;
    double limit[COUNTERS];                               /* in force */
    double quantile[MODEL_FEATURES_MAX][MODEL_QUANTILES]; /* in force */
};

void learn_init(struct learn *learn, const struct model *model, int64_t wanted_ns);
void learn_pause(struct learn *learn); /* the next tick is of another time; what was not settled is forgotten */
bool learn_is_over(const struct learn *learn);
/* A value of a counter below its floor. */
void learn_value(struct learn *learn, enum counter counter, double value, const uint8_t source[16],
                 const uint8_t target[16], int64_t now_ns, learn_suspect *suspect, void *context);
/* The row of an ended flow that is part of no threat. */
void learn_flow(struct learn *learn, const float *row);
/* Time goes on; true: the learning is over with this, and limits and quantiles are in force. */
bool learn_tick(struct learn *learn, int64_t now_ns, learn_suspect *suspect, void *context);

char *learn_text(const struct learn *learn); /* the file's text; NULL when memory is out */
bool learn_parse(struct learn *learn, const char *text, size_t length, struct err *err); /* into a fresh one */
bool learn_save(const struct learn *learn, const char *path, struct err *err);
/* ERR_NOT_FOUND: there is none. On any failure *learn is as it was. */
bool learn_load(struct learn *learn, const char *path, struct err *err);

#endif
