/* err.h: what went wrong, in the user's words.
 *
 * The place that fails fills it; a caller may put its own name in front; only
 * the edge (a request, a thread's loop, main) logs it, once. A NULL err is
 * allowed everywhere and means that the caller does not care. */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_NONE,
    ERR_INVALID,     /* bytes from outside are not what they should be */
    ERR_CUT_SHORT,   /* the input ended before it was whole */
    ERR_SYSTEM,      /* the machine or a library said no */
    ERR_MEMORY,      /* out of memory */
    ERR_NOT_FOUND,   /* the thing named does not exist */
    ERR_CONFLICT,    /* it exists already, or somebody else changed it first */
    ERR_UNAVAILABLE, /* try again later: a store or a peer is away */
    ERR_DENIED       /* not allowed */
};

struct err {
    enum err_code code;
    char text[320];
};

/* Fills err (cut to fit) and returns false, so that a caller can return it. */
bool err_set(struct err *err, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<text>: " in front of what err says already; returns false. */
bool err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
