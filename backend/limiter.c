/* limiter.c: see limiter.h. A table of a few thousand rows, searched from end to end: logins are rare and dear. */
#include "backend/limiter.h"

#include "common/token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct row {
    char key[TOKEN_HASH]; /* a hash, so that a long key costs no more; "": free */
    int64_t since_ms;
    int tries;
};

struct limiter {
    pthread_mutex_t lock; /* guards rows; held for one search */
    size_t count;
    int tries;
    int64_t window_ms;
    struct row rows[];
};

struct limiter *limiter_create(size_t rows, int tries, int64_t window_ms)
{
    struct limiter *limiter = calloc(1, sizeof *limiter + rows * sizeof limiter->rows[0]);

    if (limiter == NULL)
        return NULL;
    pthread_mutex_init(&limiter->lock, NULL);
    limiter->count = rows;
    limiter->tries = tries;
    limiter->window_ms = window_ms;
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter == NULL)
        return;
    pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

static struct row *row_find(struct limiter *limiter, const char *hash)
{
    for (size_t i = 0; i < limiter->count; i++)
        if (strcmp(limiter->rows[i].key, hash) == 0)
            return &limiter->rows[i];
    return NULL;
}

/* A free row is the oldest of all, as its time is 0. */
static struct row *row_oldest(struct limiter *limiter)
{
    struct row *oldest = &limiter->rows[0];

    for (size_t i = 1; i < limiter->count; i++)
        if (limiter->rows[i].since_ms < oldest->since_ms)
            oldest = &limiter->rows[i];
    return oldest;
}

int64_t limiter_take(struct limiter *limiter, const char *key, int64_t now_ms)
{
    char hash[TOKEN_HASH];
    struct row *row;
    int64_t wait = 0;

    token_hash(key, strlen(key), hash);
    pthread_mutex_lock(&limiter->lock);
    row = row_find(limiter, hash);
    if (row == NULL) {
        row = row_oldest(limiter);
        memcpy(row->key, hash, sizeof hash);
        row->since_ms = now_ms;
        row->tries = 0;
    } else if (now_ms - row->since_ms >= limiter->window_ms || now_ms < row->since_ms) {
        row->since_ms = now_ms;
        row->tries = 0;
    }
    if (row->tries >= limiter->tries)
        wait = row->since_ms + limiter->window_ms - now_ms;
    else
        row->tries++;
    pthread_mutex_unlock(&limiter->lock);
    return wait;
}

static void undo(struct limiter *limiter, const char *key, bool all)
{
    char hash[TOKEN_HASH];
    struct row *row;

    token_hash(key, strlen(key), hash);
    pthread_mutex_lock(&limiter->lock);
    row = row_find(limiter, hash);
    if (row != NULL && (all || row->tries <= 1))
        memset(row, 0, sizeof *row);
    else if (row != NULL)
        row->tries--;
    pthread_mutex_unlock(&limiter->lock);
}

void limiter_give_back(struct limiter *limiter, const char *key)
{
    undo(limiter, key, false);
}

void limiter_forget(struct limiter *limiter, const char *key)
{
    undo(limiter, key, true);
}
