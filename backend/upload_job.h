/* upload_job.h: the jobs of upload.h; only the upload rooms call it. */
#ifndef BACKEND_UPLOAD_JOB_H
#define BACKEND_UPLOAD_JOB_H

#include "backend/upload.h"
#include "common/token.h"

#include <cjson/cJSON.h>

enum upload_state { UPLOAD_RECEIVING, UPLOAD_QUEUED, UPLOAD_ANALYSING, UPLOAD_DONE, UPLOAD_FAILED, UPLOAD_CANCELLED };

struct upload_job {
    char id[TOKEN_ULID];
    char file[UPLOAD_NAME]; /* as the client calls it; never a path */
    char user[65];
    char sha256[TOKEN_HASH];
    char path[1100];
    char message[320];
    enum upload_state state;
    int64_t bytes, packets, flows, threats;
    int64_t created_ms, ended_ms;
    size_t detector;
};

/* A free place for a new job, or ERR_UNAVAILABLE. */
bool upload_begin(struct uploads *uploads, const struct upload_job *start, struct err *err);
/* The file is whole: it waits for its turn. */
void upload_enqueue(struct uploads *uploads, const struct upload_job *received);
/* The file is not to be had: the job is forgotten. */
void upload_abandon(struct uploads *uploads, const char *id);
/* Waits until the job is over. False: it is not known, or too much time has passed. */
bool upload_wait(struct uploads *uploads, const char *id, int64_t most_ms, struct upload_job *out);

bool upload_get(struct uploads *uploads, const char *id, struct upload_job *out); /* among the running ones */
bool upload_cancel(struct uploads *uploads, const char *id);                      /* false: it does not run here */
cJSON *upload_to_json(const struct upload_job *job);

#endif
