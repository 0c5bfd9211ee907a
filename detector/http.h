/* http.h: whether a request itself is an attack, or a bot's.
 *
 * Only the first segment of a plain-text request is looked at: its line, %-decoded once or twice, against a list of
 * things that no honest page asks for and no honest program fetches (http_words.h), and for conditions that are
 * always true and orders behind a shell's signs; its headers for orders to a logger or a shell and for the names that
 * attackers' tools give themselves; its shape for bots (http_head.h); the beginning of its body, where that is there,
 * for what only code is made of. What people write about attacks, search for or link to is not looked for. */
#ifndef DETECTOR_HTTP_H
#define DETECTOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An answer "bad request", "forbidden" or "not found". */
bool http_is_missing(const uint8_t *bytes, size_t length);
bool http_is_denied(const uint8_t *bytes, size_t length); /* an answer "name and password, please" */
/* The name and password of basic authentication as they stand in a request: their length, and they in *at; 0: none.
 */
size_t http_password(const uint8_t *bytes, size_t length, const char **at);
bool http_is_request(const uint8_t *bytes, size_t length); /* begins with a method and a blank */
/* The name of the pattern that the request line holds ("sql", "script", ..., "tool", "bot"), or NULL. */
const char *http_pattern(const uint8_t *bytes, size_t length);
/* The same of a body that came in a segment of its own: what its words and shape tell without the head. */
const char *http_body_pattern(const uint8_t *bytes, size_t length);

#endif
