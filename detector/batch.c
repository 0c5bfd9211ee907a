/* batch.c: see batch.h. */
#include "detector/batch.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "detector/eve.h"
#include "detector/features_csv.h"
#include "detector/reader.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM_WAIT_MS = 60000, ROW_MAX = FEATURES_CSV_LINE + HOSTS_CONTEXT * 32 };

struct batch {
    const struct settings *settings;
    struct reader_settings reader;
    struct outlet *outlet;
    struct pipeline_counters *counters;
    const char *path;   /* being read */
    int64_t started_ms; /* monotonic: of this file */
    bool progress;      /* stderr is a terminal */
    bool short_input;
    size_t files; /* read so far */
    /* with two workers threats come on another thread than progress */
    atomic_bool stopped, failed;
};

static bool told_to_stop(void)
{
    struct timespec none = {0};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return sigtimedwait(&set, NULL, &none) > 0;
}

/* --- what comes out --- */

static void check_output(struct batch *batch, bool good)
{
    if (good || batch->failed)
        return;
    log_error("output.failed", "error=\"%s\"", strerror(errno));
    batch->failed = batch->stopped = true;
}

static void put(struct batch *batch, const char *bytes, size_t length)
{
    check_output(batch, fwrite(bytes, 1, length, stdout) == length);
}

static void send_threat(struct batch *batch, const struct threat *threat)
{
    int64_t until = clock_monotonic_ms() + ROOM_WAIT_MS;

    while (!batch->stopped && !outlet_room(batch->outlet, 500) && clock_monotonic_ms() < until)
        batch->stopped = told_to_stop();
    if (!outlet_take(batch->outlet, threat, reader_base(batch->path), NULL))
        batch->failed = true;
}

static void on_threat(void *context, const struct threat *threat)
{
    struct batch *batch = context;
    char *json;

    if (batch->outlet != NULL) {
        send_threat(batch, threat);
        return;
    }
    json = strcmp(batch->settings->format, "eve") == 0 ? eve_alert(threat, reader_base(batch->path))
                                                       : outlet_json(threat, reader_base(batch->path), NULL);
    if (json == NULL) {
        log_error("output.failed", "error=\"out of memory\"");
        batch->failed = true;
        return;
    }
    put(batch, json, strlen(json));
    put(batch, "\n", 1);
    check_output(batch, fflush(stdout) == 0); /* whoever reads the pipe wants it now */
    free(json);
}

static void on_evidence(void *context, const struct threat *threat, const struct evidence_pcap *pcap)
{
    struct batch *batch = context;

    outlet_evidence(batch->outlet, threat->id, pcap->bytes, pcap->length);
}

static void put_features_header(struct batch *batch)
{
    char line[FEATURES_CSV_LINE];
    size_t length =
        features_csv_header(batch->settings->cic_names ? FEATURES_CSV_CICFLOWMETER : FEATURES_CSV_OWN, line);

    put(batch, line, length - 1);
    for (int i = 0; i < HOSTS_CONTEXT; i++) {
        put(batch, ",", 1);
        put(batch, hosts_context_names[i], strlen(hosts_context_names[i]));
    }
    put(batch, "\n", 1);
}

static void on_flow(void *context, const struct flow *flow, const double counts[HOSTS_CONTEXT])
{
    struct batch *batch = context;
    struct text line = {.max = ROW_MAX};
    char row[FEATURES_CSV_LINE];

    text_add(&line, row, features_csv_row(flow, row) - 1);
    for (int i = 0; i < HOSTS_CONTEXT; i++) {
        text_add(&line, ",", 1);
        text_add_number(&line, counts[i]);
    }
    text_add(&line, "\n", 1);
    if (line.failed)
        batch->failed = true;
    else
        put(batch, line.bytes, line.length);
    free(line.bytes);
}

/* --- progress: one line on a terminal, written over and over --- */

static void show_progress(const struct batch *batch, const struct reader_progress *p)
{
    double seconds = (double)(clock_monotonic_ms() - batch->started_ms) / 1000;
    double share = p->total > 0 ? (double)p->bytes / (double)p->total : 0;

    if (seconds < 1)
        return;
    fprintf(stderr, "\r%.40s: ", reader_base(batch->path));
    if (p->total > 0)
        fprintf(stderr, "%.0f %%, ", 100 * share);
    fprintf(stderr, "%.1f MB/s, %llu packets, %llu flows, %llu threats", (double)p->bytes / 1e6 / seconds,
            (unsigned long long)p->counters.packets, (unsigned long long)p->counters.flow.flows,
            (unsigned long long)p->counters.verdict.threats);
    if (share > 0.01)
        fprintf(stderr, ", %.0f s left", seconds / share * (1 - share));
    fputs("\033[K", stderr);
}

static bool on_progress(void *context, const struct reader_progress *progress)
{
    struct batch *batch = context;

    if (batch->progress)
        show_progress(batch, progress);
    if (!batch->stopped && told_to_stop())
        batch->stopped = true;
    return !batch->stopped;
}

/* --- the files --- */

static bool read_one(void *context, const char *path)
{
    struct batch *batch = context;
    struct pipeline_counters counters;
    struct err err = {0};
    enum reader_end end;

    batch->files++;
    batch->path = path;
    batch->started_ms = clock_monotonic_ms();
    end = reader_file(path, &batch->reader, &counters, &err);
    pipeline_counters_add(batch->counters, &counters);
    if (batch->progress && clock_monotonic_ms() - batch->started_ms >= 1000)
        fputs("\r\033[K", stderr);
    if (end == READER_SHORT) {
        log_warn("read.short", "error=\"%s\"", err.text);
        batch->short_input = true;
    } else if (end == READER_FAILED) {
        log_error("read.failed", "error=\"%s\"", err.text);
        batch->failed = true;
    }
    return !batch->stopped && !told_to_stop();
}

/* What made no flow is not passed over in silence. */
static void tell_undecoded(const struct pipeline_counters *counters)
{
    struct text text = {.max = 512};

    for (int r = 1; r < PACKET_REASONS; r++)
        if (counters->decode[r] > 0)
            text_addf(&text, "%s%s=%llu", text.length > 0 ? " " : "", packet_reason_text((enum packet_reason)r),
                      (unsigned long long)counters->decode[r]);
    if (text.length > 0 && !text.failed)
        log_info("read.undecoded", "reasons=\"%s\"", text.bytes);
    free(text.bytes);
}

int batch_run(const struct settings *settings, const struct pipeline_settings *pipeline,
              const struct config_list *files, struct outlet *outlet, struct pipeline_counters *counters)
{
    struct batch batch = {.settings = settings,
                          .outlet = outlet,
                          .counters = counters,
                          .progress = !settings->quiet && isatty(STDERR_FILENO) == 1,
                          .reader = {.pipeline = *pipeline, .filter = settings->filter, .on_progress = on_progress}};

    batch.reader.context = &batch;
    batch.reader.pipeline.context = &batch;
    if (settings->features) {
        batch.reader.pipeline.each_flow = on_flow;
        put_features_header(&batch);
    } else {
        batch.reader.on_threat = on_threat;
        batch.reader.on_evidence = outlet != NULL ? on_evidence : NULL;
    }
    for (size_t i = 0; i < files->count; i++) {
        struct err err = {0};
        size_t before = batch.files;

        if (reader_walk(files->items[i], read_one, &batch, &err) && batch.files == before)
            err_set(&err, ERR_NOT_FOUND, "%s: there is no capture in this folder", files->items[i]);
        if (err.code != ERR_NONE) {
            log_error("read.failed", "error=\"%s\"", err.text);
            batch.failed = true;
        }
        if (batch.stopped)
            break;
    }
    check_output(&batch, fflush(stdout) == 0);
    tell_undecoded(counters);
    return batch.failed ? 1 : batch.short_input ? 3 : 0;
}
