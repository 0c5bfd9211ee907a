/* rowmap.h: where a model's features stand among the 25 of a flow and the window counts. */
#ifndef DETECTOR_ROWMAP_H
#define DETECTOR_ROWMAP_H

#include "common/err.h"
#include "detector/features.h"
#include "detector/forest.h"
#include "detector/hosts.h"

enum { ROWMAP_VALUES = FEATURES + HOSTS_CONTEXT };

struct rowmap {
    size_t count;
    size_t place[MODEL_FEATURES_MAX];
    bool uses_windows;
};
bool rowmap_make(struct rowmap *map, const struct model *model, struct err *err); /* false: an unknown feature */
void rowmap_row(const struct rowmap *map, const double values[ROWMAP_VALUES], float row[MODEL_FEATURES_MAX]);

#endif
