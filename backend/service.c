/* service.c: start and stop. */
#include "backend/service.h"

#include "backend/bus.h"
#include "backend/committer.h"
#include "backend/console.h"
#include "backend/detector_client.h"
#include "backend/events.h"
#include "backend/hub.h"
#include "backend/people.h"
#include "backend/retention.h"
#include "backend/seal.h"
#include "backend/sensors.h"
#include "backend/store.h"
#include "backend/upload.h"
#include "backend/webhook.h"
#include "common/clock.h"
#include "common/folder.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    BUS_DEPTH = 16384,
    BUS_BYTES = 16 * 1024 * 1024,
    RING_BYTES = 4 * 1024 * 1024,
    WRITERS = 2,
    HEARTBEAT_S = 15,
    EXPORTS_AT_ONCE = 8,
    SPARE_DESCRIPTORS = 5000 /* below the streams: listeners, requests, the store; moved streams begin at 4096 */
};

static const char static_headers[] =
    "Content-Security-Policy: default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n";

struct service {
    struct api api;
    struct retention *retention;
    struct http_route *routes;
    struct http_server *server;
    int ports[2];
    int claim; /* holds the lock of an SQLite store's folder; -1: none */
    int64_t next_second;
};

/* --- opening --- */

/* old: it must be there already. What a command made just now would not be the store that was meant. */
static bool open_store(struct api *api, bool old, struct err *err)
{
    const struct settings *settings = api->settings;
    char path[SETTINGS_STORE], *uri = malloc(SETTINGS_URI);
    bool ok = uri != NULL && (old || folder_make(settings->data_dir, err) || err_prefix(err, "data-dir")) &&
              settings_mongo_uri(settings, uri, err);

    settings_sqlite(settings, path);
    if (ok && uri[0] != '\0')
        api->store = store_open_mongo(uri, err);
    else if (ok && old && access(path, F_OK) != 0)
        err_set(err, ERR_NOT_FOUND,
                "%s: %s: expected --data-dir or --mongodb-uri of a backend that was started before", path,
                strerror(errno));
    else if (ok)
        api->store = store_open_sqlite(path, err);
    free(uri);
    return api->store != NULL;
}

/* The numbers of an SQLite store are given out in one process: a second one would give the same again. */
static bool claim_store(struct service *service, struct err *err)
{
    const char *folder = service->api.settings->data_dir;
    char path[1100];

    if (strcmp(store_kind(service->api.store), "sqlite") != 0)
        return true;
    snprintf(path, sizeof path, "%s/backend.lock", folder);
    service->claim = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (service->claim < 0)
        return err_set(err, ERR_SYSTEM, "data-dir: %s: %s", path, strerror(errno));
    if (flock(service->claim, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return err_set(err, ERR_CONFLICT, "data-dir: %s: another backend serves it (several may share a MongoDB)",
                       folder);
    log_warn("store.unlocked", "path=\"%s\" reason=\"%s\"", path, strerror(errno)); /* a file system without locks */
    return true;
}

/* Streams need a descriptor each; the cap comes down when the system gives fewer. */
static size_t stream_cap(const struct settings *settings)
{
    struct rlimit limit = {0};
    rlim_t wanted = (rlim_t)settings->max_streams + SPARE_DESCRIPTORS;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted)
        return (size_t)settings->max_streams;
    size_t cap = limit.rlim_cur > SPARE_DESCRIPTORS + 100 ? (size_t)limit.rlim_cur - SPARE_DESCRIPTORS : 100;
    log_warn("streams.fewer", "asked=%ld possible=%zu reason=\"limit of open files is %llu\"", settings->max_streams,
             cap, (unsigned long long)limit.rlim_cur);
    return cap;
}

static void publish(void *context, int64_t seq, const char *frame, size_t length)
{
    hub_publish(context, seq, frame, length);
}

static bool open_streams(struct api *api, int64_t *last, struct err *err)
{
    const struct hub_settings hub = {
        .writers = WRITERS,
        .ring_bytes = RING_BYTES,
        .heartbeat_s = HEARTBEAT_S,
        .max_streams = stream_cap(api->settings),
        .max_per_user = (size_t)api->settings->streams_per_user,
    };
    struct bus_settings bus = {.depth = BUS_DEPTH, .bytes = BUS_BYTES, .name = store_name(api->store)};

    if (!store_last_seq(api->store, last, err))
        return false;
    bus.last = *last;
    bus.dense = !store_shared(api->store);
    api->bus = bus_create(&bus);
    if (api->bus == NULL)
        return err_set(err, ERR_MEMORY, "streams: out of memory");
    api->hub = hub_start(&hub, err);
    if (api->hub == NULL)
        return false;
    bus_listen(api->bus, publish, api->hub);
    return true;
}

static bool open_seal(struct api *api, struct err *err)
{
    const char *given = api->settings->secret_key_file;
    char path[1100];

    if (given == NULL || given[0] == '\0')
        snprintf(path, sizeof path, "%s/secret.key", api->settings->data_dir);
    api->seal = seal_open(given != NULL && given[0] != '\0' ? given : path, err);
    return api->seal != NULL || err_prefix(err, "secret-key-file");
}

static bool open_intake(struct api *api, struct err *err)
{
    enum { TRANSACTION = 100 }; /* what a slow MongoDB server writes within the store's patience */
    bool sqlite = strcmp(store_kind(api->store), "sqlite") == 0;
    const struct committer_settings committer = {
        .max_batch = sqlite ? 0 : TRANSACTION, .stored = events_stored, .context = api};
    const char *secrets = api->settings->webhook_secret_file;

    api->committer = committer_start(api->store, &committer, err);
    if (api->committer == NULL)
        return false;
    api->webhook = webhook_open(secrets != NULL && secrets[0] != '\0' ? secrets : NULL, err);
    return api->webhook != NULL;
}

static bool open_control(struct api *api, struct err *err)
{
    const char *key = api->settings->detector_key_file;

    api->sensors = sensors_create();
    if (api->sensors == NULL)
        return err_set(err, ERR_MEMORY, "sensors: out of memory");
    api->detectors = detectors_open(&api->settings->detectors, key != NULL && key[0] != '\0' ? key : NULL, err);
    if (api->detectors == NULL || !detectors_watch(api->detectors, api, err))
        return false;
    api->uploads = uploads_open(api, err);
    return api->uploads != NULL;
}

static bool open_server(struct service *service, struct err *err)
{
    const struct settings *settings = service->api.settings;
    const char *dir = settings->static_dir;
    size_t count = 0;

    service->ports[0] = (int)settings->port;
    service->ports[1] = (int)settings->dashboard_port;
    service->routes = api_routes(&count);
    if (service->routes == NULL)
        return err_set(err, ERR_MEMORY, "routes: out of memory");
    const struct http_settings http = {
        .bind = settings->bind,
        .ports = service->ports,
        .port_count = settings->dashboard_port >= 0 ? 2 : 1,
        .threads = (int)settings->threads,
        .routes = service->routes,
        .route_count = count,
        .context = &service->api,
        .authorize = api_authorize,
        .origin_allowed = api_origin_allowed,
        .static_dir = dir != NULL && dir[0] != '\0' && settings->dashboard_port >= 0 ? dir : NULL,
        .static_port = (int)settings->dashboard_port,
        .static_headers = static_headers,
        .hide_on_static_port_webhook = settings->dashboard_port >= 0,
        .hidden_role = ROLE_WEBHOOK,
    };
    service->server = http_server_start(&http, err);
    return service->server != NULL ||
           err_prefix(err, "%s, ports %ld and %ld", settings->bind, settings->port, settings->dashboard_port);
}

static bool open_rooms(struct service *service, struct err *err)
{
    struct api *api = &service->api;
    int64_t last = 0;

    return networks_read(&api->trusted, &api->settings->trusted_networks, err) &&
           networks_read(&api->proxies, &api->settings->trusted_proxies, err) && open_store(api, false, err) &&
           claim_store(service, err) && open_streams(api, &last, err) && open_seal(api, err) &&
           people_open(api, err) && open_intake(api, err) && open_control(api, err) &&
           events_follow(api, last, err) && people_start(api, err) &&
           (service->retention = retention_start(api, err)) != NULL && open_server(service, err);
}

bool service_users(const struct settings *settings, int argc, char **argv, int *status, struct err *err)
{
    struct api api = {.settings = settings};

    if (!open_store(&api, true, err))
        return false;
    *status = users_console(api.store, argc, argv);
    store_close(api.store);
    return true;
}

bool service_backup(const struct settings *settings, const char *file, struct err *err)
{
    struct api api = {.settings = settings};
    bool ok = open_store(&api, true, err) && store_backup(api.store, file, err);

    if (api.store != NULL)
        store_close(api.store);
    return ok;
}

struct service *service_open(const struct settings *settings, struct err *err)
{
    struct service *service = calloc(1, sizeof *service);

    if (service == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    service->api.settings = settings;
    service->claim = -1;
    service->api.started_ms = clock_now_ms();
    atomic_init(&service->api.export_places, EXPORTS_AT_ONCE);
    if (open_rooms(service, err))
        return service;
    service_close(service);
    return NULL;
}

void service_close(struct service *service)
{
    struct api *api = &service->api;

    uploads_stop(api->uploads); /* so that no handler waits for one */
    http_server_stop(service->server);
    retention_stop(service->retention);
    uploads_close(api->uploads);
    detectors_close(api->detectors);
    committer_stop(api->committer);
    people_close(api);
    if (api->bus != NULL)
        bus_listen(api->bus, NULL, NULL); /* a store that is followed goes on telling until it is closed */
    hub_stop(api->hub);
    store_close(api->store);
    bus_free(api->bus);
    webhook_close(api->webhook);
    seal_close(api->seal);
    sensors_free(api->sensors);
    if (service->claim >= 0)
        close(service->claim);
    free(service->routes);
    free(service);
}

/* --- running --- */

int service_port(const struct service *service, size_t index)
{
    return http_server_port(service->server, index);
}

void service_tick(struct service *service)
{
    int64_t now = clock_monotonic_ms();

    bus_tick(service->api.bus, now);
    if (now < service->next_second)
        return;
    service->next_second = now + 1000;
    sensors_round(&service->api);
}

bool service_reload(struct service *service, struct err *err)
{
    return webhook_reload(service->api.webhook, err);
}
