/* reader.h: one capture file through a pipeline of its own.
 *
 * The same file gives the same threats with the same ids each time: the file's fingerprint stands where a live
 * sensor's name would. One thread per call. */
#ifndef DETECTOR_READER_H
#define DETECTOR_READER_H

#include "common/token.h"
#include "detector/pipeline.h"

#include <stdbool.h>
#include <stdint.h>

struct reader_progress {
    int64_t bytes, total; /* of the file; total 0: unknown */
    struct pipeline_counters counters;
};

struct reader_settings {
    struct pipeline_settings pipeline; /* sink, context, source and origin of the verdict are set here */
    const char *filter;
    const char *job; /* hashed into the threat_ids beside the file; NULL or "": none */
    void (*on_threat)(void *context, const struct threat *threat); /* NULL: nobody wants them */
    /* The packets of a new threat, behind on_threat. NULL: none are kept. */
    void (*on_evidence)(void *context, const struct threat *threat, const struct evidence_pcap *pcap);
    /* Called some four times a second; false ends the reading (what was open is still judged). NULL: not wanted. */
    bool (*on_progress)(void *context, const struct reader_progress *progress);
    void *context;
};

enum reader_end { READER_DONE, READER_SHORT, READER_STOPPED, READER_FAILED };

/* counters gets what this file gave (also when it ends short); err says why on READER_SHORT and READER_FAILED. */
enum reader_end reader_file(const char *path, const struct reader_settings *settings,
                            struct pipeline_counters *counters, struct err *err);

/* SHA-256 over the size, the first and the last MiB: tells files apart without reading all of a long one. */
bool reader_fingerprint(const char *path, char out[TOKEN_HASH], struct err *err);

/* Calls each for every file named and, in order of their names, for every capture in the folders named and below
 * (told by content). False when each said so or a name cannot be read (err). */
bool reader_walk(const char *path, bool (*each)(void *context, const char *path), void *context, struct err *err);

const char *reader_base(const char *path); /* behind the last slash */

#endif
