/* monitor.c: see monitor.h. */
#include "detector/monitor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "detector/own_traffic.h"
#include "detector/privilege.h"
#include "detector/simulator.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 100, WAIT_EACH_MS = 20, REOPEN_MS = 1000, DROPS_MS = 1000, BURST = 512, FILTER_ROOM = 4096 };
#define MS     INT64_C(1000000)
/* A capture hands packets over in blocks: the clock may only run on past those that are on their way. */
#define LAG_NS (500 * MS)

struct device {
    char name[64];
    struct capture *capture; /* NULL: lost */
    int64_t retry_at;        /* monotonic ms */
    uint64_t drops_before;   /* of captures that were lost */
    uint64_t drops;
};

/* Belongs to the run's thread from its start to its end. */
struct run {
    struct device devices[MONITOR_INTERFACES];
    size_t device_count;
    struct simulator *simulator; /* NULL: live */
    struct pipeline *pipeline;
    char filter[FILTER_ROOM];
    int64_t deadline; /* monotonic ms, 0: none */
    int64_t next_drops;
};

struct monitor {
    struct monitor_settings settings;
    char simulator_origin[THREAT_SENSOR + 16];
    pthread_mutex_t control; /* one start or stop at a time; held while a device opens and a thread ends.
                                Taken before lock */
    pthread_t thread;        /* guarded by control, as joinable is */
    bool joinable;

    pthread_mutex_t lock; /* guards what follows; held for a copy */
    pthread_cond_t wake;
    bool stopping;
    struct monitor_status status;
    struct run *run;                 /* whose pipeline counts; NULL: none */
    struct pipeline_counters before; /* of the runs that are over */
};

static void on_threat(void *context, const struct threat *threat, const struct flow *flow)
{
    struct monitor *monitor = context;

    (void)flow;
    outlet_take(monitor->settings.outlet, threat, NULL, NULL); /* it counts and tells what it loses */
}

static void on_evidence(void *context, const struct threat *threat, const struct evidence_pcap *pcap)
{
    struct monitor *monitor = context;

    outlet_evidence(monitor->settings.outlet, threat->id, pcap->bytes, pcap->length);
}

/* --- devices --- */

static struct capture *open_device(const struct monitor *monitor, const struct run *run, const char *name,
                                   struct err *err)
{
    struct capture_settings settings = monitor->settings.capture;
    struct capture *capture;

    settings.filter = run->filter[0] ? run->filter : NULL;
    privilege_raise();
    capture = capture_open_live(name, &settings, err);
    privilege_lower();
    return capture;
}

static bool open_devices(const struct monitor *monitor, struct run *run, char *source, size_t size, struct err *err)
{
    char names[MONITOR_SOURCE], *rest = names, *name;

    if (strcmp(source, "auto") == 0 && !capture_choose(source, size, err))
        return false;
    snprintf(names, sizeof names, "%s", source);
    while ((name = strsep(&rest, ",")) != NULL) {
        struct device *device = &run->devices[run->device_count];

        if (run->device_count == MONITOR_INTERFACES)
            return err_set(err, ERR_INVALID, "interface: at most %d", (int)MONITOR_INTERFACES);
        if (name[0] == '\0' || strlen(name) >= sizeof device->name)
            return err_set(err, ERR_INVALID, "interface: expected a name of 1 to %zu characters",
                           sizeof device->name - 1);
        snprintf(device->name, sizeof device->name, "%s", name);
        device->capture = open_device(monitor, run, name, err);
        if (device->capture == NULL)
            return false;
        run->device_count++;
    }
    return true;
}

/* (settings' filter) and (the run's filter) and not what is our own. */
static bool make_filter(const struct monitor *monitor, const char *filter, char *out, size_t size, struct err *err)
{
    const char *parts[2] = {monitor->settings.capture.filter, filter};
    struct text text = {.max = size - 1};

    for (int i = 0; i < 2; i++) {
        if (parts[i] == NULL || parts[i][0] == '\0')
            continue;
        if (!capture_check_filter(parts[i], err)) { /* "tcp) or (udp" would get past what is put around it */
            free(text.bytes);
            return false;
        }
        text_addf(&text, "%s(%s)", text.length ? " and " : "", parts[i]);
    }
    own_traffic_filter(monitor->settings.webhook, monitor->settings.own_traffic, &text);
    if (!text.failed)
        snprintf(out, size, "%s", text.bytes ? text.bytes : "");
    free(text.bytes);
    return !text.failed || err_set(err, ERR_INVALID, "filter: expected at most %d characters", MONITOR_FILTER / 2);
}

/* --- the run --- */

static bool go_on(struct monitor *monitor, const struct run *run)
{
    bool stopping;

    pthread_mutex_lock(&monitor->lock);
    stopping = monitor->stopping;
    pthread_mutex_unlock(&monitor->lock);
    return !stopping && (run->deadline == 0 || clock_monotonic_ms() < run->deadline);
}

static void nap(struct monitor *monitor, int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * MS};

    pthread_mutex_lock(&monitor->lock);
    if (!monitor->stopping)
        pthread_cond_timedwait(&monitor->wake, &monitor->lock, &at);
    pthread_mutex_unlock(&monitor->lock);
}

static void simulate(struct monitor *monitor, struct run *run)
{
    struct capture_frame frame;

    while (go_on(monitor, run)) {
        int64_t now = clock_now_ns(), due;

        while (simulator_next(run->simulator, now, &frame))
            pipeline_frame(run->pipeline, &frame);
        pipeline_tick(run->pipeline, now);
        due = (simulator_due(run->simulator) - clock_now_ns()) / MS + 1;
        nap(monitor, due < 20 ? 20 : due > 500 ? 500 : due); /* in small bundles: 50 wakes a second are enough */
    }
}

static void say_state(struct monitor *monitor, enum monitor_state state, const char *trouble)
{
    pthread_mutex_lock(&monitor->lock);
    monitor->status.state = state;
    snprintf(monitor->status.trouble, sizeof monitor->status.trouble, "%.199s", trouble);
    pthread_mutex_unlock(&monitor->lock);
}

static void lose_device(struct monitor *monitor, struct device *device, const char *why)
{
    log_error("monitor.lost", "interface=%s error=\"%s\"", device->name, why);
    device->drops_before += device->drops;
    device->drops = 0;
    capture_close(device->capture);
    device->capture = NULL;
    device->retry_at = clock_monotonic_ms() + REOPEN_MS;
    say_state(monitor, MONITOR_LOST, why);
}

static void reopen_device(struct monitor *monitor, struct run *run, struct device *device)
{
    struct err err = {0};
    bool all = true;

    if (clock_monotonic_ms() < device->retry_at)
        return;
    device->retry_at = clock_monotonic_ms() + REOPEN_MS;
    device->capture = open_device(monitor, run, device->name, &err);
    if (device->capture == NULL)
        return;
    log_info("monitor.found", "interface=%s", device->name);
    for (size_t i = 0; i < run->device_count; i++)
        all = all && run->devices[i].capture != NULL;
    if (all)
        say_state(monitor, MONITOR_LIVE, "");
}

/* Takes what a device has, about BURST frames; how many. Moves *reached to the latest of them: only what is on its
 * way (LAG_NS) may still come from before it. */
static int drain(struct monitor *monitor, struct run *run, struct device *device, int wait_ms, int64_t *reached)
{
    struct capture_frame frames[PIPELINE_FRAMES];
    struct err err = {0};
    int64_t first_ns = 0;
    int taken = 0;

    while (taken < BURST) {
        size_t count = capture_more(device->capture, frames, PIPELINE_FRAMES);

        if (count == 0) {
            enum capture_news news = capture_next(device->capture, wait_ms, &frames[0], &err);

            if (news == CAPTURE_QUIET)
                break;
            if (news != CAPTURE_FRAME) {
                lose_device(monitor, device, err.text);
                break;
            }
            count = 1;
        }
        pipeline_frames(run->pipeline, frames, count);
        *reached = frames[count - 1].time_ns;
        if (taken == 0)
            first_ns = frames[0].time_ns;
        taken += (int)count;
        if (*reached - first_ns > WAIT_MS * MS) /* a trickle without a pause: others want a look, too */
            break;
    }
    pipeline_flush(run->pipeline);
    return taken;
}

static void read_drops(struct run *run)
{
    uint64_t received, sum = 0;

    if (clock_monotonic_ms() < run->next_drops)
        return;
    run->next_drops = clock_monotonic_ms() + DROPS_MS;
    for (size_t i = 0; i < run->device_count; i++) {
        struct device *device = &run->devices[i];

        if (device->capture != NULL)
            capture_counters(device->capture, &received, &device->drops);
        sum += device->drops_before + device->drops;
    }
    pipeline_drops(run->pipeline, sum);
}

static void watch(struct monitor *monitor, struct run *run)
{
    int wait_ms = run->device_count == 1 ? WAIT_MS : WAIT_EACH_MS;
    int64_t ticked = 0;
    bool quiet = true;

    while (go_on(monitor, run)) {
        int64_t reached = clock_now_ns();
        int taken = 0, open = 0;

        for (size_t i = 0; i < run->device_count; i++) {
            struct device *device = &run->devices[i];

            if (device->capture == NULL)
                reopen_device(monitor, run, device);
            if (device->capture != NULL) {
                int64_t here = reached;
                taken += drain(monitor, run, device, quiet || run->device_count == 1 ? wait_ms : 0, &here);
                reached = here < reached ? here : reached;
                open++;
            }
        }
        quiet = taken == 0;
        read_drops(run);
        if (quiet || reached >= ticked + WAIT_MS * MS) { /* what is no IP moves no flow's clock */
            ticked = reached;
            pipeline_tick(run->pipeline, reached - LAG_NS);
        }
        if (open == 0)
            nap(monitor, WAIT_MS);
    }
    run->next_drops = 0;
    read_drops(run);
}

static void run_free(struct run *run)
{
    if (run == NULL)
        return;
    for (size_t i = 0; i < run->device_count; i++)
        capture_close(run->devices[i].capture);
    simulator_free(run->simulator);
    pipeline_free(run->pipeline);
    free(run);
}

static void *run_loop(void *argument)
{
    struct monitor *monitor = argument;
    struct run *run = monitor->run;
    struct tune *tune = monitor->settings.pipeline.verdict.tune;
    struct pipeline_counters counters;

    if (tune != NULL)
        tune_begin(tune, run->simulator == NULL);
    if (run->simulator != NULL)
        simulate(monitor, run);
    else
        watch(monitor, run);
    pipeline_finish(run->pipeline);
    if (tune != NULL)
        tune_end(tune);
    pipeline_counters(run->pipeline, &counters);
    counters.flow.open = 0;
    pthread_mutex_lock(&monitor->lock);
    pipeline_counters_add(&monitor->before, &counters);
    monitor->run = NULL;
    monitor->status.state = MONITOR_IDLE;
    monitor->status.ends_ms = clock_now_ms();
    monitor->status.trouble[0] = '\0';
    pthread_mutex_unlock(&monitor->lock);
    log_info("monitor.ended", "source=%s packets=%llu drops=%llu flows=%llu threats=%llu", monitor->status.source,
             (unsigned long long)counters.packets, (unsigned long long)counters.drops,
             (unsigned long long)counters.flow.flows, (unsigned long long)counters.verdict.threats);
    run_free(run);
    return NULL;
}

/* --- start and stop --- */

static bool open_source(struct monitor *monitor, struct run *run, char *source, size_t size, const char *filter,
                        struct err *err)
{
    struct pipeline_settings settings = monitor->settings.pipeline;
    uint64_t seed = monitor->settings.simulator_seed;
    bool simulated = strcmp(source, "simulator") == 0;

    if (simulated) {
        if (seed == 0)
            token_random(&seed, sizeof seed);
        run->simulator = simulator_create(seed, clock_now_ns(), err);
        if (run->simulator == NULL)
            return false;
    } else if (!make_filter(monitor, filter, run->filter, sizeof run->filter, err) ||
               !open_devices(monitor, run, source, size, err)) {
        return false;
    }
    settings.verdict.source = simulated ? "simulator" : "live";
    settings.verdict.origin = simulated ? monitor->simulator_origin : settings.verdict.sensor;
    settings.verdict.sink = on_threat;
    settings.verdict.context = monitor;
    settings.on_evidence = on_evidence;
    run->pipeline = pipeline_create(&settings, err);
    return run->pipeline != NULL;
}

/* With control held: ends the thread, if there is one. */
static void end_thread(struct monitor *monitor)
{
    if (!monitor->joinable)
        return;
    pthread_mutex_lock(&monitor->lock);
    monitor->stopping = true;
    pthread_cond_signal(&monitor->wake);
    pthread_mutex_unlock(&monitor->lock);
    pthread_join(monitor->thread, NULL);
    monitor->joinable = false;
}

/* With control held. Takes run. */
static bool begin(struct monitor *monitor, struct run *run, const char *source, long duration_s, const char *filter,
                  struct err *err)
{
    struct monitor_status status = {.state = run->simulator ? MONITOR_SIMULATED : MONITOR_LIVE,
                                    .started_ms = clock_now_ms(),
                                    .duration_s = duration_s};

    snprintf(status.source, sizeof status.source, "%s", source);
    snprintf(status.filter, sizeof status.filter, "%s", filter ? filter : "");
    if (duration_s > 0) {
        status.ends_ms = status.started_ms + duration_s * 1000;
        run->deadline = clock_monotonic_ms() + duration_s * 1000;
    }
    pthread_mutex_lock(&monitor->lock);
    monitor->stopping = false;
    monitor->run = run;
    monitor->status = status;
    pthread_mutex_unlock(&monitor->lock);
    if (pthread_create(&monitor->thread, NULL, run_loop, monitor) != 0) {
        pthread_mutex_lock(&monitor->lock);
        monitor->run = NULL;
        monitor->status.state = MONITOR_IDLE;
        pthread_mutex_unlock(&monitor->lock);
        run_free(run);
        return err_set(err, ERR_SYSTEM, "monitor: no thread to be had");
    }
    pthread_setname_np(monitor->thread, "monitor");
    monitor->joinable = true;
    log_info("monitor.started", "source=%s duration=%ld", source, duration_s);
    return true;
}

bool monitor_start(struct monitor *monitor, const char *source, long duration_s, const char *filter, struct err *err)
{
    char name[MONITOR_SOURCE];
    struct monitor_status now;
    struct run *run = NULL;
    bool ok = false;

    if (strlen(source) >= sizeof name)
        return err_set(err, ERR_INVALID, "interface: expected at most %zu characters", sizeof name - 1);
    snprintf(name, sizeof name, "%s", source);
    pthread_mutex_lock(&monitor->control);
    monitor_status(monitor, &now);
    if (now.state == MONITOR_LIVE || now.state == MONITOR_LOST ||
        (now.state == MONITOR_SIMULATED && strcmp(name, "simulator") == 0)) {
        err_set(err, ERR_CONFLICT, "monitoring is already active on %s", now.source);
        goto done;
    }
    run = calloc(1, sizeof *run);
    if (run == NULL) {
        err_set(err, ERR_MEMORY, "monitor: out of memory");
        goto done;
    }
    if (!open_source(monitor, run, name, sizeof name, filter, err)) { /* the simulator goes on in this case */
        run_free(run);
        goto done;
    }
    end_thread(monitor);
    ok = begin(monitor, run, name, duration_s, filter, err);
done:
    pthread_mutex_unlock(&monitor->control);
    return ok;
}

bool monitor_stop(struct monitor *monitor, struct err *err)
{
    struct monitor_status now;
    bool ok = true;

    pthread_mutex_lock(&monitor->control);
    monitor_status(monitor, &now);
    if (now.state == MONITOR_IDLE)
        ok = err_set(err, ERR_CONFLICT, "monitoring is not active");
    end_thread(monitor);
    pthread_mutex_unlock(&monitor->control);
    return ok;
}

/* --- life --- */

struct monitor *monitor_create(const struct monitor_settings *settings, struct err *err)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    pthread_condattr_t monotonic;

    if (monitor == NULL) {
        err_set(err, ERR_MEMORY, "monitor: out of memory");
        return NULL;
    }
    monitor->settings = *settings;
    snprintf(monitor->simulator_origin, sizeof monitor->simulator_origin, "simulator:%.64s",
             settings->pipeline.verdict.sensor);
    pthread_mutex_init(&monitor->control, NULL);
    pthread_mutex_init(&monitor->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&monitor->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return monitor;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    monitor_stop(monitor, NULL);
    pthread_mutex_destroy(&monitor->control);
    pthread_mutex_destroy(&monitor->lock);
    pthread_cond_destroy(&monitor->wake);
    free(monitor);
}

void monitor_status(struct monitor *monitor, struct monitor_status *out)
{
    pthread_mutex_lock(&monitor->lock);
    *out = monitor->status;
    pthread_mutex_unlock(&monitor->lock);
}

const char *monitor_state_text(enum monitor_state state)
{
    static const char *const texts[] = {"idle", "simulator", "live", "lost"};

    return texts[state];
}

void monitor_counters(struct monitor *monitor, struct pipeline_counters *out)
{
    struct pipeline_counters now = {0};

    pthread_mutex_lock(&monitor->lock);
    *out = monitor->before;
    if (monitor->run != NULL)
        pipeline_counters(monitor->run->pipeline, &now); /* its lock is the innermost one */
    pthread_mutex_unlock(&monitor->lock);
    pipeline_counters_add(out, &now);
}
