/* api_parts.h: what the files of the control API share. Not for others. */
#ifndef DETECTOR_API_PARTS_H
#define DETECTOR_API_PARTS_H

#include "common/http_server.h"
#include "detector/api.h"

struct api {
    struct api_settings settings;
    struct http_server *server;
};

#define API_UPLOAD_MAX (INT64_C(512) * 1024 * 1024)

void api_analyze_pcap(struct http_request *request, void *context);
/* Answers with the status that fits err. */
void api_fail(struct http_request *request, const struct err *err);

#endif
