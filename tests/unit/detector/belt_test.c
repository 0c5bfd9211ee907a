/* belt_test.c: records arrive whole and in order, however far the two threads are apart. */
#include "tests/unit/check.h"

#include "detector/belt.h"

#include <pthread.h>
#include <string.h>

enum { MANY = 200000 };

struct taker {
    struct belt *belt;
    uint64_t next, wrong;
};

static size_t size_of(uint64_t n)
{
    return n % 1000 == 999 ? BELT_RECORD_MAX : 9 + n % 300;
}

static void look(void *context, void *const *records, size_t count)
{
    struct taker *taker = context;

    taker->wrong += count == 0 || count > BELT_SOME;
    for (size_t i = 0; i < count; i++) {
        uint64_t n;

        memcpy(&n, records[i], sizeof n);
        taker->wrong += n != taker->next || ((uint8_t *)records[i])[size_of(n) - 1] != (uint8_t)n;
        taker->next++;
    }
}

static void *take_all(void *argument)
{
    struct taker *taker = argument;

    while (belt_take(taker->belt, look, taker))
        ;
    return NULL;
}

static void records_arrive_whole_and_in_order(void **state)
{
    struct taker taker = {.belt = belt_create(NULL)};
    pthread_t thread;

    (void)state;
    assert_non_null(taker.belt);
    assert_int_equal(pthread_create(&thread, NULL, take_all, &taker), 0);
    for (uint64_t n = 0; n < MANY; n++) {
        uint8_t *record = belt_room(taker.belt, size_of(n));

        memcpy(record, &n, sizeof n);
        record[size_of(n) - 1] = (uint8_t)n;
        if (n % 777 == 0)
            belt_push(taker.belt);
    }
    belt_close(taker.belt);
    pthread_join(thread, NULL);
    assert_int_equal(taker.next, MANY);
    assert_int_equal(taker.wrong, 0);
    belt_free(taker.belt);
}

static void what_is_pushed_comes_at_once_and_a_closed_belt_ends(void **state)
{
    struct taker taker = {.belt = belt_create(NULL)};
    uint64_t n = 0;
    uint8_t *record = belt_room(taker.belt, size_of(n));

    (void)state;
    memset(record, 0, size_of(n));
    belt_push(taker.belt);
    assert_true(belt_take(taker.belt, look, &taker));
    assert_int_equal(taker.next, 1);
    belt_push(taker.belt); /* nothing lies on it */
    belt_close(taker.belt);
    assert_false(belt_take(taker.belt, look, &taker));
    belt_free(taker.belt);
    belt_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_arrive_whole_and_in_order),
        cmocka_unit_test(what_is_pushed_comes_at_once_and_a_closed_belt_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
