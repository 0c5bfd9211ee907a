/* search_value.h: what search.c and search_value.c share; nobody else includes it. */
#ifndef BACKEND_SEARCH_VALUE_H
#define BACKEND_SEARCH_VALUE_H

#include "backend/search.h"

enum value_kind {
    VALUE_TEXT,
    VALUE_CHOICE,
    VALUE_SEVERITY,
    VALUE_PORT,
    VALUE_REAL,
    VALUE_ADDRESS,
    VALUE_TIME,
    VALUE_FLAG
};

struct field {
    const char *name;
    enum search_field field;
    enum value_kind kind;
    const char *expected; /* for choices: blank-separated; "none" is the empty text */
};

struct parser {
    const char *text;
    size_t at, mark; /* mark: start of the value being read, where errors point */
    size_t terms, depth;
    struct err *err;
};

/* The field of that name (size bytes), or NULL. */
const struct field *search_field(const char *name, size_t size);

struct search *search_node(enum search_kind kind);
/* Grows a list of that kind by b; takes both, also when it fails. */
struct search *search_extend(enum search_kind kind, struct search *a, struct search *b);
/* NULL, with err "name: expected what" and at = mark. */
struct search *search_expected(struct parser *p, const char *name, const char *what);
struct search *search_no_memory(struct parser *p);

/* A value (changed while it is read) as a condition on field; NULL: err is filled. */
struct search *search_field_value(struct parser *p, const struct field *field, char *value, bool starred);
struct search *search_word_value(struct parser *p, char *value, bool starred, bool quoted);
bool search_time(const char *text, double *us); /* a day or a time */

#endif
