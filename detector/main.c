/* main.c: the detector as a program: reads the settings, gives up what it need not be allowed, joins the rooms, waits
 * for a signal and takes them apart again in the order in which threats flow. */
#include "common/clock.h"
#include "common/folder.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/token.h"
#include "detector/analysis.h"
#include "detector/api.h"
#include "detector/batch.h"
#include "detector/capture.h"
#include "detector/figures.h"
#include "detector/forest.h"
#include "detector/monitor.h"
#include "detector/privilege.h"
#include "detector/selftest.h"
#include "detector/settings.h"
#include "detector/tune.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, PARTING_MS = 1500, INTERFACES_MAX = 64, PATH_ROOM = 4200 };

struct program {
    struct settings settings;
    struct config_list files;
    struct pipeline_settings pipeline;
    struct model *model, *shadow;
    struct tune *tune, *upload_tune; /* of what is watched or read; of uploads, which teach nothing */
    struct spool *spool;
    struct outlet *outlet;
    struct sender *sender;
    struct monitor *monitor;
    struct analyses *analyses;
    struct api *api;
    struct figures figures;
};

static int wrong(const struct err *err)
{
    fprintf(stderr, "threatline-detector: %s\n", err->text);
    return EXIT_USAGE;
}

static bool fail(const struct err *err)
{
    log_error("detector.failed", "error=\"%s\"", err->text);
    return false;
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void summary(const struct pipeline_counters *c)
{
    fprintf(stderr, "packets=%llu flows=%llu threats=%llu drops=%llu\n", (unsigned long long)c->packets,
            (unsigned long long)c->flow.flows, (unsigned long long)c->verdict.threats, (unsigned long long)c->drops);
}

static int list_interfaces(void)
{
    struct capture_interface *list = calloc(INTERFACES_MAX, sizeof *list);
    struct err err = {0};
    size_t count = list ? capture_interfaces(list, INTERFACES_MAX, &err) : 0;

    for (size_t i = 0; i < count; i++) {
        printf("%-16s %-5s", list[i].name, list[i].up ? "up" : "down");
        for (size_t a = 0; a < list[i].address_count; a++)
            printf(" %s", list[i].addresses[a]);
        putchar('\n');
    }
    free(list);
    if (err.code != ERR_NONE)
        fail(&err);
    return err.code == ERR_NONE ? EXIT_DONE : EXIT_FAILED;
}

/* --- putting together --- */

static void load_model(struct program *p)
{
    struct err err = {0};

    p->model = model_load(p->settings.model, &err);
    if (p->model == NULL)
        log_warn("model.missing", "error=\"%s\" effect=\"windows judge alone, no forest\"", err.text);
    else
        log_info("model.loaded", "model=%s features=%zu", model_name(p->model), model_features(p->model));
}

static bool make_data_dir(const char *path, struct err *err)
{
    return folder_make(path, err) || err_prefix(err, "data-dir");
}

static bool create_tunes(struct program *p, struct err *err)
{
    const struct settings *s = &p->settings;
    char learned[PATH_ROOM];
    struct tune_settings settings = {.model = p->model, .false_alarms = s->alarms_a_day, .agree = VERDICT_AGREE};

    p->upload_tune = tune_create(&settings, err);
    if (p->upload_tune == NULL || (s->learn_s > 0 && !make_data_dir(s->data_dir, err)) ||
        (s->shadow != NULL && (p->shadow = model_load(s->shadow, err)) == NULL))
        return false;
    if (s->shadow != NULL && p->model == NULL)
        return err_set(err, ERR_INVALID, "shadow: without a model there is nothing to compare it with");
    snprintf(learned, sizeof learned, "%s/learned", s->data_dir);
    settings.shadow = p->shadow;
    settings.learn_ns = s->learn_s * INT64_C(1000000000);
    settings.learned = learned;
    p->tune = tune_create(&settings, err);
    return p->tune != NULL;
}

static void set_pipeline(struct program *p)
{
    p->pipeline.flow.max_flows = (size_t)p->settings.max_flows;
    p->pipeline.flow.idle_ns = p->settings.idle_timeout * INT64_C(1000000000);
    p->pipeline.flow.active_ns = p->settings.active_timeout * INT64_C(1000000000);
    p->pipeline.evidence = (struct evidence_settings){.packets = (size_t)p->settings.evidence_packets,
                                                      .bytes = (size_t)p->settings.evidence_bytes,
                                                      .memory = (size_t)p->settings.evidence_mib << 20};
    p->pipeline.workers = (int)p->settings.workers;
    p->pipeline.inner_flows = p->settings.inner_flows;
    p->pipeline.verdict.model = p->model;
    p->pipeline.verdict.tune = p->tune;
    p->pipeline.verdict.sensor = p->settings.sensor_name;
}

/* An upload of a run that was killed is nobody's any more. */
static void sweep_uploads(const char *data_dir)
{
    char path[PATH_ROOM];
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof path, "%s/uploads", data_dir);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (strncmp(entry->d_name, "upload-", 7) == 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
}

static cJSON *heartbeat(void *context)
{
    return figures_heartbeat(context);
}

static bool open_delivery(struct program *p, bool heartbeats, struct err *err)
{
    const struct settings *s = &p->settings;
    char path[PATH_ROOM];
    struct sender_settings sender = {.url = s->webhook,
                                     .secret_file = s->webhook_secret_file,
                                     .sensor = s->sensor_name,
                                     .figures = heartbeats ? heartbeat : NULL,
                                     .context = &p->figures};

    snprintf(path, sizeof path, "%s/spool.db", s->data_dir);
    if (!make_data_dir(s->data_dir, err) ||
        (p->spool = spool_open(path, (int64_t)s->spool_mib * 1024 * 1024, err)) == NULL ||
        (p->outlet = outlet_create(p->spool, err)) == NULL)
        return false;
    sender.spool = p->spool;
    if (heartbeats) { /* who asks for figures must find everything there */
        const struct monitor_settings monitor = {
            .pipeline = p->pipeline,
            .webhook = s->webhook,
            .own_traffic = s->own_traffic,
            .simulator_seed = (uint64_t)s->simulator_seed,
            .outlet = p->outlet,
            .capture = {.filter = s->filter, .ring_bytes = (size_t)s->ring_mib << 20, .promiscuous = s->promiscuous}};

        p->monitor = monitor_create(&monitor, err);
        if (p->monitor == NULL)
            return false;
        p->figures = (struct figures){.sensor = s->sensor_name,
                                      .model = p->model,
                                      .tune = p->tune,
                                      .monitor = p->monitor,
                                      .outlet = p->outlet,
                                      .spool = p->spool,
                                      .started_ms = clock_now_ms()};
    }
    p->sender = sender_start(&sender, err);
    if (p->sender == NULL)
        return false;
    outlet_attach(p->outlet, p->sender);
    return true;
}

static bool open_control(struct program *p, struct err *err)
{
    const struct settings *s = &p->settings;
    struct api_settings api = {
        .bind = s->bind, .port = (int)s->port, .control_key = s->control_key, .data_dir = s->data_dir};

    struct pipeline_settings uploads = p->pipeline;

    uploads.verdict.tune = p->upload_tune;
    sweep_uploads(s->data_dir);
    p->analyses = analyses_create(&uploads, p->outlet, err);
    if (p->analyses == NULL)
        return false;
    p->figures.sender = p->sender;
    api.figures = p->figures;
    api.analyses = p->analyses;
    p->api = api_start(&api, err);
    return p->api != NULL;
}

/* Threats flow from left to right: what makes them ends first, what carries them last. */
static void take_apart(struct program *p)
{
    api_stop(p->api);
    analyses_free(p->analyses);
    if (p->monitor != NULL)
        monitor_stop(p->monitor, NULL);
    if (p->sender != NULL && p->api != NULL)
        sender_drain(p->sender, PARTING_MS);
    sender_stop(p->sender);
    outlet_free(p->outlet);
    spool_close(p->spool);
}

/* --- the ways to run --- */

static int serve(struct program *p, const sigset_t *signals)
{
    const char *source = p->settings.source;
    struct pipeline_counters counters = {0};
    struct err err = {0};
    int status = EXIT_FAILED, signal_number;

    if (strncmp(source, "live:", 5) == 0)
        source += 5;
    /* the control API comes last: when it answers, the source runs */
    if (!open_delivery(p, true, &err) ||
        (strcmp(source, "none") != 0 && !monitor_start(p->monitor, source, p->settings.duration, NULL, &err)) ||
        !open_control(p, &err))
        goto done;
    log_info("detector.ready", "api=http://%s:%d sensor=%s source=%s webhook=%s version=%s", p->settings.bind,
             api_port(p->api), p->settings.sensor_name, p->settings.source, p->settings.webhook, THREATLINE_VERSION);
    while (sigwait(signals, &signal_number) == 0 && signal_number == SIGHUP) {
        log_info("detector.reload", "what=webhook-secret-file");
        sender_reload(p->sender);
    }
    log_info("detector.stopping", "signal=%d", signal_number);
    status = EXIT_DONE;
done:
    if (status != EXIT_DONE)
        fail(&err);
    take_apart(p);
    if (p->monitor != NULL)
        monitor_counters(p->monitor, &counters);
    monitor_free(p->monitor);
    summary(&counters);
    return status;
}

/* Waits for the delivery of what was found; false: not all of it got through. */
static bool deliver_all(struct program *p, const sigset_t *signals)
{
    int64_t until = clock_monotonic_ms() + p->settings.send_wait * 1000;
    struct timespec none = {0};
    struct sender_counters sent;
    struct spool_counts left;
    bool done = false;

    while (!(done = sender_drain(p->sender, 250)) && clock_monotonic_ms() < until &&
           sigtimedwait(signals, NULL, &none) < 0)
        ;
    sender_counters(p->sender, &sent);
    spool_counts(p->spool, &left);
    if (!done || sent.refused > 0 || left.kept > 0)
        log_error("send.incomplete", "waiting=%lld kept=%lld refused=%llu error=\"%s\"", (long long)left.waiting,
                  (long long)left.kept, (unsigned long long)sent.refused, sent.trouble);
    return done && sent.refused == 0 && left.kept == 0;
}

static int read_files(struct program *p, const sigset_t *signals)
{
    struct pipeline_counters counters = {0};
    struct err err = {0};
    int status = EXIT_FAILED;

    if (p->settings.send && !open_delivery(p, false, &err)) {
        fail(&err);
        goto done;
    }
    status = batch_run(&p->settings, &p->pipeline, &p->files, p->outlet, &counters);
    if (p->settings.send && !deliver_all(p, signals))
        status = EXIT_FAILED;
done:
    take_apart(p);
    summary(&counters);
    return status;
}

/* A list of names as monitor.h has it. */
static bool interfaces_are_there(const char *names, struct err *err)
{
    struct capture_interface *list = calloc(INTERFACES_MAX, sizeof *list);
    size_t count = list ? capture_interfaces(list, INTERFACES_MAX, err) : 0, length;
    bool there = count > 0;

    for (; there && *names != '\0'; names += length + (names[length] == ',')) {
        length = strcspn(names, ",");
        there = length == 4 && strncmp(names, "auto", 4) == 0;
        for (size_t i = 0; i < count && !there; i++)
            there = strlen(list[i].name) == length && strncmp(list[i].name, names, length) == 0;
        if (!there)
            err_set(err, ERR_NOT_FOUND, "source: there is no interface \"%.*s\" (--interfaces lists them)",
                    (int)length, names);
    }
    free(list);
    return there;
}

/* --check: everything that can be known without starting. */
static int check(struct program *p)
{
    const struct settings *s = &p->settings;
    struct sender_settings sender = {
        .url = s->webhook, .secret_file = s->webhook_secret_file, .sensor = s->sensor_name};
    struct err err = {0};
    struct model *model = model_load(s->model, &err), *shadow = NULL;

    if (model != NULL && s->shadow != NULL)
        shadow = model_load(s->shadow, &err);
    if (model == NULL || (s->shadow != NULL && shadow == NULL)) {
        model_free(model);
        return wrong(&err);
    }
    model_free(model);
    model_free(shadow);
    if (!sender_check(&sender, &err))
        return wrong(&err);
    if ((s->user != NULL && !privilege_check(s->user, &err)) ||
        (s->filter != NULL && !capture_check_filter(s->filter, &err)) ||
        (strncmp(s->source, "live:", 5) == 0 && !interfaces_are_there(s->source + 5, &err)))
        return wrong(&err);
    if (!folder_fits(s->data_dir, &err)) {
        err_prefix(&err, "data-dir");
        return wrong(&err);
    }
    fprintf(stderr, "threatline-detector: the settings are good\n");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct program *p = calloc(1, sizeof *p);
    enum log_level level = LOG_INFO;
    enum config_result result;
    struct err err = {0};
    sigset_t signals;
    int status = EXIT_FAILED;

    if (p == NULL)
        return EXIT_FAILED;
    if (argc == 2 && strcmp(argv[1], "selftest") == 0) {
        status = token_setup() ? selftest_run() : EXIT_FAILED;
        goto done;
    }
    result = settings_read(&p->settings, argc, argv, &p->files, &err);
    if (result == CONFIG_DONE || result == CONFIG_WRONG) {
        status = result == CONFIG_DONE ? EXIT_DONE : wrong(&err);
        goto done;
    }
    log_level_from_text(p->settings.log_level, &level);
    log_setup(level, strcmp(p->settings.log_format, "json") == 0);
    block_signals(&signals);
    if (!token_setup() || !http_client_setup()) {
        log_error("detector.failed", "error=\"a library cannot start\"");
        goto done;
    }
    if (result == CONFIG_CHECK) {
        status = check(p);
    } else if (p->settings.interfaces) {
        status = list_interfaces();
    } else {
        umask(077); /* the spool and uploads are nobody else's business */
        /* a filter runs as who called it; a service needs next to nothing */
        if ((!p->settings.read || p->settings.user != NULL) && !privilege_drop(p->settings.user, &err)) {
            fail(&err);
            goto done;
        }
        if (!p->settings.no_seccomp && !privilege_confine(&err)) /* before the first thread */
            log_warn("detector.unconfined", "error=\"%s\"", err.text);
        load_model(p);
        if (!create_tunes(p, &err)) {
            fail(&err);
            goto done;
        }
        set_pipeline(p);
        status = p->settings.read ? read_files(p, &signals) : serve(p, &signals);
    }
done:
    tune_free(p->tune);
    tune_free(p->upload_tune);
    model_free(p->shadow);
    model_free(p->model);
    free(p);
    return status;
}
