/* hub.c: who streams, how many may, and the way to the writers. */
#include "backend/hub.h"

#include "backend/hub_writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 1024 };

struct account {
    char user[65];
    size_t streams;
    struct account *next;
};

struct hub {
    struct hub_settings settings;
    struct hub_writer **writers;
    atomic_uint turn;
    /* guards open and accounts; held for a look-up; a writer takes it when a stream ends, holding nothing else */
    pthread_mutex_t lock;
    size_t open;
    struct account *accounts[BUCKETS];
    _Atomic uint64_t refused;
};

static size_t bucket_of(const char *user)
{
    uint32_t hash = 2166136261u;

    for (; *user != '\0'; user++)
        hash = (hash ^ (unsigned char)*user) * 16777619u;
    return hash % BUCKETS;
}

static struct account **find_account(struct hub *hub, const char *user)
{
    struct account **at = &hub->accounts[bucket_of(user)];

    while (*at != NULL && strcmp((*at)->user, user) != 0)
        at = &(*at)->next;
    return at;
}

static bool fits(struct hub *hub, const char *user)
{
    struct account *account = *find_account(hub, user);

    return hub->open < hub->settings.max_streams &&
           (account == NULL || account->streams < hub->settings.max_per_user);
}

bool hub_has_room(struct hub *hub, const char *user)
{
    pthread_mutex_lock(&hub->lock);
    bool room = fits(hub, user);
    pthread_mutex_unlock(&hub->lock);
    if (!room)
        atomic_fetch_add(&hub->refused, 1);
    return room;
}

/* Counts one more stream of user in. */
static bool enter(struct hub *hub, const char *user)
{
    bool ok = false;

    pthread_mutex_lock(&hub->lock);
    if (fits(hub, user)) {
        struct account **at = find_account(hub, user);

        if (*at == NULL && (*at = calloc(1, sizeof **at)) != NULL)
            snprintf((*at)->user, sizeof(*at)->user, "%s", user);
        if (*at != NULL) {
            (*at)->streams++;
            hub->open++;
            ok = true;
        }
    }
    pthread_mutex_unlock(&hub->lock);
    return ok;
}

/* Called by a writer when a stream has ended. */
static void leave(void *context, const char *user)
{
    struct hub *hub = context;

    pthread_mutex_lock(&hub->lock);
    struct account **at = find_account(hub, user);
    hub->open--;
    if (*at != NULL && --(*at)->streams == 0) {
        struct account *empty = *at;

        *at = empty->next;
        free(empty);
    }
    pthread_mutex_unlock(&hub->lock);
}

struct hub *hub_start(const struct hub_settings *settings, struct err *err)
{
    struct hub *hub = calloc(1, sizeof *hub);

    if (hub == NULL || (hub->writers = calloc((size_t)settings->writers, sizeof(struct hub_writer *))) == NULL) {
        free(hub);
        err_set(err, ERR_MEMORY, "streams: out of memory");
        return NULL;
    }
    hub->settings = *settings;
    pthread_mutex_init(&hub->lock, NULL);
    for (int i = 0; i < settings->writers; i++) {
        hub->writers[i] = hub_writer_start(i, settings->ring_bytes, settings->heartbeat_s, leave, hub, err);
        if (hub->writers[i] == NULL) {
            hub->settings.writers = i;
            hub_stop(hub);
            return NULL;
        }
    }
    return hub;
}

void hub_stop(struct hub *hub)
{
    if (hub == NULL)
        return;
    for (int i = 0; i < hub->settings.writers; i++)
        hub_writer_stop(hub->writers[i]);
    for (size_t i = 0; i < BUCKETS; i++)
        while (hub->accounts[i] != NULL) {
            struct account *first = hub->accounts[i];

            hub->accounts[i] = first->next;
            free(first);
        }
    pthread_mutex_destroy(&hub->lock);
    free(hub->writers);
    free(hub);
}

void hub_publish(struct hub *hub, int64_t seq, const char *frame, size_t length)
{
    if (length > hub->settings.ring_bytes / 2)
        return;
    for (int i = 0; i < hub->settings.writers; i++)
        hub_writer_publish(hub->writers[i], seq, frame, length);
}

bool hub_add(struct hub *hub, int fd, const char *user, const char *session, char *head, size_t length,
             int64_t after_seq, struct err *err)
{
    unsigned turn = atomic_fetch_add(&hub->turn, 1) % (unsigned)hub->settings.writers;
    struct hub_reader *reader;

    if (!enter(hub, user)) {
        close(fd);
        free(head);
        atomic_fetch_add(&hub->refused, 1);
        return err_set(err, ERR_UNAVAILABLE, "too many streams");
    }
    reader = hub_reader_create(fd, user, session, head, length, after_seq);
    if (reader == NULL || !hub_writer_add(hub->writers[turn], reader)) {
        hub_reader_free(reader);
        if (reader == NULL) {
            close(fd);
            free(head);
        }
        leave(hub, user);
        return err_set(err, ERR_MEMORY, "stream: out of memory");
    }
    return true;
}

void hub_end_user(struct hub *hub, const char *user)
{
    for (int i = 0; i < hub->settings.writers; i++)
        hub_writer_end(hub->writers[i], user, NULL);
}

void hub_end_session(struct hub *hub, const char *session)
{
    if (session[0] == '\0')
        return;
    for (int i = 0; i < hub->settings.writers; i++)
        hub_writer_end(hub->writers[i], NULL, session);
}

void hub_counters(struct hub *hub, struct hub_counters *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < hub->settings.writers; i++)
        hub_writer_count(hub->writers[i], out);
    pthread_mutex_lock(&hub->lock);
    out->open = hub->open;
    pthread_mutex_unlock(&hub->lock);
    out->refused = atomic_load(&hub->refused);
}
