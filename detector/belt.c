/* belt.c: see belt.h. */
#include "detector/belt.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TRAYS = 8, STEP = 16 };

struct tray {
    size_t length;
    _Alignas(STEP) uint8_t bytes[BELT_TRAY];
};

struct belt {
    struct tray *trays;
    unsigned laying; /* which one is laid on; that thread's own */
    unsigned taking; /* which one is taken from; the other's own */

    pthread_mutex_t lock; /* guards what follows; held for a count */
    pthread_cond_t moved;
    unsigned full;
    bool closed;
};

struct belt *belt_create(struct err *err)
{
    struct belt *belt = calloc(1, sizeof *belt);

    if (belt != NULL)
        belt->trays = calloc(TRAYS, sizeof *belt->trays);
    if (belt == NULL || belt->trays == NULL) {
        free(belt);
        err_set(err, ERR_MEMORY, "belt: out of memory");
        return NULL;
    }
    pthread_mutex_init(&belt->lock, NULL);
    pthread_cond_init(&belt->moved, NULL);
    return belt;
}

void belt_free(struct belt *belt)
{
    if (belt == NULL)
        return;
    pthread_mutex_destroy(&belt->lock);
    pthread_cond_destroy(&belt->moved);
    free(belt->trays);
    free(belt);
}

void *belt_room(struct belt *belt, size_t size)
{
    struct tray *tray = &belt->trays[belt->laying];
    size_t *header;

    size = (size + STEP - 1) / STEP * STEP + STEP;
    assert(size <= BELT_RECORD_MAX + STEP);
    if (tray->length + size > BELT_TRAY) {
        belt_push(belt);
        tray = &belt->trays[belt->laying];
    }
    header = (size_t *)(void *)(tray->bytes + tray->length);
    *header = size;
    tray->length += size;
    return (uint8_t *)header + STEP;
}

void belt_push(struct belt *belt)
{
    if (belt->trays[belt->laying].length == 0)
        return;
    pthread_mutex_lock(&belt->lock);
    belt->full++;
    pthread_cond_signal(&belt->moved);
    while (belt->full == TRAYS)
        pthread_cond_wait(&belt->moved, &belt->lock);
    pthread_mutex_unlock(&belt->lock);
    belt->laying = (belt->laying + 1) % TRAYS;
    belt->trays[belt->laying].length = 0;
}

void belt_close(struct belt *belt)
{
    belt_push(belt);
    pthread_mutex_lock(&belt->lock);
    belt->closed = true;
    pthread_cond_signal(&belt->moved);
    pthread_mutex_unlock(&belt->lock);
}

bool belt_take(struct belt *belt, void (*some)(void *context, void *const *records, size_t count), void *context)
{
    void *records[BELT_SOME];
    size_t count = 0;
    struct tray *tray = &belt->trays[belt->taking];
    bool any;

    pthread_mutex_lock(&belt->lock);
    while (belt->full == 0 && !belt->closed)
        pthread_cond_wait(&belt->moved, &belt->lock);
    any = belt->full > 0;
    pthread_mutex_unlock(&belt->lock);
    if (!any)
        return false;
    for (size_t at = 0; at < tray->length;) {
        size_t size = *(size_t *)(void *)(tray->bytes + at);

        records[count++] = tray->bytes + at + STEP;
        at += size;
        if (count < BELT_SOME && at < tray->length)
            continue;
        some(context, records, count);
        count = 0;
    }
    pthread_mutex_lock(&belt->lock);
    belt->full--;
    pthread_cond_signal(&belt->moved);
    pthread_mutex_unlock(&belt->lock);
    belt->taking = (belt->taking + 1) % TRAYS;
    return true;
}
