/* http_head.h: a request in pieces, as far as its first segment goes. Borrowed from the segment. */
#ifndef DETECTOR_HTTP_HEAD_H
#define DETECTOR_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
    const char *at;
    size_t length; /* 0: it is not there */
};

struct http_head {
    struct piece line, path; /* as they were sent; the path up to the blank behind it */
    struct piece all;        /* the headers */
    struct piece agent, cookie, host, referer, encoding, type;
    struct piece body; /* what stands behind the empty line; body.at is NULL where that is not in the segment */
    bool post, accept, language, range, dnt;
};

/* Bytes that http_is_request. */
void http_head_read(struct http_head *head, const uint8_t *bytes, size_t length);

/* Whether it is what a known bot, or a tool that controls one, says to its server: by the shape of the request, not
 * by its words. */
bool http_head_is_bot(const struct http_head *head);
bool http_body_is_bot(const struct piece *body); /* the same of a body alone */

bool piece_begins(const struct piece *piece, const char *text); /* letters as they stand */
bool piece_holds(const struct piece *piece, const char *text);

#endif
