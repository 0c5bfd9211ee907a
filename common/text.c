/* text.c: see text.h. Writing a threat costs mostly numbers, so they have a way of their own. */
#include "common/text.h"
#include "common/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 256, DECIMALS_MAX = 15 };

/* Room for length more bytes and the NUL. */
static bool reserve(struct text *text, size_t length)
{
    size_t room = text->room;
    char *bytes;

    if (text->failed)
        return false;
    if (length > SIZE_MAX / 4 - text->length || (text->max > 0 && text->length + length > text->max)) {
        text->failed = true;
        return false;
    }
    if (text->length + length < room)
        return true;
    room = room == 0 ? FIRST_ROOM : room;
    while (room <= text->length + length)
        room *= 2;
    bytes = realloc(text->bytes, room);
    if (bytes == NULL) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->room = room;
    return true;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
    if (!reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_addf(struct text *text, const char *format, ...)
{
    size_t room = text->room - text->length; /* what there is; 0 at first */
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(room > 0 ? text->bytes + text->length : NULL, room, format, args);
    va_end(args);
    if (length < 0 || !reserve(text, (size_t)length)) {
        text->failed = true;
        if (room > 0)
            text->bytes[text->length] = '\0';
        return;
    }
    if ((size_t)length >= room) {
        va_start(args, format);
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, args);
        va_end(args);
    }
    text->length += (size_t)length;
}

static void add_escape(struct text *text, unsigned char c)
{
    static const char shorts[] = "btn\0fr"; /* \b \t \n (no \v) \f \r, from 8 on */
    char out[7] = {'\\', (char)c, '\0'};

    if (c >= 8 && c <= 13 && c != 11)
        out[1] = shorts[c - 8];
    else if (c < 0x20 || c == 0x7f)
        snprintf(out, sizeof out, "\\u%04x", c);
    text_add(text, out, strlen(out));
}

void text_add_json(struct text *text, const char *value)
{
    size_t length, run = 0, at = 0;

    if (value == NULL) {
        text_add(text, "null", 4);
        return;
    }
    length = strlen(value);
    text_add(text, "\"", 1);
    while (at < length) { /* [run, at) is good as it stands */
        unsigned char c = (unsigned char)value[at];
        size_t step = c < 0x80 ? 1 : utf8_char(value + at, length - at);

        if (step > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            at += step;
            continue;
        }
        text_add(text, value + run, at - run);
        if (step == 0)
            text_add(text, "\xef\xbf\xbd", 3);
        else
            add_escape(text, c);
        run = ++at;
    }
    text_add(text, value + run, at - run);
    text_add(text, "\"", 1);
}

void text_add_integer(struct text *text, int64_t value)
{
    char out[24];
    size_t at = sizeof out;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        out[--at] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        out[--at] = '-';
    text_add(text, out + at, sizeof out - at);
}

/* value = digits / 10^decimals, exactly the double that a reader gets from that text. */
static void add_decimal(struct text *text, bool negative, uint64_t digits, int decimals)
{
    char out[40];
    size_t at = sizeof out;

    for (int i = 0; i < decimals; i++, digits /= 10)
        out[--at] = (char)('0' + digits % 10);
    if (decimals > 0)
        out[--at] = '.';
    do
        out[--at] = (char)('0' + digits % 10);
    while ((digits /= 10) > 0);
    if (negative)
        out[--at] = '-';
    text_add(text, out + at, sizeof out - at);
}

/* A whole number below 2^53 divided by an exact power of ten is rounded once, and so is the text when it is read
 * (IEEE 754): when the division gives the value back, the text does, too. */
static bool add_short_number(struct text *text, double value)
{
    static const double powers[DECIMALS_MAX + 1] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    double size = fabs(value);

    if (size >= 1e15 || (size < 1e-5 && size > 0))
        return false;
    for (int decimals = 0; decimals <= DECIMALS_MAX; decimals++) {
        double digits = rint(size * powers[decimals]);
        if (digits >= 9007199254740992.0)
            return false;
        if (digits / powers[decimals] == size) {
            add_decimal(text, value < 0, (uint64_t)digits, decimals);
            return true;
        }
    }
    return false;
}

void text_add_number(struct text *text, double value)
{
    char out[40];

    if (!isfinite(value)) {
        text_add(text, "null", 4);
        return;
    }
    if (add_short_number(text, value))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, sizeof out, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    text_add(text, out, strlen(out));
}

static void add_container(struct text *text, const cJSON *json, bool object)
{
    const cJSON *child;

    text_add(text, object ? "{" : "[", 1);
    cJSON_ArrayForEach(child, json)
    {
        if (child != json->child)
            text_add(text, ",", 1);
        if (object) {
            text_add_json(text, child->string);
            text_add(text, ":", 1);
        }
        text_add_tree(text, child);
    }
    text_add(text, object ? "}" : "]", 1);
}

void text_add_tree(struct text *text, const cJSON *json)
{
    if (cJSON_IsObject(json) || cJSON_IsArray(json))
        add_container(text, json, cJSON_IsObject(json));
    else if (cJSON_IsString(json))
        text_add_json(text, json->valuestring);
    else if (cJSON_IsNumber(json))
        text_add_number(text, json->valuedouble);
    else if (cJSON_IsBool(json))
        text_addf(text, "%s", cJSON_IsTrue(json) ? "true" : "false");
    else if (cJSON_IsRaw(json))
        text_add(text, json->valuestring, strlen(json->valuestring));
    else
        text_add(text, "null", 4);
}

void text_reset(struct text *text)
{
    text->length = 0;
    text->failed = false;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}
