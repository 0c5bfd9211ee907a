/* learn_parts.h: what learn.c and learn_file.c share. */
#ifndef DETECTOR_LEARN_PARTS_H
#define DETECTOR_LEARN_PARTS_H

#include "detector/learn.h"

void learn_apply(struct learn *learn); /* limits and quantiles, from what was counted */

#endif
