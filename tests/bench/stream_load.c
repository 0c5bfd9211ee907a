/* stream_load: opens many event streams, posts threats at a fixed rate and says how soon the subscribers have them.
 *
 *   stream_load --port 5000 --token T [--streams 10000] [--rate 10] [--seconds 10] [--pid BACKEND]
 *
 * One thread reads all streams, one posts: an answer that waited behind ten thousand reads would be the reader's
 * time, not the server's. Each threat bears its number in its id, the time just before its POST is kept beside it; a
 * subscriber has it when that id is read. Prints one JSON object: time to open, deliveries, for each event the time
 * to the median and the last subscriber (medians over the events), the POST's own answer time, the CPU of both sides,
 * and the server's memory when pid is given. Memory is counted from WARM open streams on: what the first ones touch
 * (the workers' stacks) is not theirs. Needs a limit of open files above the number of streams. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 20000,
    MARK = 48,
    AT_ONCE = 128, /* connections being opened at a time */
    WARM = 500,
    ROUND = 512,
    NAP_NS = 500000 /* between rounds that found few: a wake-up for each delivery would be taken from the server */
};

struct stream {
    int fd;
    bool open;
    size_t tail; /* bytes of the last read kept, as an id may be cut in two */
    char rest[MARK];
};

struct event {
    int64_t sent_us, answered_us;
    uint32_t seen;
    uint32_t *delays_us; /* of each subscriber */
};

struct load {
    int port, streams, rate, seconds, pid;
    const char *token;
    int poll;
    struct stream *items;
    int opening, opened, refused;
    struct event *events;
    int planned;            /* events of the whole run */
    atomic_int event_count; /* sent */
    atomic_bool posted;     /* all of them */
    int post;
    unsigned run;
    char mark[32]; /* what an id of this run begins with, and its length */
    size_t mark_length;
    uint64_t deliveries;
};

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int dial(const struct load *load)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)load->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void begin_stream(struct load *load, struct stream *stream)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "GET /api/network/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n",
                     load->token);

    stream->fd = dial(load);
    if (send(stream->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        exit(1);
    fcntl(stream->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(load->poll, EPOLL_CTL_ADD, stream->fd, &event);
    load->opening++;
}

/* Notes each id of this run in text. */
static void look(struct load *load, const char *text, size_t length, int64_t now)
{
    const char *end = text + length;

    while ((text = memmem(text, (size_t)(end - text), load->mark, load->mark_length)) != NULL) {
        text += load->mark_length;
        long number = strtol(text, NULL, 10);

        if (number < 0 || number >= load->planned)
            continue;
        struct event *event = &load->events[number];
        if (event->seen < (uint32_t)load->streams)
            event->delays_us[event->seen++] = (uint32_t)(now - event->sent_us);
        load->deliveries++;
    }
}

/* One read: epoll tells again of what is left. */
static void hear(struct load *load, struct stream *stream)
{
    static char text[MARK + 65536 + 1];

    memcpy(text, stream->rest, stream->tail);
    ssize_t n = recv(stream->fd, text + stream->tail, 65536, 0);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        close(stream->fd);
        stream->fd = -1;
        return;
    }
    size_t length = stream->tail + (size_t)n;
    text[length] = '\0';
    if (!stream->open && strstr(text, "\n\n") != NULL) {
        stream->open = true;
        load->opening--;
        if (strncmp(text, "HTTP/1.1 200", 12) == 0)
            load->opened++;
        else
            load->refused++;
    }
    if (load->planned > 0)
        look(load, text, length, now_us());
    /* keep what may be the beginning of an id; a whole one inside it would be counted twice, so cut behind the last
     */
    const char *last = text + (length > MARK - 1 ? length - (MARK - 1) : 0),
               *found = strstr(last, "\"threat_id\":\"s");
    if (found != NULL && strchr(found + 14, '"') != NULL)
        last = found + 14;
    stream->tail = length - (size_t)(last - text);
    memcpy(stream->rest, last, stream->tail);
}

static void pump(struct load *load, int wait_ms)
{
    struct epoll_event events[ROUND];
    int n = epoll_wait(load->poll, events, ROUND, wait_ms);

    for (int i = 0; i < n; i++)
        hear(load, events[i].data.ptr);
    if (n > 1 && n < ROUND)
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

static void publish(struct load *load, int number)
{
    char body[1024], text[1400], answer[4096];
    struct event *event = &load->events[number];
    int length = snprintf(body, sizeof body,
                          "{%s%d\",\"threat_type\":\"port_scan\",\"severity\":\"high\","
                          "\"source_ip\":\"10.0.0.1\",\"destination_ip\":\"192.168.1.4\",\"source_port\":1024,"
                          "\"destination_port\":443,\"protocol\":\"TCP\",\"confidence\":0.87,"
                          "\"timestamp\":\"2026-11-23T06:24:37Z\",\"details\":{\"packet_count\":534}}",
                          load->mark, number);
    int n = snprintf(text, sizeof text,
                     "POST /api/network/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     "Content-Length: %d\r\n\r\n%s",
                     length, body);

    event->sent_us = now_us();
    if (send(load->post, text, (size_t)n, MSG_NOSIGNAL) != n)
        exit(1);
    atomic_store(&load->event_count, number + 1);
    if (recv(load->post, answer, sizeof answer, 0) <= 0 || strncmp(answer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "stream_load: a POST was not answered with 200\n");
        exit(1);
    }
    event->answered_us = now_us();
}

/* At the fixed rate for the whole run; one that came too late is followed by the next at once. */
static void *publisher(void *context)
{
    struct load *load = context;
    int64_t begun = now_us();

    for (int i = 0; i < load->planned; i++) {
        int64_t wait = begun + (int64_t)i * 1000000 / load->rate - now_us();

        if (wait > 0)
            nanosleep(&(struct timespec){wait / 1000000, wait % 1000000 * 1000}, NULL);
        if (now_us() - begun > 2 * (int64_t)load->seconds * 1000000)
            break;
        publish(load, i);
    }
    atomic_store(&load->posted, true);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Of the server: CPU in seconds, resident kB. */
static void look_at(int pid, double *cpu, long *kb)
{
    char path[64], line[512];
    unsigned long user = 0, system = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if ((file = fopen(path, "r")) != NULL) {
        if (fgets(line, sizeof line, file) != NULL)
            sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
        fclose(file);
    }
    *cpu = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    *kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    if ((file = fopen(path, "r")) != NULL) {
        while (fgets(line, sizeof line, file) != NULL)
            if (strncmp(line, "VmRSS:", 6) == 0)
                *kb = strtol(line + 6, NULL, 10);
        fclose(file);
    }
}

static double middle(struct load *load, double (*of)(struct load *load, struct event *event))
{
    uint32_t *values = calloc((size_t)load->event_count + 1, sizeof *values);
    int n = 0;
    double result;

    for (int i = 0; i < load->event_count; i++)
        if (load->events[i].seen > 0)
            values[n++] = (uint32_t)of(load, &load->events[i]);
    qsort(values, (size_t)n, sizeof *values, by_value);
    result = n > 0 ? values[n / 2] / 1000.0 : -1;
    free(values);
    return result;
}

static double median_of(struct load *load, struct event *event)
{
    (void)load;
    return event->delays_us[event->seen / 2];
}

static double last_of(struct load *load, struct event *event)
{
    (void)load;
    return event->delays_us[event->seen - 1];
}

static double answer_of(struct load *load, struct event *event)
{
    (void)load;
    return (double)(event->answered_us - event->sent_us);
}

static double own_cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void open_all(struct load *load, long *kb_warm)
{
    double cpu;

    for (int i = 0; i < load->streams; i++) {
        begin_stream(load, &load->items[i]);
        while (load->opening >= (i == WARM - 1 ? 1 : AT_ONCE))
            pump(load, 100);
        if (i == WARM - 1 && load->pid > 0)
            look_at(load->pid, &cpu, kb_warm);
    }
    while (load->opening > 0)
        pump(load, 100);
}

/* Room for what will be measured, touched before. */
static void plan(struct load *load)
{
    size_t size = (size_t)load->streams * sizeof(uint32_t);

    load->planned = load->rate * load->seconds < EVENTS_MAX ? load->rate * load->seconds : EVENTS_MAX;
    load->events = calloc((size_t)load->planned, sizeof *load->events);
    for (int i = 0; i < load->planned; i++) {
        if ((load->events[i].delays_us = malloc(size)) == NULL)
            exit(1);
        memset(load->events[i].delays_us, 1, size);
    }
}

static bool all_seen(const struct load *load)
{
    for (int i = 0; i < load->event_count; i++)
        if (load->events[i].seen < (uint32_t)load->opened)
            return false;
    return true;
}

static void run(struct load *load)
{
    int64_t begun = now_us(), opened_us, until = 0;
    double cpu_before = 0, cpu_after = 0, own;
    long kb_warm = 0, kb_open = 0, kb_end = 0;
    pthread_t thread;

    open_all(load, &kb_warm);
    opened_us = now_us() - begun;
    plan(load);
    if (load->pid > 0)
        look_at(load->pid, &cpu_before, &kb_open);
    own = own_cpu();
    load->post = dial(load);
    begun = now_us();
    if (pthread_create(&thread, NULL, publisher, load) != 0)
        exit(1);
    while (until == 0 || (!all_seen(load) && now_us() < until)) {
        pump(load, 100);
        if (until == 0 && atomic_load(&load->posted))
            until = now_us() + 5000000;
    }
    double seconds = (double)(now_us() - begun) / 1e6;
    if (load->pid > 0)
        look_at(load->pid, &cpu_after, &kb_end);
    own = own_cpu() - own;
    pthread_join(thread, NULL);
    printf("{\"streams\":%d,\"refused\":%d,\"open_s\":%.2f,\"events\":%d,\"seconds\":%.2f,\"expected\":%llu,"
           "\"deliveries\":%llu,\"median_ms\":%.1f,\"last_ms\":%.1f,\"post_ms\":%.1f,\"server_cpu_percent\":%.0f,"
           "\"own_cpu_percent\":%.0f,\"rss_kb_open\":%ld,\"rss_kb_end\":%ld,\"kib_a_stream\":%.2f}\n",
           load->opened, load->refused, (double)opened_us / 1e6, load->event_count, seconds,
           (unsigned long long)load->event_count * (unsigned long long)load->opened,
           (unsigned long long)load->deliveries, middle(load, median_of), middle(load, last_of),
           middle(load, answer_of), 100 * (cpu_after - cpu_before) / seconds, 100 * own / seconds, kb_open, kb_end,
           kb_warm > 0 && load->streams > WARM ? (double)(kb_open - kb_warm) / (load->streams - WARM) : -1);
}

int main(int argc, char **argv)
{
    struct load load = {.port = 5000, .streams = 10000, .rate = 10, .seconds = 10};
    struct {
        const char *name;
        int *value;
    } options[] = {
        {"--port", &load.port},       {"--streams", &load.streams}, {"--rate", &load.rate},
        {"--seconds", &load.seconds}, {"--pid", &load.pid},
    };
    struct rlimit limit;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--token") == 0)
            load.token = argv[i + 1];
        for (size_t k = 0; k < sizeof options / sizeof *options; k++)
            if (strcmp(argv[i], options[k].name) == 0)
                *options[k].value = (int)strtol(argv[i + 1], NULL, 10);
    }
    if (load.token == NULL || load.streams < 1 || load.streams > 60000 || load.rate < 1 || load.seconds < 1) {
        fprintf(stderr, "stream_load: --token is needed; numbers must be above 0\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    load.poll = epoll_create1(EPOLL_CLOEXEC);
    load.run = (unsigned)now_us() ^ (unsigned)getpid();
    load.items = calloc((size_t)load.streams, sizeof *load.items);
    load.mark_length = (size_t)snprintf(load.mark, sizeof load.mark, "\"threat_id\":\"s%08x_", load.run);
    run(&load);
    return load.refused > 0 || load.deliveries < (uint64_t)load.event_count * (uint64_t)load.opened;
}
