/* talk.c: see talk.h. */
#include "detector/talk.h"

#include "detector/control.h"
#include "detector/exploit.h"
#include "detector/http.h"
#include "detector/http_answer.h"
#include "detector/payload.h"
#include "detector/ports.h"
#include "detector/window.h"

#include <string.h>

enum { PROTOCOL_UDP = 17, PORT_SNMP = 161 };
enum { BANNER = 120 }; /* what is first said is short */
enum { FILLER_FROM = 16, FILLER_BYTES = 48, PERIOD_MAX = 16 };

static bool begins(const struct packet *packet, const char *text, size_t length)
{
    return packet->payload_captured >= length && packet->payload[0] == (uint8_t)text[0] &&
           memcmp(packet->payload, text, length) == 0;
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
        return p[0] == 'E' && PAYLOAD_HOLDS(packet, "28P01", BANNER);
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
        return PAYLOAD_HOLDS(packet, " NO ", BANNER) &&
               (PAYLOAD_HOLDS(packet, "LOGIN", BANNER) || PAYLOAD_HOLDS(packet, "uthenticat", BANNER));
    case 23:
    case 2323:
    case 512:
    case 513:
    case 514:
        return PAYLOAD_HOLDS(packet, "ogin incorrect", BANNER) || PAYLOAD_HOLDS(packet, "ogin failed", BANNER) ||
               PAYLOAD_HOLDS(packet, "uthentication failed", BANNER) || PAYLOAD_HOLDS(packet, "ccess denied", BANNER);
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
    if (control_in_datagram(packet))
        return TALK_BOT;
    return exploit_in_datagram(packet) ? TALK_EXPLOIT_DATAGRAM : TALK_NOTHING;
}

/* Of a request whose head came before. An upload goes on for long, in segments that are full. */
static enum talk talk_of_body(const struct packet *packet)
{
    enum { FULL = 1300 };
    const char *name;

    if (packet->payload_bytes >= FULL)
        return TALK_NOTHING;
    name = http_body_pattern(packet->payload, packet->payload_captured);
    return name == NULL ? TALK_NOTHING : strcmp(name, "bot") == 0 ? TALK_BOT : TALK_BODY;
}

static enum talk talk_of_answer(const struct packet *packet)
{
    if (http_is_missing(packet->payload, packet->payload_captured))
        return TALK_MISSING;
    if (http_is_denied(packet->payload, packet->payload_captured))
        return TALK_DENIED;
    switch (http_answer_of(packet->payload, packet->payload_captured)) {
    case HTTP_ANSWER_SPOILS:
        return TALK_SPOILS;
    case HTTP_ANSWER_DISGUISE:
        return TALK_DISGUISE;
    default:
        return TALK_NOTHING;
    }
}

enum talk talk_of(const struct packet *packet)
{
    static const enum talk controls[] = {[CONTROL_FRAME] = TALK_CONTROL,
                                         [CONTROL_BOT] = TALK_BOT,
                                         [CONTROL_CHAT] = TALK_CHAT,
                                         [CONTROL_MINER] = TALK_MINER};
    enum control control;
    size_t period;

    if (packet->payload_captured < 4)
        return TALK_NOTHING;
    if (packet->protocol == PROTOCOL_UDP)
        return talk_of_datagram(packet);
    if (http_is_request(packet->payload, packet->payload_captured))
        return TALK_REQUEST;
    if (begins(packet, "HTTP/1.", 7))
        return talk_of_answer(packet);
    control = control_of(packet);
    if (control != CONTROL_NONE)
        return controls[control];
    if (exploit_in_segment(packet))
        return TALK_EXPLOIT;
    if (is_banner(packet))
        return TALK_BANNER;
    if (is_refused(packet))
        return TALK_REFUSED;
    if (port_asks_password(packet->destination_port))
        return period_of(packet) > 0 ? TALK_FILLER : TALK_NOTHING;
    if (is_plain_web(packet->destination_port))
        return talk_of_body(packet);
    if (!is_plain_web(packet->source_port))
        return TALK_NOTHING;
    period = period_of(packet);
    return period > 0 && is_key(packet->payload + FILLER_FROM, period) ? TALK_KEYED : TALK_NOTHING;
}
