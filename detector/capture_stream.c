/* capture_stream.c: plain, gzip and zstd files behind one window of plain bytes. */
#include "detector/capture_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { ROOM = 128 * 1024, WINDOW_LOG_MAX = 27 }; /* ROOM: stays in a cache of the second level */

enum kind { PLAIN, GZIP, ZSTD };

struct capture_stream {
    int fd;
    enum kind kind;
    FILE *file;
    z_stream zlib;
    ZSTD_DStream *zstd;
    bool zlib_ready, ended; /* ended: between two members or frames, where the file may end */
    bool cut;
    const char *fault;
    int64_t done, total;
    size_t at, have; /* what lies unread in input */
    size_t from, to; /* what lies unread in window */
    uint8_t input[ROOM];
    uint8_t window[CAPTURE_STREAM_PEEK + ROOM];
};

/* More input when there is none; false on a read error. have is 0 at the end of the file. */
static bool fill(struct capture_stream *s)
{
    ssize_t n = 0;

    if (s->at < s->have)
        return true;
    do
        n = read(s->fd, s->input, sizeof s->input);
    while (n < 0 && errno == EINTR);
    s->at = 0;
    s->have = n > 0 ? (size_t)n : 0;
    s->done += n > 0 ? n : 0;
    return n >= 0;
}

static ssize_t refuse(struct capture_stream *s, bool cut, const char *fault)
{
    s->fault = fault;
    s->cut = cut;
    errno = EIO;
    return -1;
}

/* Without a way through input, but for what was read of it to tell its kind. */
static ssize_t read_plain(struct capture_stream *s, uint8_t *out, size_t room)
{
    ssize_t n = (ssize_t)(s->have - s->at);

    if (n > 0) { /* input has no more room than out */
        memcpy(out, s->input + s->at, (size_t)n);
        s->at = s->have;
        return n;
    }
    do
        n = read(s->fd, out, room);
    while (n < 0 && errno == EINTR);
    s->done += n > 0 ? n : 0;
    return n;
}

static ssize_t read_gzip(struct capture_stream *s, uint8_t *out, size_t room)
{
    s->zlib.next_out = out;
    s->zlib.avail_out = (uInt)room;
    while (s->zlib.avail_out == room) {
        if (!fill(s))
            return -1;
        if (s->have == 0)
            return s->ended ? 0 : refuse(s, true, "the gzip data end too early");
        if (s->ended && inflateReset(&s->zlib) != Z_OK)
            return refuse(s, false, "zlib failed");
        s->ended = false;
        s->zlib.next_in = s->input + s->at;
        s->zlib.avail_in = (uInt)(s->have - s->at);
        int status = inflate(&s->zlib, Z_NO_FLUSH);
        s->at = s->have - s->zlib.avail_in;
        if (status == Z_STREAM_END)
            s->ended = true;
        else if (status != Z_OK && status != Z_BUF_ERROR)
            return refuse(s, false, "the gzip data are damaged");
    }
    return (ssize_t)(room - s->zlib.avail_out);
}

static ssize_t read_zstd(struct capture_stream *s, uint8_t *out, size_t room)
{
    ZSTD_outBuffer to = {out, room, 0};

    while (to.pos == 0) {
        if (!fill(s))
            return -1;
        if (s->have == 0)
            return s->ended ? 0 : refuse(s, true, "the zstd data end too early");
        ZSTD_inBuffer from = {s->input, s->have, s->at};
        size_t status = ZSTD_decompressStream(s->zstd, &to, &from);
        s->at = from.pos;
        if (ZSTD_isError(status))
            return refuse(s, false, "the zstd data are damaged");
        s->ended = status == 0;
    }
    return (ssize_t)to.pos;
}

/* Lays more behind what is in the window; how much, 0 at the end, -1 on a failure. */
static ssize_t more(struct capture_stream *s)
{
    ssize_t n = -1;

    if (s->fault != NULL)
        return -1;
    memmove(s->window, s->window + s->from, s->to - s->from);
    s->to -= s->from;
    s->from = 0;
    if (s->kind == GZIP)
        n = read_gzip(s, s->window + s->to, ROOM);
    else if (s->kind == ZSTD)
        n = read_zstd(s, s->window + s->to, ROOM);
    else
        n = read_plain(s, s->window + s->to, ROOM);
    s->to += n > 0 ? (size_t)n : 0;
    return n;
}

const uint8_t *capture_stream_peek(struct capture_stream *s, size_t n, size_t *have)
{
    while (s->to - s->from < n && n <= CAPTURE_STREAM_PEEK && more(s) > 0) {
    }
    *have = s->to - s->from;
    return s->window + s->from;
}

void capture_stream_skip(struct capture_stream *s, size_t n)
{
    s->from += n;
}

static ssize_t cookie_read(void *cookie, char *out, size_t room)
{
    struct capture_stream *s = cookie;
    ssize_t n = s->from < s->to ? 1 : more(s);

    if (n <= 0)
        return n;
    if (room > s->to - s->from)
        room = s->to - s->from;
    memcpy(out, s->window + s->from, room);
    s->from += room;
    return (ssize_t)room;
}

static bool begin(struct capture_stream *s, struct err *err)
{
    static const uint8_t gzip[3] = {0x1f, 0x8b, 8}, zstd[4] = {0x28, 0xb5, 0x2f, 0xfd};
    static const cookie_io_functions_t functions = {.read = cookie_read};

    if (!fill(s))
        return err_set(err, ERR_SYSTEM, "%s", strerror(errno));
    if (s->have >= sizeof gzip && memcmp(s->input, gzip, sizeof gzip) == 0) {
        s->kind = GZIP;
        s->zlib_ready = inflateInit2(&s->zlib, 15 + 16) == Z_OK;
        if (!s->zlib_ready)
            return err_set(err, ERR_MEMORY, "zlib: out of memory");
    } else if (s->have >= sizeof zstd && memcmp(s->input, zstd, sizeof zstd) == 0) {
        s->kind = ZSTD;
        s->zstd = ZSTD_createDStream();
        if (s->zstd == NULL)
            return err_set(err, ERR_MEMORY, "zstd: out of memory");
        ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    }
    s->file = fopencookie(s, "r", functions);
    if (s->file == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    setvbuf(s->file, NULL, _IONBF, 0);
    return true;
}

struct capture_stream *capture_stream_open(const char *path, struct err *err)
{
    struct capture_stream *s = calloc(1, sizeof *s);
    struct stat st;

    if (s == NULL) {
        err_set(err, ERR_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    s->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, "%s: %s", path, strerror(errno));
        goto failed;
    }
    if (S_ISDIR(st.st_mode)) {
        err_set(err, ERR_INVALID, "%s: is a directory", path);
        goto failed;
    }
    s->total = S_ISREG(st.st_mode) ? st.st_size : 0;
    if (begin(s, err))
        return s;
    err_prefix(err, "%s", path);
failed:
    capture_stream_close(s);
    return NULL;
}

void capture_stream_close(struct capture_stream *s)
{
    if (s == NULL)
        return;
    if (s->file != NULL)
        fclose(s->file);
    if (s->zlib_ready)
        inflateEnd(&s->zlib);
    ZSTD_freeDStream(s->zstd);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

FILE *capture_stream_file(struct capture_stream *s)
{
    return s->file;
}

void capture_stream_hand_over(struct capture_stream *s)
{
    s->file = NULL;
}

void capture_stream_progress(const struct capture_stream *s, int64_t *done, int64_t *total)
{
    *done = s->done - (int64_t)(s->have - s->at) - (s->kind == PLAIN ? (int64_t)(s->to - s->from) : 0);
    *total = s->total;
}

const char *capture_stream_fault(const struct capture_stream *s, bool *cut)
{
    *cut = s->cut;
    return s->fault;
}
