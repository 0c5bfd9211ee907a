/* http_socket.c: descriptors that civetweb does not tell about, found by both ends' addresses. */
#include "common/http_request.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FIRST_FD = 3,
    TAKEN_FD_MIN = 4096, /* sockets handed over live here and above, so that the search stays short */
    GAP_MAX = 1024       /* closed numbers in a row that end a search */
};

static bool is_ours(int fd, const struct mg_request_info *info, const char *bind)
{
    struct sockaddr_in peer = {0}, local = {0};
    socklen_t peer_length = sizeof peer, local_length = sizeof local;
    struct in_addr wanted, bound;

    if (getpeername(fd, (struct sockaddr *)&peer, &peer_length) != 0 || peer.sin_family != AF_INET ||
        ntohs(peer.sin_port) != info->remote_port)
        return false;
    if (getsockname(fd, (struct sockaddr *)&local, &local_length) != 0 || ntohs(local.sin_port) != info->server_port)
        return false;
    return inet_pton(AF_INET, info->remote_addr, &wanted) == 1 && wanted.s_addr == peer.sin_addr.s_addr &&
           inet_pton(AF_INET, bind, &bound) == 1 &&
           (bound.s_addr == htonl(INADDR_ANY) || bound.s_addr == local.sin_addr.s_addr);
}

/* Found by both ends' addresses: civetweb does not tell it. */
int http_socket_find(const struct http_request *request)
{
    int closed_in_a_row = 0;

    for (int fd = FIRST_FD; fd < TAKEN_FD_MIN && closed_in_a_row < GAP_MAX; fd++) {
        errno = 0;
        if (is_ours(fd, request->info, request->server->settings.bind))
            return fd;
        closed_in_a_row = errno == EBADF ? closed_in_a_row + 1 : 0;
    }
    return -1;
}

size_t http_socket_send(int fd, const void *bytes, size_t length)
{
    ssize_t n;

    do
        n = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

static bool is_accepted(int fd, const struct http_server *server)
{
    struct sockaddr_in local = {0}, peer = {0};
    socklen_t local_length = sizeof local, peer_length = sizeof peer;

    if (getsockname(fd, (struct sockaddr *)&local, &local_length) != 0 || local.sin_family != AF_INET ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_length) != 0)
        return false;
    for (size_t i = 0; i < server->settings.port_count; i++)
        if (ntohs(local.sin_port) == server->ports[i])
            return true;
    return false;
}

/* A worker with an idle kept connection looks at civetweb's stop flag every 2 s; the end of its input wakes it at
 * once. What a request has sent already can still be read, and its answer still goes out. */
void http_sockets_hush(const struct http_server *server)
{
    int closed_in_a_row = 0;

    for (int fd = FIRST_FD; fd < TAKEN_FD_MIN && closed_in_a_row < GAP_MAX; fd++) {
        errno = 0;
        if (is_accepted(fd, server))
            shutdown(fd, SHUT_RD);
        closed_in_a_row = errno == EBADF ? closed_in_a_row + 1 : 0;
    }
}

/* civetweb shuts down and closes its number when the handler has returned. So the socket moves to a number of its
 * own, and an unconnected one takes the old number; a plain dup would share the shutdown. */
int http_take_socket(struct http_request *request, struct err *err)
{
    int fd, taken;

    if (request->status != 0 || request->taken) {
        err_set(err, ERR_CONFLICT, "the request is answered already");
        return -1;
    }
    fd = http_socket_find(request);
    if (fd < 0) {
        err_set(err, ERR_SYSTEM, "the connection's socket was not found");
        return -1;
    }
    taken = fcntl(fd, F_DUPFD_CLOEXEC, TAKEN_FD_MIN);
    if (taken < 0) {
        err_set(err, ERR_UNAVAILABLE, "no descriptor is free: %s", strerror(errno));
        return -1;
    }
    if (dup3(request->server->stand_in, fd, O_CLOEXEC) < 0) {
        err_set(err, ERR_SYSTEM, "dup3: %s", strerror(errno));
        close(taken);
        return -1;
    }
    mg_disable_connection_keep_alive(request->connection);
    request->taken = request->close = true;
    return taken;
}

void http_sockets_allow_many(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
