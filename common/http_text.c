/* http_text.c: see http_text.h. */
#include "common/http_text.h"
#include "common/utf8.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes up to length bytes; -1 when an escape is broken, is NUL, or the text does not fit. */
static long decode(const char *from, size_t length, bool form, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        char c = from[i];

        if (c == '%') {
            int high = length - i > 2 ? hex_digit(from[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(from[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (used + 1 >= size)
            return -1;
        out[used++] = c;
    }
    out[used] = '\0';
    return (long)used;
}

static bool is_dots(const char *segment, size_t length)
{
    return (length == 1 && segment[0] == '.') || (length == 2 && segment[0] == '.' && segment[1] == '.');
}

bool http_text_path(const char *raw, char *out, size_t size)
{
    const char *segment;
    long length;

    if (size == 0)
        return false;
    out[0] = '\0';
    if (raw == NULL || raw[0] != '/' || strcasestr(raw, "%2f") != NULL || strcasestr(raw, "%5c") != NULL)
        return false;
    length = decode(raw, strlen(raw), false, out, size);
    if (length < 0 || !utf8_valid(out, (size_t)length))
        goto refused;
    for (const char *p = out; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
            goto refused;
    for (segment = out + 1;; segment++) {
        size_t n = strcspn(segment, "/");
        if (is_dots(segment, n))
            goto refused;
        segment += n;
        if (*segment == '\0')
            return true;
    }
refused:
    out[0] = '\0';
    return false;
}

bool http_text_match(const char *pattern, const char *path, struct http_match *match)
{
    match->count = 0;
    match->rest = false;
    while (*pattern != '\0') {
        const char *close;
        struct http_capture *capture;

        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        close = strchr(pattern, '}');
        if (close == NULL || match->count == HTTP_CAPTURES)
            return false;
        match->rest = close[-1] == '*';
        capture = &match->captures[match->count++];
        capture->name = pattern + 1;
        capture->name_length = (size_t)(close - pattern) - 1 - match->rest;
        capture->value = path;
        capture->length = match->rest ? strlen(path) : strcspn(path, "/");
        if (capture->length == 0)
            return false;
        path += capture->length;
        pattern = close + 1;
    }
    return *path == '\0';
}

bool http_text_query(const char *query, const char *name, char *out, size_t size)
{
    char key[64];

    if (size == 0)
        return false;
    out[0] = '\0';
    while (query != NULL && *query != '\0') {
        size_t length = strcspn(query, "&"), key_length = strcspn(query, "=&");

        if (decode(query, key_length, true, key, sizeof key) >= 0 && strcmp(key, name) == 0) {
            const char *value = query + key_length + (key_length < length);
            long n = decode(value, (size_t)(query + length - value), true, out, size);
            if (n >= 0 && utf8_valid(out, (size_t)n))
                return true;
            out[0] = '\0';
            return false;
        }
        query += length + (query[length] == '&');
    }
    return false;
}

bool http_text_cookie(const char *header, const char *name, char *out, size_t size)
{
    size_t wanted = strlen(name);

    if (size == 0)
        return false;
    out[0] = '\0';
    while (header != NULL && *header != '\0') {
        size_t length;

        header += strspn(header, " \t;");
        length = strcspn(header, ";");
        if (length > wanted && strncmp(header, name, wanted) == 0 && header[wanted] == '=') {
            const char *value = header + wanted + 1;
            size_t n = length - wanted - 1;

            while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
                n--;
            if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
                value++;
                n -= 2;
            }
            if (n >= size)
                return false;
            memcpy(out, value, n);
            out[n] = '\0';
            return true;
        }
        header += length;
    }
    return false;
}

/* The parameters of one list item: true for ";q=0", ";q=0.0" and the like. */
static bool is_forbidden(const char *parameters, size_t length)
{
    size_t i = 0;

    while (i < length && strchr("; \t", parameters[i]) != NULL)
        i++;
    if (length - i < 3 || (parameters[i] != 'q' && parameters[i] != 'Q') || parameters[i + 1] != '=')
        return false;
    for (i += 2; i < length; i++)
        if (strchr("0. \t", parameters[i]) == NULL)
            return false;
    return true;
}

bool http_text_has_word(const char *header, const char *word)
{
    size_t wanted = strlen(word);

    while (header != NULL && *header != '\0') {
        size_t length, n;

        header += strspn(header, " \t,");
        length = strcspn(header, ",");
        n = strcspn(header, ",; \t");
        if (n == wanted && strncasecmp(header, word, n) == 0)
            return !is_forbidden(header + n, length - n);
        header += length;
    }
    return false;
}

bool http_text_is_token(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
    size_t length = strspn(text, letters);

    return length > 0 && text[length] == '\0';
}

bool http_text_is_value(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

bool http_text_is_request_id(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    size_t length = strspn(text, letters);

    return length > 0 && length <= 64 && text[length] == '\0';
}

const char *http_text_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {207, "Multi-Status"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return rows[i].reason;
    return "Unknown";
}

const char *http_text_type_of(const char *path)
{
    static const struct {
        const char *suffix, *type;
    } rows[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".jpg", "image/jpeg"},
        {".webp", "image/webp"},
        {".woff2", "font/woff2"},
        {".txt", "text/plain; charset=utf-8"},
        {".map", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".wasm", "application/wasm"},
        {".yaml", "application/yaml"},
        {".xml", "application/xml"},
        {".pcap", "application/vnd.tcpdump.pcap"},
    };
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].suffix);
        if (length > n && strcasecmp(path + length - n, rows[i].suffix) == 0)
            return rows[i].type;
    }
    return "application/octet-stream";
}
