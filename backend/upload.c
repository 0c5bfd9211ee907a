/* upload.c: POST /api/network/upload-pcap and the list of jobs. The body goes to disk piece by piece, whatever its
 * size. */
#include "backend/upload.h"

#include "backend/audit.h"
#include "backend/detector_client.h"
#include "backend/search.h"
#include "backend/store.h"
#include "backend/upload_job.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/multipart.h"
#include "common/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK = 64 * 1024,
    FORM_BYTES = 64 * 1024, /* what the form around the file may take */
    WAIT_MAX_MS = 10 * 60 * 1000,
    ARRIVE_MAX_MS = 10 * 1000, /* the last threats of a job travel by the detector's spool */
    LIST_MAX = 100
};

bool upload_is_capture(const unsigned char *bytes, size_t length)
{
    static const unsigned char magics[][4] = {{0xd4, 0xc3, 0xb2, 0xa1},
                                              {0xa1, 0xb2, 0xc3, 0xd4},
                                              {0x4d, 0x3c, 0xb2, 0xa1},
                                              {0xa1, 0xb2, 0x3c, 0x4d},
                                              {0x0a, 0x0d, 0x0d, 0x0a}};

    if (length < 4)
        return false;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (memcmp(bytes, magics[i], 4) == 0)
            return true;
    return bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/* --- taking the body --- */

struct taking {
    struct upload_job job;
    struct token_hasher hasher;
    unsigned char first[4];
    size_t first_length;
    int file;
    bool here, found, wrong_type;
    struct err err; /* why a callback said no */
};

static bool write_all(int file, const char *bytes, size_t length, struct err *err)
{
    while (length > 0) {
        ssize_t n = write(file, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_UNAVAILABLE, "the upload cannot be kept: %s", strerror(errno));
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

/* The last piece of what may be a whole path, of either kind of slash. */
static const char *base_name(const char *file)
{
    const char *base = file;

    for (const char *p = file; *p != '\0'; p++)
        if (*p == '/' || *p == '\\')
            base = p + 1;
    return base;
}

/* A name to show: whole characters, none of them a control, and never one of a folder. */
static void show_name(const char *file, char *out, size_t size)
{
    const char *name = base_name(file);
    size_t left = strlen(name), used = 0;

    if (name[strspn(name, ".")] == '\0') {
        name = "capture";
        left = strlen(name);
    }
    while (left > 0) {
        size_t n = utf8_char(name, left); /* 0: a stray byte */
        bool plain = n > 1 || (n == 1 && (unsigned char)*name >= 0x20 && *name != 0x7f);

        n = n == 0 ? 1 : n;
        if (used + n >= size)
            break;
        if (plain)
            memcpy(out + used, name, n);
        else
            out[used] = '_';
        used += n;
        name += n;
        left -= n;
    }
    out[used] = '\0';
}

static bool on_part(void *context, const char *name, const char *file)
{
    struct taking *taking = context;

    taking->here = !taking->found && file != NULL && strcmp(name, "pcap") == 0;
    if (taking->here) {
        taking->found = true;
        show_name(file, taking->job.file, sizeof taking->job.file);
    }
    return true;
}

/* The first four bytes say what it is; anything else is refused before the rest is read. */
static bool check_type(struct taking *taking, const char *bytes, size_t length)
{
    while (taking->first_length < sizeof taking->first && length-- > 0) {
        taking->first[taking->first_length++] = (unsigned char)*bytes++;
        if (taking->first_length == sizeof taking->first && !upload_is_capture(taking->first, taking->first_length)) {
            taking->wrong_type = true;
            return err_set(&taking->err, ERR_INVALID, "pcap: expected a pcap or pcapng capture (gzip is fine)");
        }
    }
    return true;
}

static bool on_data(void *context, const char *bytes, size_t length)
{
    struct taking *taking = context;

    if (!taking->here)
        return true;
    if (!check_type(taking, bytes, length) || !write_all(taking->file, bytes, length, &taking->err))
        return false;
    token_hasher_add(&taking->hasher, bytes, length);
    taking->job.bytes += (int64_t)length;
    return true;
}

static bool on_end(void *context)
{
    ((struct taking *)context)->here = false;
    return true;
}

/* False: it has answered. */
static bool feed(struct http_request *request, struct taking *taking, struct multipart *multipart)
{
    char *chunk = malloc(CHUNK);
    struct err err = {0};
    bool ok = chunk != NULL || err_set(&err, ERR_MEMORY, "out of memory");
    long n = 0;

    while (ok && (n = http_read(request, chunk, CHUNK)) > 0)
        ok = multipart_feed(multipart, chunk, (size_t)n, &err);
    free(chunk);
    if (ok && n == -2) {
        http_fail(request, 413, "too_large", "A capture may have at most %lld bytes", UPLOAD_BYTES_MAX);
        return false;
    }
    ok = ok && (n == 0 || err_set(&err, ERR_CUT_SHORT, "The body ended early")) && multipart_finish(multipart, &err);
    ok = ok && (taking->found || err_set(&err, ERR_INVALID, "pcap: expected a part of this name with a file"));
    if (ok && taking->first_length < sizeof taking->first) {
        taking->wrong_type = true;
        ok =
            err_set(&err, ERR_INVALID, "pcap: expected a pcap or pcapng capture, this file is shorter than its mark");
    }
    if (ok)
        return true;
    if (taking->err.code != ERR_NONE)
        err = taking->err;
    if (taking->wrong_type)
        http_fail(request, 415, "unsupported_type", "%s", err.text);
    else
        api_fail(request, &err);
    return false;
}

static bool receive_file(struct http_request *request, struct taking *taking)
{
    const struct multipart_sink sink = {.part = on_part, .data = on_data, .end = on_end, .context = taking};
    struct err err = {0};
    struct multipart *multipart = multipart_create(http_header(request, "Content-Type"), &sink, &err);
    bool ok = false;

    if (multipart == NULL) {
        http_fail(request, 415, "unsupported_type", "%s", err.text);
        return false;
    }
    taking->file = open(taking->job.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (taking->file < 0) {
        err_set(&err, ERR_UNAVAILABLE, "the upload cannot be kept: %s", strerror(errno));
        api_fail(request, &err);
    } else {
        token_hasher_begin(&taking->hasher);
        ok = feed(request, taking, multipart);
        token_hasher_end(&taking->hasher, taking->job.sha256);
        close(taking->file);
        if (!ok)
            unlink(taking->job.path);
    }
    multipart_free(multipart);
    return ok;
}

/* --- answering --- */

struct found {
    struct text text;
    int64_t count;
};

static bool add_found(void *context, int64_t seq, const char *json)
{
    struct found *found = context;

    (void)seq;
    if (found->count++ > 0)
        text_add(&found->text, ",", 1);
    text_add(&found->text, json, strlen(json));
    return !found->text.failed;
}

/* The threats of the job, as far as they have come in; the last ones may still be on their way. */
static void collect(struct api *api, const struct upload_job *job, struct found *found)
{
    int64_t until = clock_monotonic_ms() + ARRIVE_MAX_MS;
    char query[64];
    struct search *search;

    snprintf(query, sizeof query, "job:%s", job->id);
    search = search_parse(query, NULL, NULL);
    if (search == NULL)
        return;
    do {
        const struct store_query what = {.search = search, .with_suppressed = true, .limit = 1000};

        found->text.length = 0;
        found->count = 0;
        if (!store_find(api->store, &what, add_found, found, NULL, NULL) || found->count >= job->threats ||
            found->count == 1000)
            break;
        usleep(100 * 1000);
    } while (clock_monotonic_ms() < until);
    search_free(search);
}

static void answer_result(struct http_request *request, struct api *api, const struct upload_job *job)
{
    struct found found = {.text = {.max = 64 * 1024 * 1024}};
    struct text answer = {.max = 65 * 1024 * 1024};
    char now[CLOCK_TEXT];

    if (job->state != UPLOAD_DONE) {
        http_fail(request, job->state == UPLOAD_CANCELLED ? 409 : 422, "not_analysed", "%s", job->message);
        return;
    }
    collect(api, job, &found);
    clock_text_ms(job->ended_ms, now);
    text_addf(&answer,
              "{\"success\":true,\"message\":\"PCAP file analyzed successfully\",\"job\":\"%s\",\"threats\":[",
              job->id);
    if (found.count > 0)
        text_add(&answer, found.text.bytes, found.text.length);
    text_addf(&answer, "],\"flowsAnalyzed\":%lld,\"threatsFound\":%lld,\"analysisTimestamp\":\"%s\",\"fileName\":",
              (long long)job->flows, (long long)job->threats, now);
    text_add_json(&answer, job->file);
    text_add(&answer, "}", 1);
    if (answer.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer(request, 200, "application/json", answer.bytes, answer.length);
    free(found.text.bytes);
    free(answer.bytes);
}

static void answer_accepted(struct http_request *request, const char *id)
{
    char text[128];

    snprintf(text, sizeof text, "{\"success\":true,\"job\":\"%s\"}", id);
    http_answer_text(request, 202, text);
}

static void name_job(struct api *api, struct http_request *request, struct taking *taking)
{
    struct upload_job *job = &taking->job;
    uint8_t random[10];

    token_random(random, sizeof random);
    job->created_ms = clock_now_ms();
    token_ulid(job->created_ms, random, job->id);
    snprintf(job->user, sizeof job->user, "%s", api_caller(request)->name);
    snprintf(job->path, sizeof job->path, "%s/uploads/%s", api->settings->data_dir, job->id);
}

static void note(struct http_request *request, struct api *api, const struct upload_job *job)
{
    cJSON *details = cJSON_CreateObject();

    cJSON_AddStringToObject(details, "job", job->id);
    cJSON_AddStringToObject(details, "fileName", job->file);
    cJSON_AddStringToObject(details, "sha256", job->sha256);
    cJSON_AddNumberToObject(details, "bytes", (double)job->bytes);
    audit_write(api, request, NULL, "pcap_uploaded", "success", details);
}

static void post(struct http_request *request, void *context)
{
    struct api *api = context;
    struct taking *taking = calloc(1, sizeof *taking);
    struct err err = {0};
    int64_t wait = 0;
    char sensor[65], id[TOKEN_ULID];
    bool given;

    if (taking == NULL) {
        err_set(&err, ERR_MEMORY, "out of memory");
        api_fail(request, &err);
        return;
    }
    name_job(api, request, taking);
    snprintf(id, sizeof id, "%s", taking->job.id);
    if (!api_query_number(request, "wait", 0, 1, &wait) ||
        !api_query_text(request, "sensor", sensor, sizeof sensor, &given))
        goto done;
    if (!detectors_find(api->detectors, sensor, &taking->job.detector, &err) ||
        !upload_begin(api->uploads, &taking->job, &err)) {
        api_fail(request, &err);
        goto done;
    }
    if (!receive_file(request, taking)) {
        upload_abandon(api->uploads, id);
        goto done;
    }
    note(request, api, &taking->job);
    upload_enqueue(api->uploads, &taking->job);
    if (wait == 1 && upload_wait(api->uploads, id, WAIT_MAX_MS, &taking->job))
        answer_result(request, api, &taking->job);
    else
        answer_accepted(request, id);
done:
    free(taking);
}

/* --- jobs --- */

struct listing {
    struct api *api;
    struct text text;
    size_t count;
};

static bool add_job(void *context, const char *id, int64_t version, const char *json)
{
    struct listing *listing = context;
    struct upload_job *job = malloc(sizeof *job);
    char *live = NULL;

    (void)version;
    if (job != NULL && upload_get(listing->api->uploads, id, job)) { /* what runs here is known better */
        cJSON *now = upload_to_json(job);

        live = json_print(now);
        cJSON_Delete(now);
    }
    free(job);
    if (listing->count++ > 0)
        text_add(&listing->text, ",", 1);
    text_add(&listing->text, live != NULL ? live : json, strlen(live != NULL ? live : json));
    free(live);
    return !listing->text.failed;
}

static void list(struct http_request *request, void *context)
{
    struct listing listing = {.api = context, .text = {.max = 1024 * 1024}};
    struct err err = {0};

    text_add(&listing.text, "{\"success\":true,\"uploads\":[", 27);
    if (!store_doc_list(listing.api->store, "upload", NULL, true, LIST_MAX, add_job, &listing, &err)) {
        api_fail(request, &err);
    } else {
        text_add(&listing.text, "]}", 2);
        if (listing.text.failed)
            http_fail(request, 503, "unavailable", "out of memory");
        else
            http_answer(request, 200, "application/json", listing.text.bytes, listing.text.length);
    }
    free(listing.text.bytes);
}

static void one(struct http_request *request, void *context)
{
    struct listing listing = {.api = context, .text = {.max = 1024 * 1024}};
    const char *id = http_segment(request, "id");
    struct err err = {0};
    char *json = NULL;

    if (!store_doc_get(listing.api->store, "upload", id, &json, NULL, &err)) {
        api_fail(request, &err);
        return;
    }
    text_add(&listing.text, "{\"success\":true,\"upload\":", 25);
    add_job(&listing, id, 0, json);
    text_add(&listing.text, "}", 1);
    if (listing.text.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer(request, 200, "application/json", listing.text.bytes, listing.text.length);
    free(listing.text.bytes);
    free(json);
}

static void cancel_or_remove(struct http_request *request, void *context)
{
    struct api *api = context;
    const char *id = http_segment(request, "id");
    struct err err = {0};
    cJSON *details;
    bool running = upload_cancel(api->uploads, id);

    if (!running && !store_doc_remove(api->store, "upload", id, &err)) {
        api_fail(request, &err);
        return;
    }
    details = cJSON_CreateObject();
    cJSON_AddStringToObject(details, "job", id);
    audit_write(api, request, NULL, running ? "upload_cancelled" : "upload_removed", "success", details);
    http_answer_text(request, 200,
                     running ? "{\"success\":true,\"message\":\"Cancelled\"}"
                             : "{\"success\":true,\"message\":\"Removed\"}");
}

const struct http_route upload_routes[] = {
    {"POST", "/api/network/upload-pcap", ROLE_ANALYST, post, HTTP_OWN_BODY, UPLOAD_BYTES_MAX + FORM_BYTES},
    {"GET", "/api/network/uploads", ROLE_ANALYST, list, HTTP_NO_BODY, 0},
    {"GET", "/api/network/uploads/{id}", ROLE_ANALYST, one, HTTP_NO_BODY, 0},
    {"DELETE", "/api/network/uploads/{id}", ROLE_ANALYST, cancel_or_remove, HTTP_NO_BODY, 0},
};
const size_t upload_route_count = sizeof upload_routes / sizeof *upload_routes;
