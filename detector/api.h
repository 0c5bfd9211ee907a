/* api.h: the control API of the detector (openapi.yaml beside it says all of it).
 *
 * For programs: a request that bears an Origin is refused, whatever it asks for. Without a control key only those
 * that name a loopback address as their host are heard. */
#ifndef DETECTOR_API_H
#define DETECTOR_API_H

#include "common/err.h"
#include "detector/analysis.h"
#include "detector/figures.h"

struct api_settings { /* texts and pointers are borrowed and outlive the API */
    const char *bind;
    int port;                /* 0: any free one */
    const char *control_key; /* "": none */
    const char *data_dir;    /* uploads are kept below it; file_path is looked for in it */
    struct figures figures;
    struct analyses *analyses;
};

struct api;
struct api *api_start(const struct api_settings *settings, struct err *err);
int api_port(const struct api *api);
void api_stop(struct api *api); /* NULL is fine */

#endif
