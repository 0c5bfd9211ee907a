/* own_traffic.c: see own_traffic.h. */
#include "detector/own_traffic.h"

#include "common/log.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX = 255 };

struct end {
    char host[HOST_MAX + 1];
    int port; /* 0: none given */
};

/* "host", "host:port", "[v6]" or "[v6]:port", and nothing behind it. */
static bool read_end(const char *text, size_t length, struct end *end)
{
    const char *stop = text + length, *host = text, *behind;
    char *rest = NULL;

    if (length > 0 && text[0] == '[') {
        host = text + 1;
        behind = memchr(host, ']', (size_t)(stop - host));
    } else {
        behind = memchr(host, ':', length);
        behind = behind != NULL ? behind : stop;
    }
    if (behind == NULL || behind == host || behind - host > HOST_MAX)
        return false;
    memcpy(end->host, host, (size_t)(behind - host));
    end->host[behind - host] = '\0';
    behind += host > text;
    end->port = 0;
    if (behind == stop)
        return true;
    if (*behind != ':' || behind + 1 == stop)
        return false;
    long port = strtol(behind + 1, &rest, 10);
    end->port = (int)port;
    return rest == stop && port > 0 && port < 65536;
}

static bool read_url(const char *url, struct end *end)
{
    const char *start = strstr(url, "://");

    if (start == NULL || !read_end(start + 3, strcspn(start + 3, "/?#"), end))
        return false;
    if (end->port == 0)
        end->port = strncmp(url, "https:", 6) == 0 ? 443 : 80;
    return true;
}

static void leave_out(const struct end *end, struct text *out)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char address[64];
    int failed = getaddrinfo(end->host, NULL, &hints, &found);

    if (failed != 0) {
        log_warn("own_traffic.unknown", "host=%s error=\"%s\" effect=\"traffic to it is not left out\"", end->host,
                 gai_strerror(failed));
        return;
    }
    text_addf(out, "%snot (tcp port %d and (", out->length > 0 ? " and " : "", end->port);
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) == 0)
            text_addf(out, "%shost %.*s", a == found ? "" : " or ", (int)strcspn(address, "%"), address);
    text_addf(out, "))");
    freeaddrinfo(found);
}

void own_traffic_filter(const char *webhook, const char *list, struct text *out)
{
    struct end end;

    if (webhook != NULL && read_url(webhook, &end))
        leave_out(&end, out);
    for (size_t length; list != NULL && *list != '\0'; list += length + (list[length] == ',')) {
        length = strcspn(list, ",");
        if (read_end(list, length, &end) && end.port > 0)
            leave_out(&end, out);
    }
}

bool own_traffic_check(const char *list, struct err *err)
{
    struct end end;

    for (size_t length;; list += length + 1) {
        length = strcspn(list, ",");
        if (!read_end(list, length, &end) || end.port == 0)
            return err_set(err, ERR_INVALID, "own-traffic: expected HOST:PORT, not \"%.*s\"", (int)length, list);
        if (list[length] == '\0')
            return true;
    }
}
