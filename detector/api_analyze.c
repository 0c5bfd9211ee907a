/* api_analyze.c: POST /api/analyze-pcap: a capture comes in, lines of JSON go out while it is read.
 *
 * The body is the capture itself, a multipart form with it in a part of its own, or {"file_path"} of a file
 * below the data directory. The answer is NDJSON: {"type":"progress"} some times a second, at last {"type":"result"}
 * or
 * {"type":"error"}. A caller that goes away cancels. */
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/multipart.h"
#include "detector/api_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 16 * 1024, JSON_MAX = 16 * 1024, LINE_MAX_BYTES = 4096, FIRST_MS = 300, NEXT_MS = 1000 };

struct upload {
    struct http_request *request;
    struct analysis_order *order;
    char path[PATH_MAX];
    int fd;
    bool here, found; /* in a multipart body: inside the file's part; it has come */
    bool in_job;
    size_t job_length;
    struct err err;
};

static bool job_fits(const char *job)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";

    return job[strspn(job, allowed)] == '\0';
}

static void name_it(struct analysis_order *order, const char *file)
{
    const char *base = reader_base(file);
    const char *back = strrchr(base, '\\'); /* some browsers send the whole path */

    snprintf(order->name, sizeof order->name, "%s", back ? back + 1 : base);
}

/* --- taking the body --- */

static bool open_upload(const struct api *api, struct upload *u, struct err *err)
{
    snprintf(u->path, sizeof u->path, "%s/uploads", api->settings.data_dir);
    if (mkdir(u->path, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_UNAVAILABLE, "uploads: %s", strerror(errno));
    snprintf(u->path, sizeof u->path, "%s/uploads/upload-XXXXXX", api->settings.data_dir);
    u->fd = mkostemp(u->path, O_CLOEXEC);
    if (u->fd < 0) {
        u->path[0] = '\0';
        return err_set(err, ERR_UNAVAILABLE, "uploads: %s", strerror(errno));
    }
    return true;
}

static bool write_all(int fd, const char *bytes, size_t length, struct err *err)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_UNAVAILABLE, "uploads: %s", strerror(errno));
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static bool on_part(void *context, const char *name, const char *file)
{
    struct upload *u = context;

    u->here = file != NULL && !u->found && (strcmp(name, "pcap") == 0 || strcmp(name, "file") == 0);
    u->in_job = strcmp(name, "job") == 0;
    if (u->here) {
        u->found = true;
        name_it(u->order, file);
    }
    return true;
}

static bool on_data(void *context, const char *bytes, size_t length)
{
    struct upload *u = context;

    if (u->here)
        return write_all(u->fd, bytes, length, &u->err);
    if (u->in_job) {
        if (u->job_length + length >= sizeof u->order->job)
            return err_set(&u->err, ERR_INVALID, "job: expected at most %zu characters", sizeof u->order->job - 1);
        memcpy(u->order->job + u->job_length, bytes, length);
        u->job_length += length;
        u->order->job[u->job_length] = '\0';
    }
    return true;
}

static bool on_end(void *context)
{
    struct upload *u = context;

    u->here = u->in_job = false;
    return true;
}

/* True: the whole body is in the file. Answers itself when the ceiling is passed. */
static bool take_body(struct upload *u, struct multipart *multipart, struct err *err)
{
    char *chunk = malloc(CHUNK);
    bool ok = chunk != NULL;
    long n = 0;

    while (ok && (n = http_read(u->request, chunk, CHUNK)) > 0)
        ok = multipart ? multipart_feed(multipart, chunk, (size_t)n, err) : write_all(u->fd, chunk, (size_t)n, err);
    free(chunk);
    if (chunk == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (!ok && u->err.code != ERR_NONE)
        *err = u->err;
    if (ok && n == -2) {
        http_fail(u->request, 413, "too_large", "at most %lld bytes", (long long)API_UPLOAD_MAX);
        return false;
    }
    if (ok && n < 0)
        return err_set(err, ERR_CUT_SHORT, "the body ended before it was whole");
    return ok && (multipart == NULL || multipart_finish(multipart, err));
}

static bool take_upload(struct api *api, struct upload *u, const char *type, struct err *err)
{
    const struct multipart_sink sink = {.part = on_part, .data = on_data, .end = on_end, .context = u};
    struct multipart *multipart = NULL;
    bool form = type != NULL && strncasecmp(type, "multipart/", 10) == 0, ok;

    if (form && (multipart = multipart_create(type, &sink, err)) == NULL)
        return false;
    ok = open_upload(api, u, err) && take_body(u, multipart, err);
    if (ok && form && !u->found)
        ok = err_set(err, ERR_INVALID, "pcap: expected a part of this name with a file");
    multipart_free(multipart);
    if (u->fd >= 0)
        close(u->fd);
    u->order->path = u->path;
    u->order->temporary = true;
    return ok;
}

/* Only what lies below the data directory, links resolved. */
static bool find_file(const struct api *api, struct upload *u, const char *wanted, struct err *err)
{
    char *root = realpath(api->settings.data_dir, NULL), *joined = NULL, *real = NULL;
    struct stat st;
    bool ok = false;

    if (root == NULL) {
        err_set(err, ERR_SYSTEM, "data-dir: %s", strerror(errno));
        goto done;
    }
    if (asprintf(&joined, "%s%s%s", wanted[0] == '/' ? "" : root, wanted[0] == '/' ? "" : "/", wanted) < 0) {
        joined = NULL;
        err_set(err, ERR_MEMORY, "out of memory");
        goto done;
    }
    real = realpath(joined, NULL);
    if (real == NULL || strncmp(real, root, strlen(root)) != 0 || real[strlen(root)] != '/' || stat(real, &st) != 0 ||
        !S_ISREG(st.st_mode) || strlen(real) >= sizeof u->path) {
        err_set(err, ERR_NOT_FOUND, "file_path: no such file below the data directory");
        goto done;
    }
    snprintf(u->path, sizeof u->path, "%s", real);
    u->order->path = u->path;
    ok = true;
done:
    free(root);
    free(joined);
    free(real);
    return ok;
}

static bool take_order(struct api *api, struct upload *u, struct err *err)
{
    char *text = malloc(JSON_MAX + 1), path[PATH_MAX];
    size_t length = 0;
    long n = 0;
    cJSON *body = NULL;
    bool ok = false;

    if (text == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    while (length < JSON_MAX && (n = http_read(u->request, text + length, JSON_MAX - length)) > 0)
        length += (size_t)n;
    if (n != 0) {
        err_set(err, ERR_INVALID, "body: expected at most %d bytes of JSON", (int)JSON_MAX);
        goto done;
    }
    body = json_parse(text, length, err);
    if (body == NULL || !json_text(body, "file_path", path, sizeof path, err) ||
        (json_member(body, "job") != NULL && !json_text(body, "job", u->order->job, sizeof u->order->job, err)))
        goto done;
    name_it(u->order, path);
    ok = find_file(api, u, path, err);
done:
    cJSON_Delete(body);
    free(text);
    return ok;
}

/* --- answering --- */

static bool write_line(struct http_request *request, cJSON *line)
{
    char *text = json_print(line);
    bool ok = text != NULL && http_write(request, text, strlen(text)) && http_write(request, "\n", 1);

    free(text);
    cJSON_Delete(line);
    return ok;
}

static cJSON *line_of(const char *type, const struct analysis_report *r, const struct analysis_order *order)
{
    const struct pipeline_counters *c = &r->progress.counters;
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "type", type);
    cJSON_AddStringToObject(o, "file", order->name);
    if (order->job[0] != '\0')
        cJSON_AddStringToObject(o, "job", order->job);
    cJSON_AddNumberToObject(o, "bytes", (double)r->progress.bytes);
    cJSON_AddNumberToObject(o, "total", (double)r->progress.total);
    cJSON_AddNumberToObject(o, "packets", (double)c->packets);
    cJSON_AddNumberToObject(o, "flows", (double)c->flow.flows);
    cJSON_AddNumberToObject(o, "threats", (double)c->verdict.threats);
    return o;
}

static cJSON *last_line(const struct analysis_report *r, const struct analysis_order *order)
{
    bool good = r->end == READER_DONE || r->end == READER_SHORT;
    cJSON *o = line_of(good ? "result" : "error", r, order);
    char message[400];

    cJSON_AddBoolToObject(o, "success", good);
    cJSON_AddNumberToObject(o, "flowsAnalyzed", (double)r->progress.counters.flow.flows);
    cJSON_AddNumberToObject(o, "notices", (double)r->notices);
    cJSON_AddNumberToObject(o, "lost", (double)r->lost);
    cJSON_AddBoolToObject(o, "endedShort", r->end == READER_SHORT);
    if (good && r->progress.counters.verdict.threats == 0)
        snprintf(message, sizeof message, "Nothing found%s%s", r->problem[0] ? "; " : "", r->problem);
    else
        snprintf(message, sizeof message, "%s", r->end == READER_STOPPED ? "cancelled" : r->problem);
    if (!good)
        cJSON_AddStringToObject(o, "code", r->end == READER_STOPPED ? "cancelled" : "unreadable");
    cJSON_AddStringToObject(o, "message", message);
    return o;
}

static void follow(struct http_request *request, struct api *api, const struct analysis_order *order)
{
    struct analysis_report report;
    bool listening = true;

    analyses_wait(api->settings.analyses, FIRST_MS, &report);
    if (report.over && report.end == READER_FAILED) { /* told by the status while that can be */
        http_fail(request, 422, "unreadable", "%s: %s", order->name, report.problem);
        return;
    }
    http_begin(request, 200, "application/x-ndjson");
    while (!report.over) {
        if (listening && !write_line(request, line_of("progress", &report, order))) {
            listening = false;
            analyses_cancel(api->settings.analyses);
        }
        analyses_wait(api->settings.analyses, NEXT_MS, &report);
    }
    write_line(request, last_line(&report, order));
    http_end(request);
}

void api_analyze_pcap(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *type = http_header(request, "Content-Type");
    struct upload *u = calloc(1, sizeof *u);
    struct analysis_order *order = calloc(1, sizeof *order);
    struct err err = {0};
    char file[ANALYSIS_NAME];
    bool ok;

    if (u == NULL || order == NULL) {
        http_fail(request, 503, "unavailable", "out of memory");
        goto done;
    }
    u->request = request;
    u->order = order;
    u->fd = -1;
    name_it(order, http_query(request, "file", file, sizeof file) ? file : "upload.pcap");
    http_query(request, "job", order->job, sizeof order->job);
    if (type != NULL && strncasecmp(type, "application/json", 16) == 0) {
        ok = take_order(api, u, &err);
    } else if (type != NULL && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0) {
        http_fail(request, 415, "unsupported", "expected a capture, a multipart form or JSON");
        goto done;
    } else {
        ok = take_upload(api, u, type, &err);
    }
    ok = ok && (job_fits(order->job) || err_set(&err, ERR_INVALID, "job: expected A-Z a-z 0-9 . _ : -"));
    ok = ok && analyses_begin(api->settings.analyses, order, &err);
    if (ok) {
        follow(request, api, order);
    } else {
        if (order->temporary && u->path[0] != '\0')
            unlink(u->path);
        if (http_status(request) == 0)
            api_fail(request, &err);
    }
done:
    free(u);
    free(order);
}
