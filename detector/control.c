/* control.c: see control.h. */
#include "detector/control.h"

#include "detector/payload.h"
#include "detector/ports.h"

#include <string.h>
#include <strings.h>

enum { BANNER = 120 }; /* what is first said is short */
enum { PORT_SHELL = 514 };

/* With which a segment begins, and what else has to be so. */
enum opening {
    OPEN_NONE,
    OPEN_FRAME,   /* nothing */
    OPEN_WHOLE,   /* it is the whole segment */
    OPEN_SEED,    /* it has the size that its first four bytes tell, themselves not counted: NetWire's key */
    OPEN_SHELL,   /* it is no port of clear-text shells */
    OPEN_VERSION, /* as OPEN_SHELL, and a "[Version " behind it */
    OPEN_USER,    /* as OPEN_SHELL, and a ") gid=" behind it */
    OPEN_BOT,     /* nothing: a bot's */
    OPEN_APPLET, /* and capitals, there or behind a second one: no applet is called so, its error is what is wanted */
    OPEN_DROP,   /* a line that also makes a program of what it has fetched */
    OPEN_STAR,   /* "!* " and capitals: what Gafgyt's kin are told */
    OPEN_NICK,   /* IRC: a name made of country, system and number */
    OPEN_CHAT,   /* IRC: an order to bots behind it, or a port that is not IRC's */
    OPEN_NOTE,   /* the same, and a " :" behind it: a log may begin so */
    OPEN_JSON,   /* miners' words behind it */
    OPEN_STORE,  /* FTP: a stealer's report by its name */
    OPEN_MAIL,   /* SMTP: a stealer's report by its subject */
    OPEN_TLS     /* a certificate that a control server makes for itself behind it */
};

/* Letters are compared without case, which makes texts this long no less telling. The twelve digits are "IDTYPE"
 * under the keys of DarkComet's versions, \x09\x12\x3b\x42 Warzone's mark under its key. */
static const struct phrase openings[] = {
    PHRASE("MZ\xe8\0\0\0\0", OPEN_FRAME),
    PHRASE("MZARUH\x89", OPEN_FRAME),
    PHRASE("MZRE\xe8\0\0", OPEN_FRAME),
    PHRASE("\x24\x04\xff\0", OPEN_FRAME),
    PHRASE("[DataStart]", OPEN_FRAME),
    PHRASE("\x09\x12\x3b\x42", OPEN_FRAME),
    PHRASE("\x41\0\0\0\x99", OPEN_SEED),
    PHRASE("myversion|", OPEN_FRAME),
    PHRASE("ping|STRRAT|", OPEN_FRAME),
    PHRASE("InformationRevenge-RAT", OPEN_FRAME),
    PHRASE("Information*-]NK[-*", OPEN_FRAME),
    PHRASE("CONNECT=P4CK3T=", OPEN_FRAME),
    PHRASE("bf7cab464efb", OPEN_WHOLE),
    PHRASE("8ea4ab05fa7e", OPEN_WHOLE),
    PHRASE("c7cf9c7cd932", OPEN_WHOLE),
    PHRASE("155cad31a61f", OPEN_WHOLE),
    PHRASE("b47cb892b702", OPEN_WHOLE),
    PHRASE("1164805c82ee", OPEN_WHOLE),
    PHRASE("6b2df5bf8724", OPEN_WHOLE),
    PHRASE("Microsoft Windows", OPEN_VERSION),
    PHRASE("uid=", OPEN_USER),
    PHRASE(" Volume in drive ", OPEN_SHELL),
    PHRASE("Windows PowerShell running as user ", OPEN_SHELL),
    PHRASE("bash: cannot set terminal process group", OPEN_SHELL),
    PHRASE("bash: no job control in this shell", OPEN_SHELL),
    PHRASE("/bin/sh: 0: can't access tty", OPEN_SHELL),
    PHRASE("sh: 0: can't access tty", OPEN_SHELL),
    PHRASE("sh: no job control in this shell", OPEN_SHELL),
    PHRASE("python -c 'import pty", OPEN_SHELL),
    PHRASE("python3 -c 'import pty", OPEN_SHELL),
    PHRASE("net localgroup administrators", OPEN_SHELL),
    PHRASE("cat /etc/shadow\n", OPEN_SHELL),
    PHRASE("cat /etc/passwd\n", OPEN_SHELL),
    PHRASE("whoami\n", OPEN_SHELL),
    PHRASE("whoami\r\n", OPEN_SHELL),
    PHRASE("/bin/busybox ", OPEN_APPLET),
    PHRASE("cd /tmp || cd /var/", OPEN_BOT),
    PHRASE("cd /tmp;", OPEN_DROP),
    PHRASE("cd /tmp ;", OPEN_DROP),
    PHRASE("cd /tmp &&", OPEN_DROP),
    PHRASE("cd /var/run;", OPEN_DROP),
    PHRASE("cd /dev/shm;", OPEN_DROP),
    PHRASE("wget http://", OPEN_DROP),
    PHRASE("!* ", OPEN_STAR),
    PHRASE("NICK ", OPEN_NICK),
    PHRASE("PRIVMSG ", OPEN_CHAT),
    PHRASE("JOIN #", OPEN_CHAT),
    PHRASE("JOIN &", OPEN_CHAT),
    PHRASE("PING :", OPEN_CHAT),
    PHRASE("PONG :", OPEN_CHAT),
    PHRASE("NOTICE ", OPEN_NOTE),
    PHRASE("USERHOST ", OPEN_CHAT),
    PHRASE("MODE #", OPEN_CHAT),
    PHRASE("{\"id", OPEN_JSON),
    PHRASE("{\"method", OPEN_JSON),
    PHRASE("{\"jsonrpc", OPEN_JSON),
    PHRASE("{\"params", OPEN_JSON),
    PHRASE("{\"result", OPEN_JSON),
    PHRASE("STOR PW_", OPEN_STORE),
    PHRASE("STOR CO_", OPEN_STORE),
    PHRASE("STOR KL_", OPEN_STORE),
    PHRASE("STOR SC_", OPEN_STORE),
    PHRASE("STOR HawkEye_", OPEN_BOT),
    PHRASE("STOR ps_dump_", OPEN_BOT),
    PHRASE("STOR seclog_", OPEN_BOT),
    PHRASE("MIME-Version:", OPEN_MAIL),
    PHRASE("From:", OPEN_MAIL),
    PHRASE("Subject:", OPEN_MAIL),
    PHRASE("Date:", OPEN_MAIL),
    PHRASE("\x16\x03\0", OPEN_TLS),
    PHRASE("\x16\x03\1", OPEN_TLS),
    PHRASE("\x16\x03\2", OPEN_TLS),
    PHRASE("\x16\x03\3", OPEN_TLS),
};

/* On IRC: what bots are told to do, with the sign that their kits put in front. */
static const struct phrase chat_orders[] = {
    PHRASE(":.advscan", 1),     PHRASE(":!advscan", 1),       PHRASE(":.ntscan", 1),        PHRASE(":.asc ", 1),
    PHRASE(":.udpflood", 1),    PHRASE(":.synflood", 1),      PHRASE(":.tcpflood", 1),      PHRASE(":!udpflood", 1),
    PHRASE(":!tcpflood", 1),    PHRASE(":!httpflood", 1),     PHRASE(":.ddos.", 1),         PHRASE(":.scanall", 1),
    PHRASE(":.scan.start", 1),  PHRASE(":.download http", 1), PHRASE(":!download http", 1), PHRASE(":.dl http", 1),
    PHRASE(":.update http", 1), PHRASE(":.wget http", 1),     PHRASE(":.http.execute", 1),  PHRASE(":.opencmd", 1),
    PHRASE(":.keylog on", 1),   PHRASE(":.findpass", 1),      PHRASE(":!* udp ", 1),        PHRASE(":!* pan ", 1),
    PHRASE(":!* tsunami ", 1),  PHRASE(":!* unknown ", 1),    PHRASE(":!* sh ", 1),         PHRASE(":.visit http", 1),
};

static const struct phrase mining[] = {
    PHRASE("\"mining.subscribe\"", 1), PHRASE("\"mining.authorize\"", 1), PHRASE("\"mining.notify\"", 1),
    PHRASE("\"mining.submit\"", 1),    PHRASE("\"eth_submitlogin\"", 1),  PHRASE("\"agent\":\"xmrig", 1),
    PHRASE("\"agent\":\"xmr-stak", 1), PHRASE("\"agent\":\"ccminer", 1),  PHRASE("\"agent\":\"cpuminer", 1),
    PHRASE("\"algo\":[\"cn/", 1),      PHRASE("\"algo\":[\"rx/", 1),
};

static const struct phrase subjects[] = {
    PHRASE("\nsubject: hawkeye keylogger", 1), PHRASE("\nsubject: predator pain", 1),
    PHRASE("\nsubject: agent tesla", 1),       PHRASE("\nsubject: pw_", 1),
    PHRASE("\nsubject: snake keylogger", 1),   PHRASE("\nsubject: phoenix keylogger", 1),
    PHRASE("\nsubject: origin logger", 1),
};

/* Names that the makers' own programs put into certificates; the last is Gozi's, a state and place called "1". */
static const struct phrase certificates[] = {
    PHRASE("AsyncRAT Server", 1),    PHRASE("DcRat Server", 1), PHRASE("Quasar Server CA", 1),
    PHRASE("VenomRAT Server", 1),    PHRASE("Orcus Server", 1), PHRASE("Major Cobalt Strike", 1),
    PHRASE("AdvancedPenTesting", 1), PHRASE("P18055077", 1),    PHRASE("\x55\x04\x08\x0c\x01\x31\x31", 1),
};

static struct {
    struct phrases openings, chat, mining, subjects, certificates;
} sets;

__attribute__((constructor)) static void order(void)
{
    PHRASES_ORDER(&sets.openings, openings);
    PHRASES_ORDER(&sets.chat, chat_orders);
    PHRASES_ORDER(&sets.mining, mining);
    PHRASES_ORDER(&sets.subjects, subjects);
    PHRASES_ORDER(&sets.certificates, certificates);
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

/* njRAT and its kin part their words by |'|'|, LimeRAT by |'L'| or |'N'|; the length in digits and a zero may stand
 * in front. */
static bool is_parted(const struct packet *packet)
{
    enum { WORD = 12, SIGN = 5 };
    const uint8_t *p = packet->payload, *at;
    size_t n = packet->payload_captured;

    if (n < SIGN + 1 || !(p[0] >= '0' && p[0] <= 'z'))
        return false;
    at = memchr(p, '|', n - SIGN + 1 < WORD ? n - SIGN + 1 : WORD);
    if (at == NULL || at[1] != '\'' || at[3] != '\'' || at[4] != '|')
        return false;
    return at[2] == '|' || at[2] == 'L' || at[2] == 'N';
}

/* Ramnit's: a mark, the length of what follows and its first command, to say who one is. */
static bool is_marked_frame(const struct packet *packet)
{
    enum { HEADER = 6, HELLO = 0xe2 };
    const uint8_t *p = packet->payload;

    return p[0] == 0 && p[1] == 0xff && packet->payload_captured > HEADER && p[HEADER] == HELLO &&
           le32(p + 2) == packet->payload_bytes - HEADER;
}

/* Metasploit's: the length, then the library that is to be loaded. */
static bool is_sized_loader(const struct packet *packet)
{
    enum { SMALLEST = 4096, LARGEST = 8 << 20 };
    const uint8_t *p = packet->payload;

    return packet->payload_captured >= 11 && p[4] == 'M' && p[5] == 'Z' && le32(p) >= SMALLEST &&
           le32(p) <= LARGEST && phrases_at(&sets.openings, p + 4, packet->payload_captured - 4) == OPEN_FRAME;
}

/* "C:\WINDOWS\system32>" or PowerShell's, with or without the line before. */
static bool is_prompt(const struct packet *packet)
{
    const uint8_t *p = packet->payload;
    size_t n = packet->payload_captured;

    if (n != packet->payload_bytes || n < 4)
        return false;
    if (p[n - 1] == ' ' && p[n - 2] == '>' && memcmp(p, "PS ", 3) == 0) {
        p += 3;
        n -= 4;
    }
    if (n < 4 || p[n - 1] != '>')
        return false;
    while (n > 0 && (*p == '\r' || *p == '\n')) {
        p++;
        n--;
    }
    return n >= 4 && n < 200 && p[0] >= 'A' && p[0] <= 'Z' && p[1] == ':' && p[2] == '\\' &&
           memchr(p, '\n', n) == NULL;
}

static bool is_clear(const struct packet *packet)
{
    return packet->source_port == PORT_TELNET || packet->destination_port == PORT_TELNET ||
           packet->source_port == PORT_SHELL || packet->source_port == PORT_LOGIN;
}

static bool is_chat(const struct packet *packet)
{
    return port_is_chat(packet->source_port) || port_is_chat(packet->destination_port);
}

static bool has_capitals_at(const struct packet *packet, size_t at)
{
    const uint8_t *p = packet->payload;

    for (size_t i = at; i < at + 3; i++) {
        if (i >= packet->payload_captured || p[i] < 'A' || p[i] > 'Z')
            return false;
    }
    return true;
}

/* "[USA|XP|123456]", "{DE-W7-12345}": a country, a system and a number between brackets. */
static bool is_numbered_name(const struct packet *packet)
{
    const uint8_t *p = packet->payload + 5;
    size_t n = payload_first(packet, 40) - 5, bars = 0, digits = 0, run = 0;

    if (n < 8 || (p[0] != '[' && p[0] != '{' && memcmp(p, "n[", 2) != 0 && memcmp(p, "n{", 2) != 0))
        return false;
    for (size_t i = 0; i < n && p[i] > ' '; i++) {
        bars += p[i] == '|' || p[i] == '-';
        run = p[i] >= '0' && p[i] <= '9' ? run + 1 : 0;
        digits = run > digits ? run : digits;
    }
    return bars >= 2 && digits >= 4;
}

/* Behind a server's hello, in the same segment; from TLS 1.3 on nobody can read it. Who signed stands at the
 * beginning, and these sign for themselves. */
static bool is_own_certificate(const struct packet *packet)
{
    enum { SERVER_HELLO = 2, CERTIFICATE = 11, FROM = 40, TO = 420 };
    const uint8_t *p = packet->payload;

    return packet->payload_captured > FROM && (p[5] == SERVER_HELLO || p[5] == CERTIFICATE) &&
           phrases_find(&sets.certificates, p + FROM, payload_first(packet, TO) - FROM) != 0;
}

/* "/bin/busybox cat /proc/mounts; /bin/busybox ECCHI" */
static bool names_no_applet(const struct packet *packet)
{
    static const char second[] = "; /bin/busybox ";
    const uint8_t *p = packet->payload, *at = memmem(p, payload_first(packet, 2 * BANNER), second, sizeof second - 1);

    return has_capitals_at(packet, 13) ||
           (at != NULL && has_capitals_at(packet, (size_t)(at - p) + sizeof second - 1));
}

/* What a worm has a shell do, all in one line. */
static bool is_drop(const struct packet *packet)
{
    enum { LINE = 600 };

    return (PAYLOAD_HOLDS(packet, "wget http://", LINE) || PAYLOAD_HOLDS(packet, "tftp -", LINE) ||
            PAYLOAD_HOLDS(packet, "curl -O http://", LINE) || PAYLOAD_HOLDS(packet, "ftpget ", LINE)) &&
           (PAYLOAD_HOLDS(packet, "chmod 7", LINE) || PAYLOAD_HOLDS(packet, "chmod +x", LINE)) &&
           PAYLOAD_HOLDS(packet, ";", LINE);
}

static enum control opened(const struct packet *packet, enum opening opening)
{
    enum { ORDER = 300, SUBJECT = 1024 };
    bool frame = false, bot = false;

    switch (opening) {
    case OPEN_FRAME:
        frame = true;
        break;
    case OPEN_WHOLE:
        frame = packet->payload_bytes == 12;
        break;
    case OPEN_SEED:
        frame = packet->payload_bytes == 4 + le32(packet->payload);
        break;
    case OPEN_SHELL:
        frame = !is_clear(packet);
        break;
    case OPEN_VERSION:
        frame = !is_clear(packet) && PAYLOAD_HOLDS(packet, "[Version ", BANNER);
        break;
    case OPEN_USER:
        frame = !is_clear(packet) && PAYLOAD_HOLDS(packet, ") gid=", BANNER);
        break;
    case OPEN_BOT:
        bot = true;
        break;
    case OPEN_APPLET:
        bot = names_no_applet(packet);
        break;
    case OPEN_DROP:
        bot = is_drop(packet);
        break;
    case OPEN_STAR:
        bot = packet->payload_bytes < ORDER && has_capitals_at(packet, 3);
        break;
    case OPEN_NICK:
    case OPEN_CHAT:
    case OPEN_NOTE:
        if (opening == OPEN_NOTE && !PAYLOAD_HOLDS(packet, " :", BANNER))
            return CONTROL_NONE;
        if (opening == OPEN_NICK ? is_numbered_name(packet) : payload_finds(packet, &sets.chat, ORDER))
            return CONTROL_BOT;
        return is_chat(packet) ? CONTROL_NONE : CONTROL_CHAT;
    case OPEN_JSON:
        return payload_finds(packet, &sets.mining, ORDER) ? CONTROL_MINER : CONTROL_NONE;
    case OPEN_STORE:
        bot = packet->destination_port == PORT_FTP && PAYLOAD_HOLDS(packet, "_20", BANNER);
        break;
    case OPEN_MAIL:
        bot =
            port_service(packet->destination_port) == SERVICE_MAIL && payload_finds(packet, &sets.subjects, SUBJECT);
        break;
    case OPEN_TLS:
        frame = is_own_certificate(packet);
        break;
    default:
        break;
    }
    return frame ? CONTROL_FRAME : bot ? CONTROL_BOT : CONTROL_NONE;
}

/* RedLine's calls by their makers' names for them, in a message of .NET's own framing (MC-NMF, 2.2.4.1). */
static bool is_report(const struct packet *packet)
{
    enum { SIZED = 6 };

    return packet->payload[0] == SIZED && PAYLOAD_HOLDS(packet, "http://tempuri.org/", 40) &&
           (PAYLOAD_HOLDS(packet, "/Entity/Id", 60) || PAYLOAD_HOLDS(packet, "/Endpoint/CheckConnect", 60));
}

enum control control_of(const struct packet *packet)
{
    int opening;

    opening = phrases_at(&sets.openings, packet->payload, packet->payload_captured);
    if (opening != OPEN_NONE)
        return opened(packet, (enum opening)opening);
    if (is_packed_frame(packet) || is_parted(packet) || is_sized_loader(packet) || is_marked_frame(packet) ||
        (!is_clear(packet) && is_prompt(packet)))
        return CONTROL_FRAME;
    if (is_report(packet))
        return CONTROL_BOT;
    if (packet->payload[0] == ':' && is_chat(packet) && payload_finds(packet, &sets.chat, 300))
        return CONTROL_BOT;
    return CONTROL_NONE;
}

/* By TFTP worms fetch themselves; machines without a disk fetch only what they start from. */
static bool is_program_by_tftp(const struct packet *packet)
{
    static const char *const ends[] = {".exe", ".dll", ".sh", ".mips", ".mpsl", ".arm7", ".x86", ".sh4"};
    const char *name = (const char *)packet->payload + 2;
    size_t most = payload_first(packet, 80) - 2, length = strnlen(name, most);

    if (packet->payload[0] != 0 || packet->payload[1] != 1 || length == most || PAYLOAD_HOLDS(packet, "boot", 80) ||
        PAYLOAD_HOLDS(packet, "Boot", 80))
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i]);

        if (length > n && strncasecmp(name + length - n, ends[i], n) == 0)
            return true;
    }
    return false;
}

/* ZeroAccess' "getL" and "retL" under its key, which turns by a bit with each word; Mozi's nodes, whose numbers begin
 * with eights. */
bool control_in_datagram(const struct packet *packet)
{
    enum { ASK = 16, WORD = 4 };
    static const char asked[] = "\x28\x94\x8d\xab\xc9\xc0\xd1\x99", told[] = "\x28\x94\x8d\xbe";
    static const char node[] = "d2:id20:88888888";
    const uint8_t *p = packet->payload;
    size_t n = packet->payload_captured;

    if (packet->destination_port == PORT_TFTP)
        return is_program_by_tftp(packet);
    if (n < ASK)
        return false;
    if (p[0] == 'd' && n > 4 + sizeof node)
        return (memcmp(p, "d1:a", 4) == 0 || memcmp(p, "d1:r", 4) == 0) && memcmp(p + 4, node, sizeof node - 1) == 0;
    return (packet->payload_bytes == ASK && memcmp(p + WORD, asked, sizeof asked - 1) == 0) ||
           (packet->payload_bytes > ASK && memcmp(p + WORD, told, sizeof told - 1) == 0);
}
