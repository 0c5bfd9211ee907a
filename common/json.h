/* json.h: cJSON with its doors closed (RFC 8259).
 *
 * json_parse refuses what cJSON lets pass: more than 32 levels (a worker has
 * 100 KiB of stack), trailing bytes, a byte-order mark, invalid UTF-8, raw control
 * characters, NUL (also as \u0000), numbers that are no JSON or not finite, and
 * doubled keys. Readers name the field and what was expected. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/err.h"
#include "common/text.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 32 };

/* The caller frees with cJSON_Delete. NULL: err says what and at which byte. */
cJSON *json_parse(const char *text, size_t length, struct err *err);

/* Room for a tree whose pieces all end together: most trees need no memory beside it. */
struct json_room {
    struct json_block *blocks;
    char *at; /* free from here on */
    size_t left;
    _Alignas(16) char first[4096];
};
void json_room_open(struct json_room *room);
void json_room_close(struct json_room *room);
/* As json_parse, but the tree lies in room: it is only read, never given to cJSON_Delete, and ends with the room. */
cJSON *json_parse_in(struct json_room *room, const char *text, size_t length, struct err *err);

/* Unformatted text, or NULL when memory is out; the caller frees it with free(). Raw items are written as they are.
 */
char *json_print(const cJSON *json);

/* Readers of one member: false with "name: expected ..." when it is missing or wrong. */
bool json_text(const cJSON *object, const char *name, char *out, size_t size, struct err *err);
bool json_number(const cJSON *object, const char *name, double min, double max, double *out, struct err *err);
bool json_integer(const cJSON *object, const char *name, int64_t min, int64_t max, int64_t *out, struct err *err);
bool json_flag(const cJSON *object, const char *name, bool *out, struct err *err);

/* The member, or NULL when it is missing or null (names compare exactly). */
const cJSON *json_member(const cJSON *object, const char *name);

#endif
