/* multipart_test.c: a form read in pieces of every size gives the same parts; what is no form is refused. */
#include "tests/unit/check.h"

#include "common/multipart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct taken {
    char text[4096]; /* "name|file|data;" a part */
    size_t length;
    bool refuse;
};

static void add(struct taken *t, const char *bytes, size_t length)
{
    assert_true(t->length + length < sizeof t->text);
    memcpy(t->text + t->length, bytes, length);
    t->length += length;
    t->text[t->length] = '\0';
}

static bool on_part(void *context, const char *name, const char *file)
{
    struct taken *t = context;

    add(t, name, strlen(name));
    add(t, "|", 1);
    add(t, file ? file : "-", file ? strlen(file) : 1);
    add(t, "|", 1);
    return !t->refuse;
}

static bool on_data(void *context, const char *bytes, size_t length)
{
    add(context, bytes, length);
    return true;
}

static bool on_end(void *context)
{
    add(context, ";", 1);
    return true;
}

static bool read_form(struct taken *t, const char *type, const char *body, size_t length, size_t piece,
                      struct err *err)
{
    const struct multipart_sink sink = {on_part, on_data, on_end, t};
    struct multipart *m = multipart_create(type, &sink, err);
    bool ok = m != NULL;

    t->length = 0;
    t->text[0] = '\0';
    for (size_t at = 0; ok && at < length; at += piece)
        ok = multipart_feed(m, body + at, piece < length - at ? piece : length - at, err);
    ok = ok && multipart_finish(m, err);
    multipart_free(m);
    return ok;
}

#define TYPE "multipart/form-data; boundary=XyZ"

static void a_form_gives_the_same_parts_in_pieces_of_every_size(void **state)
{
    static const char body[] =
        "preamble\r\n--XyZ\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n17\r\n"
        "--XyZ  \r\nContent-Type: application/octet-stream\r\n"
        "content-disposition: form-data; name=\"pcap\"; filename=\"a \\\"b\\\".pcap\"\r\n\r\n"
        "\r\n--Xy\r\r\n-almost\r\n--XyZ\r\n"
        "Content-Disposition: form-data; name=empty; filename=\"\"\r\n\r\n\r\n--XyZ--\r\nepilogue";
    struct taken t = {0};

    (void)state;
    for (size_t piece = 1; piece <= sizeof body; piece++) {
        assert_true(read_form(&t, TYPE, body, sizeof body - 1, piece, NULL));
        assert_string_equal(t.text, "job|-|17;pcap|a \"b\".pcap|\r\n--Xy\r\r\n-almost;empty||;");
    }
}

static void the_boundary_may_be_first_and_quoted(void **state)
{
    static const char body[] = "--a b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--a b--";
    struct taken t = {0};

    (void)state;
    assert_true(
        read_form(&t, "Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", body, sizeof body - 1, 5, NULL));
    assert_string_equal(t.text, "x|-|1;");
}

static void a_part_longer_than_the_buffer_passes_whole(void **state)
{
    const struct multipart_sink sink = {on_part, on_data, on_end, NULL};
    static const char head[] = "--XyZ\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";
    struct taken t = {0};
    struct multipart_sink own = sink;
    struct multipart *m;
    char *big = malloc(3000);

    (void)state;
    own.context = &t;
    m = multipart_create(TYPE, &own, NULL);
    memset(big, '\r', 3000);
    assert_true(multipart_feed(m, head, sizeof head - 1, NULL));
    assert_true(multipart_feed(m, big, 3000, NULL));
    assert_true(multipart_feed(m, "\r\n--XyZ--", 9, NULL));
    assert_true(multipart_finish(m, NULL));
    assert_int_equal(t.length, strlen("x|-|") + 3000 + 1);
    multipart_free(m);
    free(big);
}

static void wrong_types_and_boundaries_are_refused(void **state)
{
    static const char *const types[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain; boundary=a",
        "multipart/form-data; boundary=\"open",
        "",
        "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789"
        "012345678901234567890"};
    struct taken t = {0};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct err err = {0};

        assert_false(read_form(&t, types[i], "", 0, 1, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
    assert_null(multipart_create(NULL, &(struct multipart_sink){0}, NULL));
}

static void a_body_that_ends_early_is_cut_short(void **state)
{
    static const char body[] = "--XyZ\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nhalf\r\n--Xy";
    struct taken t = {0};
    struct err err = {0};

    (void)state;
    assert_false(read_form(&t, TYPE, body, sizeof body - 1, 7, &err));
    assert_int_equal(err.code, ERR_CUT_SHORT);
    assert_false(read_form(&t, TYPE, "", 0, 7, &err));
}

static void broken_parts_are_refused(void **state)
{
    static const char *const bodies[] = {
        "--XyZ\r\nContent-Type: a/b\r\n\r\n1\r\n--XyZ--", "--XyZjunk\r\n\r\n",
        "--XyZ\r\nContent-Disposition: form-data; filename=\"f\"\r\n\r\n1\r\n--XyZ--"};
    struct taken t = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct err err = {0};

        assert_false(read_form(&t, TYPE, bodies[i], strlen(bodies[i]), 3, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void headers_and_parts_have_a_ceiling(void **state)
{
    char *body = malloc(100000);
    struct taken t = {0};
    struct err err = {0};
    size_t n = 0;

    (void)state;
    n = (size_t)sprintf(body, "--XyZ\r\nX: ");
    memset(body + n, 'a', 20000);
    assert_false(read_form(&t, TYPE, body, n + 20000, 1000, &err));
    n = 0;
    for (int i = 0; i <= MULTIPART_PARTS; i++)
        n += (size_t)sprintf(body + n, "%s--XyZ\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n",
                             i ? "\r\n" : "");
    err = (struct err){0};
    assert_false(read_form(&t, TYPE, body, n, 1000, &err));
    assert_non_null(strstr(err.text, "parts"));
    free(body);
}

static void a_reader_may_end_it(void **state)
{
    static const char body[] = "--XyZ\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--XyZ--";
    struct taken t = {.refuse = true};
    struct err err = {0};

    (void)state;
    assert_false(read_form(&t, TYPE, body, sizeof body - 1, 100, &err));
    assert_int_equal(err.code, ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_gives_the_same_parts_in_pieces_of_every_size),
        cmocka_unit_test(the_boundary_may_be_first_and_quoted),
        cmocka_unit_test(a_part_longer_than_the_buffer_passes_whole),
        cmocka_unit_test(wrong_types_and_boundaries_are_refused),
        cmocka_unit_test(a_body_that_ends_early_is_cut_short),
        cmocka_unit_test(broken_parts_are_refused),
        cmocka_unit_test(headers_and_parts_have_a_ceiling),
        cmocka_unit_test(a_reader_may_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
