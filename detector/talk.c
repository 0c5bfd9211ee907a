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

enum {
    PROTOCOL_UDP = 17,
    PORT_KERBEROS = 88,
    PORT_LDAP = 389,
    PORT_LOG = 514,
    PORT_MQTT = 1883,
    PORT_WINRM = 5985,
    PORT_SNMP = 161,
    PORT_MODBUS = 502,
    PORT_RTSP = 554,
    PORT_LLMNR = 5355,
    PORT_RTSP_OTHER = 8554,
    PORT_DHCP_SERVER = 67,
    PORT_DHCP_CLIENT = 68
};
enum { BANNER = 120 };        /* what is first said is short */
enum { NAME_MAX_BYTES = 15 }; /* NetBIOS' names */
enum { FILLER_FROM = 16, FILLER_BYTES = 48, PERIOD_MAX = 16, FILLER_SHORTEST = 180, EBCDIC_BLANK = 0x40 };

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

/* Kerberos: the name is not known (6), or the password wrong (24; RFC 4120, 5.9.1 and 7.5.9). Before any password a
 * client is told that one is wanted (25). */
static bool kerberos_refused(const struct packet *packet)
{
    enum { ERROR = 0x7e, LENGTH = 4, UNKNOWN = 6, WRONG = 24 };
    const uint8_t *p = packet->payload, *code;
    size_t n = payload_first(packet, BANNER);

    if (n > LENGTH && packet->protocol != PROTOCOL_UDP) {
        p += LENGTH;
        n -= LENGTH;
    }
    if (p[0] != ERROR)
        return false;
    code = memmem(p, n - 1, "\xa6\x03\x02\x01", 4);
    return code != NULL && (code[4] == UNKNOWN || code[4] == WRONG);
}

/* Oracle's error 1017, MySQL's 1045, PostgreSQL's 28P01, SQL Server's 18456, LDAP's 49, VNC's failed check. */
static bool database_refused(const struct packet *packet)
{
    const uint8_t *p = packet->payload;
    size_t n = packet->payload_captured;

    switch (packet->source_port) {
    case PORT_KERBEROS:
        return kerberos_refused(packet);
    case 1521:
        return PAYLOAD_HOLDS(packet, "ORA-01017", 2 * BANNER);
    case PORT_MQTT: /* 3.1.1: bad name or password, or not allowed; 5.0: the same as reasons */
        return n >= 4 && p[0] == 0x20 && (p[3] == 4 || p[3] == 5 || p[3] == 0x86 || p[3] == 0x87);
    case 3306:
        return n >= 7 && memcmp(p + 4, "\xff\x15\x04", 3) == 0;
    case 5432:
        return p[0] == 'E' && PAYLOAD_HOLDS(packet, "28P01", BANNER);
    case 1433:
        return n >= 15 && p[8] == 0xaa && le32(p + 11) == 18456;
    case PORT_LDAP:
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

/* What POP3 refuses besides: commands that old servers do not know, messages and locks. */
static const struct phrase errors[] = {
    PHRASE("command", 1), PHRASE("implemented", 1), PHRASE("supported", 1), PHRASE("message", 1),
    PHRASE("in-use", 1),  PHRASE("lock", 1),        PHRASE("delay", 1),     PHRASE("mechanism", 1),
    PHRASE("capa", 1),    PHRASE("uidl", 1),        PHRASE("syntax", 1),    PHRASE("protocol", 1),
};
static struct phrases other_errors;

__attribute__((constructor)) static void order(void)
{
    PHRASES_ORDER(&other_errors, errors);
}

/* Calls and subscriptions are forbidden, too, whoever asks; a capture may be cut before it says which it was. */
static bool sip_refused(const struct packet *packet)
{
    enum { HEAD = 1024 };
    bool cut = packet->payload_captured < packet->payload_bytes && packet->payload_captured < HEAD;

    if (begins(packet, "SIP/2.0 403 ", 12))
        return cut || PAYLOAD_HOLDS(packet, " REGISTER\r\n", HEAD);
    return begins(packet, "SIP/2.0 404 ", 12) && PAYLOAD_HOLDS(packet, " REGISTER\r\n", HEAD);
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
    case PORT_POP:
        return begins(packet, "-ERR", 4) && !payload_finds(packet, &other_errors, BANNER);
    case PORT_IMAP:
        return PAYLOAD_HOLDS(packet, " NO ", BANNER) &&
               (PAYLOAD_HOLDS(packet, "LOGIN", BANNER) || PAYLOAD_HOLDS(packet, "uthenticat", BANNER));
    case 23:
    case 2323:
    case 512:
    case 513:
    case 514:
        return PAYLOAD_HOLDS(packet, "ogin incorrect", BANNER) || PAYLOAD_HOLDS(packet, "ogin failed", BANNER) ||
               PAYLOAD_HOLDS(packet, "uthentication failed", BANNER) ||
               PAYLOAD_HOLDS(packet, "ccess denied", BANNER) || PAYLOAD_HOLDS(packet, "ogin invalid", BANNER);
    case 139:
    case 445:
        return smb_refused(packet);
    case PORT_SIP:
        return sip_refused(packet);
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
            return period == 1 && (*p == 0 || *p == ' ' || *p == EBCDIC_BLANK || *p == 0xff) ? 0 : period;
    }
    return 0;
}

/* People paste lines of stars. */
static bool is_filler(const struct packet *packet)
{
    return port_asks_password(packet->destination_port) && packet->payload_bytes >= FILLER_SHORTEST &&
           period_of(packet) > 0;
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

/* DHCP: a card looks for a server (RFC 2131 and 2132, 9.6). Cards that hide behind an invented number of their own
 * (the second bit) tell no maker, unless it is one that no card may have. */
static bool is_lease(const struct packet *packet)
{
    enum { CARD = 28, OPTIONS = 240, TYPE = 53, DISCOVER = 1 };
    const uint8_t *p = packet->payload;

    return packet->destination_port == PORT_DHCP_SERVER && packet->payload_captured > OPTIONS + 2 && p[0] == 1 &&
           p[OPTIONS] == TYPE && p[OPTIONS + 2] == DISCOVER && ((p[CARD] & 2) == 0 || (p[CARD] & 1) != 0);
}

uint64_t talk_maker(const struct packet *packet)
{
    enum { CARD = 28, MAKER = 3 };

    return window_hash(24, packet->payload + CARD, MAKER);
}

/* The name in an answer by LLMNR (RFC 4795) about an address, in small letters and cut as NetBIOS cuts it; its
 * length, 0: it is none. */
static size_t name_by_llmnr(const struct packet *packet, char out[NAME_MAX_BYTES])
{
    enum { HEADER = 12, A = 1, AAAA = 28, LABEL_MAX = 63 };
    const uint8_t *p = packet->payload;
    size_t length, used = 0;

    if (packet->payload_captured < HEADER + 4 || (p[2] & 0xf8) != 0x80 || (p[3] & 15) != 0 || be16(p + 4) != 1 ||
        be16(p + 6) == 0 || p[HEADER] == 0 || p[HEADER] > LABEL_MAX)
        return 0;
    length = p[HEADER];
    if (packet->payload_captured < HEADER + 1 + length + 3 || p[HEADER + 1 + length] != 0 ||
        (be16(p + HEADER + 2 + length) != A && be16(p + HEADER + 2 + length) != AAAA))
        return 0;
    for (; used < length && used < NAME_MAX_BYTES; used++)
        out[used] = (char)(p[HEADER + 1 + used] | 0x20);
    return used;
}

/* The same by NetBIOS (RFC 1002, 4.2.13) about a machine's own name, not a group's or a browser's. A server that
 * answers for others says so (RA in the flags). */
static size_t name_by_netbios(const struct packet *packet, char out[NAME_MAX_BYTES])
{
    enum { NAME = 13, SUFFIX = NAME + 30, TYPE = 46, GROUP = 56, ANSWER = 62 };
    const uint8_t *p = packet->payload;
    size_t used = 0;

    if (packet->payload_captured < ANSWER || be16(p + 2) != 0x8500 || be16(p + 4) != 0 || be16(p + 6) != 1 ||
        p[NAME - 1] != 32 || be16(p + TYPE) != 0x20 || (p[GROUP] & 0x80) != 0 ||
        (p[SUFFIX] == 'B' && p[SUFFIX + 1] >= 'L'))
        return 0;
    for (; used < NAME_MAX_BYTES; used++) {
        char sign = (char)((p[NAME + 2 * used] - 'A') << 4 | ((p[NAME + 2 * used + 1] - 'A') & 15));

        if (sign == ' ')
            break;
        out[used] = (char)(sign | 0x20);
    }
    return used;
}

/* A record of a handshake that does not begin as one in clear text does: it is encrypted (RFC 5246, 7.4). */
static bool is_renegotiation(const struct packet *packet)
{
    enum { HANDSHAKE = 22, HELLO = 1, CERTIFICATE = 11, KEYS = 16 };
    const uint8_t *p = packet->payload;

    return p[0] == HANDSHAKE && p[1] == 3 && packet->payload_captured > 9 &&
           packet->source_port > packet->destination_port && p[5] != HELLO && p[5] != CERTIFICATE && p[5] != KEYS;
}

/* Modbus (Application Protocol 1.1b3, 7; over TCP, 3.1.3): an exception that says that there is no such function (1),
 * or that nobody answers behind the gateway (10, 11). */
static bool is_unknown_function(const struct packet *packet)
{
    enum { ANSWER = 9, ILLEGAL = 1, NO_PATH = 10, NO_ANSWER = 11 };
    const uint8_t *p = packet->payload;

    return packet->payload_bytes == ANSWER && packet->payload_captured == ANSWER && be16(p + 2) == 0 &&
           be16(p + 4) == 3 && (p[7] & 0x80) != 0 && (p[8] == ILLEGAL || p[8] == NO_PATH || p[8] == NO_ANSWER);
}

uint64_t talk_function(const struct packet *packet)
{
    enum { ILLEGAL = 1 };
    const uint8_t *p = packet->payload;

    return window_mix(p[6], p[8] == ILLEGAL ? p[7] : 0);
}

static size_t claimed_name(const struct packet *packet, char out[NAME_MAX_BYTES])
{
    return packet->source_port == PORT_LLMNR ? name_by_llmnr(packet, out) : name_by_netbios(packet, out);
}

uint64_t talk_name(const struct packet *packet)
{
    char name[NAME_MAX_BYTES];

    return window_hash(25, name, claimed_name(packet, name));
}

static bool is_claim(const struct packet *packet)
{
    char name[NAME_MAX_BYTES];

    return (packet->source_port == PORT_LLMNR || packet->source_port == PORT_NAMES) && claimed_name(packet, name) > 0;
}

/* RFC 5424 and 3164: "<13>...", or its length in front (RFC 6587). */
static bool is_log_line(const struct packet *packet)
{
    enum { LENGTH = 6 };
    const uint8_t *p = packet->payload, *sign = memchr(p, '<', payload_first(packet, LENGTH));

    return packet->destination_port == PORT_LOG && sign != NULL && (sign == p || sign[-1] == ' ') &&
           sign + 1 < p + packet->payload_captured && sign[1] >= '0' && sign[1] <= '9';
}

bool talk_login(const struct packet *packet, struct guess *out)
{
    const uint8_t *p = packet->payload;
    size_t n = packet->payload_captured;

    switch (packet->destination_port) {
    case PORT_FTP:
    case PORT_POP:
        return guess_in_command(p, n, out);
    case PORT_IMAP:
        return guess_in_box(p, n, out);
    case PORT_MQTT:
        return guess_in_connect(p, n, out);
    case PORT_LDAP:
        return guess_in_bind(p, n, out);
    default:
        return false;
    }
}

bool talk_guess(const struct packet *packet, struct guess *out)
{
    const uint8_t *p = packet->payload;
    size_t n = packet->payload_captured;

    if (packet->protocol == PROTOCOL_UDP)
        return guess_in_registration(p, n, out);
    if (packet->destination_port == PORT_RTSP || packet->destination_port == PORT_RTSP_OTHER)
        return guess_in_stream(p, n, out);
    if (packet->destination_port == PORT_MAIL)
        return guess_in_mail(p, n, out);
    return guess_in_body(p, n, out);
}

static enum talk talk_of_datagram(const struct packet *packet)
{
    const uint8_t *at;
    struct guess guess;

    if ((packet->source_port == PORT_SIP || packet->source_port == PORT_KERBEROS) && is_refused(packet))
        return TALK_REFUSED;
    if (packet->destination_port == PORT_SIP && packet->payload[0] == 'R' && talk_guess(packet, &guess))
        return TALK_GUESS;
    if (packet->source_port == PORT_DHCP_CLIENT && is_lease(packet))
        return TALK_LEASE;
    if (packet->destination_port == PORT_SNMP && community(packet, &at) > 0)
        return TALK_COMMUNITY;
    if (control_in_datagram(packet))
        return TALK_BOT;
    if (exploit_in_datagram(packet))
        return TALK_EXPLOIT_DATAGRAM;
    return is_claim(packet) ? TALK_NAME : TALK_NOTHING;
}

/* Of a request whose head came before. An upload goes on for long, in segments that are full. */
static enum talk talk_of_body(const struct packet *packet)
{
    enum { FULL = 1300 };
    const char *name;
    struct guess guess;

    if (packet->payload_bytes >= FULL)
        return TALK_NOTHING;
    name = http_body_pattern(packet->payload, packet->payload_captured);
    if (name == NULL)
        return talk_guess(packet, &guess) ? TALK_GUESS : TALK_NOTHING;
    return strcmp(name, "bot") == 0 ? TALK_BOT : TALK_BODY;
}

static enum talk talk_of_answer(const struct packet *packet)
{
    if (packet->source_port == PORT_WINRM && begins(packet, "HTTP/1.1 200", 12))
        return TALK_LET_IN;
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
    struct guess guess;
    size_t period;

    if (packet->payload_captured < 4)
        return TALK_NOTHING;
    if (packet->protocol == PROTOCOL_UDP)
        return talk_of_datagram(packet);
    if ((packet->destination_port == PORT_RTSP || packet->destination_port == PORT_RTSP_OTHER ||
         packet->destination_port == PORT_MAIL) &&
        talk_guess(packet, &guess))
        return TALK_GUESS;
    if (http_is_request(packet->payload, packet->payload_captured))
        return TALK_REQUEST;
    if (begins(packet, "HTTP/1.", 7))
        return talk_of_answer(packet);
    control = control_of(packet);
    if (control != CONTROL_NONE)
        return controls[control];
    if (exploit_in_segment(packet))
        return TALK_EXPLOIT;
    if (packet->source_port == PORT_FTP && begins(packet, "230", 3))
        return TALK_LET_IN;
    if (packet->source_port == PORT_MODBUS && is_unknown_function(packet))
        return TALK_FUNCTION;
    if (is_renegotiation(packet))
        return TALK_KEYS;
    if (is_banner(packet))
        return TALK_BANNER;
    if (is_refused(packet))
        return TALK_REFUSED;
    if (is_filler(packet))
        return TALK_FILLER;
    if (talk_login(packet, &guess))
        return TALK_LOGIN;
    if (is_log_line(packet))
        return TALK_LOG;
    if (port_asks_password(packet->destination_port))
        return TALK_NOTHING;
    if (is_plain_web(packet->destination_port))
        return talk_of_body(packet);
    if (!is_plain_web(packet->source_port))
        return TALK_NOTHING;
    period = period_of(packet);
    return period > 0 && is_key(packet->payload + FILLER_FROM, period) ? TALK_KEYED : TALK_NOTHING;
}
