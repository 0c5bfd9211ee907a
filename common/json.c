/* json.c: one strict pass over the text before cJSON sees it, one over the tree afterwards (see json.h). */
#include "common/json.h"
#include "common/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_MAX = 63,  /* bytes of one number that cJSON reads */
    FEW_MEMBERS = 12, /* up to here comparing all pairs is cheaper than sorting */
    BLOCK = 32 * 1024 /* bytes of a room beyond its first */
};

/* --- the text --- */

struct scan {
    const char *start, *at, *end;
    int depth;
    struct err *err;
};

static bool wrong(struct scan *scan, const char *what)
{
    return err_set(scan->err, scan->at >= scan->end ? ERR_CUT_SHORT : ERR_INVALID, "JSON: %s at byte %zu", what,
                   (size_t)(scan->at - scan->start));
}

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool is_next(const struct scan *scan, char c)
{
    return scan->at < scan->end && *scan->at == c;
}

static size_t skip_digits(struct scan *scan)
{
    const char *from = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - from);
}

static bool scan_number(struct scan *scan)
{
    const char *from = scan->at;
    bool leading_zero;
    size_t digits;

    if (is_next(scan, '-'))
        scan->at++;
    leading_zero = is_next(scan, '0');
    digits = skip_digits(scan);
    if (digits == 0 || (leading_zero && digits > 1))
        return wrong(scan, "expected a number");
    if (is_next(scan, '.')) {
        scan->at++;
        if (skip_digits(scan) == 0)
            return wrong(scan, "expected a digit");
    }
    if (is_next(scan, 'e') || is_next(scan, 'E')) {
        scan->at++;
        if (is_next(scan, '+') || is_next(scan, '-'))
            scan->at++;
        if (skip_digits(scan) == 0)
            return wrong(scan, "expected a digit");
    }
    if (scan->at - from > NUMBER_MAX)
        return wrong(scan, "number too long");
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind \u; surrogates must come in pairs, which cJSON checks. */
static bool scan_unicode(struct scan *scan)
{
    int code = 0;

    for (int i = 0; i < 4; i++, scan->at++) {
        int digit = scan->at < scan->end ? hex_digit(*scan->at) : -1;
        if (digit < 0)
            return wrong(scan, "expected four hexadecimal digits");
        code = code * 16 + digit;
    }
    return code != 0 || wrong(scan, "NUL is not allowed");
}

static bool scan_string(struct scan *scan)
{
    scan->at++;
    while (scan->at < scan->end && *scan->at != '"') {
        unsigned char c = (unsigned char)*scan->at;
        size_t step = 1;

        if (c < 0x20)
            return wrong(scan, "control character in a string");
        if (c >= 0x80 && (step = utf8_char(scan->at, (size_t)(scan->end - scan->at))) == 0)
            return wrong(scan, "invalid UTF-8");
        scan->at += step;
        if (c != '\\')
            continue;
        if (scan->at == scan->end || strchr("\"\\/bfnrtu", *scan->at) == NULL || *scan->at == '\0')
            return wrong(scan, "unknown escape");
        if (*scan->at++ == 'u' && !scan_unicode(scan))
            return false;
    }
    if (scan->at == scan->end)
        return wrong(scan, "string without an end");
    scan->at++;
    return true;
}

static bool scan_value(struct scan *scan);

static bool scan_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return wrong(scan, "expected a value");
    scan->at += length;
    return true;
}

static bool scan_key(struct scan *scan)
{
    if (!is_next(scan, '"'))
        return wrong(scan, "expected a key");
    if (!scan_string(scan))
        return false;
    skip_blanks(scan);
    if (!is_next(scan, ':'))
        return wrong(scan, "expected ':'");
    scan->at++;
    return true;
}

static bool scan_container(struct scan *scan, char close)
{
    if (++scan->depth > JSON_DEPTH_MAX)
        return wrong(scan, "more than 32 levels");
    scan->at++;
    skip_blanks(scan);
    if (!is_next(scan, close)) {
        for (;;) {
            skip_blanks(scan);
            if ((close == '}' && !scan_key(scan)) || !scan_value(scan))
                return false;
            skip_blanks(scan);
            if (!is_next(scan, ','))
                break;
            scan->at++;
        }
    }
    if (!is_next(scan, close))
        return wrong(scan, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
    scan->at++;
    scan->depth--;
    return true;
}

static bool scan_value(struct scan *scan)
{
    skip_blanks(scan);
    if (scan->at == scan->end)
        return wrong(scan, "expected a value");
    switch (*scan->at) {
    case '{':
        return scan_container(scan, '}');
    case '[':
        return scan_container(scan, ']');
    case '"':
        return scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        return scan_number(scan);
    }
}

/* --- the tree --- */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool doubled(const char *key, struct err *err)
{
    return err_set(err, ERR_INVALID, "JSON: key \"%.64s\" stands twice", key);
}

static bool keys_differ_sorted(const cJSON *object, size_t count, struct err *err)
{
    const char **keys = malloc(count * sizeof *keys);
    const cJSON *member;
    size_t n = 0;
    bool ok = true;

    if (keys == NULL)
        return err_set(err, ERR_MEMORY, "JSON: out of memory");
    cJSON_ArrayForEach(member, object) keys[n++] = member->string;
    qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 1; ok && i < n; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            ok = doubled(keys[i], err);
    free(keys);
    return ok;
}

static bool keys_differ(const cJSON *object, struct err *err)
{
    const cJSON *a, *b;
    size_t count = 0;

    cJSON_ArrayForEach(a, object) count++;
    if (count > FEW_MEMBERS)
        return keys_differ_sorted(object, count, err);
    cJSON_ArrayForEach(a, object) for (b = a->next; b != NULL; b = b->next) if (strcmp(a->string, b->string) ==
                                                                                0) return doubled(a->string, err);
    return true;
}

/* Not deeper than JSON_DEPTH_MAX: the text was measured. */
static bool check_tree(const cJSON *json, struct err *err)
{
    const cJSON *child;

    if (cJSON_IsNumber(json) && !isfinite(json->valuedouble))
        return err_set(err, ERR_INVALID, "JSON: a number is too large");
    if (cJSON_IsObject(json) && !keys_differ(json, err))
        return false;
    cJSON_ArrayForEach(child, json) if (!check_tree(child, err)) return false;
    return true;
}

/* --- rooms --- */

struct json_block {
    struct json_block *next;
    _Alignas(16) char bytes[];
};

static _Thread_local struct json_room *filling; /* while cJSON makes a tree in it */

static bool add_block(struct json_room *room, size_t size)
{
    struct json_block *block = malloc(sizeof *block + size);

    if (block == NULL)
        return false;
    block->next = room->blocks;
    room->blocks = block;
    room->at = block->bytes;
    room->left = size;
    return true;
}

static void *allocate(size_t size)
{
    size_t rounded = (size + 15) / 16 * 16;
    struct json_room *room = filling;
    void *piece;

    if (room == NULL)
        return malloc(size);
    if (rounded < size || (rounded > room->left && !add_block(room, rounded > BLOCK ? rounded : BLOCK)))
        return NULL;
    piece = room->at;
    room->at += rounded;
    room->left -= rounded;
    return piece;
}

static void give_back(void *piece)
{
    if (filling == NULL)
        free(piece);
}

/* Before there is a second thread: cJSON keeps its hooks where all read them. */
__attribute__((constructor)) static void set_hooks(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = allocate, .free_fn = give_back});
}

void json_room_open(struct json_room *room)
{
    room->blocks = NULL;
    room->at = room->first;
    room->left = sizeof room->first;
}

void json_room_close(struct json_room *room)
{
    while (room->blocks != NULL) {
        struct json_block *next = room->blocks->next;

        free(room->blocks);
        room->blocks = next;
    }
}

/* --- both --- */

cJSON *json_parse_in(struct json_room *room, const char *text, size_t length, struct err *err)
{
    struct scan scan = {text, text, text + length, 0, err};
    cJSON *json;

    if (!scan_value(&scan))
        return NULL;
    skip_blanks(&scan);
    if (scan.at != scan.end) {
        wrong(&scan, "expected the end");
        return NULL;
    }
    filling = room;
    json = cJSON_ParseWithLength(text, length);
    filling = NULL;
    if (json == NULL) {
        err_set(err, ERR_INVALID, "JSON: lone surrogate, or out of memory");
        return NULL;
    }
    if (!check_tree(json, err)) {
        if (room == NULL)
            cJSON_Delete(json);
        return NULL;
    }
    return json;
}

cJSON *json_parse(const char *text, size_t length, struct err *err)
{
    return json_parse_in(NULL, text, length, err);
}

char *json_print(const cJSON *json)
{
    struct text text = {0};

    text_add_tree(&text, json);
    if (text.failed) {
        free(text.bytes);
        return NULL;
    }
    return text.bytes;
}

/* --- readers --- */

const cJSON *json_member(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNull(member) ? NULL : member;
}

bool json_text(const cJSON *object, const char *name, char *out, size_t size, struct err *err)
{
    const cJSON *member = json_member(object, name);

    if (!cJSON_IsString(member) || strlen(member->valuestring) >= size)
        return err_set(err, ERR_INVALID, "%s: expected a text of at most %zu bytes", name, size - 1);
    memcpy(out, member->valuestring, strlen(member->valuestring) + 1);
    return true;
}

bool json_number(const cJSON *object, const char *name, double min, double max, double *out, struct err *err)
{
    const cJSON *member = json_member(object, name);

    if (!cJSON_IsNumber(member) || !(member->valuedouble >= min && member->valuedouble <= max))
        return err_set(err, ERR_INVALID, "%s: expected a number from %g to %g", name, min, max);
    *out = member->valuedouble;
    return true;
}

bool json_integer(const cJSON *object, const char *name, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    const cJSON *member = json_member(object, name);
    double value = cJSON_IsNumber(member) ? member->valuedouble : NAN;

    /* within 2^53 a double holds every whole number, so the cast is exact */
    if (!(fabs(value) <= 9007199254740992.0) || value != floor(value) || (int64_t)value < min || (int64_t)value > max)
        return err_set(err, ERR_INVALID, "%s: expected a whole number from %lld to %lld", name, (long long)min,
                       (long long)max);
    *out = (int64_t)value;
    return true;
}

bool json_flag(const cJSON *object, const char *name, bool *out, struct err *err)
{
    const cJSON *member = json_member(object, name);

    if (!cJSON_IsBool(member))
        return err_set(err, ERR_INVALID, "%s: expected true or false", name);
    *out = cJSON_IsTrue(member);
    return true;
}
