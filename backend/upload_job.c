/* upload_job.c: places for jobs, and one thread that hands the files to the detectors, one after the other. */
#include "backend/upload_job.h"

#include "backend/detector_client.h"
#include "backend/events.h"
#include "backend/store.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/token.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char STOPPED[] = "The server was stopped before the capture was read";

enum { LEFT_MAX = 10000, LINE_MAX_BYTES = 64 * 1024, KEPT_MS = 2000000000 /* 23 days */, SAVE_EVERY_MS = 2000 };

struct place {
    bool taken, cancel, over;
    int waiters;
    struct upload_job job;
};

struct uploads {
    struct api *api;
    pthread_t thread;
    bool started;
    /* guards places and stop; held for copies, never over I/O */
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct place places[UPLOADS_AT_ONCE];
    bool stop;
};

static const char *state_text(enum upload_state state)
{
    static const char *const names[] = {"receiving", "queued", "analysing", "done", "failed", "cancelled"};

    return names[state];
}

cJSON *upload_to_json(const struct upload_job *job)
{
    cJSON *json = cJSON_CreateObject();
    char time[CLOCK_TEXT];

    cJSON_AddStringToObject(json, "id", job->id);
    cJSON_AddStringToObject(json, "fileName", job->file);
    cJSON_AddStringToObject(json, "user", job->user);
    cJSON_AddStringToObject(json, "state", state_text(job->state));
    cJSON_AddNumberToObject(json, "bytes", (double)job->bytes);
    cJSON_AddNumberToObject(json, "packets", (double)job->packets);
    cJSON_AddNumberToObject(json, "flows", (double)job->flows);
    cJSON_AddNumberToObject(json, "threats", (double)job->threats);
    cJSON_AddStringToObject(json, "sha256", job->sha256);
    cJSON_AddStringToObject(json, "message", job->message);
    clock_text_ms(job->created_ms, time);
    cJSON_AddStringToObject(json, "createdAt", time);
    if (job->ended_ms > 0) {
        clock_text_ms(job->ended_ms, time);
        cJSON_AddStringToObject(json, "endedAt", time);
    }
    return json;
}

static void save(struct uploads *uploads, const struct upload_job *job)
{
    cJSON *json = upload_to_json(job);
    char *text = json_print(json);
    struct err err = {0};

    if (text != NULL &&
        !store_doc_put(uploads->api->store, "upload", job->id, NULL, text, clock_now_ms() + KEPT_MS, -1, NULL, &err))
        log_warn("upload.not_saved", "job=%s reason=\"%s\"", job->id, err.text);
    free(text);
    cJSON_Delete(json);
}

static struct place *find(struct uploads *uploads, const char *id)
{
    for (size_t i = 0; i < UPLOADS_AT_ONCE; i++)
        if (uploads->places[i].taken && strcmp(uploads->places[i].job.id, id) == 0)
            return &uploads->places[i];
    return NULL;
}

bool upload_begin(struct uploads *uploads, const struct upload_job *start, struct err *err)
{
    bool ok = false;

    pthread_mutex_lock(&uploads->lock);
    for (size_t i = 0; i < UPLOADS_AT_ONCE && !ok && !uploads->stop; i++) {
        struct place *place = &uploads->places[i];

        if (place->taken)
            continue;
        memset(place, 0, sizeof *place);
        place->taken = true;
        place->job = *start;
        ok = true;
    }
    pthread_mutex_unlock(&uploads->lock);
    return ok || err_set(err, ERR_UNAVAILABLE, "too many uploads at once");
}

void upload_enqueue(struct uploads *uploads, const struct upload_job *received)
{
    struct upload_job job = *received;
    struct place *place;

    job.state = UPLOAD_QUEUED;
    save(uploads, &job); /* before the thread can see it: what that saves is the later word */
    pthread_mutex_lock(&uploads->lock);
    place = find(uploads, job.id);
    if (place != NULL) {
        place->job = job;
        pthread_cond_broadcast(&uploads->news);
    }
    pthread_mutex_unlock(&uploads->lock);
}

void upload_abandon(struct uploads *uploads, const char *id)
{
    struct place *place;

    pthread_mutex_lock(&uploads->lock);
    place = find(uploads, id);
    if (place != NULL)
        place->taken = false;
    pthread_mutex_unlock(&uploads->lock);
}

bool upload_get(struct uploads *uploads, const char *id, struct upload_job *out)
{
    struct place *place;

    pthread_mutex_lock(&uploads->lock);
    place = find(uploads, id);
    if (place != NULL)
        *out = place->job;
    pthread_mutex_unlock(&uploads->lock);
    return place != NULL;
}

bool upload_cancel(struct uploads *uploads, const char *id)
{
    struct place *place;

    pthread_mutex_lock(&uploads->lock);
    place = find(uploads, id);
    if (place != NULL) {
        place->cancel = true;
        pthread_cond_broadcast(&uploads->news);
    }
    pthread_mutex_unlock(&uploads->lock);
    return place != NULL;
}

bool upload_wait(struct uploads *uploads, const char *id, int64_t most_ms, struct upload_job *out)
{
    struct timespec until;
    struct place *place;
    bool over = false;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(most_ms / 1000);
    pthread_mutex_lock(&uploads->lock);
    place = find(uploads, id);
    if (place != NULL) {
        place->waiters++;
        while (!place->over && !uploads->stop && pthread_cond_timedwait(&uploads->news, &uploads->lock, &until) == 0)
            ;
        over = place->over;
        *out = place->job;
        place->waiters--;
        if (over && place->waiters == 0)
            place->taken = false;
    }
    pthread_mutex_unlock(&uploads->lock);
    return over;
}

/* --- the detector's answer --- */

struct reading {
    struct uploads *uploads;
    struct place *place;
    struct upload_job job; /* the thread's own copy */
    char *line;
    size_t length;
    bool result;
    int64_t saved_ms;
};

static int64_t figure(const cJSON *json, const char *name, int64_t before)
{
    const cJSON *value = json_member(json, name);

    return cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble < 9e15 ? (int64_t)value->valuedouble
                                                                                         : before;
}

static void read_line(struct reading *reading)
{
    cJSON *json = json_parse(reading->line, reading->length, NULL);
    const cJSON *type = json_member(json, "type"), *message = json_member(json, "message");
    struct upload_job *job = &reading->job;

    job->packets = figure(json, "packets", job->packets);
    job->flows = figure(json, "flows", job->flows);
    job->threats = figure(json, "threats", job->threats);
    if (cJSON_IsString(message))
        snprintf(job->message, sizeof job->message, "%s", message->valuestring);
    if (cJSON_IsString(type) && strcmp(type->valuestring, "result") == 0)
        reading->result = true;
    cJSON_Delete(json);
}

/* False ends the call, and with it the analysis. Asked while it goes on, whether or not anything comes. */
static bool is_wanted(void *context)
{
    struct reading *reading = context;
    struct uploads *uploads = reading->uploads;
    bool wanted;

    pthread_mutex_lock(&uploads->lock);
    wanted = !reading->place->cancel && !uploads->stop;
    pthread_mutex_unlock(&uploads->lock);
    return wanted;
}

static bool take_answer(const char *bytes, size_t length, void *context)
{
    struct reading *reading = context;
    struct uploads *uploads = reading->uploads;

    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            read_line(reading);
            reading->length = 0;
        } else if (reading->length < LINE_MAX_BYTES) {
            reading->line[reading->length++] = bytes[i];
        }
    }
    pthread_mutex_lock(&uploads->lock);
    reading->place->job = reading->job;
    pthread_mutex_unlock(&uploads->lock);
    if (clock_monotonic_ms() - reading->saved_ms >= SAVE_EVERY_MS) {
        save(uploads, &reading->job);
        reading->saved_ms = clock_monotonic_ms();
    }
    return true;
}

/* The name as a query value. */
static void add_query(struct text *url, const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' ||
            c == '_')
            text_add(url, value, 1);
        else
            text_addf(url, "%%%02X", c);
    }
}

static void analyse(struct reading *reading)
{
    static const char *const headers[] = {"Content-Type: application/vnd.tcpdump.pcap", "Expect:", NULL};
    struct text url = {.max = 4096};
    struct http_call call = {.method = "POST",
                             .headers = headers,
                             .body_file = reading->job.path,
                             .sink = take_answer,
                             .wanted = is_wanted,
                             .context = reading};
    struct http_reply reply = {0};
    struct err err = {0};
    bool answered;

    text_addf(&url, "/api/analyze-pcap?job=%s&file=", reading->job.id);
    add_query(&url, reading->job.file);
    call.url = url.bytes;
    answered = detectors_call(reading->uploads->api->detectors, reading->job.detector, &call, &reply, &err);
    if (reading->length > 0)
        read_line(reading);
    if (reading->result && reply.status == 200)
        reading->job.state = UPLOAD_DONE;
    else
        reading->job.state = UPLOAD_FAILED;
    if (reading->job.state == UPLOAD_FAILED && reading->job.message[0] == '\0')
        snprintf(reading->job.message, sizeof reading->job.message, "%s",
                 answered ? "The detector could not read the capture" : err.text);
    http_reply_clear(&reply);
    free(url.bytes);
}

static void tell(struct uploads *uploads, const struct upload_job *job)
{
    cJSON *json = upload_to_json(job);
    char *text = json_print(json);

    if (text != NULL && job->state == UPLOAD_DONE)
        events_monitoring(uploads->api, "pcap_file_analyzed", text, NULL);
    free(text);
    cJSON_Delete(json);
}

static void run_job(struct uploads *uploads, struct place *place)
{
    struct reading reading = {.uploads = uploads, .place = place, .line = malloc(LINE_MAX_BYTES)};
    bool cancel;

    pthread_mutex_lock(&uploads->lock);
    place->job.state = UPLOAD_ANALYSING;
    reading.job = place->job;
    cancel = place->cancel;
    pthread_mutex_unlock(&uploads->lock);
    if (reading.line != NULL && !cancel) {
        save(uploads, &reading.job);
        analyse(&reading);
    } else {
        reading.job.state = UPLOAD_FAILED;
    }
    free(reading.line);
    unlink(reading.job.path);
    reading.job.ended_ms = clock_now_ms();

    pthread_mutex_lock(&uploads->lock);
    if (place->cancel) {
        reading.job.state = UPLOAD_CANCELLED;
        snprintf(reading.job.message, sizeof reading.job.message, "cancelled");
    } else if (uploads->stop && reading.job.state == UPLOAD_FAILED) {
        snprintf(reading.job.message, sizeof reading.job.message, "%s", STOPPED);
    }
    pthread_mutex_unlock(&uploads->lock);
    save(uploads, &reading.job);
    tell(uploads, &reading.job);

    pthread_mutex_lock(&uploads->lock);
    place->job = reading.job;
    place->over = true;
    if (place->waiters == 0)
        place->taken = false;
    pthread_cond_broadcast(&uploads->news);
    pthread_mutex_unlock(&uploads->lock);
}

/* The one that has waited longest. */
static struct place *next_job(struct uploads *uploads)
{
    struct place *next = NULL;

    for (size_t i = 0; i < UPLOADS_AT_ONCE; i++) {
        struct place *place = &uploads->places[i];

        if (place->taken && !place->over && place->job.state == UPLOAD_QUEUED &&
            (next == NULL || strcmp(place->job.id, next->job.id) < 0))
            next = place;
    }
    return next;
}

static void *run(void *context)
{
    struct uploads *uploads = context;

    for (;;) {
        struct place *place = NULL;

        pthread_mutex_lock(&uploads->lock);
        while (!uploads->stop && (place = next_job(uploads)) == NULL)
            pthread_cond_wait(&uploads->news, &uploads->lock);
        bool stop = uploads->stop;
        pthread_mutex_unlock(&uploads->lock);
        if (stop)
            return NULL;
        run_job(uploads, place);
    }
}

/* --- life --- */

/* Of a job that nobody reads any more; a list would show it as waiting for good. */
static bool take_left(void *context, const char *id, int64_t version, const char *json)
{
    cJSON *job = json_parse(json, strlen(json), NULL);
    const cJSON *state = json_member(job, "state");

    (void)id, (void)version;
    for (enum upload_state s = UPLOAD_RECEIVING; s <= UPLOAD_ANALYSING; s++) {
        if (cJSON_IsString(state) && strcmp(state->valuestring, state_text(s)) == 0) {
            cJSON_AddItemToArray(context, job);
            return true;
        }
    }
    cJSON_Delete(job);
    return true;
}

static void end_left(struct uploads *uploads, cJSON *job)
{
    const cJSON *id = json_member(job, "id");
    char *text;

    cJSON_ReplaceItemInObjectCaseSensitive(job, "state", cJSON_CreateString(state_text(UPLOAD_FAILED)));
    cJSON_ReplaceItemInObjectCaseSensitive(job, "message", cJSON_CreateString(STOPPED));
    text = json_print(job);
    if (text != NULL && cJSON_IsString(id))
        store_doc_put(uploads->api->store, "upload", id->valuestring, NULL, text, clock_now_ms() + KEPT_MS, -1, NULL,
                      NULL);
    free(text);
}

/* Of our jobs only: a detector that shares the folder has files of its own there. */
static void remove_files(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (token_is_ulid(entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
}

/* What an end without warning left behind. A store that others use, too, may hold jobs that they read at this moment.
 */
static void clear_left(struct uploads *uploads, const char *path)
{
    cJSON *jobs = cJSON_CreateArray(), *job;

    if (!store_shared(uploads->api->store)) {
        store_doc_list(uploads->api->store, "upload", NULL, true, LEFT_MAX, take_left, jobs, NULL);
        cJSON_ArrayForEach(job, jobs)
        {
            end_left(uploads, job);
        }
        remove_files(path);
    }
    cJSON_Delete(jobs);
}

struct uploads *uploads_open(struct api *api, struct err *err)
{
    struct uploads *uploads = calloc(1, sizeof *uploads);
    char path[1100];

    if (uploads == NULL) {
        err_set(err, ERR_MEMORY, "uploads: out of memory");
        return NULL;
    }
    uploads->api = api;
    snprintf(path, sizeof path, "%s/uploads", api->settings->data_dir);
    mkdir(path, 0700); /* what is wrong with it shows with the first file */
    clear_left(uploads, path);
    pthread_mutex_init(&uploads->lock, NULL);
    pthread_cond_init(&uploads->news, NULL);
    if (pthread_create(&uploads->thread, NULL, run, uploads) != 0) {
        free(uploads);
        err_set(err, ERR_SYSTEM, "uploads: cannot start a thread");
        return NULL;
    }
    pthread_setname_np(uploads->thread, "uploads");
    uploads->started = true;
    return uploads;
}

void uploads_stop(struct uploads *uploads)
{
    if (uploads == NULL)
        return;
    pthread_mutex_lock(&uploads->lock);
    uploads->stop = true;
    pthread_cond_broadcast(&uploads->news);
    pthread_mutex_unlock(&uploads->lock);
    if (!uploads->started)
        return;
    pthread_join(uploads->thread, NULL);
    uploads->started = false;
    for (size_t i = 0; i < UPLOADS_AT_ONCE; i++) {
        struct upload_job *job = &uploads->places[i].job;

        if (!uploads->places[i].taken || job->state != UPLOAD_QUEUED)
            continue;
        job->state = UPLOAD_FAILED;
        snprintf(job->message, sizeof job->message, "%s", STOPPED);
        save(uploads, job);
    }
}

void uploads_close(struct uploads *uploads)
{
    if (uploads == NULL)
        return;
    uploads_stop(uploads);
    for (size_t i = 0; i < UPLOADS_AT_ONCE; i++)
        if (uploads->places[i].taken && uploads->places[i].job.path[0] != '\0')
            unlink(uploads->places[i].job.path);
    pthread_cond_destroy(&uploads->news);
    pthread_mutex_destroy(&uploads->lock);
    free(uploads);
}
