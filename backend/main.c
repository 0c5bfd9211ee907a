/* main.c: the settings table, signals, start and stop of threatline-backend. */
#include "backend/service.h"
#include "backend/settings.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/token.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXIT_FINE, EXIT_FAILED, EXIT_WRONG, TICK_MS = 250 };

#define AT(member) offsetof(struct settings, member)
#define PAGES      "frontend-static"

static const struct option_row rows[] = {
    {"bind", "BACKEND_BIND", OPT_TEXT, AT(bind), 1, 45, "127.0.0.1", "IPv4 address to listen on"},
    {"port", "BACKEND_PORT", OPT_NUMBER, AT(port), 0, 65535, "5000", "port of the API (0: any free one)"},
    {"dashboard-port", "BACKEND_DASHBOARD_PORT", OPT_NUMBER, AT(dashboard_port), -1, 65535, "3000",
     "port of the dashboard and the same API without the webhook (-1: none)"},
    {"threads", "BACKEND_THREADS", OPT_NUMBER, AT(threads), 8, 1024, "128", "requests served at one time"},
    {"data-dir", "BACKEND_DATA_DIR", OPT_TEXT, AT(data_dir), 1, 1000, "data", "directory that keeps everything"},
    {"mongodb-uri", "MONGODB_URI", OPT_TEXT, AT(mongodb_uri), 0, 0, NULL,
     "store in MongoDB instead of a file in data-dir"},
    {"mongodb-uri-file", "MONGODB_URI_FILE", OPT_TEXT, AT(mongodb_uri_file), 0, 0, NULL,
     "file with that URI, when it holds a password"},
    {"admin-password-file", "BACKEND_ADMIN_PASSWORD_FILE", OPT_TEXT, AT(admin_password_file), 0, 0, NULL,
     "password of the first user \"admin\"; without it one is made and printed once"},
    {"webhook-secret-file", "BACKEND_WEBHOOK_SECRET_FILE", OPT_TEXT, AT(webhook_secret_file), 0, 0, NULL,
     "secrets that sensors sign with, one \"name whsec_...\" a line; read again on SIGHUP"},
    {"jwt-key-file", "BACKEND_JWT_KEY_FILE", OPT_TEXT, AT(jwt_key_file), 0, 0, NULL,
     "key of the login tokens, 32 bytes or more; without it one is made and kept in the store"},
    {"secret-key-file", "BACKEND_SECRET_KEY_FILE", OPT_TEXT, AT(secret_key_file), 0, 0, NULL,
     "key that closes the secrets of notices in the store (64 hex digits); without it data-dir/secret.key is made"},
    {"static-dir", "BACKEND_STATIC_DIR", OPT_TEXT, AT(static_dir), 0, 0, PAGES,
     "files of the dashboard; by default of the working directory, else what was installed"},
    {"trusted-networks", "BACKEND_TRUSTED_NETWORKS", OPT_LIST, AT(trusted_networks), 0, 0, "127.0.0.0/8",
     "may use the webhook without a credential (\"none\": nobody)"},
    {"trusted-proxies", "BACKEND_TRUSTED_PROXIES", OPT_LIST, AT(trusted_proxies), 0, 0, NULL,
     "may name their client in X-Forwarded-For"},
    {"allowed-origins", "BACKEND_ALLOWED_ORIGINS", OPT_LIST, AT(allowed_origins), 0, 0,
     "http://localhost:3000,http://127.0.0.1:3000", "pages that may call the API"},
    {"detector", "BACKEND_DETECTORS", OPT_LIST, AT(detectors), 0, 0, "local=http://127.0.0.1:8000",
     "NAME=URL of a detector's control API; may be repeated (\"none\": none)"},
    {"detector-key-file", "BACKEND_DETECTOR_KEY_FILE", OPT_TEXT, AT(detector_key_file), 0, 0, NULL,
     "key of the detectors' control API"},
    {"secure-cookies", "BACKEND_SECURE_COOKIES", OPT_FLAG, AT(secure_cookies), 0, 0, NULL,
     "cookies over TLS only (with a TLS proxy in front)"},
    {"session-hours", "BACKEND_SESSION_HOURS", OPT_NUMBER, AT(session_hours), 1, 720, "12",
     "a login ends after so long without a request"},
    {"max-streams", "BACKEND_MAX_STREAMS", OPT_NUMBER, AT(max_streams), 1, 100000, "12000", "open streams in all"},
    {"streams-per-user", "BACKEND_STREAMS_PER_USER", OPT_NUMBER, AT(streams_per_user), 1, 100000, "64",
     "open streams of one user"},
    {"retention-days", "BACKEND_RETENTION_DAYS", OPT_NUMBER, AT(retention_days), 0, 36500, "90",
     "threats older than that go (0: never), escalated and commented ones stay"},
    {"retention-threats", "BACKEND_RETENTION_THREATS", OPT_NUMBER, AT(retention_threats), 0, 1e12, "10000000",
     "the oldest go beyond so many (0: no limit)"},
    {"retention-disk", "BACKEND_RETENTION_DISK", OPT_NUMBER, AT(retention_disk), 0, 95, "80",
     "percent of its disk that the store may take; the oldest go beyond that (0: no limit)"},
    {"allow-private-targets", "BACKEND_ALLOW_PRIVATE_TARGETS", OPT_FLAG, AT(allow_private_targets), 0, 0, NULL,
     "notices may go to loopback, private and link-local addresses"},
    {"geo-file", "BACKEND_GEO_FILES", OPT_LIST, AT(geo_files), 0, 0, NULL,
     ".mmdb file that tells where addresses are; may be repeated"},
    {"reverse-names", "BACKEND_REVERSE_NAMES", OPT_FLAG, AT(reverse_names), 0, 0, NULL,
     "ask the system's name service for host names of public addresses"},
    {"log-level", "BACKEND_LOG_LEVEL", OPT_TEXT, AT(log_level), 0, 0, "info", "error, warn, info or debug"},
    {"log-json", "BACKEND_LOG_JSON", OPT_FLAG, AT(log_json), 0, 0, NULL, "log lines as JSON"},
};

static const struct config_program program = {
    .name = "threatline-backend",
    .version = THREATLINE_VERSION,
    .usage = "[options] [user add NAME ROLE | user passwd NAME | user list | backup FILE]",
    .about = "Receives threats, stores them durably, and shows them live: API, event stream and dashboard.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .files = true,
};

/* "none" stands for an empty list where the default is not empty. */
static void empty_when_none(struct config_list *list)
{
    if (list->count == 1 && strcmp(list->items[0], "none") == 0)
        list->count = 0;
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

static void greet(const struct settings *settings, const struct service *service)
{
    log_info("backend.started", "version=%s bind=%s port=%d webhook=\"%s\"", THREATLINE_VERSION, settings->bind,
             service_port(service, 0),
             settings->trusted_networks.count > 0 ? "signature, key or trusted network" : "signature or key");
    if (settings->dashboard_port >= 0)
        printf("Dashboard: http://%s:%d\n", strcmp(settings->bind, "127.0.0.1") == 0 ? "localhost" : settings->bind,
               service_port(service, 1));
    printf("API: http://%s:%d\n", settings->bind, service_port(service, 0));
    fflush(stdout);
}

static void serve(struct service *service, const sigset_t *signals)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};

    for (;;) {
        int signal = sigtimedwait(signals, NULL, &tick);
        struct err err = {0};

        if (signal == SIGINT || signal == SIGTERM) {
            log_info("backend.stopping", "signal=%d", signal);
            return;
        }
        if (signal == SIGHUP) {
            if (service_reload(service, &err))
                log_info("backend.reloaded", "what=\"webhook secrets\"");
            else
                log_error("backend.reload_failed", "reason=\"%s\"", err.text);
        }
        service_tick(service);
    }
}

/* "user ..." and "backup FILE": one command on the store, without a server. */
static int command(const struct settings *settings, const struct config_list *words)
{
    char *arguments[CONFIG_LIST_MAX];
    struct err err = {0};
    int status = EXIT_FAILED;

    if (strcmp(words->items[0], "backup") == 0) {
        if (words->count != 2) {
            fputs("usage: threatline-backend [options] backup FILE\n", stderr);
            return EXIT_WRONG;
        }
        if (service_backup(settings, words->items[1], &err))
            return EXIT_FINE;
        fprintf(stderr, "threatline-backend: %s\n", err.text);
        return EXIT_FAILED;
    }
    if (strcmp(words->items[0], "user") != 0) {
        fprintf(stderr, "threatline-backend: unknown command \"%s\": there are user and backup (see --help)\n",
                words->items[0]);
        return EXIT_WRONG;
    }
    for (size_t i = 1; i < words->count; i++)
        arguments[i - 1] = strdup(words->items[i]);
    if (!service_users(settings, (int)words->count - 1, arguments, &status, &err))
        fprintf(stderr, "threatline-backend: %s\n", err.text);
    for (size_t i = 1; i < words->count; i++)
        free(arguments[i - 1]);
    return status;
}

static int run(const struct settings *settings)
{
    struct err err = {0};
    int64_t begun = clock_monotonic_ms();
    struct service *service;
    sigset_t signals;

    block_signals(&signals);
    mallopt(M_ARENA_MAX, 4);              /* fewer, and the workers wait for each other; more keep more memory */
    mallopt(M_MMAP_THRESHOLD, 64 * 1024); /* large bodies and pages go back to the system at once */
    mallopt(M_TRIM_THRESHOLD, 1 << 20);   /* but what each request needs anew stays */
    if (!token_setup() || !http_client_setup()) {
        fprintf(stderr, "threatline-backend: a library does not start\n");
        return EXIT_FAILED;
    }
    service = service_open(settings, &err);
    if (service == NULL) {
        fprintf(stderr, "threatline-backend: %s\n", err.text);
        return EXIT_FAILED;
    }
    malloc_trim(0); /* what only the start needed */
    greet(settings, service);
    serve(service, &signals);
    service_close(service);
    log_info("backend.stopped", "uptime=%llds", (long long)(clock_monotonic_ms() - begun) / 1000);
    return EXIT_FINE;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    struct err err = {0};
    enum log_level level = LOG_INFO;
    struct config_list words = {0};
    enum config_result result = config_read(&program, argc, argv, &settings, &words, &err);

    if (result == CONFIG_DONE)
        return EXIT_FINE;
    empty_when_none(&settings.trusted_networks);
    empty_when_none(&settings.detectors);
    empty_when_none(&settings.allowed_origins);
    if (result != CONFIG_WRONG && !log_level_from_text(settings.log_level, &level))
        err_set(&err, ERR_INVALID, "log-level: expected error, warn, info or debug");
    if (result == CONFIG_CHECK && words.count > 0)
        err_set(&err, ERR_INVALID, "check: does not go with a command");
    if (result == CONFIG_WRONG || err.code != ERR_NONE || !token_setup()) {
        fprintf(stderr, "threatline-backend: %s\n", err.text);
        return EXIT_WRONG;
    }
    umask(077); /* the store, a backup and uploads are nobody else's business */
    if (words.count > 0) {
        log_setup(level, settings.log_json);
        return command(&settings, &words);
    }
    if (strcmp(settings.static_dir, PAGES) == 0)
        settings.static_dir = folder_beside(PAGES, settings.installed_static_dir);
    if (!settings_check(&settings, &err)) {
        fprintf(stderr, "threatline-backend: %s\n", err.text);
        return EXIT_WRONG;
    }
    if (result == CONFIG_CHECK) {
        printf("settings are fine\n");
        return EXIT_FINE;
    }
    log_setup(level, settings.log_json);
    return run(&settings);
}
