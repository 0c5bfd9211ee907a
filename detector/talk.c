/* talk.c: see talk.h. */
#include "detector/talk.h"

#include "detector/http.h"
#include "detector/ports.h"
#include "detector/window.h"

#include <string.h>

enum { PROTOCOL_UDP = 17, PORT_SIP = 5060, PORT_SNMP = 161 };
enum { FILLER_FROM = 16, FILLER_BYTES = 48, PERIOD_MAX = 16 };

struct words {
    const char *text;
    size_t length;
};
#define WORDS(text)                                                                                                  \
    {                                                                                                                \
        text, sizeof(text) - 1                                                                                       \
    }

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool begins(const struct packet *packet, const char *text, size_t length)
{
    return packet->payload_captured >= length && packet->payload[0] == (uint8_t)text[0] &&
           memcmp(packet->payload, text, length) == 0;
}

static bool begins_with_one_of(const struct packet *packet, const struct words *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (begins(packet, words[i].text, words[i].length))
            return true;
    }
    return false;
}
#define BEGINS_WITH_ONE_OF(packet, list) begins_with_one_of(packet, list, sizeof(list) / sizeof(list)[0])

/* Within the first bytes; a banner is short. */
static bool holds(const struct packet *packet, const char *text)
{
    enum { HEAD = 120 };
    size_t length = packet->payload_captured < HEAD ? packet->payload_captured : HEAD;

    return memmem(packet->payload, length, text, strlen(text)) != NULL;
}

static bool is_chat(const struct packet *packet)
{
    static const struct words commands[] = {WORDS("NICK "),    WORDS("JOIN #"),    WORDS("JOIN &"),
                                            WORDS("PRIVMSG "), WORDS("PING :"),    WORDS("PONG :"),
                                            WORDS("NOTICE "),  WORDS("USERHOST "), WORDS("MODE #")};

    return !port_is_chat(packet->source_port) && !port_is_chat(packet->destination_port) &&
           BEGINS_WITH_ONE_OF(packet, commands);
}

/* The Gh0st family: five letters of its own, the frame's length, the length unpacked, zlib. */
static bool is_packed_frame(const struct packet *packet)
{
    enum { HEADER = 13, ZLIB = 0x78 };
    const uint8_t *p = packet->payload;

    if (packet->payload_captured < HEADER + 2 || p[HEADER] != ZLIB || (p[HEADER] * 256 + p[HEADER + 1]) % 31 != 0)
        return false;
    for (size_t i = 0; i < 5; i++) {
        if (p[i] <= ' ' || p[i] > '~')
            return false;
    }
    return le32(p + 5) == packet->payload_bytes && le32(p + 9) > 0;
}

/* "C:\WINDOWS\system32>", with or without the line before. */
static bool is_prompt(const struct packet *packet)
{
    const uint8_t *p = packet->payload;
    size_t n = packet->payload_captured;

    if (n != packet->payload_bytes || n < 4 || p[n - 1] != '>')
        return false;
    while (n > 0 && (*p == '\r' || *p == '\n')) {
        p++;
        n--;
    }
    return n >= 4 && n < 200 && p[0] >= 'A' && p[0] <= 'Z' && p[1] == ':' && p[2] == '\\' &&
           memchr(p, '\n', n) == NULL;
}

/* Clear-text shells have ports of their own; programs that people fetch begin with MZ as well, but not like these. */
static bool is_control(const struct packet *packet)
{
    static const struct words loaders[] = {WORDS("MZ\xe8\0\0\0\0"), WORDS("MZARUH"), WORDS("MZRE"), WORDS("ll|'|'|")};
    bool clear = packet->source_port == 23 || packet->destination_port == 23 || packet->source_port == 514 ||
                 packet->source_port == 513;

    if (is_packed_frame(packet) || BEGINS_WITH_ONE_OF(packet, loaders))
        return true;
    if (clear)
        return false;
    return is_prompt(packet) || (begins(packet, "Microsoft Windows", 17) && holds(packet, "[Version ")) ||
           (begins(packet, "uid=", 4) && holds(packet, ") gid="));
}

/* The client's: a monitor that looks whether the port is open hears the server's and says nothing. */
static bool is_banner(const struct packet *packet)
{
    if (packet->source_port <= packet->destination_port)
        return false;
    return begins(packet, "SSH-", 4) || begins(packet, "RFB 00", 6);
}

static bool smb_refused(const struct packet *packet)
{
    static const uint32_t logon_failure = 0xc000006d;
    const uint8_t *p = packet->payload;

    if (packet->payload_captured < 20)
        return false;
    return (memcmp(p + 4, "\xffSMB", 4) == 0 && le32(p + 9) == logon_failure) ||
           (memcmp(p + 4, "\xfeSMB", 4) == 0 && le32(p + 12) == logon_failure);
}

/* MySQL's error 1045, PostgreSQL's 28P01, SQL Server's 18456, LDAP's 49, VNC's failed check. */
static bool database_refused(const struct packet *packet)
{
    const uint8_t *p = packet->payload;
    size_t n = packet->payload_captured;

    switch (packet->source_port) {
    case 3306:
        return n >= 7 && memcmp(p + 4, "\xff\x15\x04", 3) == 0;
    case 5432:
        return p[0] == 'E' && holds(packet, "28P01");
    case 1433:
        return n >= 15 && p[8] == 0xaa && le32(p + 11) == 18456;
    case 389:
        return p[0] == 0x30 && n >= 10 && memmem(p, n < 20 ? n : 20, "\x0a\x01\x31", 3) != NULL;
    case 6379:
        return begins(packet, "-WRONGPASS", 10) || begins(packet, "-ERR invalid password", 21);
    case 5900:
    case 5901:
        return begins(packet, "\0\0\0\1", 4) && (n == 4 || (n >= 8 && n == (size_t)8 + p[7]));
    default:
        return false;
    }
}

static bool is_refused(const struct packet *packet)
{
    switch (packet->source_port) {
    case 21:
        return begins(packet, "530 ", 4);
    case 25:
    case 465:
    case 587:
        return begins(packet, "535 ", 4);
    case 110:
        return begins(packet, "-ERR", 4);
    case 143:
        return holds(packet, " NO ") && (holds(packet, "LOGIN") || holds(packet, "uthenticat"));
    case 23:
    case 2323:
    case 512:
    case 513:
    case 514:
        return holds(packet, "ogin incorrect") || holds(packet, "ogin failed") ||
               holds(packet, "uthentication failed") || holds(packet, "ccess denied");
    case 139:
    case 445:
        return smb_refused(packet);
    case PORT_SIP:
        return begins(packet, "SIP/2.0 403 ", 12);
    default:
        return database_refused(packet);
    }
}

/* How soon the bytes begin anew, at most PERIOD_MAX; 0: they do not, or are blank, as an empty disk is. */
static size_t period_of(const struct packet *packet)
{
    const uint8_t *p = packet->payload + FILLER_FROM;

    if (packet->payload_captured < FILLER_FROM + FILLER_BYTES + PERIOD_MAX)
        return 0;
    for (size_t period = 1; period <= PERIOD_MAX; period++) {
        if (p[0] == p[period] && memcmp(p, p + period, FILLER_BYTES) == 0)
            return period == 1 && (*p == 0 || *p == ' ' || *p == 0xff) ? 0 : period;
    }
    return 0;
}

/* Four letters or more: what a program's zeroes look like under a key. Four of mixed case may be base64. */
static bool is_key(const uint8_t *p, size_t period)
{
    size_t letters = 0, capitals = 0;

    for (size_t i = 0; i < period; i++) {
        bool letter = (p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z';

        if (!letter && (p[i] < '0' || p[i] > '9'))
            return false;
        letters += letter;
        capitals += letter && p[i] < 'a';
    }
    return letters > 0 && (period > 4 || (period == 4 && letters == 4 && capitals == 0));
}

static bool is_plain_web(uint16_t port)
{
    return port != 443 && port != 8443 && port != 9443 && port_service(port) == SERVICE_WEB;
}

/* Where the community's name stands in a message of SNMP 1 or 2c: its length, and it in *at; 0: it is none (RFC
 * 1157). */
static size_t community(const struct packet *packet, const uint8_t **at)
{
    enum { SEQUENCE = 0x30, NUMBER = 2, TEXT = 4, HEAD = 7, LONG_FORM = 0x80, LENGTH_MAX = 2 };
    const uint8_t *p = packet->payload;
    size_t skip = 2;

    if (packet->payload_captured < HEAD + LENGTH_MAX || p[0] != SEQUENCE)
        return 0;
    if (p[1] >= LONG_FORM)
        skip += (size_t)(p[1] - LONG_FORM);
    if (skip > 2 + LENGTH_MAX || p[skip] != NUMBER || p[skip + 1] != 1 || p[skip + 2] > 1 || p[skip + 3] != TEXT ||
        p[skip + 4] >= LONG_FORM || packet->payload_captured < skip + 5 + p[skip + 4])
        return 0;
    *at = p + skip + 5;
    return p[skip + 4];
}

uint64_t talk_community(const struct packet *packet)
{
    const uint8_t *at = NULL;
    size_t length = community(packet, &at);

    return window_hash(19, at, length);
}

static enum talk talk_of_datagram(const struct packet *packet)
{
    const uint8_t *at;

    if (packet->source_port == PORT_SIP && is_refused(packet))
        return TALK_REFUSED;
    if (packet->destination_port == PORT_SNMP && community(packet, &at) > 0)
        return TALK_COMMUNITY;
    return TALK_NOTHING;
}

enum talk talk_of(const struct packet *packet)
{
    size_t period;

    if (packet->payload_captured < 4)
        return TALK_NOTHING;
    if (packet->protocol == PROTOCOL_UDP)
        return talk_of_datagram(packet);
    if (http_is_request(packet->payload, packet->payload_captured))
        return TALK_REQUEST;
    if (http_is_missing(packet->payload, packet->payload_captured))
        return TALK_MISSING;
    if (http_is_denied(packet->payload, packet->payload_captured))
        return TALK_DENIED;
    if (is_chat(packet))
        return TALK_CHAT;
    if (is_control(packet))
        return TALK_CONTROL;
    if (is_banner(packet))
        return TALK_BANNER;
    if (is_refused(packet))
        return TALK_REFUSED;
    if (port_asks_password(packet->destination_port))
        return period_of(packet) > 0 ? TALK_FILLER : TALK_NOTHING;
    if (!is_plain_web(packet->source_port))
        return TALK_NOTHING;
    period = period_of(packet);
    return period > 0 && is_key(packet->payload + FILLER_FROM, period) ? TALK_KEYED : TALK_NOTHING;
}
