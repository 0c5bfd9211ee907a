/* http_words.h: the texts that http.c looks for, by where they may stand in a request. */
#ifndef DETECTOR_HTTP_WORDS_H
#define DETECTOR_HTTP_WORDS_H

#include "detector/phrases.h"

enum http_kind {
    HTTP_NOTHING,
    HTTP_SQL,
    HTTP_SCRIPT,
    HTTP_TRAVERSAL,
    HTTP_PROBE,
    HTTP_COMMAND,
    HTTP_TOOL,
    HTTP_BOT,
    HTTP_NAMED,              /* above: what has a name of its own; below: what is one of them or nothing */
    HTTP_UNLED = HTTP_NAMED, /* a bot's, unless a page led to it */
    HTTP_PANEL,              /* the same, on a page of PHP: people's chat programs have bots, too */
    HTTP_CONFIG,             /* the same, unless a program that says its name asks: devices fetch their settings */
    HTTP_REPORT,             /* the same, and something is handed over: health is asked for under such names */
    HTTP_GIT,                /* a probe, unless git itself asks */
    HTTP_SETTINGS,           /* a probe, unless a device's own page or program asks */
    HTTP_SELECT
};

struct http_words {
    struct phrases line;     /* of the request line, decoded: '+', tabs and empty comments are blanks */
    struct phrases raw;      /* of the request line as it was sent: only worth a look where it holds a '%' */
    struct phrases orders;   /* anywhere in the headers: nobody writes about these there */
    struct phrases agent;    /* with which a program's own name begins */
    struct phrases agents;   /* that stand anywhere in it */
    struct phrases body;     /* of a body, decoded, whatever the page */
    struct phrases form;     /* of a short form's body, decoded */
    struct phrases device;   /* of a body for a device's own page, decoded */
    struct phrases commands; /* what a shell is told to do, behind a sign that ends the order before */
};

extern struct http_words http_words;             /* filled before main begins */
const char *http_kind_name(enum http_kind kind); /* NULL for nothing */

#endif
