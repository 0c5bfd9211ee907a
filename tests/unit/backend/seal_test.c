/* Tests of seals: what one key closed only that key opens, and a key is made once. */
#include "tests/unit/check.h"

#include "backend/seal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct room {
    char folder[64], path[96];
};

static int begin(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    snprintf(room->folder, sizeof room->folder, "/tmp/threatline-seal-XXXXXX");
    assert_non_null(mkdtemp(room->folder));
    snprintf(room->path, sizeof room->path, "%s/key", room->folder);
    *state = room;
    return 0;
}

static int end(void **state)
{
    struct room *room = *state;

    unlink(room->path);
    assert_int_equal(rmdir(room->folder), 0); /* nothing else was left there */
    free(room);
    return 0;
}

static struct seal *opened(const struct room *room)
{
    struct err err = {0};
    struct seal *seal = seal_open(room->path, &err);

    if (seal == NULL)
        fail_msg("%s", err.text);
    return seal;
}

static void a_text_comes_back_and_does_not_show(void **state)
{
    struct seal *seal = opened(*state), *again = opened(*state);
    char longest[SEAL_PLAIN + 2], sealed[SEAL_TEXT], twice[SEAL_TEXT], out[SEAL_PLAIN + 1];
    bool plain = false;

    memset(longest, 'x', sizeof longest);
    longest[SEAL_PLAIN] = '\0';
    for (size_t i = 0; i < 4; i++) {
        const char *text = (const char *[]){"p", "a password", "sealed:not really", longest}[i];

        assert_true(seal_close_text(seal, text, sealed));
        assert_true(seal_close_text(seal, text, twice));
        assert_string_not_equal(sealed, twice);
        assert_null(strstr(sealed, i == 0 ? "!" : text));
        assert_true(seal_open_text(again, sealed, out, sizeof out, &plain));
        assert_string_equal(out, text);
    }
    assert_false(plain);
    assert_true(seal_close_text(seal, "", sealed));
    assert_string_equal(sealed, "");
    longest[SEAL_PLAIN] = 'x';
    longest[SEAL_PLAIN + 1] = '\0';
    assert_false(seal_close_text(seal, longest, sealed));
    seal_close(seal);
    seal_close(again);
}

static void what_an_older_program_left_open_is_told(void **state)
{
    struct seal *seal = opened(*state);
    char out[32];
    bool plain = false;

    assert_true(seal_open_text(seal, "", out, sizeof out, &plain));
    assert_false(plain);
    assert_true(seal_open_text(seal, "in clear", out, sizeof out, &plain));
    assert_true(plain);
    assert_string_equal(out, "in clear");
    assert_false(seal_open_text(seal, "longer than the room that there is for it", out, sizeof out, &plain));
    seal_close(seal);
}

static void nothing_else_opens(void **state)
{
    struct room *room = *state;
    struct seal *seal = opened(room), *other;
    char sealed[SEAL_TEXT], out[SEAL_PLAIN + 1];
    size_t length;
    bool plain = false;

    assert_true(seal_close_text(seal, "a password", sealed));
    unlink(room->path);
    other = opened(room);
    assert_false(seal_open_text(other, sealed, out, sizeof out, &plain));
    assert_string_equal(out, "");
    length = strlen(sealed);
    for (size_t i = 7; i + 2 < length; i++) {
        char kept = sealed[i];

        sealed[i] = kept == 'A' ? 'B' : 'A';
        assert_false(seal_open_text(seal, sealed, out, sizeof out, &plain));
        sealed[i] = kept;
    }
    assert_false(seal_open_text(seal, "sealed:", out, sizeof out, &plain));
    assert_false(seal_open_text(seal, "sealed:AAAA", out, sizeof out, &plain));
    assert_false(seal_open_text(seal, sealed, out, 5, &plain));
    seal_close(seal);
    seal_close(other);
}

static void a_key_is_for_its_owner_alone_and_must_be_one(void **state)
{
    struct room *room = *state;
    struct stat info;
    struct err err = {0};
    FILE *file;

    seal_close(opened(room));
    assert_int_equal(stat(room->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    chmod(room->path, 0640);
    assert_null(seal_open(room->path, &err));
    assert_int_equal(err.code, ERR_DENIED);
    file = fopen(room->path, "w");
    fputs("abc\n", file);
    fclose(file);
    chmod(room->path, 0600);
    assert_null(seal_open(room->path, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(seal_open("/nowhere/at/all", &err));
}

static void *open_one(void *room)
{
    return opened(room);
}

static void of_several_that_make_it_at_once_all_have_the_same(void **state)
{
    struct seal *seals[8];
    pthread_t threads[8];
    char sealed[SEAL_TEXT], out[SEAL_PLAIN + 1];
    bool plain = false;

    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, open_one, *state);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], (void **)&seals[i]);
    assert_true(seal_close_text(seals[0], "a password", sealed));
    for (size_t i = 0; i < 8; i++) {
        assert_true(seal_open_text(seals[i], sealed, out, sizeof out, &plain));
        seal_close(seals[i]);
    }
}

int main(void)
{
#define SEAL_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        SEAL_TEST(a_text_comes_back_and_does_not_show),
        SEAL_TEST(what_an_older_program_left_open_is_told),
        SEAL_TEST(nothing_else_opens),
        SEAL_TEST(a_key_is_for_its_owner_alone_and_must_be_one),
        SEAL_TEST(of_several_that_make_it_at_once_all_have_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
