/* http.h: whether a request line itself is an attack.
 *
 * Only the first bytes of a plain-text request are looked at (method, path, query), %-decoded once or twice, against
 * a short list of things that no honest page asks for. Flow figures cannot show a single malicious request; this can,
 * where it is not encrypted. Bodies and headers are not read. */
#ifndef DETECTOR_HTTP_H
#define DETECTOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An answer "bad request", "forbidden" or "not found". */
bool http_is_missing(const uint8_t *bytes, size_t length);
bool http_is_request(const uint8_t *bytes, size_t length); /* begins with a method and a blank */
/* The name of the pattern that the request line holds ("sql", "script", ...), or NULL. */
const char *http_pattern(const uint8_t *bytes, size_t length);

#endif
