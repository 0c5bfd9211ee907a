/* password.c: see password.h. */
#include "backend/password.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Compared with when the user is unknown: the same cost as every real one, and no password leads to it. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct passwords {
    pthread_mutex_t lock; /* guards the two counts; held for a moment, never over a hash */
    pthread_cond_t left;
    int running, waiting;
    _Atomic uint64_t runs;
};

struct passwords *passwords_create(void)
{
    struct passwords *passwords = calloc(1, sizeof *passwords);

    if (passwords == NULL)
        return NULL;
    pthread_mutex_init(&passwords->lock, NULL);
    pthread_cond_init(&passwords->left, NULL);
    return passwords;
}

void passwords_free(struct passwords *passwords)
{
    if (passwords == NULL)
        return;
    pthread_cond_destroy(&passwords->left);
    pthread_mutex_destroy(&passwords->lock);
    free(passwords);
}

static bool enter(struct passwords *passwords, struct err *err)
{
    bool ok = true;

    pthread_mutex_lock(&passwords->lock);
    if (passwords->running >= PASSWORD_AT_ONCE && passwords->waiting >= PASSWORD_WAITING) {
        ok = err_set(err, ERR_UNAVAILABLE, "too many logins at once");
    } else {
        passwords->waiting++;
        while (passwords->running >= PASSWORD_AT_ONCE)
            pthread_cond_wait(&passwords->left, &passwords->lock);
        passwords->waiting--;
        passwords->running++;
    }
    pthread_mutex_unlock(&passwords->lock);
    return ok;
}

static void leave(struct passwords *passwords)
{
    pthread_mutex_lock(&passwords->lock);
    passwords->running--;
    pthread_cond_signal(&passwords->left);
    pthread_mutex_unlock(&passwords->lock);
}

bool passwords_hash(struct passwords *passwords, const char *text, char out[PASSWORD_HASH], struct err *err)
{
    int result;

    _Static_assert(PASSWORD_HASH >= crypto_pwhash_STRBYTES, "room for the encoded hash");
    if (!enter(passwords, err))
        return false;
    result = crypto_pwhash_str_alg(out, text, strlen(text), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                   crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13);
    leave(passwords);
    return result == 0 || err_set(err, ERR_MEMORY, "password: out of memory");
}

bool passwords_fit(struct passwords *passwords, const char *hash, const char *text, bool *fits, struct err *err)
{
    if (!enter(passwords, err))
        return false;
    *fits = crypto_pwhash_str_verify(hash != NULL ? hash : nobody, text, strlen(text)) == 0 && hash != NULL;
    leave(passwords);
    atomic_fetch_add(&passwords->runs, 1);
    return true;
}

uint64_t passwords_runs(struct passwords *passwords)
{
    return atomic_load(&passwords->runs);
}
