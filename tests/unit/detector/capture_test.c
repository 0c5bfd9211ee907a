/* capture_test.c: files of every kind, whole and cut. What the packets are made of stands in frames. */
#include "detector/capture.h"

#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { PACKETS = 3 };
static const char path[] = "build/capture_test.tmp";

struct bytes {
    uint8_t at[4096];
    size_t n;
    bool big;
};

static void put(struct bytes *b, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        b->at[b->n++] = (uint8_t)(value >> 8 * (b->big ? size - 1 - i : i));
}

/* Three packets of 60, 61 and 62 bytes a second apart, the last at .123456789. */
static struct bytes pcap(bool big, bool nano)
{
    struct bytes b = {.big = big};
    put(&b, nano ? 0xa1b23c4d : 0xa1b2c3d4, 4);
    put(&b, 2, 2);
    put(&b, 4, 2);
    put(&b, 0, 8);
    put(&b, 65535, 4);
    put(&b, 1, 4);
    for (int i = 0; i < PACKETS; i++) {
        put(&b, 1700000000u + (unsigned)i, 4);
        put(&b, nano ? 123456789 : 123456, 4);
        put(&b, 60 + (unsigned)i, 4);
        put(&b, 1000, 4);
        for (int k = 0; k < 60 + i; k++)
            put(&b, (unsigned)k, 1);
    }
    return b;
}

static struct bytes pcapng(void)
{
    struct bytes b = {.n = 0};
    put(&b, 0x0a0d0d0a, 4);
    put(&b, 28, 4);
    put(&b, 0x1a2b3c4d, 4);
    put(&b, 1, 4);
    put(&b, UINT64_MAX, 8);
    put(&b, 28, 4);
    for (int i = 0; i < 2; i++) { /* two interfaces: microseconds and nanoseconds */
        put(&b, 1, 4);
        put(&b, i == 0 ? 20 : 32, 4);
        put(&b, 1, 4);
        put(&b, 65535, 4);
        if (i == 1) {
            put(&b, 9, 2);
            put(&b, 1, 2);
            put(&b, 9, 4);
            put(&b, 0, 4);
        }
        put(&b, i == 0 ? 20 : 32, 4);
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t time = i == 0 ? 1700000000123456u : 1700000001123456789u;
        put(&b, 6, 4);
        put(&b, 32 + 60, 4);
        put(&b, i, 4);
        put(&b, time >> 32, 4);
        put(&b, time & UINT32_MAX, 4);
        put(&b, 60, 4);
        put(&b, 60, 4);
        for (int k = 0; k < 60; k++)
            put(&b, 0, 1);
        put(&b, 32 + 60, 4);
    }
    return b;
}

static void write_file(const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static struct bytes gzipped(const struct bytes *in)
{
    struct bytes out = {.n = 0};
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in->at;
    z.avail_in = (uInt)in->n;
    z.next_out = out.at;
    z.avail_out = sizeof out.at;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.n = z.total_out;
    deflateEnd(&z);
    return out;
}

static struct bytes zstd(const struct bytes *in)
{
    struct bytes out = {.n = 0};
    out.n = ZSTD_compress(out.at, sizeof out.at, in->at, in->n, 3);
    assert_false(ZSTD_isError(out.n));
    return out;
}

/* The next frame, by itself or as one of two that capture_more gives. */
static enum capture_news next_of(struct capture *capture, bool more, struct capture_frame *frame, struct err *err)
{
    static struct capture_frame two[2];
    static size_t left;

    if (!more)
        return capture_next(capture, 0, frame, err);
    if (left == 0)
        left = capture_more(capture, two, 2);
    if (left == 0)
        return capture_next(capture, 0, frame, err);
    *frame = two[0];
    two[0] = two[1];
    left--;
    return CAPTURE_FRAME;
}

/* Reads all, both ways; returns the frames, and how it ended. */
static int read_all(enum capture_news *news, struct capture_frame *last, struct err *err)
{
    struct capture_frame frame;
    uint64_t sum[2] = {0, 0};
    char text[2][sizeof err->text] = {"", ""};
    struct err own;
    int n[2] = {0, 0};

    for (int more = 0; more < 2; more++) {
        struct capture *capture = capture_open_file(path, NULL, &own);
        uint64_t received = 0, dropped = 0;

        assert_non_null(capture);
        while ((*news = next_of(capture, more == 1, &frame, &own)) == CAPTURE_FRAME) {
            sum[more] = sum[more] * 31 + (uint64_t)frame.time_ns + frame.wire + (uint64_t)frame.link;
            for (size_t i = 0; i < frame.captured; i++)
                sum[more] = sum[more] * 31 + frame.bytes[i];
            if (last != NULL)
                *last = frame;
            n[more]++;
        }
        if (*news == CAPTURE_SHORT)
            memcpy(text[more], own.text, sizeof text[more]);
        capture_counters(capture, &received, &dropped);
        assert_int_equal(received, n[more]);
        assert_int_equal(dropped, 0);
        capture_close(capture);
    }
    assert_int_equal(n[0], n[1]);
    assert_true(sum[0] == sum[1]);
    assert_string_equal(text[0], text[1]);
    if (err != NULL)
        *err = own;
    return n[0];
}

static void assert_whole(int64_t time)
{
    enum capture_news news;
    struct capture_frame last;
    struct err err;
    assert_int_equal(read_all(&news, &last, &err), PACKETS);
    assert_int_equal(news, CAPTURE_END);
    assert_int_equal(last.time_ns, time);
    assert_int_equal(last.captured, 62);
    assert_int_equal(last.wire, 1000);
    assert_int_equal(last.link, 1);
}

static void both_byte_orders_and_resolutions_are_read(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct bytes b = pcap(i & 1, i & 2);
        write_file(b.at, b.n);
        assert_whole(1700000002123456000 + (i & 2 ? 789 : 0));
    }
}

static void pcapng_with_two_interfaces_is_read(void **state)
{
    struct bytes b = pcapng();
    enum capture_news news;
    struct capture_frame last;
    (void)state;
    write_file(b.at, b.n);
    assert_int_equal(read_all(&news, &last, NULL), 2);
    assert_int_equal(news, CAPTURE_END);
    assert_int_equal(last.time_ns, 1700000001123456789);
}

static void pcapng_interfaces_may_differ_in_link_type_and_snap_length(void **state)
{
    struct bytes b = pcapng();
    const struct capture_settings settings = {.filter = "greater 60"};
    struct capture_frame frame;
    (void)state;
    b.at[28 + 20 + 8] = 101; /* the second interface: raw IP, 1,024 bytes */
    b.at[28 + 20 + 12] = 0;
    b.at[28 + 20 + 13] = 4;
    write_file(b.at, b.n);
    struct capture *capture = capture_open_file(path, &settings, NULL);
    assert_non_null(capture);
    assert_int_equal(capture_next(capture, 0, &frame, NULL), CAPTURE_FRAME);
    assert_int_equal(frame.link, 1);
    assert_int_equal(frame.time_ns, 1700000000123456000);
    assert_int_equal(capture_next(capture, 0, &frame, NULL), CAPTURE_FRAME);
    assert_int_equal(frame.link, 12); /* DLT_RAW */
    assert_int_equal(frame.captured, 60);
    assert_int_equal(capture_next(capture, 0, &frame, NULL), CAPTURE_END);
    capture_close(capture);
}

static void every_cut_of_a_pcapng_file_is_said_to_be_one(void **state)
{
    struct bytes b = pcapng();
    (void)state;
    for (size_t n = 4; n < b.n; n++) {
        struct err err = {ERR_NONE, ""};
        struct capture_frame frame;
        enum capture_news news = CAPTURE_FRAME;
        bool between = n == 28 || n == 48 || n == 80 || n == 80 + 92;
        write_file(b.at, n);
        struct capture *capture = capture_open_file(path, NULL, &err);
        while (capture != NULL && news == CAPTURE_FRAME)
            news = capture_next(capture, 0, &frame, &err);
        assert_true(capture == NULL || news == (between ? CAPTURE_END : CAPTURE_SHORT));
        assert_true(between || err.code == ERR_CUT_SHORT);
        capture_close(capture);
    }
}

static void damaged_pcapng_blocks_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {
        {4, 13},            /* a section header too short */
        {12, 9},            /* version 9 */
        {28 + 4, 11},       /* an interface block too short for itself */
        {28 + 7, 0x7f},     /* one of two gigabytes */
        {28 + 16, 21},      /* lengths that differ */
        {28 + 20 + 20, 99}, /* a resolution of 10^-99 */
        {80 + 8, 7},        /* a packet of interface 7 */
        {80 + 20, 200},     /* more bytes than the block holds */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = pcapng();
        struct err err = {ERR_NONE, ""};
        struct capture_frame frame;
        enum capture_news news = CAPTURE_FRAME;
        b.at[cases[i].at] = cases[i].value;
        write_file(b.at, b.n);
        struct capture *capture = capture_open_file(path, NULL, &err);
        while (capture != NULL && news == CAPTURE_FRAME)
            news = capture_next(capture, 0, &frame, &err);
        assert_true(capture == NULL || news == CAPTURE_SHORT);
        assert_int_equal(err.code, ERR_INVALID);
        capture_close(capture);
    }
}

static void gzip_and_zstd_are_told_by_their_content(void **state)
{
    struct bytes plain = pcap(false, true), packed[2] = {gzipped(&plain), zstd(&plain)};
    (void)state;
    for (int i = 0; i < 2; i++) {
        write_file(packed[i].at, packed[i].n);
        assert_whole(1700000002123456789);
    }
}

static void several_members_or_frames_follow_each_other(void **state)
{
    struct bytes plain = pcap(false, true), halves[2] = {{.n = 100}, {.n = plain.n - 100}};
    (void)state;
    memcpy(halves[0].at, plain.at, 100);
    memcpy(halves[1].at, plain.at + 100, plain.n - 100);
    for (int kind = 0; kind < 2; kind++) {
        struct bytes all = {.n = 0};
        for (int i = 0; i < 2; i++) {
            struct bytes part = kind == 0 ? gzipped(&halves[i]) : zstd(&halves[i]);
            memcpy(all.at + all.n, part.at, part.n);
            all.n += part.n;
        }
        write_file(all.at, all.n);
        assert_whole(1700000002123456789);
    }
}

static void a_file_that_ends_inside_a_packet_gives_what_it_held(void **state)
{
    struct bytes plain = pcap(false, false);
    (void)state;
    for (size_t cut = 1; cut <= 62 + 16; cut++) {
        enum capture_news news;
        struct err err;
        write_file(plain.at, plain.n - cut);
        assert_int_equal(read_all(&news, NULL, &err), PACKETS - 1);
        assert_int_equal(news, cut == 62 + 16 ? CAPTURE_END : CAPTURE_SHORT);
        if (news == CAPTURE_SHORT) {
            assert_int_equal(err.code, ERR_CUT_SHORT);
            assert_non_null(strstr(err.text, "after 2 packets"));
        }
    }
}

static void cut_compressed_files_are_short_and_damaged_ones_are_said_to_be(void **state)
{
    struct bytes plain = pcap(false, false), packed[2] = {gzipped(&plain), zstd(&plain)};
    enum capture_news news;
    struct err err;
    (void)state;
    for (int i = 0; i < 2; i++) {
        write_file(packed[i].at, packed[i].n - 5);
        struct capture *capture = capture_open_file(path, NULL, &err);
        if (capture == NULL) { /* nothing at all could be unpacked */
            assert_int_equal(err.code, ERR_CUT_SHORT);
        } else {
            struct capture_frame frame;
            while ((news = capture_next(capture, 0, &frame, &err)) == CAPTURE_FRAME)
                continue;
            assert_int_equal(news, CAPTURE_SHORT);
            assert_int_equal(err.code, ERR_CUT_SHORT);
            capture_close(capture);
        }
    }
    packed[0].at[12] = 0xff; /* no deflate block begins so */
    packed[0].at[10] = 0xff;
    write_file(packed[0].at, packed[0].n);
    assert_null(capture_open_file(path, NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "damaged"));
}

static void what_is_no_capture_is_refused_by_name(void **state)
{
    struct err err;
    (void)state;
    assert_null(capture_open_file("build/no such file", NULL, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no such file"));
    assert_null(capture_open_file("build", NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    write_file("", 0);
    assert_null(capture_open_file(path, NULL, &err));
    assert_int_equal(err.code, ERR_CUT_SHORT);
    write_file("this is a text and no capture", 29);
    assert_null(capture_open_file(path, NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void seconds_count_on_after_2038(void **state)
{
    struct bytes b = pcap(false, true);
    struct capture_frame last;
    enum capture_news news;
    (void)state;
    b.at[24 + 3] = 0xf0;                 /* the first packet's seconds: the highest byte */
    memset(&b.at[24 + 76 + 4], 0xff, 4); /* the second's fraction: more than a second */
    write_file(b.at, 24 + 76);
    assert_int_equal(read_all(&news, &last, NULL), 1);
    assert_int_equal(last.time_ns / 1000000000, (1700000000 & 0xffffff) | 0xf0000000);
    write_file(b.at, b.n);
    struct capture *capture = capture_open_file(path, NULL, NULL);
    assert_int_equal(capture_next(capture, 0, &last, NULL), CAPTURE_FRAME);
    assert_int_equal(capture_next(capture, 0, &last, NULL), CAPTURE_FRAME);
    assert_int_equal(last.time_ns / 1000000000, 1700000001);
    capture_close(capture);
}

static void a_filter_lets_through_what_it_names(void **state)
{
    struct bytes b = pcap(false, false);
    struct capture_settings none = {.filter = "tcp port 80"}, longer = {.filter = "greater 1"},
                            wrong = {.filter = "no sense"};
    struct capture_frame frame;
    struct err err;
    (void)state;
    write_file(b.at, b.n);
    struct capture *capture = capture_open_file(path, &none, &err);
    assert_non_null(capture);
    assert_int_equal(capture_next(capture, 0, &frame, &err), CAPTURE_END);
    capture_close(capture);
    capture = capture_open_file(path, &longer, &err);
    assert_non_null(capture);
    assert_int_equal(capture_next(capture, 0, &frame, &err), CAPTURE_FRAME);
    capture_close(capture);
    assert_null(capture_open_file(path, &wrong, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "no sense"));
}

static void progress_ends_at_the_size_of_the_file(void **state)
{
    struct bytes plain = pcap(false, false), packed = gzipped(&plain);
    struct capture_frame frame;
    int64_t done = 0, total = 0;
    (void)state;
    write_file(packed.at, packed.n);
    struct capture *capture = capture_open_file(path, NULL, NULL);
    assert_non_null(capture);
    while (capture_next(capture, 0, &frame, NULL) == CAPTURE_FRAME)
        continue;
    capture_progress(capture, &done, &total);
    assert_int_equal(done, packed.n);
    assert_int_equal(total, packed.n);
    capture_close(capture);
}

static void an_interface_that_is_not_there_is_named(void **state)
{
    struct err err;
    (void)state;
    assert_null(capture_open_live("nosuch0", NULL, &err));
    assert_true(err.code == ERR_NOT_FOUND || err.code == ERR_DENIED);
    assert_non_null(strstr(err.text, "nosuch0"));
}

static void the_interfaces_hold_the_loopback(void **state)
{
    struct capture_interface found[64];
    bool loopback = false;
    (void)state;
    size_t n = capture_interfaces(found, 64, NULL);
    for (size_t i = 0; i < n; i++)
        loopback = loopback || (found[i].loopback && strcmp(found[i].name, "lo") == 0);
    assert_true(n == 0 || loopback); /* a sandbox may show none */
    assert_int_equal(capture_interfaces(found, 0, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_byte_orders_and_resolutions_are_read),
        cmocka_unit_test(pcapng_with_two_interfaces_is_read),
        cmocka_unit_test(pcapng_interfaces_may_differ_in_link_type_and_snap_length),
        cmocka_unit_test(every_cut_of_a_pcapng_file_is_said_to_be_one),
        cmocka_unit_test(damaged_pcapng_blocks_are_refused),
        cmocka_unit_test(gzip_and_zstd_are_told_by_their_content),
        cmocka_unit_test(several_members_or_frames_follow_each_other),
        cmocka_unit_test(a_file_that_ends_inside_a_packet_gives_what_it_held),
        cmocka_unit_test(cut_compressed_files_are_short_and_damaged_ones_are_said_to_be),
        cmocka_unit_test(what_is_no_capture_is_refused_by_name),
        cmocka_unit_test(seconds_count_on_after_2038),
        cmocka_unit_test(a_filter_lets_through_what_it_names),
        cmocka_unit_test(progress_ends_at_the_size_of_the_file),
        cmocka_unit_test(an_interface_that_is_not_there_is_named),
        cmocka_unit_test(the_interfaces_hold_the_loopback),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    unlink(path);
    return failed;
}
