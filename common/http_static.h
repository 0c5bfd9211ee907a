/* http_static.h: files of one directory as answers.
 *
 * Nothing outside the directory, nothing hidden, no listings. "X.gz" beside X is sent to who accepts it. */
#ifndef COMMON_HTTP_STATIC_H
#define COMMON_HTTP_STATIC_H

#include "common/http_server.h"

/* root: the real path of the directory; path: decoded, as http_path() gives it; extra: header lines or NULL.
 * Answers 200, 304 or 404. */
void http_static_answer(struct http_request *request, const char *root, const char *path, const char *extra);

#endif
