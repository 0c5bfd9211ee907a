/* syslog.c: see syslog.h. */
#include "backend/syslog.h"

#include "backend/target_guard.h"
#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOCAL0 = 16 };

/* --- the message --- */

/* A parameter of structured data: quotes, backslashes and brackets are escaped, control bytes become blanks. */
static void add_parameter(struct text *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    text_addf(out, " %s=\"", name);
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\' || c == ']')
            text_add(out, "\\", 1);
        text_add(out, c < 0x20 || c == 0x7f ? " " : value, 1);
    }
    text_add(out, "\"", 1);
}

static void add_clean(struct text *out, const char *value)
{
    for (; *value != '\0'; value++)
        text_add(out, (unsigned char)*value < 0x20 || *value == 0x7f ? " " : value, 1);
}

void syslog_format(struct text *out, const struct threat *threat, int64_t now_ms, const char *host)
{
    static const int severities[] = {
        [SEVERITY_LOW] = 5, [SEVERITY_MEDIUM] = 4, [SEVERITY_HIGH] = 3, [SEVERITY_CRITICAL] = 2};
    char time[CLOCK_TEXT], number[32];

    clock_text_ms(now_ms, time);
    text_addf(out, "<%d>1 %s ", LOCAL0 * 8 + severities[threat->severity], time);
    for (const char *p = host; *p != '\0'; p++)
        text_add(out, *p > 0x20 && *p < 0x7f ? p : "-", 1);
    text_addf(out, "%s threatline - threat [threat@32473", host[0] == '\0' ? "-" : "");
    add_parameter(out, "id", threat->id);
    add_parameter(out, "type", threat->type);
    add_parameter(out, "severity", severity_text(threat->severity));
    add_parameter(out, "src", threat->source_ip);
    add_parameter(out, "dst", threat->destination_ip);
    snprintf(number, sizeof number, "%d", threat->source_port);
    add_parameter(out, "spt", threat->source_port >= 0 ? number : "");
    snprintf(number, sizeof number, "%d", threat->destination_port);
    add_parameter(out, "dpt", threat->destination_port >= 0 ? number : "");
    add_parameter(out, "proto", threat->protocol);
    snprintf(number, sizeof number, "%.3f", threat->confidence);
    add_parameter(out, "confidence", number);
    add_parameter(out, "sensor", threat->sensor);
    clock_text_us(threat->timestamp_us, time);
    add_parameter(out, "time", time);
    text_addf(out, "] %s %s from %s to %s", severity_text(threat->severity), threat->type, threat->source_ip,
              threat->destination_ip);
    if (threat->sensor[0] != '\0') {
        text_addf(out, " seen by ");
        add_clean(out, threat->sensor);
    }
}

/* --- the way --- */

struct place {
    bool stream;
    char host[256], port[8];
};

static bool place_read(const char *url, struct place *place)
{
    const char *rest = url + 6, *colon = strrchr(url, ':');
    size_t length;
    char *end;
    long port;

    place->stream = strncmp(url, "tcp://", 6) == 0;
    if ((!place->stream && strncmp(url, "udp://", 6) != 0) || colon == NULL || colon < rest)
        return false;
    length = (size_t)(colon - rest);
    if (length >= 2 && rest[0] == '[' && colon[-1] == ']') { /* IPv6 */
        rest++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof place->host)
        return false;
    memcpy(place->host, rest, length);
    place->host[length] = '\0';
    port = strtol(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port < 1 || port > 65535)
        return false;
    snprintf(place->port, sizeof place->port, "%ld", port);
    return strspn(place->host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:") ==
           strlen(place->host);
}

bool syslog_url_is_fine(const char *url)
{
    struct place place;

    return strlen(url) > 6 && place_read(url, &place);
}

static bool wait_for(int fd, short events)
{
    struct pollfd waited = {.fd = fd, .events = events};

    return poll(&waited, 1, SYSLOG_TIMEOUT_MS) == 1 && (waited.revents & (POLLERR | POLLNVAL)) == 0;
}

static int connect_to(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol);
    int error = 0;
    socklen_t size = sizeof error;

    if (fd < 0)
        return -1;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    if (errno == EINPROGRESS && wait_for(fd, POLLOUT) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
        error == 0)
        return fd;
    close(fd);
    return -1;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN && wait_for(fd, POLLOUT))
            continue;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static bool send_to(const struct place *place, const struct addrinfo *address, const char *message, size_t length)
{
    char count[24];
    int fd = connect_to(address);
    bool ok;

    if (fd < 0)
        return false;
    snprintf(count, sizeof count, "%zu ", length);
    ok = (!place->stream || write_all(fd, count, strlen(count))) && write_all(fd, message, length);
    close(fd);
    return ok;
}

bool syslog_send(const char *url, bool all, const char *message, size_t length, struct err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC}, *found = NULL;
    struct place place;
    bool sent = false, denied = false;
    int result;

    if (!syslog_url_is_fine(url) || !place_read(url, &place))
        return err_set(err, ERR_INVALID, "%s: expected udp://HOST:PORT or tcp://HOST:PORT", url);
    hints.ai_socktype = place.stream ? SOCK_STREAM : SOCK_DGRAM;
    result = getaddrinfo(place.host, place.port, &hints, &found);
    if (result != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", url, gai_strerror(result));
    for (const struct addrinfo *a = found; !sent && a != NULL; a = a->ai_next) {
        if (target_guard_may_connect(a->ai_addr, &all))
            sent = send_to(&place, a, message, length);
        else
            denied = true;
    }
    freeaddrinfo(found);
    if (sent)
        return true;
    return denied ? err_set(err, ERR_DENIED, "%s: that address is not allowed", url)
                  : err_set(err, ERR_UNAVAILABLE, "%s: not reachable", url);
}
