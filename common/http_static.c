/* http_static.c: see http_static.h. */
#include "common/http_static.h"
#include "common/http_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WHOLE_MAX = 4 * 1024 * 1024, PIECE = 64 * 1024, ETAG = 64, HTTP_DATE = 40 };

struct file {
    int fd;
    off_t size;
    struct timespec changed;
    bool gzip;
};

/* Opens path below root when it is a plain file whose real place is below root, too. */
static bool open_below(const char *root, const char *path, const char *suffix, struct file *file)
{
    char *wanted = NULL, *real = NULL;
    size_t root_length = strlen(root);
    struct stat st;
    bool ok = false;

    file->fd = -1;
    if (asprintf(&wanted, "%s%s%s", root, path, suffix) < 0)
        return false;
    real = realpath(wanted, NULL);
    if (real == NULL || strncmp(real, root, root_length) != 0 || real[root_length] != '/')
        goto done;
    file->fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode))
        goto done;
    file->size = st.st_size;
    file->changed = st.st_mtim;
    ok = true;
done:
    if (!ok && file->fd >= 0)
        close(file->fd);
    free(real);
    free(wanted);
    return ok;
}

static void http_date(time_t t, char out[HTTP_DATE])
{
    struct tm tm;

    out[0] = '\0';
    if (gmtime_r(&t, &tm) != NULL)
        strftime(out, HTTP_DATE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* If-None-Match goes before If-Modified-Since (RFC 9110, section 13.2.2). */
static bool is_unchanged(const struct http_request *request, const char *etag, const char *date)
{
    const char *match = http_header(request, "If-None-Match"), *since = http_header(request, "If-Modified-Since");

    if (match != NULL)
        return strcmp(match, "*") == 0 || strstr(match, etag) != NULL;
    return since != NULL && strcmp(since, date) == 0;
}

static void add_extra_headers(struct http_request *request, const char *lines)
{
    while (lines != NULL && *lines != '\0') {
        size_t length = strcspn(lines, "\r\n"), name = strcspn(lines, ":\r\n");
        char *line = strndup(lines, length);

        if (line != NULL && name < length) {
            line[name] = '\0';
            http_add_header(request, line, line + name + 1 + strspn(line + name + 1, " "));
        }
        free(line);
        lines += length + strspn(lines + length, "\r\n");
    }
}

static bool read_all(int fd, char *out, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t n = read(fd, out + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        used += (size_t)n;
    }
    return true;
}

static void send_pieces(struct http_request *request, const struct file *file, const char *type)
{
    char *piece = malloc(PIECE);
    ssize_t n = 0;

    if (piece == NULL) {
        http_fail(request, 503, "unavailable", "out of memory");
        return;
    }
    http_begin(request, 200, type);
    while ((n = read(file->fd, piece, PIECE)) > 0)
        if (!http_write(request, piece, (size_t)n))
            break;
    http_end(request);
    free(piece);
}

static void send_file(struct http_request *request, const struct file *file, const char *type)
{
    char *bytes;

    if (file->size > WHOLE_MAX) {
        send_pieces(request, file, type);
        return;
    }
    bytes = malloc((size_t)file->size + 1);
    if (bytes != NULL && read_all(file->fd, bytes, (size_t)file->size))
        http_answer(request, 200, type, bytes, (size_t)file->size);
    else
        http_fail(request, 503, "unavailable", "the file cannot be read");
    free(bytes);
}

static bool find(struct http_request *request, const char *root, const char *path, struct file *file)
{
    if (strstr(path, "/.") != NULL)
        return false; /* hidden */
    file->gzip =
        http_text_has_word(http_header(request, "Accept-Encoding"), "gzip") && open_below(root, path, ".gz", file);
    return file->gzip || open_below(root, path, "", file);
}

void http_static_answer(struct http_request *request, const char *root, const char *path, const char *extra)
{
    struct file file;
    char etag[ETAG], date[HTTP_DATE];

    if (path[0] != '\0' && path[strlen(path) - 1] == '/')
        path = strcmp(path, "/") == 0 ? "/index.html" : "";
    if (path[0] == '\0' || !find(request, root, path, &file)) {
        http_fail(request, 404, "not_found", "there is nothing at this path");
        return;
    }
    snprintf(etag, sizeof etag, "\"%llx-%llx%s\"",
             (unsigned long long)file.changed.tv_sec * 1000000000u + (unsigned long long)file.changed.tv_nsec,
             (unsigned long long)file.size, file.gzip ? "-gz" : "");
    http_date(file.changed.tv_sec, date);
    http_add_header(request, "ETag", etag);
    http_add_header(request, "Last-Modified", date);
    http_add_header(request, "Cache-Control", "no-cache");
    http_add_header(request, "Vary", "Accept-Encoding");
    add_extra_headers(request, extra);
    if (file.gzip)
        http_add_header(request, "Content-Encoding", "gzip");
    if (is_unchanged(request, etag, date))
        http_answer(request, 304, NULL, NULL, 0);
    else
        send_file(request, &file, http_text_type_of(path));
    close(file.fd);
}
