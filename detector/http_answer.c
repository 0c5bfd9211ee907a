/* http_answer.c: see http_answer.h. */
#include "detector/http_answer.h"

#include "detector/phrases.h"

#include <stdbool.h>
#include <string.h>

enum { HEAD_MAX = 1024 };

/* With which a body begins. */
static const struct phrase begins[] = {
    PHRASE("root:x:0:0:", HTTP_ANSWER_SPOILS),
    PHRASE("root:!:0:0:", HTTP_ANSWER_SPOILS),
    PHRASE("root:*:0:0:", HTTP_ANSWER_SPOILS),
    PHRASE("[boot loader]\r\n", HTTP_ANSWER_SPOILS),
    PHRASE("; for 16-bit app support", HTTP_ANSWER_SPOILS),
    PHRASE("uid=0(root) gid=", HTTP_ANSWER_SPOILS),
    PHRASE("uid=33(www-data) gid=", HTTP_ANSWER_SPOILS),
    PHRASE("->|", HTTP_ANSWER_SPOILS),
    PHRASE("powershell -nop", HTTP_ANSWER_DISGUISE),
    PHRASE("powershell -w hidden", HTTP_ANSWER_DISGUISE),
    PHRASE("powershell.exe -nop", HTTP_ANSWER_DISGUISE),
    PHRASE("%comspec% /b /c start /b /min powershell", HTTP_ANSWER_DISGUISE),
    PHRASE("iex (new-object net.webclient)", HTTP_ANSWER_DISGUISE),
    PHRASE("iex(new-object net.webclient)", HTTP_ANSWER_DISGUISE),
    PHRASE("$s=new-object io.memorystream(,[convert]", HTTP_ANSWER_DISGUISE),
    PHRASE("set-strictmode -version 2\n\n$doit = @'", HTTP_ANSWER_DISGUISE),
    PHRASE("$client = new-object system.net.sockets.tcpclient(", HTTP_ANSWER_DISGUISE),
    PHRASE("<script>new activexobject(\"wscript.shell\").run(", HTTP_ANSWER_DISGUISE),
    PHRASE("#!/bin/bash\ncd /tmp || cd /var/run ||", HTTP_ANSWER_DISGUISE),
    PHRASE("#!/bin/sh\ncd /tmp || cd /var/run ||", HTTP_ANSWER_DISGUISE),
};

/* What a program is not. */
static const struct phrase types[] = {
    PHRASE("\ncontent-type: image/", 1),          PHRASE("\ncontent-type: audio/", 1),
    PHRASE("\ncontent-type: video/", 1),          PHRASE("\ncontent-type: text/html", 1),
    PHRASE("\ncontent-type: text/css", 1),        PHRASE("\ncontent-type: text/javascript", 1),
    PHRASE("\ncontent-type: application/pdf", 1), PHRASE("\ncontent-type: application/javascript", 1),
    PHRASE("\ncontent-type: font/", 1),
};

static const struct phrase attached[] = {PHRASE("\ncontent-disposition: attachment", 1)};

static struct phrases begin_set, type_set, attached_set;

__attribute__((constructor)) static void order(void)
{
    PHRASES_ORDER(&begin_set, begins);
    PHRASES_ORDER(&type_set, types);
    PHRASES_ORDER(&attached_set, attached);
}

/* DOS's and Windows', or ELF's; text that begins alike has no zero so soon. */
static bool is_program(const uint8_t *body, size_t length)
{
    return length >= 16 && (memcmp(body, "MZ", 2) == 0 || memcmp(body, "\177ELF", 4) == 0) &&
           memchr(body, 0, 16) != NULL;
}

/* A script that hands out a file may forget its type (PHP's is text/html), but tells that it is one. */
static bool is_attached(const uint8_t *head, size_t length)
{
    return phrases_find(&attached_set, head, length) != 0;
}

enum http_answer http_answer_of(const uint8_t *bytes, size_t length)
{
    const uint8_t *body;
    size_t head, left;

    if (length < 32 || bytes[0] != 'H' || memcmp(bytes, "HTTP/1.", 7) != 0)
        return HTTP_ANSWER_PLAIN;
    body = memmem(bytes, length < HEAD_MAX ? length : HEAD_MAX, "\r\n\r\n", 4);
    if (body == NULL)
        return HTTP_ANSWER_PLAIN;
    body += 4;
    head = (size_t)(body - bytes);
    left = length - head;
    if (is_program(body, left))
        return phrases_find(&type_set, bytes, head) != 0 && !is_attached(bytes, head) ? HTTP_ANSWER_DISGUISE
                                                                                      : HTTP_ANSWER_PLAIN;
    return (enum http_answer)phrases_at(&begin_set, body, left);
}
