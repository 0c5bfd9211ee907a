/* http.c: see http.h. */
#include "detector/http.h"

#include <pthread.h>
#include <string.h>

enum { LINE_MAX_BYTES = 2048 };

/* Lower case, as decode leaves it: '+', tabs and SQL's empty comments have become a single blank. What advertisements
 * and trackers put into their addresses ("javascript:", "<iframe", pieces of JSON) is left out on purpose. */
static const struct {
    const char *text, *name;
} patterns[] = {
    {"union select", "sql"},
    {"union all select", "sql"},
    {"information_schema", "sql"},
    {"' or '1'='1", "sql"},
    {"' or 1=1", "sql"},
    {" or 1=1--", "sql"},
    {"' and '1'='1", "sql"},
    {"' and 1=1", "sql"},
    {" and 1=1--", "sql"},
    {"sleep(", "sql"},
    {"benchmark(", "sql"},
    {"waitfor delay", "sql"},
    {"xp_cmdshell", "sql"},
    {"order by 1--", "sql"},
    {"select concat(", "sql"},
    {"group_concat(", "sql"},
    {"extractvalue(", "sql"},
    {"' --", "sql"},
    {"';--", "sql"},
    {",0x3a,", "sql"},
    {"' union ", "sql"},
    {"<script", "script"},
    {"onerror=", "script"},
    {"onload=", "script"},
    {"document.cookie", "script"},
    {"alert(", "script"},
    {"<svg/on", "script"},
    {"../../", "traversal"},
    {"..\\..\\", "traversal"},
    {"/etc/passwd", "traversal"},
    {"/etc/shadow", "traversal"},
    {"boot.ini", "traversal"},
    {"win.ini", "traversal"},
    {"/proc/self/", "traversal"},
    {"php://input", "traversal"},
    {"php://filter", "traversal"},
    {"/.env", "probe"},
    {"/.git/", "probe"},
    {"/.aws/", "probe"},
    {"/.ssh/", "probe"},
    {"wp-config.php", "probe"},
    {"phpunit/src/util", "probe"},
    {"cmd.exe", "command"},
    {"/bin/sh", "command"},
    {"/bin/bash", "command"},
    {";wget ", "command"},
    {";curl ", "command"},
    {"${jndi:", "command"},
    {"() { :", "command"},
    {"invokefunction", "command"},
    {"/shell?cd", "command"},
    {"allow_url_include", "command"},
    {"select * from", "sql"},
    {"and ascii(", "sql"},
    {"concat(0x", "sql"},
    {"convert(int,", "sql"},
    {" having 1=1", "sql"},
    {"load_file(", "sql"},
    {"into outfile", "sql"},
    {"java.lang.runtime", "command"},
    {"class.module.classloader", "command"},
    {"%{(#", "command"},
    {"${(#", "command"},
    {"wget http", "command"},
    {"curl http", "command"},
    {"chmod 777", "command"},
    {"/hnap1", "probe"},
    {"/boaform/", "probe"},
    {"/gponform/", "probe"},
    {"autodiscover.json?@", "probe"},
    /* Panels, orders and modules of bots and stealers, by the names that their kits give them. */
    {"/gate.php", "bot"},
    {"/fre.php", "bot"},
    {"/cfg.bin", "bot"},
    {"/config.bin", "bot"},
    {"/getcfg.php", "bot"},
    {"/bot.php", "bot"},
    {"/fakeurl.htm", "bot"},
    {"/is-ready http", "bot"},
    {"/submit.php?id=", "bot"},
    {"/nss3.dll", "bot"},
    {"/mozglue.dll", "bot"},
    {"/softokn3.dll", "bot"},
    {"/freebl3.dll", "bot"},
    {"/cred64.dll", "bot"},
    {"/clip64.dll", "bot"},
    {"/mozi.m", "bot"},
    {"/mozi.a", "bot"},
    {"/bins.sh", "bot"},
    {".mpsl http", "bot"},
    {".m68k http", "bot"},
    {".arm7 http", "bot"},
    {"action=bot&", "bot"},
    {"cmd=getload", "bot"},
    {"botid=", "bot"},
    {"bot_id=", "bot"},
    {"botnet=", "bot"},
    {"?getexe=", "bot"},
    {"&getexe=", "bot"},
    {"&smtp=ok", "bot"},
    {"&stat=online", "bot"},
    {"_w617601.", "bot"},
};

/* Whom tools that try doors call themselves, unless told otherwise: behind "User-Agent: ". */
static const char *const tools[] = {"sqlmap/",
                                    "Nikto",
                                    "Mozilla/5.00 (Nikto",
                                    "DirBuster",
                                    "gobuster/",
                                    "feroxbuster",
                                    "Fuzz Faster",
                                    "Wfuzz/",
                                    "WPScan",
                                    "w3af",
                                    "Arachni",
                                    "ZmEu",
                                    "Mozilla/4.0 (Hydra)",
                                    "masscan/",
                                    "WhatWeb/",
                                    "Mozilla/5.0 (compatible; Nmap Scripting Engine",
                                    "nuclei"};

static const char *const methods[] = {"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "DELETE ", "PATCH ", "TRACE "};

static bool has_status(const uint8_t *bytes, size_t length, const char *status)
{
    enum { STATUS = 9 }; /* behind "HTTP/1.1 " */

    return length >= STATUS + 3 && bytes[0] == 'H' && memcmp(bytes, "HTTP/1.", 7) == 0 && bytes[STATUS - 1] == ' ' &&
           memcmp(bytes + STATUS, status, 3) == 0;
}

bool http_is_missing(const uint8_t *bytes, size_t length)
{
    return has_status(bytes, length, "404") || has_status(bytes, length, "403") || has_status(bytes, length, "400");
}

bool http_is_denied(const uint8_t *bytes, size_t length)
{
    return has_status(bytes, length, "401");
}

size_t http_password(const uint8_t *bytes, size_t length, const char **at)
{
    static const char field[] = "\nAuthorization: Basic ";
    const uint8_t *found = memmem(bytes, length < LINE_MAX_BYTES ? length : LINE_MAX_BYTES, field, sizeof field - 1);
    const uint8_t *end;

    if (found == NULL)
        return 0;
    found += sizeof field - 1;
    end = memchr(found, '\r', (size_t)(bytes + length - found));
    if (end == NULL)
        return 0;
    *at = (const char *)found;
    return (size_t)(end - found);
}

bool http_is_request(const uint8_t *bytes, size_t length)
{
    if (length < 5 || bytes[0] < 'D' || bytes[0] > 'T')
        return false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        size_t n = strlen(methods[i]);

        if (bytes[0] == (uint8_t)methods[i][0] && length > n && memcmp(bytes, methods[i], n) == 0)
            return true;
    }
    return false;
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One round of %-decoding into out, lower case, runs of blanks as one; returns the new length (never more). */
static size_t decode(const char *in, size_t length, char *out)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t)in[i];

        if (c == '%' && i + 2 < length && hex((uint8_t)in[i + 1]) >= 0 && hex((uint8_t)in[i + 2]) >= 0) {
            c = (uint8_t)(hex((uint8_t)in[i + 1]) << 4 | hex((uint8_t)in[i + 2]));
            i += 2;
        } else if (c == '/' && i + 3 < length && memcmp(in + i, "/**/", 4) == 0) {
            c = ' ';
            i += 3;
        }
        if (c == '+' || c == '\t' || c == '\0')
            c = ' ';
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (c != ' ' || used == 0 || out[used - 1] != ' ')
            out[used++] = (char)c;
    }
    return used;
}

enum { PAIRS = 1024, PATTERNS = sizeof patterns / sizeof patterns[0] };
_Static_assert(PATTERNS < UINT8_MAX, "a place in the list, from 1, is a byte");

/* By how they begin: the first pattern for two bytes, and behind each the next of them; 0: none. */
static uint8_t first_with[PAIRS], next_with[PATTERNS + 1], length_of[PATTERNS + 1];

static unsigned pair_of(const char *at)
{
    return ((unsigned)(uint8_t)at[0] * 37 ^ (uint8_t)at[1]) % PAIRS;
}

static void order_patterns(void)
{
    for (size_t i = PATTERNS; i > 0; i--) {
        uint8_t *first = &first_with[pair_of(patterns[i - 1].text)];

        length_of[i] = (uint8_t)strlen(patterns[i - 1].text);
        next_with[i] = *first;
        *first = (uint8_t)i;
    }
}

/* The name of the first pattern of the list that is in the text: one pass, that stops where two bytes begin one. */
static const char *find(const char *text, size_t length)
{
    static pthread_once_t ordered = PTHREAD_ONCE_INIT;
    size_t best = PATTERNS + 1;

    pthread_once(&ordered, order_patterns);
    for (size_t at = 0; at + 1 < length; at++)
        for (size_t i = first_with[pair_of(text + at)]; i != 0 && i < best; i = next_with[i])
            if (length_of[i] <= length - at && memcmp(text + at, patterns[i - 1].text, length_of[i]) == 0)
                best = i;
    return best <= PATTERNS ? patterns[best - 1].name : NULL;
}

/* Headers: orders to a logger or a shell, and a tool's own name. */
static const char *find_in_head(const char *head, size_t length)
{
    static const char agent[] = "User-Agent: ";
    const char *at = memmem(head, length, agent, sizeof agent - 1);

    if (memmem(head, length, "jndi:", 5) != NULL || memmem(head, length, "() { :", 6) != NULL)
        return "command";
    if (at == NULL)
        return NULL;
    at += sizeof agent - 1;
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        size_t n = strlen(tools[i]);

        if (n <= (size_t)(head + length - at) && memcmp(at, tools[i], n) == 0)
            return "tool";
    }
    return NULL;
}

const char *http_pattern(const uint8_t *bytes, size_t length)
{
    char once[LINE_MAX_BYTES], twice[LINE_MAX_BYTES];
    const uint8_t *end;
    const char *found;
    size_t used, again;

    if (!http_is_request(bytes, length))
        return NULL;
    if (length > LINE_MAX_BYTES)
        length = LINE_MAX_BYTES;
    end = memchr(bytes, '\n', length);
    used = decode((const char *)bytes, end == NULL ? length : (size_t)(end - bytes), once);
    found = find(once, used);
    if (found == NULL) {
        again = decode(once, used, twice);
        found = again == used && memcmp(once, twice, used) == 0 ? NULL : find(twice, again);
    }
    return found != NULL || end == NULL ? found : find_in_head((const char *)end, length - (size_t)(end - bytes));
}
