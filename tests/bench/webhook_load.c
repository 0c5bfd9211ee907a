/* webhook_load: posts threats over keep-alive connections and says how many a second were answered with 200.
 *
 *   webhook_load --port 5000 [--host 127.0.0.1] [--connections 64] [--seconds 5] [--bytes 500] [--array 1]
 *
 * One thread, epoll, one request in flight per connection. Every id is new. Prints one JSON object: requests,
 * threats, failures, rate and latencies in ms. Exit status 1 when any answer was not 200. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, BUCKETS = 200000 /* of 10 us: 2 s */, ANSWER_MAX = 65536 };

struct connection {
    int fd;
    char *request;
    size_t length, sent;
    char *answer;
    size_t heard;
    int64_t begun_us;
};

struct load {
    const char *host;
    int port, connections, seconds, bytes, array;
    int poll;
    struct connection *items;
    uint64_t number, requests, failures;
    uint32_t *buckets;
    int64_t slowest_us;
    unsigned run; /* makes ids differ between runs */
};

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t add_threat(const struct load *load, char *out, size_t size, uint64_t number)
{
    int n = snprintf(out, size,
                     "{\"threat_id\":\"threat_%08x_%012llu\",\"threat_type\":\"port_scan\",\"severity\":\"high\","
                     "\"source_ip\":\"10.%u.%u.%u\",\"destination_ip\":\"192.168.1.4\",\"source_port\":%u,"
                     "\"destination_port\":443,\"protocol\":\"TCP\",\"confidence\":0.87,"
                     "\"timestamp\":\"2026-11-23T06:24:37.482505Z\",\"details\":{\"rf_prediction\":1,"
                     "\"rf_confidence\":0.87,\"iso_prediction\":-1,\"iso_score\":-0.05,\"packet_count\":534,"
                     "\"byte_count\":6031,\"note\":\"",
                     load->run, (unsigned long long)number, (unsigned)(number >> 16 & 255),
                     (unsigned)(number >> 8 & 255), (unsigned)(number & 255), (unsigned)(1024 + number % 60000));

    while (n < load->bytes - 3 && (size_t)n < size - 4)
        out[n++] = 'x';
    return (size_t)n + (size_t)snprintf(out + n, size - (size_t)n, "\"}}");
}

static void fill(struct load *load, struct connection *c)
{
    size_t room = (size_t)(load->bytes + 600) * (size_t)load->array + 512, at = 300, body = at;
    char head[300];
    int n;

    if (load->array > 1)
        c->request[body++] = '[';
    for (int i = 0; i < load->array; i++) {
        if (i > 0)
            c->request[body++] = ',';
        body += add_threat(load, c->request + body, room - body, load->number++);
    }
    if (load->array > 1)
        c->request[body++] = ']';
    n = snprintf(head, sizeof head,
                 "POST /api/network/webhook HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 load->host, load->port, body - at);
    memcpy(c->request + at - n, head, (size_t)n); /* the head ends where the body begins */
    c->sent = at - (size_t)n;
    c->length = body;
    c->heard = 0;
    c->begun_us = now_us();
}

static bool join(struct load *load, struct connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;

    inet_pton(AF_INET, load->host, &address.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return epoll_ctl(load->poll, EPOLL_CTL_ADD, c->fd, &event) == 0;
}

static bool push(struct connection *c)
{
    while (c->sent < c->length) {
        ssize_t n = send(c->fd, c->request + c->sent, c->length - c->sent, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        c->sent += (size_t)n;
    }
    return true;
}

/* 1: the answer is whole, 0: not yet, -1: broken. */
static int hear(struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->heard, ANSWER_MAX - 1 - c->heard, MSG_DONTWAIT);
    const char *head, *length;

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return -1;
    c->heard += (size_t)n;
    c->answer[c->heard] = '\0';
    head = strstr(c->answer, "\r\n\r\n");
    if (head == NULL)
        return 0;
    length = strcasestr(c->answer, "\r\nContent-Length:");
    if (length == NULL || length > head)
        return -1;
    size_t whole = (size_t)(head + 4 - c->answer) + strtoul(length + 17, NULL, 10);
    if (c->heard < whole && whole < ANSWER_MAX)
        return 0;
    return c->heard >= whole ? 1 : -1;
}

static void count(struct load *load, struct connection *c)
{
    int64_t us = now_us() - c->begun_us;

    load->requests++;
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0)
        load->failures++;
    if (us > load->slowest_us)
        load->slowest_us = us;
    load->buckets[us / 10 < BUCKETS ? us / 10 : BUCKETS - 1]++;
}

static bool serve(struct load *load, struct connection *c, int64_t end)
{
    int state = hear(c);

    if (state == 0)
        return true;
    if (state < 0) { /* the server may end a keep-alive connection: the request in flight counts as failed */
        load->failures++;
        close(c->fd);
        if (!join(load, c))
            return false;
    } else {
        count(load, c);
    }
    if (now_us() >= end)
        return true;
    fill(load, c);
    return push(c) || state < 0;
}

static double percentile(const struct load *load, double share)
{
    uint64_t wanted = (uint64_t)((double)load->requests * share), sum = 0;

    for (int i = 0; i < BUCKETS; i++) {
        sum += load->buckets[i];
        if (sum > wanted)
            return (double)(i + 1) / 100;
    }
    return (double)load->slowest_us / 1000;
}

static int run(struct load *load)
{
    int64_t begun, end;
    struct epoll_event events[256];

    load->poll = epoll_create1(0);
    for (int i = 0; i < load->connections; i++)
        if (!join(load, &load->items[i])) {
            perror("connect");
            return 1;
        }
    begun = now_us();
    end = begun + (int64_t)load->seconds * 1000000;
    for (int i = 0; i < load->connections; i++) {
        fill(load, &load->items[i]);
        if (!push(&load->items[i]))
            return 1;
    }
    while (now_us() < end) {
        int n = epoll_wait(load->poll, events, 256, 100);

        for (int i = 0; i < n; i++)
            if (!serve(load, events[i].data.ptr, end))
                return 1;
    }
    double seconds = (double)(now_us() - begun) / 1e6;

    printf("{\"connections\":%d,\"bytes\":%d,\"array\":%d,\"seconds\":%.2f,\"requests\":%llu,\"threats\":%llu,"
           "\"failures\":%llu,\"requests_per_s\":%.0f,\"threats_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
           "\"max_ms\":%.2f}\n",
           load->connections, load->bytes, load->array, seconds, (unsigned long long)load->requests,
           (unsigned long long)load->requests * (unsigned long long)load->array, (unsigned long long)load->failures,
           (double)load->requests / seconds, (double)load->requests * load->array / seconds, percentile(load, 0.50),
           percentile(load, 0.99), (double)load->slowest_us / 1000);
    return load->failures > 0;
}

int main(int argc, char **argv)
{
    struct load load = {.host = "127.0.0.1", .port = 5000, .connections = 64, .seconds = 5, .bytes = 500, .array = 1};
    struct {
        const char *name;
        int *value;
    } options[] = {
        {"--port", &load.port},       {"--connections", &load.connections},
        {"--seconds", &load.seconds}, {"--bytes", &load.bytes},
        {"--array", &load.array},
    };

    for (int i = 1; i + 1 < argc; i += 2) {
        bool known = strcmp(argv[i], "--host") == 0;

        if (known)
            load.host = argv[i + 1];
        for (size_t k = 0; k < sizeof options / sizeof *options; k++)
            if (strcmp(argv[i], options[k].name) == 0) {
                *options[k].value = (int)strtol(argv[i + 1], NULL, 10);
                known = true;
            }
        if (!known) {
            fprintf(stderr, "webhook_load: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    if (load.connections < 1 || load.connections > CONNECTIONS_MAX || load.array < 1 || load.array > 1000 ||
        load.bytes < 1 || load.bytes > 200000 || load.seconds < 1) {
        fprintf(stderr, "webhook_load: a number is out of bounds\n");
        return 2;
    }
    load.run = (unsigned)now_us() ^ (unsigned)getpid();
    load.items = calloc((size_t)load.connections, sizeof *load.items);
    load.buckets = calloc(BUCKETS, sizeof *load.buckets);
    for (int i = 0; i < load.connections; i++) {
        load.items[i].request = malloc((size_t)(load.bytes + 600) * (size_t)load.array + 1024);
        load.items[i].answer = malloc(ANSWER_MAX);
    }
    return run(&load);
}
