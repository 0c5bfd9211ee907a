#include "common/config.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    const char *name;
    long port;
    double share;
    bool loud;
    struct config_list peers;
};

static const struct option_row rows[] = {
    {"name", "TEST_NAME", OPT_TEXT, offsetof(struct settings, name), 1, 8, "anna", "who it is"},
    {"port", "TEST_PORT", OPT_NUMBER, offsetof(struct settings, port), 1, 65535, "8000", "port of the control API"},
    {"share", "TEST_SHARE", OPT_REAL, offsetof(struct settings, share), 0, 1, "0.5",
     "a share with a long explanation that has to be broken over more than one line of the help text, since it is "
     "long"},
    {"loud", "TEST_LOUD", OPT_FLAG, offsetof(struct settings, loud), 0, 0, NULL, "say more"},
    {"peer", "TEST_PEERS", OPT_LIST, offsetof(struct settings, peers), 0, 0, "a, b", "others"},
};

static const struct config_program program = {
    "test-program", "1.2.3", "[settings] [FILE...]", "What it does.", rows, sizeof rows / sizeof *rows, true};
static struct settings settings;
static struct config_list files;

static enum config_result read_arguments(struct err *err, const char *a, const char *b, const char *c)
{
    static char copies[3][200];
    char *argv[5] = {copies[0], NULL};
    const char *given[] = {a, b, c};
    int argc = 1;
    static char self[] = "test-program";

    argv[0] = self;
    for (int i = 0; i < 3 && given[i] != NULL; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", given[i]);
        argv[argc++] = copies[i];
    }
    return config_read(&program, argc, argv, &settings, &files, err);
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        unsetenv(rows[i].env);
    memset(&settings, 0xff, sizeof settings.name + sizeof settings.port);
    return 0;
}

static void defaults_stand_when_nothing_is_said(void **state)
{
    (void)state;
    assert_int_equal(read_arguments(NULL, NULL, NULL, NULL), CONFIG_RUN);
    assert_string_equal(settings.name, "anna");
    assert_int_equal(settings.port, 8000);
    assert_true(settings.share == 0.5);
    assert_false(settings.loud);
    assert_int_equal(settings.peers.count, 2);
    assert_string_equal(settings.peers.items[1], "b");
    assert_int_equal(files.count, 0);
}

static void the_environment_goes_before_defaults_and_a_flag_before_both(void **state)
{
    (void)state;
    setenv("TEST_PORT", "1", 1);
    setenv("TEST_NAME", "", 1);
    setenv("TEST_PEERS", "c", 1);
    setenv("TEST_LOUD", "yes", 1);
    assert_int_equal(read_arguments(NULL, NULL, NULL, NULL), CONFIG_RUN);
    assert_int_equal(settings.port, 1);
    assert_string_equal(settings.name, "anna");
    assert_int_equal(settings.peers.count, 1);
    assert_string_equal(settings.peers.items[0], "c");
    assert_true(settings.loud);
    assert_int_equal(read_arguments(NULL, "--port=2", "--loud=false", "--peer=d,e"), CONFIG_RUN);
    assert_int_equal(settings.port, 2);
    assert_false(settings.loud);
    assert_int_equal(settings.peers.count, 2);
    assert_string_equal(settings.peers.items[0], "d");
}

static void a_value_stands_behind_a_blank_or_an_equals_sign(void **state)
{
    (void)state;
    assert_int_equal(read_arguments(NULL, "--port", "7", "--loud"), CONFIG_RUN);
    assert_int_equal(settings.port, 7);
    assert_true(settings.loud);
    assert_int_equal(read_arguments(NULL, "--peer=x", "--peer", "y"), CONFIG_RUN);
    assert_int_equal(settings.peers.count, 2);
    assert_string_equal(settings.peers.items[0], "x");
    assert_string_equal(settings.peers.items[1], "y");
}

static void check_wrong(const char *a, const char *said)
{
    struct err err = {0};

    assert_int_equal(read_arguments(&err, a, NULL, NULL), CONFIG_WRONG);
    assert_string_equal(err.text, said);
}

static void a_wrong_setting_is_named_with_its_bounds(void **state)
{
    (void)state;
    check_wrong("--port=0", "--port: expected a whole number from 1 to 65535, got \"0\"");
    check_wrong("--port=70000", "--port: expected a whole number from 1 to 65535, got \"70000\"");
    check_wrong("--port=8x", "--port: expected a whole number from 1 to 65535, got \"8x\"");
    check_wrong("--port= 8", "--port: expected a whole number from 1 to 65535, got \" 8\"");
    check_wrong("--port=", "--port: expected a whole number from 1 to 65535, got \"\"");
    check_wrong("--port=99999999999999999999",
                "--port: expected a whole number from 1 to 65535, got \"99999999999999999999\"");
    check_wrong("--share=nan", "--share: expected a number from 0 to 1, got \"nan\"");
    check_wrong("--share=1.01", "--share: expected a number from 0 to 1, got \"1.01\"");
    check_wrong("--loud=maybe", "--loud: expected true or false, got \"maybe\"");
    check_wrong("--name=", "--name: expected 1 to 8 bytes, got \"\"");
    check_wrong("--name=123456789", "--name: expected 1 to 8 bytes, got \"123456789\"");
    check_wrong("--colour=red", "unknown setting --colour=red");
    check_wrong("-x", "unknown setting -x");
    check_wrong("--port", "--port: expected a whole number behind it");
    setenv("TEST_PORT", "x", 1);
    check_wrong(NULL, "TEST_PORT: expected a whole number from 1 to 65535, got \"x\"");
}

static void plain_arguments_are_files(void **state)
{
    (void)state;
    assert_int_equal(read_arguments(NULL, "a.pcap", "-", "--check"), CONFIG_CHECK);
    assert_int_equal(files.count, 2);
    assert_string_equal(files.items[1], "-");
    assert_int_equal(read_arguments(NULL, "--", "--port", "--help"), CONFIG_RUN);
    assert_int_equal(files.count, 2);
    assert_string_equal(files.items[0], "--port");
}

static void a_list_has_its_limits(void **state)
{
    char text[200] = "";

    (void)state;
    for (int i = 0; i < 65; i++)
        strcat(text, "a,");
    setenv("TEST_PEERS", text, 1);
    check_wrong(NULL, "TEST_PEERS: expected at most 64 items and 4096 bytes");
    text[128] = '\0';
    setenv("TEST_PEERS", text, 1);
    assert_int_equal(read_arguments(NULL, NULL, NULL, NULL), CONFIG_RUN);
    assert_int_equal(settings.peers.count, 64);
}

static void help_is_a_table_within_100_columns(void **state)
{
    int pipe_fds[2], real;
    char out[8192];
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(stdout);
    real = dup(STDOUT_FILENO);
    dup2(pipe_fds[1], STDOUT_FILENO);
    assert_int_equal(read_arguments(NULL, "--port=x", "--help", NULL), CONFIG_DONE);
    assert_int_equal(read_arguments(NULL, "--version", NULL, NULL), CONFIG_DONE);
    fflush(stdout);
    dup2(real, STDOUT_FILENO);
    close(real);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], out, sizeof out - 1);
    close(pipe_fds[0]);
    assert_true(n > 0);
    out[n] = '\0';
    assert_non_null(strstr(out, "usage: test-program [settings] [FILE...]\n"));
    assert_non_null(strstr(
        out, "  --port N                      port of the control API (1 to 65535; default 8000; TEST_PORT)\n"));
    assert_non_null(strstr(out, "  --check   "));
    assert_non_null(strstr(out, "\ntest-program 1.2.3\n"));
    for (const char *line = out; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
}

static bool read_secret(const char *bytes, size_t length, char *out, size_t max, struct err *err)
{
    char path[] = "/tmp/config_test_XXXXXX";
    int fd = mkstemp(path);
    bool ok;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
    ok = config_read_secret(path, out, max, err);
    unlink(path);
    return ok;
}

static void a_secret_is_read_without_its_newline(void **state)
{
    struct err err = {0};
    char out[8];

    (void)state;
    assert_true(read_secret("abc\n", 4, out, sizeof out, &err));
    assert_string_equal(out, "abc");
    assert_true(read_secret("abc\r\n", 5, out, sizeof out, &err));
    assert_string_equal(out, "abc");
    assert_true(read_secret("1234567", 7, out, sizeof out, &err));
    assert_string_equal(out, "1234567");
    assert_false(read_secret("12345678", 8, out, sizeof out, &err));
    assert_non_null(strstr(err.text, "at most 7 bytes"));
    assert_false(read_secret("\n", 1, out, sizeof out, &err));
    assert_false(read_secret("", 0, out, sizeof out, &err));
    assert_non_null(strstr(err.text, "is empty"));
    assert_false(read_secret("a\0b", 3, out, sizeof out, &err));
    assert_false(config_read_secret("/nowhere", out, sizeof out, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(config_read_secret("/tmp", out, sizeof out, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_stand_when_nothing_is_said, setup),
        cmocka_unit_test_setup(the_environment_goes_before_defaults_and_a_flag_before_both, setup),
        cmocka_unit_test_setup(a_value_stands_behind_a_blank_or_an_equals_sign, setup),
        cmocka_unit_test_setup(a_wrong_setting_is_named_with_its_bounds, setup),
        cmocka_unit_test_setup(plain_arguments_are_files, setup),
        cmocka_unit_test_setup(a_list_has_its_limits, setup),
        cmocka_unit_test_setup(help_is_a_table_within_100_columns, setup),
        cmocka_unit_test_setup(a_secret_is_read_without_its_newline, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
