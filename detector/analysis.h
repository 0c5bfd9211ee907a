/* analysis.h: a capture file analysed on request, on a thread of its own with its own flow table.
 *
 * One at a time. Its threats go the way of all threats (outlet), marked with the file's name and the job. The caller
 * asks for progress and may cancel. Any thread may call. */
#ifndef DETECTOR_ANALYSIS_H
#define DETECTOR_ANALYSIS_H

#include "common/err.h"
#include "detector/outlet.h"
#include "detector/reader.h"

#include <stdbool.h>

enum { ANALYSIS_NAME = 256, ANALYSIS_JOB = 129 };

struct analyses;
struct analyses *analyses_create(const struct pipeline_settings *pipeline, struct outlet *outlet, struct err *err);
void analyses_free(struct analyses *analyses); /* cancels what runs; after the last caller of analysis_wait left */

struct analysis_order {
    const char *path; /* deleted at the end when temporary */
    bool temporary;
    char name[ANALYSIS_NAME]; /* shown: details.file */
    char job[ANALYSIS_JOB];   /* details.job; "": none */
};
struct analysis_report {
    bool over;
    enum reader_end end; /* once it is over */
    struct reader_progress progress;
    uint64_t notices;  /* handed to the outlet */
    uint64_t lost;     /* the spool had no room for them */
    char problem[320]; /* "" or why it failed or ended short */
};

/* ERR_UNAVAILABLE: another one runs. */
bool analyses_begin(struct analyses *analyses, const struct analysis_order *order, struct err *err);
/* Waits at most ms for news of the one that runs. After over the place is free again. */
void analyses_wait(struct analyses *analyses, int ms, struct analysis_report *out);
void analyses_cancel(struct analyses *analyses);

#endif
