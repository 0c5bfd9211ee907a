/* Paths, queries, cookies and header words of any bytes: what is decoded is within its limits and safe to use. */
#include "common/http_text.h"
#include "common/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *text)
{
    char out[64];
    struct http_match match;

    if (!http_text_path(text, out, sizeof out)) {
        if (out[0] != '\0')
            abort();
        return;
    }
    if (out[0] != '/' || strlen(out) >= sizeof out || !utf8_valid(out, strlen(out)) || strstr(out, "/../") != NULL)
        abort();
    if (http_text_match("/{a}/b/{c*}", out, &match))
        for (size_t i = 0; i < match.count; i++)
            if (match.captures[i].length == 0 || match.captures[i].value < out ||
                match.captures[i].value + match.captures[i].length > out + strlen(out))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), out[16], key[16] = "q";
    struct http_match match;

    memcpy(text, data, size);
    text[size] = '\0';
    check_path(text);
    http_text_match(text, "/a/b/c", &match);
    if (http_text_query(text, key, out, sizeof out) && !utf8_valid(out, strlen(out)))
        abort();
    http_text_cookie(text, "s", out, sizeof out);
    http_text_has_word(text, "gzip");
    http_text_is_token(text);
    http_text_is_value(text);
    http_text_is_request_id(text);
    free(text);
    return 0;
}
