/* syslog.h: one message of RFC 5424, over UDP (RFC 5426) or TCP with octet counting (RFC 6587). */
#ifndef BACKEND_SYSLOG_H
#define BACKEND_SYSLOG_H

#include "common/err.h"
#include "common/json.h"
#include "common/threat.h"

#include <stdbool.h>
#include <stdint.h>

enum { SYSLOG_TIMEOUT_MS = 5000 };

/* Facility local0; severity critical 2, high 3, medium 4, low 5. out must be empty. */
void syslog_format(struct text *out, const struct threat *threat, int64_t now_ms, const char *host);

/* url: "udp://HOST:PORT" or "tcp://HOST:PORT". all: also addresses that are not public. */
bool syslog_url_is_fine(const char *url);
bool syslog_send(const char *url, bool all, const char *message, size_t length, struct err *err);

#endif
