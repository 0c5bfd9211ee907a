/* text.h: a text that grows, for building JSON and CSV without a tree.
 *
 * Starts as {0}, or with .max as its ceiling in bytes (0: none). A failed text takes no more; look at .failed once,
 * at the end. */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes; /* NUL-terminated once something was added; free() it */
    size_t length, room, max;
    bool failed; /* memory was out or max was reached; later adds do nothing */
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_json(struct text *text, const char *value); /* quoted and escaped; NULL is null, invalid UTF-8 U+FFFD */
void text_add_number(struct text *text, double value);    /* shortest text that reads back the same; else null */
void text_add_integer(struct text *text, int64_t value);
void text_add_tree(struct text *text, const cJSON *json); /* unformatted */
void text_reset(struct text *text);                       /* empty again, memory kept */

#endif
