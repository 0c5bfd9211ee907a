/* Tests of the hashing of passwords. */
#include "tests/unit/check.h"

#include "backend/password.h"
#include "common/token.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int begin(void **state)
{
    *state = passwords_create();
    return *state == NULL || !token_setup();
}

static int end(void **state)
{
    passwords_free(*state);
    return 0;
}

static void only_the_password_itself_fits_its_hash(void **state)
{
    char hash[PASSWORD_HASH], again[PASSWORD_HASH];
    bool fits = false;

    assert_true(passwords_hash(*state, "correct horse", hash, NULL));
    assert_true(passwords_hash(*state, "correct horse", again, NULL));
    assert_string_not_equal(hash, again); /* salted */
    assert_int_equal(strncmp(hash, "$argon2id$", 10), 0);
    assert_true(passwords_fit(*state, hash, "correct horse", &fits, NULL) && fits);
    assert_true(passwords_fit(*state, hash, "correct horsf", &fits, NULL) && !fits);
    assert_true(passwords_fit(*state, hash, "", &fits, NULL) && !fits);
    assert_true(passwords_fit(*state, "garbage", "correct horse", &fits, NULL) && !fits);
}

/* libsodium's, with a look at what it is asked to do. */
static char verified[PASSWORD_HASH];
static int verifications;

int crypto_pwhash_str_verify(const char hash[PASSWORD_HASH], const char *text, unsigned long long length);
int crypto_pwhash_str_verify(const char hash[PASSWORD_HASH], const char *text, unsigned long long length)
{
    int (*real)(const char *, const char *, unsigned long long);
    void *symbol = dlsym(RTLD_NEXT, "crypto_pwhash_str_verify");

    memcpy(&real, &symbol, sizeof real);
    snprintf(verified, sizeof verified, "%s", hash);
    verifications++;
    return real(hash, text, length);
}

/* "$argon2id$v=19$m=...,t=...,p=...$": it decides what a try costs. */
static size_t parameters(const char *hash)
{
    const char *at = hash;

    for (int i = 0; i < 4; i++) {
        at = strchr(at, '$');
        assert_non_null(at++);
    }
    return (size_t)(at - hash);
}

static void nobody_costs_as_much_work_as_somebody(void **state)
{
    char hash[PASSWORD_HASH];
    bool fits = true;

    assert_true(passwords_hash(*state, "correct horse", hash, NULL));
    verifications = 0;
    assert_true(passwords_fit(*state, NULL, "guess", &fits, NULL) && !fits);
    assert_int_equal(verifications, 1);
    assert_int_equal(parameters(verified), parameters(hash));
    assert_memory_equal(verified, hash, parameters(hash));
    assert_int_equal(strlen(verified), strlen(hash));
    assert_int_equal(passwords_runs(*state), 1);
}

struct
try {
    struct passwords *passwords;
    char hash[PASSWORD_HASH];
    bool ok, refused;
};

static void *hash_once(void *context)
{
    struct try *try = context;
    struct err err = {0};

    try->ok = passwords_hash(try->passwords, "correct horse", try->hash, &err);
    try->refused = err.code == ERR_UNAVAILABLE;
    return NULL;
}

/* Workers have 100 KiB. Sanitizers need more of it than the real thing. */
static void a_small_stack_is_enough_and_too_many_at_once_are_refused(void **state)
{
    enum { MANY = PASSWORD_AT_ONCE + PASSWORD_WAITING + 10 };
    static struct try tries[MANY];
    pthread_t threads[MANY];
    pthread_attr_t attributes;
    int done = 0, refused = 0;

    pthread_attr_init(&attributes);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    pthread_attr_setstacksize(&attributes, 100 * 1024);
#endif
    for (int i = 0; i < MANY; i++) {
        tries[i].passwords = *state;
        assert_int_equal(pthread_create(&threads[i], &attributes, hash_once, &tries[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        pthread_join(threads[i], NULL);
        done += tries[i].ok;
        refused += tries[i].refused;
    }
    pthread_attr_destroy(&attributes);
    assert_int_equal(done + refused, MANY);
    assert_true(done >= PASSWORD_AT_ONCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_password_itself_fits_its_hash, begin, end),
        cmocka_unit_test_setup_teardown(nobody_costs_as_much_work_as_somebody, begin, end),
        cmocka_unit_test_setup_teardown(a_small_stack_is_enough_and_too_many_at_once_are_refused, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
