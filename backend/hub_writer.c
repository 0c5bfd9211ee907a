/* hub_writer.c: a byte ring, an inbox, and an edge-triggered epoll loop.
 *
 * Only the writer's own thread touches ring, marks and readers. Others leave frames, new readers and orders in the
 * inbox and poke the eventfd. */
#include "backend/hub_writer.h"

#include "backend/hub_inbox.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MARKS = 16384,         /* durable frames whose place in the ring is known */
    SEND_MAX = 256 * 1024, /* bytes of one send: nobody keeps the writer for long */
    READ_MAX = 64 * 1024,  /* a stream's client has nothing to say */
    EVENTS = 512,
    UNHEARD_MAX = 128 * 1024 /* bytes of frames that may lie in the inbox while nobody listens */
};

struct hub_reader {
    int fd;
    size_t index;    /* in writer->readers */
    uint64_t cursor; /* bytes of the ring that it has, counted since the start */
    char *head;      /* sent before anything of the ring */
    size_t head_length, head_sent;
    size_t heard; /* bytes it sent */
    int64_t after_seq;
    bool blocked; /* until EPOLLOUT */
    bool ahead;   /* it has frames that this writer has not seen yet: skip them when they come */
    char user[65], session[65];
    struct hub_reader *next_dead;
};

struct mark {
    int64_t seq;
    uint64_t offset, end;
};

struct hub_writer {
    pthread_t thread;
    int poll, wake;
    /* guards inbox and stop; held for a copy, never over I/O */
    pthread_mutex_t lock;
    struct hub_inbox inbox;
    bool stop, lost;        /* lost: a frame did not fit into the inbox, so nobody is whole any more */
    struct hub_inbox spare; /* the thread's half: emptied, to be swapped in */

    char *ring;
    size_t ring_bytes;
    uint64_t written;   /* bytes put into the ring since the start */
    struct mark *marks; /* ring of them */
    size_t mark_first, mark_count;
    int64_t last_seq, floor_seq; /* marks are known for floor_seq < seq <= last_seq */
    struct hub_reader **readers;
    size_t count, room, ahead;
    _Atomic size_t audience; /* readers, with those still in the inbox */
    struct hub_reader *dead; /* freed after the batch: epoll may still name them */
    int64_t heartbeat_ms, next_heartbeat;
    void (*left)(void *context, const char *user);
    void *context;
    struct {
        _Atomic uint64_t opened, by_peer, slow, ended, bytes, frames;
    } counters;
};

/* --- readers --- */

struct hub_reader *hub_reader_create(int fd, const char *user, const char *session, char *head, size_t length,
                                     int64_t after_seq)
{
    struct hub_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->fd = fd;
    reader->head = head;
    reader->head_length = length;
    reader->after_seq = after_seq;
    snprintf(reader->user, sizeof reader->user, "%s", user);
    snprintf(reader->session, sizeof reader->session, "%s", session);
    return reader;
}

void hub_reader_free(struct hub_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->fd >= 0)
        close(reader->fd);
    free(reader->head);
    free(reader);
}

static void drop(struct hub_writer *writer, struct hub_reader *reader, _Atomic uint64_t *why)
{
    struct hub_reader *last = writer->readers[--writer->count];

    writer->readers[reader->index] = last;
    last->index = reader->index;
    if (reader->ahead)
        writer->ahead--;
    close(reader->fd);
    reader->fd = -1;
    reader->next_dead = writer->dead;
    writer->dead = reader;
    atomic_fetch_add_explicit(why, 1, memory_order_relaxed);
    atomic_fetch_sub(&writer->audience, 1);
    writer->left(writer->context, reader->user);
}

static void bury(struct hub_writer *writer)
{
    while (writer->dead != NULL) {
        struct hub_reader *reader = writer->dead;

        writer->dead = reader->next_dead;
        hub_reader_free(reader);
    }
}

/* One send. False: the reader waits or is gone. */
static bool send_some(struct hub_writer *writer, struct hub_reader *reader, const char *bytes, size_t length,
                      size_t *sent)
{
    ssize_t n = send(reader->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) {
        reader->blocked = true;
        return false;
    }
    if (n < 0) {
        drop(writer, reader, &writer->counters.by_peer);
        return false;
    }
    atomic_fetch_add_explicit(&writer->counters.bytes, (uint64_t)n, memory_order_relaxed);
    *sent = (size_t)n;
    return true;
}

static bool send_head(struct hub_writer *writer, struct hub_reader *reader)
{
    size_t sent;

    while (reader->head != NULL) {
        size_t left = reader->head_length - reader->head_sent;

        if (left > 0 && !send_some(writer, reader, reader->head + reader->head_sent, left, &sent))
            return false;
        reader->head_sent += left > 0 ? sent : 0;
        if (reader->head_sent == reader->head_length) {
            free(reader->head);
            reader->head = NULL;
        }
    }
    return true;
}

/* Sends all that the reader lacks, or as much as it takes. */
static void push(struct hub_writer *writer, struct hub_reader *reader)
{
    size_t sent;

    if (writer->written - reader->cursor > writer->ring_bytes) {
        drop(writer, reader, &writer->counters.slow);
        return;
    }
    if (reader->blocked || !send_head(writer, reader))
        return;
    while (reader->cursor < writer->written) {
        size_t at = reader->cursor & (writer->ring_bytes - 1);
        size_t length = writer->written - reader->cursor;

        if (length > writer->ring_bytes - at)
            length = writer->ring_bytes - at;
        if (length > SEND_MAX)
            length = SEND_MAX;
        if (!send_some(writer, reader, writer->ring + at, length, &sent))
            return;
        reader->cursor += sent;
    }
}

static void push_all(struct hub_writer *writer)
{
    for (size_t i = writer->count; i > 0; i--)
        push(writer, writer->readers[i - 1]);
}

/* --- the ring --- */

static void put_bytes(struct hub_writer *writer, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t at = writer->written & (writer->ring_bytes - 1);
        size_t part = length < writer->ring_bytes - at ? length : writer->ring_bytes - at;

        memcpy(writer->ring + at, bytes, part);
        writer->written += part;
        bytes += part;
        length -= part;
    }
}

static void put_mark(struct hub_writer *writer, int64_t seq, uint64_t offset, uint64_t end)
{
    if (writer->mark_count == MARKS) {
        writer->floor_seq = writer->marks[writer->mark_first].seq;
        writer->mark_first = (writer->mark_first + 1) % MARKS;
        writer->mark_count--;
    }
    writer->marks[(writer->mark_first + writer->mark_count++) % MARKS] = (struct mark){seq, offset, end};
    writer->last_seq = seq;
}

/* Readers that had this frame by their replay must not get it again. One that is in the middle of something else
 * cannot skip: it is closed and comes back with its last id. */
static void skip_known(struct hub_writer *writer, const struct mark *mark)
{
    for (size_t i = writer->count; i > 0 && writer->ahead > 0; i--) {
        struct hub_reader *reader = writer->readers[i - 1];

        if (!reader->ahead)
            continue;
        if (reader->after_seq < mark->seq) {
            reader->ahead = false;
            writer->ahead--;
        } else if (reader->cursor == mark->offset) {
            reader->cursor = mark->end;
        } else {
            drop(writer, reader, &writer->counters.slow);
        }
    }
}

static void put_frame(struct hub_writer *writer, int64_t seq, const char *bytes, size_t length)
{
    struct mark mark = {seq, writer->written, writer->written + length};

    put_bytes(writer, bytes, length);
    atomic_fetch_add_explicit(&writer->counters.frames, 1, memory_order_relaxed);
    if (seq == 0)
        return;
    put_mark(writer, seq, mark.offset, mark.end);
    if (writer->ahead > 0)
        skip_known(writer, &mark);
}

/* Where a reader that has everything up to after_seq goes on. False: that place is known no more. */
static bool place(struct hub_writer *writer, struct hub_reader *reader)
{
    size_t low = 0, high = writer->mark_count;

    reader->cursor = writer->written;
    if (writer->mark_count == 0 || reader->after_seq >= writer->last_seq) {
        reader->ahead = reader->after_seq > writer->last_seq;
        return true;
    }
    if (reader->after_seq < writer->floor_seq)
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (writer->marks[(writer->mark_first + middle) % MARKS].seq > reader->after_seq)
            high = middle;
        else
            low = middle + 1;
    }
    reader->cursor = writer->marks[(writer->mark_first + low) % MARKS].offset;
    return true;
}

/* --- the inbox --- */

static void poke(struct hub_writer *writer)
{
    uint64_t one = 1;

    while (write(writer->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* Without an audience the thread sleeps on: the next reader wakes it, and it sees the frames before the reader. */
void hub_writer_publish(struct hub_writer *writer, int64_t seq, const char *frame, size_t length)
{
    struct hub_inbox *inbox = &writer->inbox;
    bool wanted;

    pthread_mutex_lock(&writer->lock);
    wanted = atomic_load(&writer->audience) > 0
                 ? inbox->frame_count == 0
                 : inbox->length < UNHEARD_MAX && inbox->length + length >= UNHEARD_MAX;
    if (hub_grow((void **)&inbox->frames, inbox->frame_count, &inbox->frame_room, sizeof *inbox->frames) &&
        hub_inbox_room(inbox, length)) {
        memcpy(inbox->bytes + inbox->length, frame, length);
        inbox->length += length;
        inbox->frames[inbox->frame_count++] = (struct hub_frame){seq, length};
    } else {
        writer->lost = true;
    }
    wanted = wanted || writer->lost;
    pthread_mutex_unlock(&writer->lock);
    if (wanted)
        poke(writer);
}

bool hub_writer_add(struct hub_writer *writer, struct hub_reader *reader)
{
    struct hub_inbox *inbox = &writer->inbox;
    bool ok;

    pthread_mutex_lock(&writer->lock);
    ok = hub_grow((void **)&inbox->readers, inbox->reader_count, &inbox->reader_room, sizeof(struct hub_reader *));
    if (ok) {
        inbox->readers[inbox->reader_count++] = reader;
        atomic_fetch_add(&writer->audience, 1);
    }
    pthread_mutex_unlock(&writer->lock);
    if (ok)
        poke(writer);
    return ok;
}

void hub_writer_end(struct hub_writer *writer, const char *user, const char *session)
{
    struct hub_inbox *inbox = &writer->inbox;

    pthread_mutex_lock(&writer->lock);
    if (hub_grow((void **)&inbox->orders, inbox->order_count, &inbox->order_room, sizeof *inbox->orders)) {
        struct hub_order *order = &inbox->orders[inbox->order_count++];

        snprintf(order->user, sizeof order->user, "%s", user != NULL ? user : "");
        snprintf(order->session, sizeof order->session, "%s", session != NULL ? session : "");
    } else {
        writer->lost = true; /* better all come back than one stays that must not */
    }
    pthread_mutex_unlock(&writer->lock);
    poke(writer);
}

static void carry_out(struct hub_writer *writer, const struct hub_order *order)
{
    for (size_t i = writer->count; i > 0; i--) {
        struct hub_reader *reader = writer->readers[i - 1];

        if ((order->user[0] != '\0' && strcmp(order->user, reader->user) == 0) ||
            (order->session[0] != '\0' && strcmp(order->session, reader->session) == 0))
            drop(writer, reader, &writer->counters.ended);
    }
}

static void take_in(struct hub_writer *writer, struct hub_reader *reader)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = reader};
    int one = 1;

    if (!hub_grow((void **)&writer->readers, writer->count, &writer->room, sizeof(struct hub_reader *)) ||
        !place(writer, reader) || epoll_ctl(writer->poll, EPOLL_CTL_ADD, reader->fd, &event) != 0) {
        atomic_fetch_sub(&writer->audience, 1);
        writer->left(writer->context, reader->user);
        hub_reader_free(reader);
        return;
    }
    setsockopt(reader->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    reader->index = writer->count;
    writer->readers[writer->count++] = reader;
    writer->ahead += reader->ahead;
    atomic_fetch_add_explicit(&writer->counters.opened, 1, memory_order_relaxed);
    push(writer, reader);
}

/* Takes all that came in. */
static void empty_inbox(struct hub_writer *writer)
{
    struct hub_inbox taken;
    bool lost;
    size_t at = 0;

    pthread_mutex_lock(&writer->lock);
    taken = writer->inbox;
    writer->inbox = writer->spare;
    lost = writer->lost;
    writer->lost = false;
    pthread_mutex_unlock(&writer->lock);

    for (size_t i = 0; i < taken.frame_count; i++) {
        put_frame(writer, taken.frames[i].seq, taken.bytes + at, taken.frames[i].length);
        at += taken.frames[i].length;
    }
    for (size_t i = 0; i < taken.reader_count; i++)
        take_in(writer, taken.readers[i]);
    for (size_t i = 0; i < taken.order_count; i++)
        carry_out(writer, &taken.orders[i]);
    while (lost && writer->count > 0)
        drop(writer, writer->readers[writer->count - 1], &writer->counters.slow);
    if (taken.frame_count > 0)
        push_all(writer);
    if (taken.room > 4u << 20) { /* a burst need not be kept for ever */
        free(taken.bytes);
        taken.bytes = NULL;
        taken.room = 0;
    }
    taken.length = taken.frame_count = taken.reader_count = taken.order_count = 0;
    writer->spare = taken;
}

/* --- the loop --- */

/* False: the client has closed or talks too much. */
static bool listen_to(struct hub_reader *reader)
{
    char bytes[1024];
    ssize_t n;

    while ((n = recv(reader->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        reader->heard += (size_t)n;
        if (reader->heard > READ_MAX)
            return false;
    }
    return n != 0;
}

static void on_socket(struct hub_writer *writer, struct hub_reader *reader, uint32_t events)
{
    if (reader->fd < 0)
        return;
    if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) || ((events & EPOLLIN) && !listen_to(reader))) {
        drop(writer, reader, &writer->counters.by_peer);
        return;
    }
    if ((events & EPOLLOUT) && reader->blocked) {
        reader->blocked = false;
        push(writer, reader);
    }
}

static void heartbeat(struct hub_writer *writer, int64_t now)
{
    char text[128], time[CLOCK_TEXT];
    int length;

    clock_text_ms(clock_now_ms(), time);
    length = snprintf(text, sizeof text, "data: {\"type\":\"heartbeat\",\"timestamp\":\"%s\"}\n\n", time);
    put_frame(writer, 0, text, (size_t)length);
    writer->next_heartbeat = now + writer->heartbeat_ms;
    push_all(writer);
}

static bool stopping(struct hub_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool stop = writer->stop;
    pthread_mutex_unlock(&writer->lock);
    return stop;
}

static void close_all(struct hub_writer *writer)
{
    char text[64];

    while (writer->count > 0) {
        struct hub_reader *reader = writer->readers[writer->count - 1];

        /* not all at the same moment; only where no frame is cut in two by it */
        if (reader->cursor == writer->written && reader->head == NULL) {
            int length = snprintf(text, sizeof text, "retry: %zu\n\n", 500 + writer->count * 37 % 2000);

            if (send(reader->fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                log_debug("hub.goodbye", "errno=%d", errno);
        }
        drop(writer, reader, &writer->counters.ended);
    }
    bury(writer);
}

static void *run(void *context)
{
    struct hub_writer *writer = context;
    struct epoll_event events[EVENTS];

    while (!stopping(writer)) {
        int64_t now = clock_monotonic_ms();
        int64_t wait = writer->next_heartbeat - now;
        int n = epoll_wait(writer->poll, events, EVENTS, wait > 0 ? (int)wait : 0);

        for (int i = 0; i < n; i++) {
            uint64_t count;

            if (events[i].data.ptr != writer)
                on_socket(writer, events[i].data.ptr, events[i].events);
            else if (read(writer->wake, &count, sizeof count) > 0)
                empty_inbox(writer);
        }
        now = clock_monotonic_ms();
        if (now >= writer->next_heartbeat)
            heartbeat(writer, now);
        bury(writer);
    }
    empty_inbox(writer);
    close_all(writer);
    return NULL;
}

static void free_writer(struct hub_writer *writer)
{
    hub_inbox_clear(&writer->inbox);
    hub_inbox_clear(&writer->spare);
    if (writer->poll >= 0)
        close(writer->poll);
    if (writer->wake >= 0)
        close(writer->wake);
    pthread_mutex_destroy(&writer->lock);
    free(writer->readers);
    free(writer->marks);
    free(writer->ring);
    free(writer);
}

struct hub_writer *hub_writer_start(int number, size_t ring_bytes, int heartbeat_s,
                                    void (*left)(void *context, const char *user), void *context, struct err *err)
{
    struct hub_writer *writer = calloc(1, sizeof *writer);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = writer};
    char name[16];

    if (writer == NULL) {
        err_set(err, ERR_MEMORY, "streams: out of memory");
        return NULL;
    }
    pthread_mutex_init(&writer->lock, NULL);
    writer->ring_bytes = ring_bytes;
    writer->heartbeat_ms = heartbeat_s * 1000LL;
    writer->next_heartbeat = clock_monotonic_ms() + writer->heartbeat_ms;
    writer->left = left;
    writer->context = context;
    writer->ring = malloc(ring_bytes);
    writer->marks = calloc(MARKS, sizeof *writer->marks);
    writer->poll = epoll_create1(EPOLL_CLOEXEC);
    writer->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (writer->ring == NULL || writer->marks == NULL || writer->poll < 0 || writer->wake < 0 ||
        epoll_ctl(writer->poll, EPOLL_CTL_ADD, writer->wake, &event) != 0 ||
        pthread_create(&writer->thread, NULL, run, writer) != 0) {
        err_set(err, ERR_SYSTEM, "streams: cannot start a writer: %s", strerror(errno));
        free_writer(writer);
        return NULL;
    }
    snprintf(name, sizeof name, "hub-%d", number);
    pthread_setname_np(writer->thread, name);
    return writer;
}

void hub_writer_stop(struct hub_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_mutex_unlock(&writer->lock);
    poke(writer);
    pthread_join(writer->thread, NULL);
    free_writer(writer);
}

void hub_writer_count(const struct hub_writer *writer, struct hub_counters *add_to)
{
    add_to->opened += atomic_load(&writer->counters.opened);
    add_to->closed_by_peer += atomic_load(&writer->counters.by_peer);
    add_to->closed_slow += atomic_load(&writer->counters.slow);
    add_to->ended += atomic_load(&writer->counters.ended);
    add_to->bytes += atomic_load(&writer->counters.bytes);
    add_to->frames += atomic_load(&writer->counters.frames);
}
