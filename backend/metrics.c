/* metrics.c: how the process is, for probes and for Prometheus. Nothing secret, no names of people. */
#include "backend/metrics.h"

#include "backend/auth.h"
#include "backend/bus.h"
#include "backend/committer.h"
#include "backend/hub.h"
#include "backend/notify.h"
#include "backend/openapi.h"
#include "backend/password.h"
#include "backend/sensors.h"
#include "backend/store.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void number(struct text *out, const char *name, const char *type, const char *help, double value)
{
    text_addf(out, "# HELP threatline_%s %s\n# TYPE threatline_%s %s\nthreatline_%s ", name, help, name, type, name);
    text_add_number(out, value);
    text_add(out, "\n", 1);
}

static void add_commits(struct api *api, struct text *out)
{
    struct committer_figures figures;

    committer_read(api->committer, &figures);
    number(out, "commits_total", "counter", "Durable batches.", (double)figures.batches);
    number(out, "commits_failed_total", "counter", "Batches that the store did not take.", (double)figures.failed);
    number(out, "committed_items_total", "counter", "Threats in durable batches.", (double)figures.items);
    number(out, "commit_seconds_total", "counter", "Time spent in commits.", (double)figures.commit_us / 1e6);
    number(out, "commit_seconds_max", "gauge", "Longest commit.", (double)figures.commit_us_max / 1e6);
    number(out, "commit_waiting", "gauge", "Threats that wait for their commit.", (double)figures.waiting);
    number(out, "store_away", "gauge", "1 when the store did not answer last.", figures.away ? 1 : 0);
    text_addf(out, "# HELP threatline_threats_total Threats received, by what became of them.\n"
                   "# TYPE threatline_threats_total counter\n");
    text_addf(out, "threatline_threats_total{result=\"stored\"} %lld\n", (long long)figures.stored);
    text_addf(out, "threatline_threats_total{result=\"updated\"} %lld\n", (long long)figures.updated);
    text_addf(out, "threatline_threats_total{result=\"duplicate\"} %lld\n", (long long)figures.duplicate);
    text_addf(out, "threatline_threats_total{result=\"different\"} %lld\n", (long long)figures.different);
    text_addf(out, "threatline_threats_total{result=\"invalid\"} %lld\n", (long long)figures.invalid);
    text_addf(out, "threatline_threats_total{result=\"refused\"} %lld\n", (long long)figures.refused);
}

static void add_streams(struct api *api, struct text *out)
{
    struct hub_counters hub;
    struct bus_counters bus;

    hub_counters(api->hub, &hub);
    bus_counters(api->bus, &bus);
    number(out, "streams", "gauge", "Open streams.", (double)hub.open);
    number(out, "streams_opened_total", "counter", "Streams opened.", (double)hub.opened);
    number(out, "streams_refused_total", "counter", "Streams refused at a cap.", (double)hub.refused);
    text_addf(out, "# HELP threatline_streams_closed_total Streams closed, by reason.\n"
                   "# TYPE threatline_streams_closed_total counter\n");
    text_addf(out, "threatline_streams_closed_total{reason=\"peer\"} %llu\n", (unsigned long long)hub.closed_by_peer);
    text_addf(out, "threatline_streams_closed_total{reason=\"slow\"} %llu\n", (unsigned long long)hub.closed_slow);
    text_addf(out, "threatline_streams_closed_total{reason=\"ended\"} %llu\n", (unsigned long long)hub.ended);
    number(out, "stream_bytes_total", "counter", "Bytes written to streams.", (double)hub.bytes);
    number(out, "events_total", "counter", "Events published.", (double)bus.published);
    number(out, "events_held_total", "counter", "Events that waited for a missing number.", (double)bus.held);
    number(out, "event_gaps_total", "counter", "Numbers that never came.", (double)bus.gaps);
    number(out, "replays_total", "counter", "Replays from memory.", (double)bus.replays);
}

static void add_people(struct api *api, struct text *out)
{
    struct notify_figures notices;

    notify_totals(api->notify, &notices);
    number(out, "notices_sent_total", "counter", "Notices that were delivered.", (double)notices.sent);
    number(out, "notices_failed_total", "counter", "Tries that failed.", (double)notices.failed);
    number(out, "notices_dropped_total", "counter", "Notices beyond what may wait.", (double)notices.dropped);
    number(out, "outbox", "gauge", "Notices that wait.", (double)notices.pending);
    number(out, "password_checks_total", "counter", "Passwords tried.", (double)passwords_runs(api->auth->passwords));
}

static void add_process(struct api *api, struct text *out)
{
    size_t sensors[3];
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    number(out, "process_resident_bytes", "gauge", "Resident memory.", (double)pages * 4096);
    number(out, "uptime_seconds", "gauge", "Time since the start.",
           (double)(clock_now_ms() - api->started_ms) / 1000);
    sensors_count(api->sensors, clock_now_ms(), sensors);
    text_addf(out, "# HELP threatline_sensors Sensors, by state.\n# TYPE threatline_sensors gauge\n");
    for (int i = SENSOR_OK; i <= SENSOR_BLIND; i++)
        text_addf(out, "threatline_sensors{state=\"%s\"} %zu\n", sensor_state_text((enum sensor_state)i), sensors[i]);
}

void metrics_write(struct api *api, struct text *out)
{
    text_addf(out,
              "# HELP threatline_info Version and store.\n# TYPE threatline_info gauge\n"
              "threatline_info{version=\"%s\",store=\"%s\"} 1\n",
              THREATLINE_VERSION, store_kind(api->store));
    add_commits(api, out);
    add_streams(api, out);
    add_people(api, out);
    add_process(api, out);
}

static void metrics(struct http_request *request, void *context)
{
    struct text out = {.max = 1024 * 1024};

    metrics_write(context, &out);
    if (out.failed)
        http_fail(request, 503, "unavailable", "out of memory");
    else
        http_answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", out.bytes, out.length);
    free(out.bytes);
}

static void alive(struct http_request *request, void *context)
{
    (void)context;
    http_answer_text(request, 200, "{\"success\":true,\"status\":\"alive\"}");
}

static void ready(struct http_request *request, void *context)
{
    struct api *api = context;
    struct err err = {0};
    char text[160];

    if (!store_ping(api->store, &err)) {
        http_add_header(request, "Retry-After", "2");
        http_fail(request, 503, "unavailable", "The store does not answer");
        return;
    }
    snprintf(text, sizeof text, "{\"success\":true,\"status\":\"ready\",\"store\":\"%s\",\"backends\":\"%s\"}",
             store_kind(api->store), store_shared(api->store) ? "many" : "one");
    http_answer_text(request, 200, text);
}

static void openapi(struct http_request *request, void *context)
{
    (void)context;
    http_answer(request, 200, "application/yaml", openapi_text, (size_t)openapi_length);
}

const struct http_route metrics_routes[] = {
    {"GET", "/healthz", ROLE_NOBODY, alive, HTTP_NO_BODY, 0},
    {"GET", "/readyz", ROLE_NOBODY, ready, HTTP_NO_BODY, 0},
    {"GET", "/metrics", ROLE_NOBODY, metrics, HTTP_NO_BODY, 0},
    {"GET", "/openapi.yaml", ROLE_NOBODY, openapi, HTTP_NO_BODY, 0},
};
const size_t metrics_route_count = sizeof metrics_routes / sizeof *metrics_routes;
