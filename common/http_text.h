/* http_text.h: the small grammars inside HTTP: paths, queries, cookies, header words.
 *
 * Pure functions over foreign bytes; nothing here knows a socket. */
#ifndef COMMON_HTTP_TEXT_H
#define COMMON_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_CAPTURES = 8 };

struct http_capture {
    const char *name; /* into the pattern */
    size_t name_length;
    const char *value; /* into the path */
    size_t length;
};
struct http_match {
    struct http_capture captures[HTTP_CAPTURES];
    size_t count;
    bool rest; /* the pattern ended in {name*} */
};

/* Percent-decodes a path. Refused: what does not begin with '/', %00, %2f, broken escapes, "." and ".." as a
 * segment, control characters, backslashes, invalid UTF-8, and what does not fit. */
bool http_text_path(const char *raw, char *out, size_t size);

/* Decoded path against "/a/{name}/b" or "/a/{name*}"; a {name} is never empty. */
bool http_text_match(const char *pattern, const char *path, struct http_match *match);

/* Decoded value of a name in a query string ("+" is a blank); false when missing, broken or too long (out is ""). */
bool http_text_query(const char *query, const char *name, char *out, size_t size);

/* Value of a cookie in a Cookie header; the same rules. */
bool http_text_cookie(const char *header, const char *name, char *out, size_t size);

/* True when a comma-separated header has the word and does not forbid it by ";q=0" (Accept-Encoding, Connection). */
bool http_text_has_word(const char *header, const char *word);

bool http_text_is_token(const char *text);      /* RFC 9110 token, not empty */
bool http_text_is_value(const char *text);      /* no control bytes but tab */
bool http_text_is_request_id(const char *text); /* 1..64 of [A-Za-z0-9-] */
const char *http_text_reason(int status);
const char *http_text_type_of(const char *path); /* Content-Type by suffix */

#endif
