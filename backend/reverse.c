/* reverse.c: see reverse.h. */
#include "backend/reverse.h"

#include "backend/target_guard.h"
#include "common/clock.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_MS = 24 * 3600 * 1000, KEEP_SILENCE_MS = 3600 * 1000, BUCKETS = 8192 };

struct entry {
    char address[INET6_ADDRSTRLEN];
    char name[REVERSE_NAME]; /* "": there is none, or it is being asked for */
    int64_t until_ms;        /* 0: waits for an answer */
    int32_t next;            /* in its bucket; -1: the last */
};

struct reverse {
    reverse_ask *ask;
    void *context;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards what follows; held for a look, never over a question */
    pthread_cond_t wake;
    bool stop;
    struct entry *entries; /* a ring: used of them, at[used % REVERSE_KEPT] goes next */
    size_t used;
    int32_t buckets[BUCKETS];
    char waiting[REVERSE_WAITING][INET6_ADDRSTRLEN];
    size_t first, count;
};

static bool is_public(const char *address)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
        return target_guard_public((const struct sockaddr *)&four);
    return inet_pton(AF_INET6, address, &six.sin6_addr) == 1 && target_guard_public((const struct sockaddr *)&six);
}

bool reverse_ask_system(void *context, const char *address, char *out, size_t size)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    bool is_four = inet_pton(AF_INET, address, &four.sin_addr) == 1;

    (void)context;
    if (!is_four && inet_pton(AF_INET6, address, &six.sin6_addr) != 1)
        return false;
    if (res_init() == 0) { /* this thread's own: a stop must not wait for long */
        _res.retrans = 2;
        _res.retry = 1;
    }
    return getnameinfo(is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six,
                       is_four ? sizeof four : sizeof six, out, (socklen_t)size, NULL, 0, NI_NAMEREQD) == 0;
}

/* Whoever owns the address wrote the name: nothing but a host name passes. */
static bool is_host_name(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length < REVERSE_NAME && name[0] != '.' && name[0] != '-' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

/* --- the table; the lock is held --- */

static size_t bucket_of(const char *address)
{
    uint32_t hash = 2166136261u;

    for (; *address != '\0'; address++)
        hash = (hash ^ (unsigned char)*address) * 16777619u;
    return hash % BUCKETS;
}

static struct entry *entry_find(struct reverse *reverse, const char *address)
{
    for (int32_t i = reverse->buckets[bucket_of(address)]; i >= 0; i = reverse->entries[i].next)
        if (strcmp(reverse->entries[i].address, address) == 0)
            return &reverse->entries[i];
    return NULL;
}

static void entry_unlink(struct reverse *reverse, const struct entry *entry)
{
    int32_t *at = &reverse->buckets[bucket_of(entry->address)];

    while (&reverse->entries[*at] != entry)
        at = &reverse->entries[*at].next;
    *at = entry->next;
}

static struct entry *entry_add(struct reverse *reverse, const char *address)
{
    size_t at = reverse->used % REVERSE_KEPT;
    struct entry *entry = &reverse->entries[at];
    int32_t *bucket = &reverse->buckets[bucket_of(address)];

    if (reverse->used++ >= REVERSE_KEPT)
        entry_unlink(reverse, entry);
    memset(entry, 0, sizeof *entry);
    snprintf(entry->address, sizeof entry->address, "%s", address);
    entry->next = *bucket;
    *bucket = (int32_t)at;
    return entry;
}

/* False: too many wait; the next look tries again. */
static bool ask_for(struct reverse *reverse, const char *address)
{
    if (reverse->count == REVERSE_WAITING)
        return false;
    snprintf(reverse->waiting[(reverse->first + reverse->count++) % REVERSE_WAITING], INET6_ADDRSTRLEN, "%s",
             address);
    pthread_cond_signal(&reverse->wake);
    return true;
}

bool reverse_find(struct reverse *reverse, const char *address, int64_t now_ms, char out[REVERSE_NAME])
{
    struct entry *entry;

    out[0] = '\0';
    if (!is_public(address))
        return false;
    pthread_mutex_lock(&reverse->lock);
    entry = entry_find(reverse, address);
    if (entry == NULL && ask_for(reverse, address))
        entry_add(reverse, address);
    else if (entry != NULL && entry->until_ms != 0 && entry->until_ms <= now_ms && ask_for(reverse, address))
        entry->until_ms = 0; /* the old name stands until there is a new one */
    if (entry != NULL)
        snprintf(out, REVERSE_NAME, "%s", entry->name);
    pthread_mutex_unlock(&reverse->lock);
    return out[0] != '\0';
}

/* --- asking --- */

/* False: it is time to end. */
static bool next_question(struct reverse *reverse, char address[INET6_ADDRSTRLEN])
{
    bool more;

    pthread_mutex_lock(&reverse->lock);
    while (reverse->count == 0 && !reverse->stop)
        pthread_cond_wait(&reverse->wake, &reverse->lock);
    more = !reverse->stop;
    if (more) {
        memcpy(address, reverse->waiting[reverse->first], INET6_ADDRSTRLEN);
        reverse->first = (reverse->first + 1) % REVERSE_WAITING;
        reverse->count--;
    }
    pthread_mutex_unlock(&reverse->lock);
    return more;
}

static void *run(void *context)
{
    struct reverse *reverse = context;
    char address[INET6_ADDRSTRLEN], name[REVERSE_NAME];

    while (next_question(reverse, address)) {
        bool found = reverse->ask(reverse->context, address, name, sizeof name) && is_host_name(name);
        struct entry *entry;

        pthread_mutex_lock(&reverse->lock);
        entry = entry_find(reverse, address);
        if (entry != NULL) { /* else it had to go meanwhile */
            snprintf(entry->name, sizeof entry->name, "%s", found ? name : "");
            entry->until_ms = clock_now_ms() + (found ? KEEP_MS : KEEP_SILENCE_MS);
        }
        pthread_mutex_unlock(&reverse->lock);
    }
    return NULL;
}

struct reverse *reverse_start(reverse_ask *ask, void *context, struct err *err)
{
    struct reverse *reverse = calloc(1, sizeof *reverse);

    if (reverse != NULL)
        reverse->entries = calloc(REVERSE_KEPT, sizeof *reverse->entries);
    if (reverse == NULL || reverse->entries == NULL) {
        err_set(err, ERR_MEMORY, "reverse names: out of memory");
        free(reverse);
        return NULL;
    }
    reverse->ask = ask;
    reverse->context = context;
    for (size_t i = 0; i < BUCKETS; i++)
        reverse->buckets[i] = -1;
    pthread_mutex_init(&reverse->lock, NULL);
    pthread_cond_init(&reverse->wake, NULL);
    if (pthread_create(&reverse->thread, NULL, run, reverse) != 0) {
        err_set(err, ERR_SYSTEM, "reverse names: cannot start a thread");
        reverse_stop(reverse);
        return NULL;
    }
    pthread_setname_np(reverse->thread, "reverse");
    reverse->running = true;
    return reverse;
}

void reverse_stop(struct reverse *reverse)
{
    if (reverse == NULL)
        return;
    pthread_mutex_lock(&reverse->lock);
    reverse->stop = true;
    pthread_cond_signal(&reverse->wake);
    pthread_mutex_unlock(&reverse->lock);
    if (reverse->running)
        pthread_join(reverse->thread, NULL);
    pthread_cond_destroy(&reverse->wake);
    pthread_mutex_destroy(&reverse->lock);
    free(reverse->entries);
    free(reverse);
}
