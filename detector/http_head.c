/* http_head.c: see http_head.h. */
#include "detector/http_head.h"

#include <string.h>
#include <strings.h>

bool piece_begins(const struct piece *piece, const char *text)
{
    size_t length = strlen(text);

    return piece->length >= length && memcmp(piece->at, text, length) == 0;
}

bool piece_holds(const struct piece *piece, const char *text)
{
    return piece->length > 0 && memmem(piece->at, piece->length, text, strlen(text)) != NULL;
}

static bool ends(const struct piece *piece, const char *text)
{
    size_t length = strlen(text);

    return piece->length >= length && strncasecmp(piece->at + piece->length - length, text, length) == 0;
}

static bool is_named(const char *line, size_t length, const char *name, size_t name_length, struct piece *value)
{
    if (length <= name_length || strncasecmp(line, name, name_length) != 0)
        return false;
    while (name_length < length && line[name_length] == ' ')
        name_length++;
    *value = (struct piece){line + name_length, length - name_length};
    return true;
}
#define IS_NAMED(name, value) is_named(line, length, name ":", sizeof(name), value)

static void read_header(struct http_head *head, const char *line, size_t length)
{
    struct piece other;

    switch (line[0] | 0x20) {
    case 'a':
        head->accept = head->accept || IS_NAMED("Accept", &other);
        head->language = head->language || IS_NAMED("Accept-Language", &other);
        break;
    case 'c':
        if (!IS_NAMED("Cookie", &head->cookie) && !IS_NAMED("Content-Type", &head->type))
            (void)IS_NAMED("Content-Encoding", &head->encoding);
        break;
    case 'd':
        head->dnt = head->dnt || IS_NAMED("DNT", &other);
        break;
    case 'h':
        (void)IS_NAMED("Host", &head->host);
        break;
    case 'r':
        if (!IS_NAMED("Referer", &head->referer))
            head->range = head->range || IS_NAMED("Range", &other);
        break;
    case 'u':
        (void)IS_NAMED("User-Agent", &head->agent);
        break;
    default:
        break;
    }
}

void http_head_read(struct http_head *head, const uint8_t *bytes, size_t length)
{
    const char *text = (const char *)bytes, *end = text + length, *line = memchr(text, '\n', length), *blank;

    *head = (struct http_head){.line = {text, line == NULL ? length : (size_t)(line - text)}};
    head->post = piece_begins(&head->line, "POST ");
    blank = memchr(text, ' ', head->line.length);
    if (blank != NULL) {
        const char *stop = memchr(blank + 1, ' ', (size_t)(text + head->line.length - blank - 1));

        head->path =
            (struct piece){blank + 1, (size_t)((stop != NULL ? stop : text + head->line.length) - blank - 1)};
    }
    if (line == NULL)
        return;
    head->all = (struct piece){line + 1, (size_t)(end - line - 1)};
    while (line != NULL && ++line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((next == NULL ? end : next) - line);

        if (n > 0 && line[n - 1] == '\r')
            n--;
        if (n == 0 && next != NULL) {
            head->body = (struct piece){next + 1, (size_t)(end - next - 1)};
            head->all.length = (size_t)(line - head->all.at);
            return;
        }
        if (n > 0 && next != NULL) /* a cut header says less than it seems to */
            read_header(head, line, n);
        line = next;
    }
}

/* --- the shapes of bots' requests --- */

static bool is_base64(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* An IPv4 address, with a port or without. */
static bool is_address(const struct piece *host, unsigned part[4])
{
    size_t parts = 0, digits = 0;

    memset(part, 0, 4 * sizeof part[0]);
    for (size_t i = 0; i < host->length && host->at[i] != ':'; i++) {
        if (host->at[i] == '.' && digits > 0 && parts < 3) {
            parts++;
            digits = 0;
        } else if (is_digit(host->at[i]) && ++digits <= 3) {
            part[parts] = part[parts] * 10 + (unsigned)(host->at[i] - '0');
        } else {
            return false;
        }
    }
    return parts == 3 && digits > 0;
}

/* One that is not of a network's own (RFC 1918, 6598, 3927, loopback). */
static bool is_public_address(const struct piece *host)
{
    unsigned part[4];

    if (!is_address(host, part) || part[0] == 0 || part[0] > 223)
        return false;
    return part[0] != 10 && part[0] != 127 && !(part[0] == 192 && part[1] == 168) &&
           !(part[0] == 172 && part[1] >= 16 && part[1] < 32) && !(part[0] == 169 && part[1] == 254) &&
           !(part[0] == 100 && part[1] >= 64 && part[1] < 128);
}

/* Cobalt Strike's beacon, as it comes: what it knows of its host, 128 encrypted bytes in base64, is the whole cookie.
 */
static bool is_sealed_cookie(const struct http_head *head)
{
    enum { SEALED = 172 };
    const struct piece *cookie = &head->cookie;

    if (cookie->length != SEALED || cookie->at[SEALED - 1] != '=' || head->referer.length > 0)
        return false;
    for (size_t i = 0; i + 1 < SEALED; i++) {
        if (!is_base64(cookie->at[i]))
            return false;
    }
    return true;
}

/* Metasploit's and Cobalt Strike's loaders ask for four signs whose sum modulo 256 tells for which machine. No four
 * small letters have such a sum. */
static bool is_stager(const struct http_head *head)
{
    unsigned sum = 0, part[4];

    if (head->path.length != 5 || head->accept || head->referer.length > 0 || !is_address(&head->host, part) ||
        !piece_begins(&head->agent, "Mozilla/"))
        return false;
    for (size_t i = 1; i < 5; i++) {
        if (!is_base64(head->path.at[i]) || head->path.at[i] == '/' || head->path.at[i] == '+')
            return false;
        sum += (uint8_t)head->path.at[i];
    }
    return sum % 256 == 92 || sum % 256 == 93;
}

static bool is_told_in_cookie(const struct http_head *head)
{
    const struct piece *cookie = &head->cookie;

    if (cookie->length == 0)
        return false;
    if (piece_holds(cookie, "__gads=") && piece_holds(cookie, "; _gat=") && piece_holds(cookie, "; _u=") &&
        piece_holds(cookie, "; __io=")) /* IcedID's loader */
        return true;
    if (piece_holds(cookie, "SESSIONID=1552332971750")) /* Covenant's example profile */
        return true;
    return piece_begins(cookie, "session=") && cookie->at[cookie->length - 1] == '=' && /* Empire's */
           (piece_begins(&head->path, "/admin/get.php") || piece_begins(&head->path, "/login/process.php") ||
            piece_begins(&head->path, "/news.php"));
}

/* Of the machine, its Windows and a key of 32 hexadecimal digits: ..._W10019041.0123...EF/ */
static bool is_machine_path(const struct piece *path)
{
    const char *end = path->at + path->length, *at = path->at;
    size_t digits = 0, keys = 0;

    if (path->length < 50)
        return false;
    at = memmem(at, path->length, "_W", 2);
    if (at == NULL)
        return false;
    for (at += 2; at < end && is_digit(*at); at++)
        digits++;
    if (digits < 5 || at == end || *at != '.')
        return false;
    for (at++; at < end && is_hex(*at); at++)
        keys++;
    return keys == 32 && at < end && *at == '/';
}

/* Gozi hides what it says in the name of a picture or film: base64 with the signs that an address may not hold as
 * "_2F" and "_2B". */
static bool is_picture_of_words(const struct piece *path)
{
    enum { LONG = 120 };

    return path->length >= LONG && piece_begins(path, "/images/") && memchr(path->at, '?', path->length) == NULL &&
           (piece_holds(path, "_2F") || piece_holds(path, "_2B")) &&
           (ends(path, ".avi") || ends(path, ".gif") || ends(path, ".jpeg") || ends(path, ".bmp"));
}

/* A program from a bare public address, asked for by something that is no browser. */
static bool is_bare_program(const struct http_head *head)
{
    static const char *const programs[] = {".exe", ".scr", ".dll",  ".ps1",  ".hta",    ".vbs",   ".elf",  ".x86",
                                           ".ppc", ".arm", ".arm6", ".mips", ".mipsel", ".sparc", ".i586", ".i686"};
    size_t slashes = 0;

    if (head->post || head->language || head->referer.length > 0 || head->range || !is_public_address(&head->host) ||
        head->path.length < 5 || head->path.length > 80 || memchr(head->path.at, '?', head->path.length) != NULL)
        return false;
    for (size_t i = 0; i < head->path.length; i++)
        slashes += head->path.at[i] == '/';
    for (size_t i = 0; slashes <= 3 && i < sizeof programs / sizeof programs[0]; i++) {
        if (ends(&head->path, programs[i]))
            return true;
    }
    return false;
}

bool http_body_is_bot(const struct piece *body)
{
    return piece_begins(body, "J/\xfb") || (body->length == 4 && piece_begins(body, "RECV")) ||
           (piece_begins(body, "GUID=") && piece_holds(body, "&BUILD=") && piece_holds(body, "&INFO=")) ||
           (piece_begins(body, "machineId=") && piece_holds(body, "&configId=")) ||
           (piece_begins(body, "id=") && piece_holds(body, "&vs=") && piece_holds(body, "&sd=") &&
            piece_holds(body, "&lv=")) ||
           (piece_holds(body, "name=\"hwid\"") && piece_holds(body, "name=\"build\"")) ||
           (piece_holds(body, "&hwid=") && /* licences are tied to hardware, too */
            (piece_holds(body, "&pcname=") || piece_holds(body, "&av=") || piece_holds(body, "&bot"))) ||
           piece_begins(body, "act=life");
}

static bool is_told_in_body(const struct http_head *head)
{
    const struct piece *body = &head->body;
    size_t hex = 2;

    if (body->length < 4)
        return false;
    if (!head->post) /* FormBook's questions end in zeroes; so do those of programs that send a buffer whole */
        return memcmp(body->at, "\0\0\0\0", 4) == 0 && head->cookie.length == 0 && head->agent.length == 0 &&
               piece_holds(&head->path, "?") && piece_holds(&head->all, "Connection: close");
    if (http_body_is_bot(body))
        return true;
    /* One letter and all the rest in hexadecimal digits, to a page asked with one letter. */
    if (body->at[1] != '=' || !piece_holds(&head->path, ".php?"))
        return false;
    while (hex < body->length && is_hex(body->at[hex]))
        hex++;
    return hex == body->length && hex > 80;
}

/* Honest programs give an address with its scheme, and browsers that ask not to be followed say what they accept. */
static bool is_posed(const struct http_head *head)
{
    static const char mozilla[] = "Mozilla";

    if (head->referer.length == sizeof mozilla - 1 && piece_begins(&head->referer, mozilla))
        return true;
    return head->post && is_public_address(&head->host) &&
           ((head->dnt && !head->accept) ||
            (head->referer.length > 8 && is_digit(head->referer.at[0]) && head->host.length <= head->referer.length &&
             memchr(head->referer.at, '/', head->referer.length) != NULL));
}

/* Ares' agents: /api/, the machine's name, its card's number in digits, what it is about. */
static bool is_numbered_machine(const struct http_head *head)
{
    enum { DIGITS = 12 };
    const struct piece *path = &head->path;
    const char *end = path->length > 20 ? memrchr(path->at, '/', path->length) : NULL;
    size_t digits = 0;

    if (end == NULL || !head->post || !piece_begins(path, "/api/") ||
        !(ends(path, "/hello") || ends(path, "/report") || ends(path, "/upload")))
        return false;
    while (digits < (size_t)(end - path->at) && is_digit(end[-1 - (ptrdiff_t)digits]))
        digits++;
    return digits >= DIGITS && end[-1 - (ptrdiff_t)digits] == '_';
}

/* RedLine's calls, by their makers' names for them. */
static bool is_call_home(const struct http_head *head)
{
    return head->post && piece_begins(&head->type, "text/xml") &&
           piece_holds(&head->all, "\"http://tempuri.org/End") &&
           (piece_holds(&head->all, "/Endpoint/CheckConnect\"") ||
            piece_holds(&head->all, "/Endpoint/EnvironmentSettings\"") ||
            piece_holds(&head->all, "/Endpoint/SetEnvironment\""));
}

/* "?sid=" and ";csrf=", each of 32 digits: Koadic's. */
static bool is_keyed_pair(const struct piece *path)
{
    const char *at = path->length > 74 ? memmem(path->at, path->length, "sid=", 4) : NULL;

    return at != NULL && (size_t)(path->at + path->length - at) >= 4 + 32 + 6 + 32 &&
           memcmp(at + 36, ";csrf=", 6) == 0;
}

bool http_head_is_bot(const struct http_head *head)
{
    return is_told_in_cookie(head) || is_sealed_cookie(head) || is_stager(head) || is_machine_path(&head->path) ||
           is_picture_of_words(&head->path) || is_keyed_pair(&head->path) || is_numbered_machine(head) ||
           is_call_home(head) || is_bare_program(head) ||
           (head->post && ((piece_begins(&head->encoding, "binary") && piece_holds(&head->all, "\nContent-Key:")) ||
                           piece_holds(&head->path, "/bot.php"))) ||
           is_posed(head) || is_told_in_body(head);
}
