/* guess.c: see guess.h. */
#include "detector/guess.h"

#include "detector/bytes.h"
#include "detector/phrases.h"
#include "detector/window.h"

#include <string.h>
#include <strings.h>

enum { FORM_MAX = 512, HEAD_MAX = 2048 };
enum { PART_NAME = 1, PART_PASSWORD };

/* In which field of a form a name and a password stand, by a part of the field's name. */
static const struct phrase parts[] = {
    PHRASE("passw", PART_PASSWORD), PHRASE("passwd", PART_PASSWORD), PHRASE("pwd", PART_PASSWORD),
    PHRASE("username", PART_NAME),  PHRASE("user", PART_NAME),       PHRASE("email", PART_NAME),
    PHRASE("usr", PART_NAME),       PHRASE("account", PART_NAME),
};
static struct phrases part_set;

__attribute__((constructor)) static void order(void)
{
    PHRASES_ORDER(&part_set, parts);
}

static bool is(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(at, word, length) == 0;
}

static int part_of(const char *name, size_t length)
{
    int part = phrases_find(&part_set, name, length);

    if (part == 0 && (is(name, length, "pass") || is(name, length, "pw")))
        return PART_PASSWORD;
    if (part == 0 && (is(name, length, "log") || is(name, length, "login") || is(name, length, "name")))
        return PART_NAME;
    return part;
}

/* A button's: "login=Log+In". */
static bool is_button(const char *value, size_t length)
{
    return (length >= 3 && (strncasecmp(value, "log", 3) == 0 || strncasecmp(value, "sig", 3) == 0 ||
                            strncasecmp(value, "sub", 3) == 0)) ||
           is(value, length, "ok") || is(value, length, "1");
}

/* name=value&name=value; the first name and the first password count. */
static bool in_form(const char *at, size_t length, struct guess *out)
{
    const char *end = at + (length < FORM_MAX ? length : FORM_MAX);
    bool have[PART_PASSWORD + 1] = {0};

    while (at < end && !(have[PART_NAME] && have[PART_PASSWORD])) {
        const char *stop = memchr(at, '&', (size_t)(end - at)), *sign;
        int part;

        stop = stop == NULL ? end : stop;
        sign = memchr(at, '=', (size_t)(stop - at));
        if (sign == NULL)
            return false;
        part = part_of(at, (size_t)(sign - at));
        if (part != 0 && !have[part] && sign + 1 < stop &&
            !(is(at, (size_t)(sign - at), "login") && is_button(sign + 1, (size_t)(stop - sign - 1)))) {
            *(part == PART_NAME ? &out->name : &out->password) = window_hash(23, sign + 1, (size_t)(stop - sign - 1));
            have[part] = true;
        }
        at = stop < end ? stop + 1 : end;
    }
    return have[PART_NAME] && have[PART_PASSWORD];
}

/* The text that a key of JSON has. */
static bool of_key(const char *at, size_t length, const char *key, uint64_t *hash)
{
    const char *end = at + length, *found = memmem(at, length, key, strlen(key)), *stop;

    if (found == NULL)
        return false;
    found += strlen(key);
    while (found < end && (*found == ' ' || *found == ':'))
        found++;
    if (found == end || *found != '"')
        return false;
    stop = memchr(found + 1, '"', (size_t)(end - found - 1));
    if (stop == NULL)
        return false;
    *hash = window_hash(23, found + 1, (size_t)(stop - found - 1));
    return true;
}

static bool in_object(const char *at, size_t length, struct guess *out)
{
    static const char *const names[] = {"\"username\"", "\"user\"", "\"email\"", "\"login\"", "\"name\""};
    static const char *const passwords[] = {"\"password\"", "\"passwd\"", "\"pass\"", "\"pwd\""};
    bool password = false;

    for (size_t i = 0; !password && i < sizeof passwords / sizeof passwords[0]; i++)
        password = of_key(at, length, passwords[i], &out->password);
    for (size_t i = 0; password && i < sizeof names / sizeof names[0]; i++) {
        if (of_key(at, length, names[i], &out->name))
            return true;
    }
    return false;
}

/* The next <string> of XML-RPC; returns what stands behind it, or NULL. */
static const char *next_string(const char *at, const char *end, uint64_t *hash)
{
    static const char begin[] = "<string>", over[] = "</string>";
    const char *from = memmem(at, (size_t)(end - at), begin, sizeof begin - 1), *to;

    if (from == NULL)
        return NULL;
    from += sizeof begin - 1;
    to = memmem(from, (size_t)(end - from), over, sizeof over - 1);
    if (to != NULL)
        *hash = window_hash(23, from, (size_t)(to - from));
    return to;
}

static bool in_call(const char *at, size_t length, struct guess *out)
{
    static const char method[] = "<methodName>wp.getUsersBlogs<";
    const char *end = at + length, *call = memmem(at, length, method, sizeof method - 1);

    if (call != NULL)
        call = next_string(call, end, &out->name);
    return call != NULL && next_string(call, end, &out->password) != NULL;
}

bool guess_in_body(const uint8_t *bytes, size_t length, struct guess *out)
{
    const char *at = (const char *)bytes;

    if (length < 8)
        return false;
    if (bytes[0] == '<')
        return in_call(at, length < FORM_MAX ? length : FORM_MAX, out);
    if (bytes[0] == '{')
        return in_object(at, length < FORM_MAX ? length : FORM_MAX, out);
    return ((bytes[0] | 0x20) >= 'a' && (bytes[0] | 0x20) <= 'z') && in_form(at, length, out);
}

bool guess_in_request(const uint8_t *bytes, size_t length, struct guess *out)
{
    const char *at = (const char *)bytes, *line, *query, *stop, *body;

    length = length < HEAD_MAX ? length : HEAD_MAX;
    line = memchr(at, '\n', length);
    if (line == NULL)
        return false;
    query = memchr(at, '?', (size_t)(line - at));
    if (query != NULL) {
        stop = memchr(query, ' ', (size_t)(line - query));
        if (stop != NULL && in_form(query + 1, (size_t)(stop - query - 1), out))
            return true;
    }
    if (bytes[0] != 'P')
        return false;
    body = memmem(at, length, "\r\n\r\n", 4);
    return body != NULL && guess_in_body((const uint8_t *)body + 4, (size_t)(at + length - body - 4), out);
}

/* What stands behind a word, up to the sign that ends it. */
static bool behind(const uint8_t *bytes, size_t length, const char *word, char sign, uint64_t *hash)
{
    const char *text = (const char *)bytes, *at = memmem(text, length, word, strlen(word)), *stop;

    if (at == NULL)
        return false;
    at += strlen(word);
    stop = memchr(at, sign, (size_t)(text + length - at));
    if (stop == NULL)
        return false;
    *hash = window_hash(23, at, (size_t)(stop - at));
    return true;
}

bool guess_in_stream(const uint8_t *bytes, size_t length, struct guess *out)
{
    out->name = 0; /* it stands with the password, under base64: a recorder has one of both */
    return length > 40 && memmem(bytes, 40, " rtsp://", 8) != NULL &&
           behind(bytes, length, "\nAuthorization: Basic ", '\r', &out->password);
}

/* Programs that send mail do not ask whether a mailbox is there (RFC 5321, 3.5.3: servers need not tell). */
bool guess_in_mail(const uint8_t *bytes, size_t length, struct guess *out)
{
    enum { COMMAND = 5 };

    out->name = 0; /* all of them are tried by one */
    if (length <= COMMAND + 2 || length > 100 ||
        (strncasecmp((const char *)bytes, "VRFY ", COMMAND) != 0 &&
         strncasecmp((const char *)bytes, "EXPN ", COMMAND) != 0))
        return false;
    out->password = window_hash(23, bytes + COMMAND, length - COMMAND);
    return true;
}

bool guess_in_registration(const uint8_t *bytes, size_t length, struct guess *out)
{
    return length > 10 && memcmp(bytes, "REGISTER ", 9) == 0 &&
           behind(bytes, length, "username=\"", '"', &out->name) &&
           behind(bytes, length, "response=\"", '"', &out->password);
}

bool guess_in_command(const uint8_t *bytes, size_t length, struct guess *out)
{
    enum { COMMAND = 5 };

    *out = (struct guess){0};
    if (length <= COMMAND)
        return false;
    if (strncasecmp((const char *)bytes, "PASS ", COMMAND) == 0)
        out->password = window_hash(23, bytes + COMMAND, length - COMMAND);
    else if (strncasecmp((const char *)bytes, "USER ", COMMAND) == 0)
        out->name = window_hash(28, bytes + COMMAND, length - COMMAND);
    else
        return false;
    return true;
}

/* "a1 LOGIN anna secret" */
bool guess_in_box(const uint8_t *bytes, size_t length, struct guess *out)
{
    enum { TAG = 16, COMMAND = 7 };
    const uint8_t *end = bytes + length, *at = memchr(bytes, ' ', length < TAG ? length : TAG), *blank;

    if (at == NULL || end - at <= COMMAND || strncasecmp((const char *)at, " LOGIN ", COMMAND) != 0)
        return false;
    at += COMMAND;
    blank = memchr(at, ' ', (size_t)(end - at));
    if (blank == NULL)
        return false;
    out->name = window_hash(23, at, (size_t)(blank - at));
    out->password = window_hash(23, blank, (size_t)(end - blank));
    return true;
}

/* MQTT 3.1.1, 3.1: the flags, then the name of the device, a will, a name, a password. Name and password are the
 * last; the name of the device may be made anew each time. What stands between the first and the last is not told
 * apart. */
bool guess_in_connect(const uint8_t *bytes, size_t length, struct guess *out)
{
    enum { CONNECT = 0x10, LONG = 0x80, PASSWORD = 0x40 };
    size_t at = 1, name;

    *out = (struct guess){0};
    while (at < length && at < 4 && (bytes[at] & LONG) != 0)
        at++;
    at++;
    if (at + 2 > length || bytes[0] != CONNECT)
        return false;
    at += 2 + be16(bytes + at) + 1; /* behind the protocol's name and version */
    if (at + 5 > length || (bytes[at] & PASSWORD) == 0)
        return false;
    name = at + 3;
    if (bytes[at - 1] == 5) /* 5.0: properties, most often none */
        name += 1 + (size_t)bytes[name];
    if (name + 2 > length)
        return false;
    name += 2 + (size_t)be16(bytes + name);
    if (name >= length)
        return false;
    out->password = window_hash(23, bytes + name, length - name);
    return true;
}

/* LDAP (RFC 4511, 4.2): version 3, a name, a password in clear text. */
bool guess_in_bind(const uint8_t *bytes, size_t length, struct guess *out)
{
    enum { HEAD = 24, MARK = 4, SIMPLE = 0x80 };
    const uint8_t *end = bytes + length, *at = memmem(bytes, length < HEAD ? length : HEAD, "\2\1\3\4", MARK);
    size_t name;

    *out = (struct guess){0};
    if (at == NULL || end - at <= MARK)
        return false;
    at += MARK;
    name = 1 + (size_t)at[0];
    if ((size_t)(end - at) < name + 2 || at[name] != SIMPLE || at[name + 1] == 0)
        return false;
    out->name = window_hash(28, at, name);
    out->password = window_hash(23, at + name, (size_t)(end - at) - name);
    return true;
}
