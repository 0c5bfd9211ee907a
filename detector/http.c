/* http.c: see http.h. */
#include "detector/http.h"

#include "detector/http_head.h"
#include "detector/http_words.h"
#include "detector/payload.h"

#include <string.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const methods[] = {"GET ",    "POST ",  "HEAD ",  "PUT ",      "OPTIONS ",
                                      "DELETE ", "PATCH ", "TRACE ", "PROPFIND ", "SEARCH "};

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

/* "1 = 1" and its like behind an AND or OR: what stands on both sides is the same, with or without quotes. */
static bool is_always_true(const char *at, const char *end)
{
    const char *left, *right;
    size_t length = 0;

    while (at < end && (*at == ' ' || *at == '(' || *at == '\'' || *at == '"'))
        at++;
    left = at;
    while (at < end && length < 16 && ((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z'))) {
        at++;
        length++;
    }
    while (at < end && (*at == ' ' || *at == '\'' || *at == '"' || *at == ')'))
        at++;
    if (length == 0 || at == end || *at != '=')
        return false;
    for (at++; at < end && (*at == ' ' || *at == '(' || *at == '\'' || *at == '"');)
        at++;
    right = at;
    return (size_t)(end - right) > length && memcmp(left, right, length) == 0 &&
           !((right[length] >= '0' && right[length] <= '9') || (right[length] >= 'a' && right[length] <= 'z'));
}

/* A page from elsewhere as the value of a parameter, with a '?' at its end that swallows what the server would add;
 * its name is that of no page, or two of them stand there: links that are handed on may end in one, too. */
static bool is_page_from_elsewhere(const char *query, const char *end)
{
    static const char *const kinds[] = {".txt", ".gif", ".jpg", ".png", ".dat", ".inc", ".log"};
    const char *last = memmem(query, (size_t)(end - query), " http/1", 7);
    bool inert = false;

    if (last == NULL || last[-1] != '?' || last - query < 10)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        inert = inert || memcmp(last - 5, kinds[i], 4) == 0;
    if (!inert && last[-2] != '?')
        return false;
    return memmem(query, (size_t)(last - query), "=http://", 8) != NULL ||
           memmem(query, (size_t)(last - query), "=ftp://", 7) != NULL;
}

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

/* An order to a shell behind a sign that ends the one before. */
static bool is_order(const char *at, const char *end)
{
    const char *order;

    if (*at != ';' && *at != '|' && *at != '`' && *at != '\n' && !(*at == '&' && at[1] == '&') &&
        !(*at == '$' && at[1] == '('))
        return false;
    order = at + 1 + (*at == '&' || *at == '$');
    order += order < end && *order == ' ';
    if (is_letter((uint8_t)at[-1]) && end - order > 2 && memcmp(order, "id", 2) == 0) /* "name;id;price" */
        return false;
    return phrases_at(&http_words.commands, order, (size_t)(end - order)) != 0;
}

/* A field that takes an address and hands it to a program, and an order behind the address. */
static bool is_order_for_an_address(const char *text, size_t length)
{
    static const char *const names[] = {
        "ip=", "host=", "target=", "addr=", "address=", "domain=", "ping=", "ipaddr=", "ping_addr=", "target_host="};
    const char *end = text + length;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);

        if (length <= n + 4 || memcmp(text, names[i], n) != 0)
            continue;
        for (const char *at = text + n; at + 4 < end; at++) {
            if (is_order(at, end))
                return true;
        }
    }
    return false;
}

/* A condition that is always so, an order to a shell behind a sign that ends the one before, or a page to be run. */
static enum http_kind find_built(const char *text, size_t length)
{
    const char *end = text + length, *query = memchr(text, '?', length);

    for (const char *at = query != NULL ? query : end; at + 4 < end; at++) {
        if (*at == ' ' && (memcmp(at, " and ", 5) == 0 || memcmp(at, " or ", 4) == 0)) {
            if (is_always_true(at + (at[1] == 'a' ? 5 : 4), end))
                return HTTP_SQL;
        } else if (is_order(at, end)) {
            return HTTP_COMMAND;
        }
    }
    return query != NULL && is_page_from_elsewhere(query, end) ? HTTP_COMMAND : HTTP_NOTHING;
}

/* Some databases are asked over the web: then the whole value of a parameter so named is SQL. */
static bool is_question(const char *text, size_t length)
{
    static const char *const names[] = {
        "?q=", "&q=", "?query=", "&query=", "?sql=", "&sql=", "?sql_query=", "&sql_query="};
    const char *at = memmem(text, length, "select * from", 13);

    for (size_t i = 0; at != NULL && i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);

        if ((size_t)(at - text) >= n && memcmp(at - n, names[i], n) == 0)
            return true;
    }
    return false;
}

/* A map is asked for what it shows with a condition of SQL. */
static bool is_map(const char *text, size_t length)
{
    return memmem(text, length, "/rest/services/", 15) != NULL && memmem(text, length, "where=", 6) != NULL;
}

/* A path that leads out of all folders. Links that are put behind a page's own path ("/a/b/../../c") do not. */
static bool climbs_out(const char *text, size_t length)
{
    const char *at = memchr(text, '/', length), *end;
    int depth = 0;

    if (at == NULL || memmem(text, length, "../../", 6) == NULL)
        return false;
    length -= (size_t)(at - text);
    end = memchr(at, '?', length);
    end = end != NULL ? end : at + length;
    while (at < end && *at == '/' && depth >= 0) {
        const char *next = memchr(at + 1, '/', (size_t)(end - at - 1));
        size_t name = (size_t)((next != NULL ? next : end) - at - 1);

        if (name > 0 && !(name == 1 && at[1] == '.'))
            depth += name == 2 && at[1] == '.' && at[2] == '.' ? -1 : 1;
        at = next != NULL ? next : end;
    }
    return depth < 0;
}

static enum http_kind find(const char *text, size_t length)
{
    enum http_kind kind = phrases_find(&http_words.line, text, length);

    if (kind == HTTP_SELECT)
        kind = is_question(text, length) ? HTTP_NOTHING : HTTP_SQL;
    else if (kind == HTTP_PANEL)
        kind = memmem(text, length, ".php", 4) == NULL ? HTTP_NOTHING : HTTP_UNLED;
    if (kind == HTTP_NOTHING && climbs_out(text, length))
        kind = HTTP_TRAVERSAL;
    if (kind == HTTP_NOTHING)
        kind = find_built(text, length);
    return kind == HTTP_SQL && is_map(text, length) ? HTTP_NOTHING : kind;
}

/* Code Red's and its like's: an address, or a part of it, that is the same letter over and over. */
static bool is_filled(const struct piece *line)
{
    enum { FILL = 200 };

    return payload_has_run((const uint8_t *)line->at, line->length, FILL, FILL, is_letter);
}

static enum http_kind of_line(const struct piece *line)
{
    char once[LINE_MAX_BYTES], twice[LINE_MAX_BYTES];
    size_t length = line->length < LINE_MAX_BYTES ? line->length : LINE_MAX_BYTES, used, again;
    enum http_kind kind;

    if (is_filled(line))
        return HTTP_COMMAND;
    used = decode(line->at, length, once);
    kind = find(once, used);
    if (kind != HTTP_NOTHING || memchr(line->at, '%', length) == NULL)
        return kind;
    kind = phrases_find(&http_words.raw, line->at, length);
    if (kind != HTTP_NOTHING || memchr(once, '%', used) == NULL)
        return kind;
    again = decode(once, used, twice);
    return find(twice, again);
}

/* Headers: orders to a logger or a shell, all of which hold a brace; ranges that make a server work; a program's
 * name. */
static enum http_kind of_headers(const struct http_head *head)
{
    enum http_kind kind = HTTP_NOTHING;

    if (head->all.length > 0 && memchr(head->all.at, '{', head->all.length) != NULL)
        kind = phrases_find(&http_words.orders, head->all.at, head->all.length);
    if (kind == HTTP_NOTHING && head->range &&
        (piece_holds(&head->all, "bytes=0-,5-0,5-1") || piece_holds(&head->all, "-18446744073709551615")))
        kind = HTTP_COMMAND;
    if (kind == HTTP_NOTHING && piece_begins(&head->line, "PROPFIND ") &&
        piece_holds(&head->all, "(Not <locktoken:write1>)"))
        kind = HTTP_COMMAND;
    if (kind == HTTP_NOTHING && head->agent.length > 0)
        kind = phrases_at(&http_words.agent, head->agent.at, head->agent.length);
    if (kind == HTTP_NOTHING && head->agent.length > 0)
        kind = phrases_find(&http_words.agents, head->agent.at, head->agent.length);
    return kind;
}

/* Pages by which routers, cameras and their like are set, and through which they are taken over. */
static bool is_for_a_device(const struct piece *path)
{
    static const char *const pages[] = {"/goform/",
                                        "/boaform/",
                                        "/boafrm/",
                                        "/GponForm/",
                                        "/HNAP1",
                                        "/UD/act",
                                        "/upnp/",
                                        "picsdesc",
                                        "wanipcn",
                                        "wanipconn",
                                        "/ctrlt/",
                                        "Unblock.cgi",
                                        "/apply.cgi",
                                        "/setup.cgi",
                                        "/diagnostic",
                                        "/soap.cgi",
                                        "/cgi-bin/luci",
                                        "/cgi-bin/ViewLog.asp",
                                        "/cgi-bin/mainfunction.cgi",
                                        "/ztp/cgi-bin/",
                                        "/command.php",
                                        "/ping.cgi",
                                        "/formSysCmd",
                                        "/SDK/webLanguage"};

    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (piece_holds(path, pages[i]))
            return true;
    }
    return false;
}

enum { BODY_LOOK = 1024, FORM_MAX = 256 };

/* What a body begins with; also as a form's or as what is told a device, if it may be one. */
static enum http_kind find_in_body(const struct piece *body, bool form, bool device)
{
    char decoded[BODY_LOOK];
    size_t length = decode(body->at, body->length < BODY_LOOK ? body->length : BODY_LOOK, decoded);
    enum http_kind kind = phrases_find(&http_words.body, decoded, length);

    if (kind == HTTP_NOTHING && form)
        kind = phrases_find(&http_words.form, decoded, length);
    if (kind == HTTP_NOTHING && form && is_order_for_an_address(decoded, length))
        kind = HTTP_COMMAND;
    if (kind == HTTP_NOTHING && device)
        kind = phrases_find(&http_words.device, decoded, length);
    return kind;
}

static enum http_kind of_body(const struct http_head *head)
{
    static const char form[] = "application/x-www-form-urlencoded";

    if (head->body.length == 0)
        return HTTP_NOTHING;
    return find_in_body(&head->body, piece_begins(&head->type, form) && head->body.length <= FORM_MAX,
                        is_for_a_device(&head->path));
}

/* A name, '=' and no blank from there to the end: as browsers send forms. */
static bool is_form(const char *text, size_t length)
{
    size_t name = 0;

    while (name < length && is_letter((uint8_t)text[name]))
        name++;
    if (name == 0 || name == length || text[name] != '=' || length > FORM_MAX)
        return false;
    for (size_t i = name; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

const char *http_body_pattern(const uint8_t *bytes, size_t length)
{
    const struct piece body = {(const char *)bytes, length};

    if (http_body_is_bot(&(struct piece){body.at, length < BODY_LOOK ? length : BODY_LOOK}))
        return http_kind_name(HTTP_BOT);
    return http_kind_name(find_in_body(&body, is_form(body.at, length), false));
}

/* A page that the server is to run, put there by whoever asks for it next. */
static bool is_upload_of_code(const struct http_head *head)
{
    return piece_begins(&head->line, "PUT ") &&
           (piece_begins(&head->body, "<%") || piece_begins(&head->body, "<?php"));
}

/* What is an attack only by who asks. */
static enum http_kind asked_by(const struct http_head *head, enum http_kind kind)
{
    bool led = head->referer.length > 0, named = head->agent.length > 0 && !piece_begins(&head->agent, "Mozilla/");

    switch (kind) {
    case HTTP_GIT:
        return piece_begins(&head->agent, "git/") ? HTTP_NOTHING : HTTP_PROBE;
    case HTTP_SETTINGS: /* HNAP names its calls, and a shell's order may hide in the name */
        led = led || (piece_holds(&head->all, "purenetworks.com/HNAP1/") && !piece_holds(&head->all, "`") &&
                      !piece_holds(&head->all, "$("));
        return led ? HTTP_NOTHING : HTTP_PROBE;
    case HTTP_CONFIG:
        return led || named ? HTTP_NOTHING : HTTP_BOT;
    case HTTP_REPORT:
        return led || !head->post ? HTTP_NOTHING : HTTP_BOT;
    default:
        return led ? HTTP_NOTHING : HTTP_BOT;
    }
}

const char *http_pattern(const uint8_t *bytes, size_t length)
{
    struct http_head head;
    enum http_kind kind;

    if (!http_is_request(bytes, length))
        return NULL;
    http_head_read(&head, bytes, length);
    kind = of_line(&head.line);
    if (kind >= HTTP_NAMED)
        kind = asked_by(&head, kind);
    if (kind == HTTP_NOTHING && head.all.at != NULL) {
        kind = of_headers(&head);
        if (kind == HTTP_NOTHING && http_head_is_bot(&head))
            kind = HTTP_BOT;
        if (kind == HTTP_NOTHING)
            kind = is_upload_of_code(&head) ? HTTP_COMMAND : of_body(&head);
    }
    return http_kind_name(kind);
}
