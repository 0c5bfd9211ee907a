#include "common/json.h"
#include "common/log.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Stderr goes into a pipe for the length of one call. */
static int pipe_fds[2], real_stderr;
static char got[16384];

static void catch_begin(void)
{
    assert_int_equal(pipe(pipe_fds), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
}

/* What was logged, without "ts=..." and the newline. */
static const char *catch_end(void)
{
    ssize_t n;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], got, sizeof got - 1);
    close(pipe_fds[0]);
    assert_true(n >= 0);
    got[n] = '\0';
    if (n == 0)
        return got;
    assert_int_equal(got[n - 1], '\n');
    got[n - 1] = '\0';
    assert_null(strchr(got, '\n'));
    return got[0] == '{' ? got : strchr(got, ' ') + 1;
}

static int plain(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    return 0;
}

static void a_line_names_level_event_and_pairs(void **state)
{
    (void)state;
    catch_begin();
    log_info("sender.delivered", "threat=%s tries=%d ms=%.1f", "threat_1", 2, 1.5);
    assert_string_equal(catch_end(), "level=info event=sender.delivered threat=threat_1 tries=2 ms=1.5");
    assert_memory_equal(got, "ts=2", 4);
    catch_begin();
    log_error("stop", " ");
    assert_non_null(strstr(catch_end(), "level=error event=stop"));
    catch_begin();
    log_warn("quiet", "%s", "");
    assert_string_equal(catch_end(), "level=warn event=quiet message=\"\"");
}

static void a_value_cannot_pretend_to_be_another_pair(void **state)
{
    (void)state;
    catch_begin();
    log_info("login", "user=%s ok=%d", "x level=error event=\"faked\"", 0);
    assert_string_equal(catch_end(), "level=info event=login user=\"x level=error event=\\\"faked\\\"\" ok=0");
    catch_begin();
    log_info("login", "user=\"%s\" ok=%d", "a b", 1);
    assert_string_equal(catch_end(), "level=info event=login user=\"a b\" ok=1");
    catch_begin();
    log_info("login", "user=%s ok=%d",
             "a\x1e"
             "b",
             1);
    assert_string_equal(catch_end(), "level=info event=login message=\"user=a\\x1eb ok=1\"");
}

static void control_bytes_and_broken_text_are_escaped(void **state)
{
    (void)state;
    catch_begin();
    log_info("e", "v=%s",
             "a\nb\x1b[31m\x7f\xff\xc2\x9b"
             "c");
    assert_string_equal(catch_end(), "level=info event=e v=\"a\\nb\\x1b[31m\\x7f\\xff\\x9bc\"");
    catch_begin();
    log_info("e", "v=%s", "\xc3\xa9");
    assert_string_equal(catch_end(), "level=info event=e v=\"\xc3\xa9\"");
}

static void json_lines_are_json(void **state)
{
    cJSON *json;

    (void)state;
    log_setup(LOG_INFO, true);
    catch_begin();
    log_info("e", "v=%s n=%d id=%s f=%.2f inf=%f", "a \"b\"\n\x01\xff", -3, "12", 0.25, 1.0 / 0.0);
    catch_end();
    json = json_parse(got, strlen(got), NULL);
    log_setup(LOG_INFO, false);
    assert_non_null(json);
    assert_string_equal(cJSON_GetObjectItem(json, "level")->valuestring, "info");
    assert_string_equal(cJSON_GetObjectItem(json, "v")->valuestring, "a \"b\"\n\x01\xc3\xbf");
    assert_true(cJSON_GetObjectItem(json, "n")->valuedouble == -3);
    assert_string_equal(cJSON_GetObjectItem(json, "id")->valuestring, "12");
    assert_true(cJSON_GetObjectItem(json, "f")->valuedouble == 0.25);
    assert_string_equal(cJSON_GetObjectItem(json, "inf")->valuestring, "inf");
    cJSON_Delete(json);
}

static void a_long_line_is_cut_and_stays_one_line(void **state)
{
    char *long_text = malloc(20001);

    (void)state;
    memset(long_text, '\x01', 20000);
    long_text[20000] = '\0';
    for (int as_json = 0; as_json < 2; as_json++) {
        log_setup(LOG_INFO, as_json);
        catch_begin();
        log_info("e", "v=%s", long_text);
        catch_end();
        assert_in_range(strlen(got), 3000, 6144);
        if (as_json) {
            cJSON *json = json_parse(got, strlen(got), NULL);
            assert_non_null(json);
            cJSON_Delete(json);
        }
    }
    log_setup(LOG_INFO, false);
    free(long_text);
}

static void what_is_below_the_level_is_not_written(void **state)
{
    enum log_level level = LOG_INFO;

    (void)state;
    catch_begin();
    log_debug("e", "v=%d", 1);
    assert_string_equal(catch_end(), "");
    assert_true(log_level_from_text("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_from_text("loud", &level));
    log_setup(level, false);
    catch_begin();
    log_debug("e", "v=%d", 1);
    assert_string_equal(catch_end(), "level=debug event=e v=1");
}

static void errno_stays_as_it_was(void **state)
{
    (void)state;
    catch_begin();
    errno = ENOSPC;
    log_info("e", "v=%d", 1);
    assert_int_equal(errno, ENOSPC);
    catch_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_names_level_event_and_pairs, plain),
        cmocka_unit_test_setup(a_value_cannot_pretend_to_be_another_pair, plain),
        cmocka_unit_test_setup(control_bytes_and_broken_text_are_escaped, plain),
        cmocka_unit_test_setup(json_lines_are_json, plain),
        cmocka_unit_test_setup(a_long_line_is_cut_and_stays_one_line, plain),
        cmocka_unit_test_setup(what_is_below_the_level_is_not_written, plain),
        cmocka_unit_test_setup(errno_stays_as_it_was, plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
