/* log.c: takes the format apart at its blanks, so that no value can pretend to be another pair.
 *
 * The format's "key=" stay where they are; behind each value the format gets a separator byte, the C library fills in
 * the values, and the result is cut at the separators again. A value that holds a separator itself shows as a wrong
 * number of pieces: then the whole text becomes one value. */
#include "common/log.h"
#include "common/clock.h"
#include "common/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS_MAX = 24, FORMAT_MAX = 1024, VALUES_MAX = 3072, LINE_MAX_BYTES = 6144, SEPARATOR = 0x1e };

/* Written once by log_setup before the first thread. */
static enum log_level log_ceiling = LOG_INFO;
static bool log_as_json;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct pair {
    const char *key;
    size_t key_length;
    bool number; /* the format says so: "%d", "%.3f", ... */
    const char *value;
    size_t length;
};

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t length;
};

void log_setup(enum log_level level, bool as_json)
{
    log_ceiling = level;
    log_as_json = as_json;
}

bool log_level_from_text(const char *text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* The last byte is kept for the newline. */
static void add(struct line *line, const char *bytes, size_t length)
{
    size_t room = sizeof line->bytes - 1 - line->length;

    if (length > room)
        length = room;
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static void add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

static void add_escape(struct line *line, unsigned char c)
{
    char out[8];

    if (c == '"' || c == '\\')
        snprintf(out, sizeof out, "\\%c", c);
    else if (c == '\n')
        snprintf(out, sizeof out, "\\n");
    else if (c == '\t')
        snprintf(out, sizeof out, "\\t");
    else
        snprintf(out, sizeof out, log_as_json ? "\\u%04x" : "\\x%02x", c);
    add_text(line, out);
}

/* Control characters (also U+0080 to U+009F, which terminals obey) and bytes that are no UTF-8 are escaped. */
static void add_escaped(struct line *line, const char *bytes, size_t length)
{
    size_t at = 0;

    while (at < length) {
        unsigned char c = (unsigned char)bytes[at];
        size_t step = utf8_char(bytes + at, length - at);
        bool c1 = step == 2 && c == 0xc2 && (unsigned char)bytes[at + 1] < 0xa0;

        if (line->length + 16 > sizeof line->bytes)
            return; /* whole characters and escapes only, and room for the closing quote */
        if (step == 0 || c < 0x20 || c == 0x7f || c == '"' || c == '\\' || c1) {
            if (c1)
                c = (unsigned char)bytes[++at];
            add_escape(line, c);
            at++;
        } else {
            add(line, bytes + at, step);
            at += step;
        }
    }
}

static void add_quoted(struct line *line, const char *bytes, size_t length)
{
    add_text(line, "\"");
    add_escaped(line, bytes, length);
    add_text(line, "\"");
}

static bool is_plain(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c <= 0x20 || c == '"' || c == '\\' || c == '=' || c >= 0x7f)
            return false;
    }
    return length > 0;
}

static bool looks_like_number(const char *bytes, size_t length)
{
    return length > 0 && length < 40 && strspn(bytes, "-+.0123456789e") >= length && bytes[length - 1] >= '0' &&
           bytes[length - 1] <= '9' && bytes[0] != '+' && bytes[0] != '.';
}

static void add_pair(struct line *line, const struct pair *pair)
{
    bool number = pair->number && looks_like_number(pair->value, pair->length);

    if (line->length + pair->key_length + 32 > sizeof line->bytes)
        return;
    if (log_as_json) {
        add_text(line, ",");
        add_quoted(line, pair->key, pair->key_length);
        add_text(line, ":");
    } else {
        add_text(line, " ");
        add(line, pair->key, pair->key_length);
        add_text(line, "=");
    }
    if (log_as_json ? number : is_plain(pair->value, pair->length))
        add(line, pair->value, pair->length);
    else
        add_quoted(line, pair->value, pair->length);
}

/* Length of the key of "key=..." at text, 0 when there is none. */
static size_t key_at(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    return text[n] == '=' ? n : 0;
}

/* Writes the values of format alone, each with a separator behind it, to out. Returns the pairs found, or 0 when the
 * format is not made of pairs. */
static size_t split_format(const char *format, struct pair *pairs, char out[FORMAT_MAX])
{
    size_t count = 0, used = 0;

    while (*format != '\0') {
        size_t key = key_at(format), start;
        const char *value = format + key + 1;
        bool quoted = key > 0 && *value == '"';

        if (key == 0 || count == PAIRS_MAX)
            return 0;
        value += quoted;
        pairs[count].key = format;
        pairs[count].key_length = key;
        start = used;
        while (*value != '\0' && *value != (quoted ? '"' : ' ')) {
            if (used + 2 >= FORMAT_MAX)
                return 0;
            out[used++] = *value++;
        }
        pairs[count++].number =
            !quoted && used > start && out[start] == '%' && strchr("diufg", out[used - 1]) != NULL;
        out[used++] = SEPARATOR;
        format = value + (quoted && *value == '"');
        format += strspn(format, " ");
    }
    out[used] = '\0';
    return count;
}

/* Cuts values at the separators; false when there are more or fewer than the format has. */
static bool split_values(const char *values, struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *end = strchr(values, SEPARATOR);
        if (end == NULL)
            return false;
        pairs[i].value = values;
        pairs[i].length = (size_t)(end - values);
        values = end + 1;
    }
    return *values == '\0';
}

static void begin(struct line *line, enum log_level level, const char *event)
{
    char now[CLOCK_TEXT];

    clock_text_ms(clock_now_ms(), now);
    add_text(line, log_as_json ? "{\"ts\":\"" : "ts=");
    add_text(line, now);
    add_text(line, log_as_json ? "\",\"level\":\"" : " level=");
    add_text(line, level_names[level]);
    add_text(line, log_as_json ? "\",\"event\":\"" : " event=");
    add_text(line, event);
    add_text(line, log_as_json ? "\"" : "");
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    struct line line;
    struct pair pairs[PAIRS_MAX];
    char cut[FORMAT_MAX], values[VALUES_MAX];
    size_t count;
    bool whole = false;
    int saved = errno;
    va_list args;

    if (level > log_ceiling)
        return;
    line.length = 0;
    begin(&line, level, event);
    count = split_format(format, pairs, cut);
    if (count > 0) {
        int n;
        va_start(args, format);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the same conversions as in format, which was checked */
        n = vsnprintf(values, sizeof values, cut, args);
#pragma GCC diagnostic pop
        va_end(args);
        whole = n >= 0 && (size_t)n < sizeof values && split_values(values, pairs, count);
    }
    for (size_t i = 0; whole && i < count; i++)
        add_pair(&line, &pairs[i]);
    if (!whole && *format != '\0') {
        va_start(args, format);
        vsnprintf(values, sizeof values, format, args);
        va_end(args);
        add_pair(&line, &(struct pair){"message", 7, false, values, strlen(values)});
    }
    if (log_as_json)
        add_text(&line, "}");
    line.bytes[line.length++] = '\n';
    while (write(STDERR_FILENO, line.bytes, line.length) < 0 && errno == EINTR)
        ;
    errno = saved;
}
