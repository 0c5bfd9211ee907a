/* reader.c: see reader.h. */
#include "detector/reader.h"

#include "common/clock.h"
#include "detector/capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MIB = 1024 * 1024,
    LOOK_EVERY = 1024,
    PROGRESS_MS = 250,
    DEPTH_MAX = 16,
    PATH_ROOM = 4096,
    FRAME_MIN = 40, /* bytes that a packet with its record takes in a file that is not compressed */
    FLOWS_MIN = 1024
};

static void on_threat(void *context, const struct threat *threat, const struct flow *flow)
{
    const struct reader_settings *settings = context;

    (void)flow;
    if (settings->on_threat != NULL)
        settings->on_threat(settings->context, threat);
}

static void on_evidence(void *context, const struct threat *threat, const struct evidence_pcap *pcap)
{
    const struct reader_settings *settings = context;

    settings->on_evidence(settings->context, threat, pcap);
}

const char *reader_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool read_at(int fd, uint8_t *out, size_t length, off_t offset)
{
    while (length > 0) {
        ssize_t n = pread(fd, out, length, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        out += n;
        offset += n;
        length -= (size_t)n;
    }
    return true;
}

bool reader_fingerprint(const char *path, char out[TOKEN_HASH], struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *bytes = NULL;
    size_t head, tail;
    bool ok = false;

    if (fd < 0 || fstat(fd, &st) != 0) {
        err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, "%s: %s", path, strerror(errno));
        goto done;
    }
    head = st.st_size < MIB ? (size_t)st.st_size : MIB;
    tail = st.st_size < 2 * MIB ? (size_t)st.st_size - head : MIB;
    bytes = malloc(8 + head + tail);
    if (bytes == NULL) {
        err_set(err, ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)st.st_size >> (8 * i));
    if (!read_at(fd, bytes + 8, head, 0) || !read_at(fd, bytes + 8 + head, tail, st.st_size - (off_t)tail)) {
        err_set(err, ERR_SYSTEM, "%s: cannot be read", path);
        goto done;
    }
    token_hash(bytes, 8 + head + tail, out);
    ok = true;
done:
    free(bytes);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Every flow takes a packet at least, so that a small file needs no large table. */
static size_t flows_for(const char *path, size_t max_flows)
{
    static const uint8_t packed[][4] = {{0x1f, 0x8b}, {0x28, 0xb5, 0x2f, 0xfd}};
    uint8_t magic[4] = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t wanted = max_flows;

    if (fd >= 0 && fstat(fd, &st) == 0 && read_at(fd, magic, sizeof magic, 0) && memcmp(magic, packed[0], 2) != 0 &&
        memcmp(magic, packed[1], 4) != 0 && (size_t)st.st_size / FRAME_MIN + FLOWS_MIN < max_flows)
        wanted = (size_t)st.st_size / FRAME_MIN + FLOWS_MIN;
    if (fd >= 0)
        close(fd);
    return wanted;
}

static bool report(const struct reader_settings *settings, struct capture *capture, struct pipeline *pipeline)
{
    struct reader_progress progress = {0};

    capture_progress(capture, &progress.bytes, &progress.total);
    pipeline_counters(pipeline, &progress.counters);
    return settings->on_progress(settings->context, &progress);
}

static enum reader_end feed(const struct reader_settings *settings, struct capture *capture,
                            struct pipeline *pipeline, struct err *err)
{
    struct capture_frame frames[PIPELINE_FRAMES];
    enum capture_news news = CAPTURE_FRAME;
    int64_t next = 0;
    size_t fed = LOOK_EVERY;

    while (news == CAPTURE_FRAME) {
        size_t count = capture_more(capture, frames, PIPELINE_FRAMES);

        if (count == 0) {
            news = capture_next(capture, 0, &frames[0], err);
            count = news == CAPTURE_FRAME;
        }
        pipeline_frames(pipeline, frames, count);
        fed += count;
        if (fed < LOOK_EVERY || settings->on_progress == NULL)
            continue;
        fed = 0;
        if (clock_monotonic_ms() < next)
            continue;
        next = clock_monotonic_ms() + PROGRESS_MS;
        if (!report(settings, capture, pipeline))
            return READER_STOPPED;
    }
    return news == CAPTURE_END ? READER_DONE : news == CAPTURE_SHORT ? READER_SHORT : READER_FAILED;
}

enum reader_end reader_file(const char *path, const struct reader_settings *settings,
                            struct pipeline_counters *counters, struct err *err)
{
    struct pipeline_settings wanted = settings->pipeline;
    struct reader_settings copy = *settings;
    struct capture_settings capture_settings = {.filter = settings->filter};
    struct capture *capture = NULL;
    struct pipeline *pipeline = NULL;
    char fingerprint[TOKEN_HASH], origin[200];
    enum reader_end end = READER_FAILED;

    memset(counters, 0, sizeof *counters);
    if (!reader_fingerprint(path, fingerprint, err))
        return READER_FAILED;
    wanted.flow.max_flows = flows_for(path, wanted.flow.max_flows);
    wanted.verdict.source = "pcap";
    snprintf(origin, sizeof origin, "%s%s", fingerprint, settings->job != NULL ? settings->job : "");
    wanted.verdict.origin = origin;
    wanted.verdict.sink = on_threat;
    wanted.verdict.context = &copy;
    wanted.on_evidence = settings->on_evidence != NULL ? on_evidence : NULL;
    capture = capture_open_file(path, &capture_settings, err);
    pipeline = capture ? pipeline_create(&wanted, err) : NULL;
    if (pipeline == NULL)
        goto done;
    if (wanted.verdict.tune != NULL)
        tune_begin(wanted.verdict.tune, true);
    end = feed(settings, capture, pipeline, err);
    pipeline_finish(pipeline);
    if (wanted.verdict.tune != NULL)
        tune_end(wanted.verdict.tune);
    pipeline_counters(pipeline, counters);
    if (settings->on_progress != NULL && end != READER_STOPPED)
        report(settings, capture, pipeline);
done:
    pipeline_free(pipeline);
    capture_close(capture);
    return end;
}

/* --- folders --- */

static bool looks_like_capture(const char *path)
{
    static const uint8_t magics[][4] = {{0xd4, 0xc3, 0xb2, 0xa1}, {0xa1, 0xb2, 0xc3, 0xd4}, {0x4d, 0x3c, 0xb2, 0xa1},
                                        {0xa1, 0xb2, 0x3c, 0x4d}, {0x0a, 0x0d, 0x0d, 0x0a}, {0x28, 0xb5, 0x2f, 0xfd}};
    uint8_t magic[4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && read_at(fd, magic, sizeof magic, 0);
    bool fits = whole && magic[0] == 0x1f && magic[1] == 0x8b;

    if (fd >= 0)
        close(fd);
    for (size_t i = 0; whole && i < sizeof magics / sizeof *magics; i++)
        fits = fits || memcmp(magic, magics[i], 4) == 0;
    return fits;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool walk(const char *path, int depth, bool (*each)(void *, const char *), void *context, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, not_hidden, alphasort);
    bool ok = true;

    if (count < 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char *inner = malloc(PATH_ROOM);
        struct stat st;

        if (ok && inner != NULL && snprintf(inner, PATH_ROOM, "%s/%s", path, entries[i]->d_name) < PATH_ROOM &&
            lstat(inner, &st) == 0) { /* links are not followed: they may go round */
            if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
                ok = walk(inner, depth + 1, each, context, err);
            else if (S_ISREG(st.st_mode) && looks_like_capture(inner))
                ok = each(context, inner);
        }
        free(inner);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

bool reader_walk(const char *path, bool (*each)(void *context, const char *path), void *context, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_set(err, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    return S_ISDIR(st.st_mode) ? walk(path, 0, each, context, err) : each(context, path);
}
