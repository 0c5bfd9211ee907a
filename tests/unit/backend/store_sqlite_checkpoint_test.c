/* The log of the SQLite store is moved into the file while others write. */
#include "tests/unit/backend/sqlite_file.h"

#include "common/clock.h"

#include <string.h>

enum { PATIENCE_MS = 60000, ROUNDS = 3 };

/* How often the log began anew: the checkpoint sequence number in its head. */
static uint32_t log_number(void)
{
    uint8_t head[16] = {0};
    char log[80];
    FILE *file;

    snprintf(log, sizeof log, "%s-wal", path);
    file = fopen(log, "rb");
    assert_non_null(file);
    assert_int_equal(fread(head, 1, sizeof head, file), sizeof head);
    fclose(file);
    return (uint32_t)head[12] << 24 | (uint32_t)head[13] << 16 | (uint32_t)head[14] << 8 | head[15];
}

static int64_t add_event(struct store *store)
{
    int64_t seq = 0;

    assert_true(store_add_monitoring(store, "{\"type\":\"detector_started\"}", &seq, NULL));
    return seq;
}

static bool count_event(void *context, int64_t seq, enum store_event event, const char *json)
{
    (void)seq;
    (void)json;
    *(int64_t *)context += event == EVENT_MONITORING;
    return true;
}

static void the_log_begins_anew_while_others_write(void **state)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS, last, found = 0;
    uint32_t begun;

    SQLITE_STORE(*state)->log_pages = 30;
    last = add_event(*state);
    begun = log_number();
    while (log_number() < begun + ROUNDS && clock_monotonic_ms() < until)
        last = add_event(*state);
    assert_true(log_number() >= begun + ROUNDS);
    store_close(*state);
    assert_int_equal(open_store_file(state), 0);
    assert_true(store_events(*state, 0, (size_t)last, count_event, &found, NULL));
    assert_int_equal(found, last);
}

/* A short log stays: nothing is moved before it is worth it. */
static void a_short_log_is_left_alone(void **state)
{
    uint32_t begun;

    add_event(*state);
    begun = log_number();
    for (int i = 0; i < 100; i++)
        add_event(*state);
    assert_int_equal(log_number(), begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_log_begins_anew_while_others_write, open_store_file, drop_store_file),
        cmocka_unit_test_setup_teardown(a_short_log_is_left_alone, open_store_file, drop_store_file),
    };

    return RUN_WITH_A_FILE(tests);
}
