/* multipart.c: see multipart.h. A body is a run of "CRLF--boundary" lines; what stands before the first and behind
 * the last is thrown away. */
#include "common/multipart.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BOUNDARY_MAX = 70, DELIMITER = BOUNDARY_MAX + 4, ROOM = 32 * 1024 };

enum stage {
    PREAMBLE, /* before the first delimiter */
    MARK,     /* right behind a delimiter: CRLF or the last "--" */
    HEADERS,
    BODY,
    EPILOGUE
};

struct multipart {
    struct multipart_sink sink;
    char delimiter[DELIMITER + 1]; /* "\r\n--boundary" */
    size_t delimiter_length;
    enum stage stage;
    int parts;
    size_t head; /* bytes at the front of the buffer that belong to the part's headers */
    char buffer[ROOM];
    size_t length;
};

/* The boundary parameter, quoted or not. */
static bool find_boundary(const char *type, char *out, size_t size)
{
    const char *p = type + strlen("multipart/form-data");
    size_t n = 0;

    while ((p = strchr(p, ';')) != NULL) {
        p++;
        while (*p == ' ' || *p == '\t')
            p++;
        if (strncasecmp(p, "boundary=", 9) == 0)
            break;
    }
    if (p == NULL)
        return false;
    p += 9;
    bool quoted = *p == '"';

    p += quoted;
    while (*p != '\0' && (quoted ? *p != '"' : strchr("; \t", *p) == NULL)) {
        if (n + 1 >= size || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            return false;
        out[n++] = *p++;
    }
    out[n] = '\0';
    return n > 0 && (!quoted || *p == '"');
}

struct multipart *multipart_create(const char *content_type, const struct multipart_sink *sink, struct err *err)
{
    static const char type[] = "multipart/form-data";
    char boundary[BOUNDARY_MAX + 1];
    struct multipart *m;

    if (content_type == NULL || strncasecmp(content_type, type, sizeof type - 1) != 0 ||
        !find_boundary(content_type, boundary, sizeof boundary)) {
        err_set(err, ERR_INVALID, "Content-Type: expected multipart/form-data with a boundary");
        return NULL;
    }
    m = calloc(1, sizeof *m);
    if (m == NULL) {
        err_set(err, ERR_MEMORY, "multipart: out of memory");
        return NULL;
    }
    m->sink = *sink;
    m->delimiter_length = (size_t)snprintf(m->delimiter, sizeof m->delimiter, "\r\n--%s", boundary);
    memcpy(m->buffer, "\r\n", 2); /* the first delimiter may stand at the very beginning */
    m->length = 2;
    return m;
}

void multipart_free(struct multipart *multipart)
{
    free(multipart);
}

static void drop(struct multipart *m, size_t count)
{
    memmove(m->buffer, m->buffer + count, m->length - count);
    m->length -= count;
}

static bool refused(struct err *err)
{
    if (err != NULL && err->code == ERR_NONE)
        err_set(err, ERR_DENIED, "multipart: not wanted");
    return false;
}

/* The value of name="..." in a Content-Disposition line of [line, end); "" when it is not there. */
static bool parameter(const char *line, const char *end, const char *name, char *out, size_t size)
{
    size_t length = strlen(name), n = 0;

    out[0] = '\0';
    for (const char *p = line; p + length + 2 < end; p++) {
        bool start = p > line && (p[-1] == ';' || p[-1] == ' ' || p[-1] == '\t');

        if (!start || strncasecmp(p, name, length) != 0 || p[length] != '=')
            continue;
        p += length + 1;
        bool quoted = *p == '"';

        for (p += quoted; p < end && (quoted ? *p != '"' : *p != ';'); p++) {
            if (*p == '\\' && quoted && p + 1 < end)
                p++;
            if (n + 1 >= size || *p == '\0')
                return false;
            out[n++] = *p;
        }
        out[n] = '\0';
        return true;
    }
    return false;
}

/* Header lines of a part, without the empty line at their end. */
static bool begin_part(struct multipart *m, size_t length, struct err *err)
{
    static const char disposition[] = "content-disposition:";
    char name[MULTIPART_NAME] = "", file[MULTIPART_NAME] = "";
    const char *line = m->buffer, *end = m->buffer + length;
    bool named = false, has_file = false;

    while (line < end) {
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);

        if (next == NULL)
            next = end;
        if ((size_t)(next - line) > sizeof disposition &&
            strncasecmp(line, disposition, sizeof disposition - 1) == 0) {
            named = parameter(line, next, "name", name, sizeof name);
            has_file = parameter(line, next, "filename", file, sizeof file);
        }
        line = next + 2;
    }
    if (!named)
        return err_set(err, ERR_INVALID, "multipart: a part has no name");
    if (++m->parts > MULTIPART_PARTS)
        return err_set(err, ERR_INVALID, "multipart: more than %d parts", (int)MULTIPART_PARTS);
    return m->sink.part(m->sink.context, name, has_file ? file : NULL) || refused(err);
}

/* What lies before the next delimiter goes: to the sink when it is of a part. */
static bool run_on(struct multipart *m, bool *more, struct err *err)
{
    const char *found = memmem(m->buffer, m->length, m->delimiter, m->delimiter_length);
    /* without a delimiter all but its possible beginning may go */
    size_t whole = found                              ? (size_t)(found - m->buffer)
                   : m->length >= m->delimiter_length ? m->length - m->delimiter_length + 1
                                                      : 0;
    size_t head = m->head < whole ? m->head : whole;

    if (m->stage == BODY && whole > head && !m->sink.data(m->sink.context, m->buffer + head, whole - head))
        return refused(err);
    if (m->stage == BODY && found != NULL && !m->sink.end(m->sink.context))
        return refused(err);
    m->head -= head;
    drop(m, whole + (found ? m->delimiter_length : 0));
    if (found != NULL)
        m->stage = MARK;
    *more = found != NULL;
    return true;
}

static bool read_mark(struct multipart *m, bool *more, struct err *err)
{
    size_t skip = 0;

    while (skip < m->length && (m->buffer[skip] == ' ' || m->buffer[skip] == '\t'))
        skip++;
    *more = m->length >= skip + 2;
    if (!*more)
        return skip < MULTIPART_HEADERS || err_set(err, ERR_INVALID, "multipart: no line behind a boundary");
    if (m->buffer[skip] == '-' && m->buffer[skip + 1] == '-')
        m->stage = EPILOGUE;
    else if (m->buffer[skip] == '\r' && m->buffer[skip + 1] == '\n')
        m->stage = HEADERS;
    else
        return err_set(err, ERR_INVALID, "multipart: a boundary is not at the end of its line");
    drop(m, skip + 2);
    return true;
}

static bool read_headers(struct multipart *m, bool *more, struct err *err)
{
    const char *found = memmem(m->buffer, m->length, "\r\n\r\n", 4);
    size_t whole = found ? (size_t)(found - m->buffer) : 0;

    *more = found != NULL;
    if (found == NULL)
        return m->length < MULTIPART_HEADERS || err_set(err, ERR_INVALID, "multipart: a part's headers are too long");
    if (!begin_part(m, whole, err))
        return false;
    /* the last CRLF stays: the delimiter of an empty part begins with it */
    drop(m, whole + 2);
    m->head = 2;
    m->stage = BODY;
    return true;
}

/* One step; *more says whether another one can be taken with the bytes that are there. */
static bool step(struct multipart *m, bool *more, struct err *err)
{
    switch (m->stage) {
    case PREAMBLE:
    case BODY:
        return run_on(m, more, err);
    case MARK:
        return read_mark(m, more, err);
    case HEADERS:
        return read_headers(m, more, err);
    default:
        *more = false;
        m->length = 0;
        return true;
    }
}

bool multipart_feed(struct multipart *m, const char *bytes, size_t length, struct err *err)
{
    while (length > 0) {
        size_t fits = sizeof m->buffer - m->length < length ? sizeof m->buffer - m->length : length;
        bool more = true;

        memcpy(m->buffer + m->length, bytes, fits);
        m->length += fits;
        bytes += fits;
        length -= fits;
        while (more)
            if (!step(m, &more, err))
                return false;
    }
    return true;
}

bool multipart_finish(const struct multipart *m, struct err *err)
{
    return m->stage == EPILOGUE || err_set(err, ERR_CUT_SHORT, "multipart: the body ends before its last boundary");
}
