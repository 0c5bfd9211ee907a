/* search.h: the query language of the threat list, as a tree that each store compiles for itself.
 *
 * Words and field:value, "-" for not, CIDR, ranges (port:1000-2000, confidence:>0.8), quotes, "*" at the end
 * of a word, is:suppressed, is:simulated; terms are joined by "and", OR and parentheses are allowed. An error says at
 * which character. The grammar stands in docs/api.md. */
#ifndef BACKEND_SEARCH_H
#define BACKEND_SEARCH_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum search_kind {
    SEARCH_ALL, /* everything (an empty query) */
    SEARCH_AND,
    SEARCH_OR,
    SEARCH_NOT,
    SEARCH_TEXT,    /* field equals text */
    SEARCH_PREFIX,  /* field begins with text */
    SEARCH_NUMBER,  /* low <= field <= high, either end may be open (infinite); exclusive flags */
    SEARCH_NETWORK, /* address field within low..high (16-byte addresses, IPv4 mapped) */
    SEARCH_WORD,    /* any token of the record equals (or begins with, when prefix) text */
    SEARCH_FLAG     /* is:suppressed, is:simulated, is:commented */
};

enum search_field {
    FIELD_NONE,
    FIELD_TYPE,
    FIELD_SEVERITY,
    FIELD_STATUS,
    FIELD_VERDICT,
    FIELD_SOURCE,
    FIELD_DESTINATION,
    FIELD_ADDRESS,
    FIELD_PORT,
    FIELD_SOURCE_PORT,
    FIELD_DESTINATION_PORT,
    FIELD_PROTOCOL,
    FIELD_SENSOR,
    FIELD_ASSIGNEE,
    FIELD_CONFIDENCE,
    FIELD_ID,
    FIELD_TIME,
    FIELD_SUPPRESSED,
    FIELD_SIMULATED,
    FIELD_COMMENTED,
    FIELD_JOB
}; /* FIELD_ADDRESS: either end; FIELD_PORT: either port; FIELD_TIME: timestamp_us */

struct search {
    enum search_kind kind;
    enum search_field field;
    char *text;
    double low, high;
    bool low_open, high_open; /* the end itself is not in */
    uint8_t net_low[16], net_high[16];
    bool prefix;              /* SEARCH_WORD with "*" */
    struct search **children; /* AND, OR, NOT */
    size_t count;
};

enum { SEARCH_BYTES = 2048, SEARCH_TERMS = 64, SEARCH_DEPTH = 16, SEARCH_WORD_MAX = 65 };

/* NULL: err says what was expected, *at is the byte offset. At most SEARCH_TERMS terms, SEARCH_BYTES bytes. */
struct search *search_parse(const char *query, size_t *at, struct err *err);
struct search *search_all(void);
/* One condition as the list's own parameters give it: name is a field of the language, or "from" (this moment and
 * later) or "to" (before it); value may be a list with commas, of which any fits. NULL: err names the field and what
 * it expects. */
struct search *search_term(const char *name, const char *value, struct err *err);
/* Takes both; NULL when memory is out. */
struct search *search_and(struct search *a, struct search *b);
void search_free(struct search *search);

/* The words of a text as they can be searched for: lower case, 2 to 64 bytes of letters, digits and "_.:/-". With
 * parts, "port_scan" is also "port" and "scan". */
void search_split(const char *text, bool parts, void (*take)(void *context, const char *word), void *context);

#endif
