/* hosts_packets.c: what single packets tell: ARP, ICMP, DNS and the talk of TCP; see hosts.h. */
#include "detector/bytes.h"
#include "detector/dns.h"
#include "detector/guess.h"
#include "detector/hosts_state.h"
#include "detector/http.h"
#include "detector/ports.h"
#include "detector/talk.h"

#include <string.h>

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMP6 = 58 };
enum { LONG_PART = 30, ECHO_CARRIES = 32 };
static const int64_t minute_ns = 60000000000;

/* Each net of 256 by itself: a head end asks for customers all over its nets, who looks for hosts goes through one.
 * Who answers is there: a router that has just been started asks for all it knows. */
static void count_arp(struct mark *mark, const struct packet *packet)
{
    static const uint8_t nobody[4] = {0};

    if (claims_contradict(mark->hosts->claims, packet))
        mark_count(mark, COUNT_FORGED, 0, 1, 1);
    if (memcmp(mark->source + 12, nobody, 4) == 0 || memcmp(mark->source, mark->target, 16) == 0)
        return;
    if (packet->arp == ARP_REQUEST) {
        mark_count(mark, COUNT_HOSTS_ASKED, be32(mark->target + 12) >> 8, mark->target_hash, 1);
    } else {
        mark_setup(mark, mark->hosts, packet->time_ns, packet->destination, packet->source);
        mark_take(mark, COUNT_HOSTS_ASKED, be32(mark->target + 12) >> 8, mark->target_hash);
    }
}

static bool ends_with(const char *name, size_t length, const char *tail)
{
    size_t n = strlen(tail);

    return length >= n && memcmp(name + length - n, tail, n) == 0;
}

/* 4.3.2.1.list.example, as mail servers ask (RFC 5782, 2.1): an address turned around, and nothing else. */
static bool is_address_look_up(const char *name)
{
    for (int part = 0; part < 4; part++) {
        size_t digits = strspn(name, "0123456789");

        if (digits < 1 || digits > 3 || name[digits] != '.')
            return false;
        name += digits + 1;
    }
    return true;
}

/* Names that a service is found by (RFC 2782), and those that mail servers make of what they were told (RFC 7208, 7;
 * RFC 6376, 7489): as long as sites, senders and addresses are. */
static bool is_of_service(const struct dns *dns)
{
    static const char *const labels[] = {"._tcp.", "._udp.", "._msdcs.", "._spf.", "._dmarc.", "._domainkey."};

    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        if (strstr(dns->name, labels[i]) != NULL)
            return true;
    }
    return false;
}

/* Names that carry data with their owner's will: reputation look-ups of mail filters and virus scanners. */
static bool is_lookup(const struct dns *dns)
{
    static const char *const known[] = {"mcafee.com",   "sophosxl.net", "e5.sk",          "trendmicro.com",
                                        "spamhaus.net", "spamhaus.org", "surbl.org",      "uribl.com",
                                        "rspamd.com",   "cymru.com",    "senderbase.org", "barracudacentral.org",
                                        "eset.com",     "webroot.com"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(dns->name + dns->domain, known[i]) == 0)
            return true;
    }
    return is_address_look_up(dns->name) || ends_with(dns->name, dns->name_length, ".arpa") || is_of_service(dns);
}

/* Names that no server outside answers for: search lists of local nets. */
static bool is_local(const struct dns *dns)
{
    static const char *const local[] = {".local", ".internal", ".lan", ".home", ".localdomain", ".intranet", ".corp"};

    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        if (ends_with(dns->name, dns->name_length, local[i]))
            return true;
    }
    return false;
}

/* Names of block lists of mail servers: 4.3.2.1.list.example. */
static bool is_list(const struct dns *dns)
{
    return dns->name[strspn(dns->name, "0123456789")] == '.';
}

/* Base64 and its kin: no host is called so. A whole address of the web, asked for by mistake, is none. */
static bool is_encoded(const struct dns *dns)
{
    size_t odd = 0;

    if (memchr(dns->name, ':', dns->domain) != NULL)
        return false;
    for (size_t i = 0; i < dns->domain; i++)
        odd += strchr("=+*/", dns->name[i]) != NULL;
    return dns->domain >= LONG_PART && odd >= 2;
}

/* A resolver that asks for many people asks for many names of large domains, among yet more of others. */
static void unless_one_of_many(struct mark *mark, size_t before)
{
    enum { OTHERS = 4 };

    if (mark->count > before && mark_pair_flows(mark) > OTHERS * mark->out[before].value)
        mark->count = before;
}

/* The name, its numbers left out: those of hosts of one row ("node-0017") differ in nothing else, those that carry
 * something do. */
static uint64_t row_of_hosts(const struct dns *dns)
{
    char name[DNS_NAME];
    size_t used = 0;

    for (size_t i = 0; i < dns->name_length; i++) {
        bool digit = dns->name[i] >= '0' && dns->name[i] <= '9';

        if (!digit || used == 0 || name[used - 1] != '0')
            name[used++] = digit ? '0' : dns->name[i];
    }
    return window_hash(6, name, used);
}

static void count_question(struct mark *mark, const struct dns *dns)
{
    const char *domain = dns->name + dns->domain;
    uint64_t extra = window_hash(5, domain, dns->name_length - dns->domain);
    uint64_t name = window_hash(6, dns->name, dns->name_length), row = row_of_hosts(dns);
    bool rare = dns->type == DNS_TYPE_TXT || dns->type == DNS_TYPE_NULL;
    size_t before = mark->count;

    if (is_lookup(dns) || is_local(dns))
        return;
    mark_check(mark, COUNT_DNS_NAME_LENGTH, (double)dns->name_length, NULL);
    if (is_encoded(dns))
        mark_count(mark, COUNT_DNS_ENCODED, extra, name, 1);
    if (mark->count > before)
        return;
    if (dns->domain > 0) {
        mark_count(mark, COUNT_DNS_SUBNAMES, extra, row, 1);
        mark_count(mark, COUNT_DNS_UNANSWERED, extra, name, 1);
    }
    if (dns->domain >= LONG_PART || (rare && dns->domain > 0)) {
        uint64_t item = rare ? name : row;
        bool known = mark_holds(mark, COUNT_DNS_NAMES, extra, item);

        mark_count(mark, COUNT_DNS_NAMES, extra, item, 1);
        if (!known) /* who asks again and again carries nothing */
            mark_count(mark, COUNT_DNS_BYTES, extra, item, (uint32_t)dns->domain);
    }
    unless_one_of_many(mark, before);
}

/* A name that fails under one suffix and is there under another was tried by a search list. */
static uint64_t first_label(const struct dns *dns)
{
    return window_hash(7, dns->name, strcspn(dns->name, "."));
}

static void count_missing(struct mark *mark, const struct dns *dns)
{
    if (strchr(dns->name, '.') == NULL || is_lookup(dns))
        return;
    mark_count(mark, COUNT_NAMES_MISSING, 0, window_hash(7, dns->name + dns->domain, dns->name_length - dns->domain),
               1);
    if (!is_local(dns) && !is_list(dns) && dns->domain < LONG_PART && dns->type != DNS_TYPE_TXT) /* a tunnel's */
        mark_count(mark, COUNT_SUBNAMES_MISSING, 0, first_label(dns), 1);
}

static void count_answer(struct mark *mark, const struct dns *dns)
{
    if (dns->domain > 0)
        mark_take(mark, COUNT_DNS_UNANSWERED, window_hash(5, dns->name + dns->domain, dns->name_length - dns->domain),
                  window_hash(6, dns->name, dns->name_length));
    if (dns->code == DNS_NO_SUCH_NAME) {
        count_missing(mark, dns);
    } else if (dns->code == 0) {
        mark_take(mark, COUNT_SUBNAMES_MISSING, 0, first_label(dns));
        mark_happen(mark, COUNT_SUBNAMES_MISSING, 0);
        mark_happen(mark, COUNT_NAMES_MISSING, 0);
    }
}

static void count_dns(struct mark *mark, const struct packet *packet)
{
    struct dns dns;

    if (!dns_read(packet->payload, packet->payload_captured, &dns))
        return;
    if (!dns.response && packet->destination_port == PORT_DNS)
        count_question(mark, &dns);
    else if (dns.response && packet->source_port == PORT_DNS)
        count_answer(mark, &dns);
}

static struct echo *echo_slot(struct mark *mark, uint64_t source_hash, uint64_t target_hash, const uint8_t *id,
                              uint64_t *key)
{
    *key = window_mix(window_mix(source_hash, target_hash), (uint64_t)be16(id) << 16 | be16(id + 2));
    return &mark->hosts->echo[*key % ECHO_SLOTS];
}

static void remember_echo(struct mark *mark, const struct packet *packet)
{
    uint64_t key;
    struct echo *slot;

    if (packet->payload_captured <= ECHO_SKIP)
        return;
    slot = echo_slot(mark, window_hash(8, packet->source, 16), window_hash(8, packet->destination, 16),
                     packet->payload - 4, &key);
    slot->key = key;
    slot->length = packet->payload_bytes;
    slot->known = (uint8_t)(packet->payload_captured - ECHO_SKIP < ECHO_BYTES ? packet->payload_captured - ECHO_SKIP
                                                                              : ECHO_BYTES);
    memcpy(slot->data, packet->payload + ECHO_SKIP, slot->known);
    if (packet->payload_bytes >= ECHO_CARRIES)
        mark_count(mark, COUNT_ICMP_CONTENTS, 0, window_hash(15, slot->data, slot->known), 1);
}

/* A reply returns the request's bytes; shorter is fine (some servers cut large ones), other bytes are not. */
/* A reply that nobody asked for may carry something, like a request; here it is the source's own. A time and a
 * program's mark carry nothing. */
static void count_unasked(struct mark *mark, const struct packet *packet)
{
    size_t known = packet->payload_captured - ECHO_SKIP;

    if (packet->payload_bytes < ECHO_CARRIES)
        return;
    mark_setup(mark, mark->hosts, packet->time_ns, packet->source, packet->destination);
    mark_count(mark, COUNT_ICMP_CONTENTS, 0,
               window_hash(15, packet->payload + ECHO_SKIP, known < ECHO_BYTES ? known : ECHO_BYTES), 1);
}

static void compare_echo(struct mark *mark, const struct packet *packet)
{
    uint64_t key;
    size_t known;
    struct echo *slot;

    if (packet->payload_captured <= ECHO_SKIP)
        return;
    slot = echo_slot(mark, window_hash(8, packet->destination, 16), window_hash(8, packet->source, 16),
                     packet->payload - 4, &key);
    if (slot->key != key) {
        count_unasked(mark, packet);
        return;
    }
    known = packet->payload_captured - ECHO_SKIP;
    if (known > slot->known)
        known = slot->known;
    if (packet->payload_bytes > slot->length || memcmp(slot->data, packet->payload + ECHO_SKIP, known) != 0)
        mark_count(mark, COUNT_ICMP_UNLIKE, 0, key, 1);
}

/* Where UDP begins in the head of an IPv4 or IPv6 packet without extensions; 0: nowhere, or not all of its ports. */
static size_t udp_in(const uint8_t *inner, size_t length)
{
    enum { V4_HEADER = 20, V6_HEADER = 40, UDP_PORTS = 6 };
    size_t header = 0;

    if (length >= V4_HEADER && inner[0] >> 4 == 4 && inner[9] == PROTOCOL_UDP)
        header = (size_t)(inner[0] & 15) * 4;
    else if (length >= V6_HEADER && inner[0] >> 4 == 6 && inner[6] == PROTOCOL_UDP)
        header = V6_HEADER;
    return header >= V4_HEADER && length >= header + UDP_PORTS ? header : 0;
}

/* "Port unreachable" holds the head of the packet that went nowhere. */
static void count_unreachable(struct hosts *hosts, const struct packet *packet, struct mark *mark)
{
    enum { UDP_HEADER = 8, TRACEROUTE_FIRST = 33434, TRACEROUTE_LAST = 33690 };
    const uint8_t *inner = packet->payload;
    size_t header = udp_in(inner, packet->payload_captured);
    uint16_t port;

    if (header == 0)
        return;
    port = be16(inner + header + 2);
    if (port >= TRACEROUTE_FIRST && port <= TRACEROUTE_LAST)
        return;
    mark_setup(mark, hosts, packet->time_ns, packet->destination, packet->source);
    mark->protocol = PROTOCOL_UDP;
    mark->source_port = be16(inner + header);
    mark->target_port = port;
    if (mark->source_port < 1024 && port >= 1024) /* the refused one was an answer */
        return;
    if (port >= 1024 && be16(inner + header + 4) > UDP_HEADER) /* a peer's that went away */
        return;
    mark_count(mark, COUNT_PORTS_REFUSED_UDP, 0, window_mix(3, port), 1);
}

static void count_icmp(struct hosts *hosts, struct mark *mark, const struct packet *packet)
{
    enum { ADVERTISEMENT = 134 };
    bool six = packet->protocol == PROTOCOL_ICMP6;
    uint8_t type = packet->icmp_type;

    if (packet->later) /* there is no type in it */
        return;
    if (six && type == ADVERTISEMENT)
        mark_count(mark, COUNT_ROUTERS, 0, mark->source_hash, 1);
    else if (six ? type == 128 : type == 8) {
        bool group = six ? packet->destination[0] == 0xff : packet->destination[12] >= 224;

        if (packet->icmp_code != 0)
            mark_count(mark, COUNT_ICMP_PROBES, 0, window_mix(9, (uint64_t)type << 8 | packet->icmp_code), 1);
        if (!group) {
            mark_count(mark, COUNT_HOSTS_PINGED, 0, mark->target_hash, 1);
            mark_count(mark, COUNT_HOSTS_SILENT, 0, mark->target_hash, 1);
            mark_count(mark, COUNT_SOURCES_PINGING, 0, mark->source_hash, 1);
        }
        remember_echo(mark, packet);
    } else if (six ? type == 129 : type == 0) {
        mark_setup(mark, hosts, packet->time_ns, packet->destination, packet->source);
        mark->protocol = packet->protocol;
        mark_take(mark, COUNT_HOSTS_SILENT, 0, mark->target_hash);
        compare_echo(mark, packet);
    } else if (!six && (type == 13 || type == 15 || type == 17)) {
        mark_count(mark, COUNT_ICMP_PROBES, 0, window_mix(9, (uint64_t)type << 8 | packet->icmp_code), 1);
    } else if (six ? type == 1 && packet->icmp_code == 4 : type == 3 && packet->icmp_code == 3) {
        count_unreachable(hosts, packet, mark);
    }
}

/* What a client asked a web server within a minute: WEB_PASSWORDS in clear text, of which one has one and whoever
 * tries three guesses; WEB_PATHS, since a page's missing picture is asked for again and again, a list only once. */
enum { WEB_PASSWORDS = 1001, WEB_PATHS, WEB_DENIED, GUESSES_OF };
enum { GUESSES = 3 };

static uint64_t web_key(const struct mark *mark, uint64_t what)
{
    return window_mix(window_mix(what, mark->target_port), window_mix(mark->source_hash, mark->target_hash)) | 1;
}

static void note_web(struct mark *mark, uint64_t what, const void *bytes, size_t length)
{
    window_add(windows_at(mark->hosts->scope[LIMIT_PAIR], web_key(mark, what), mark->now_ns, minute_ns, true),
               window_hash(18, bytes, length));
}

static bool web_peek(const struct mark *mark, uint64_t what, struct window *out)
{
    return windows_peek(mark->hosts->scope[LIMIT_PAIR], web_key(mark, what), mark->now_ns, minute_ns, out);
}

static double web_distinct(const struct mark *mark, uint64_t what)
{
    struct window window;

    return web_peek(mark, what, &window) ? window_distinct(&window) : 0;
}

static double web_sum(const struct mark *mark, uint64_t what)
{
    struct window window;

    return web_peek(mark, what, &window) ? window_sum(&window) : 0;
}

/* A name and a password that come again and again are a program's to which nobody told the new one. */
static bool is_forgotten(const struct mark *mark)
{
    double said = web_distinct(mark, WEB_PASSWORDS);

    return said > 0 && said < GUESSES;
}

static void note_login(struct mark *mark, const struct packet *packet)
{
    struct guess guess;

    if (!talk_login(packet, &guess))
        return;
    if (guess.name != 0)
        note_web(mark, WEB_PASSWORDS, &guess.name, sizeof guess.name);
    if (guess.password != 0)
        note_web(mark, WEB_PASSWORDS, &guess.password, sizeof guess.password);
}

/* Whoever was let in did not guess, nor who hands over what is no log-in. */
static void forgive(struct mark *mark)
{
    mark_take(mark, COUNT_LOGINS, mark->target_port, mark->source_port);
    mark_take(mark, COUNT_LOGINS_SLOW, mark->target_port, mark->source_port);
}

static void count_refused(struct mark *mark)
{
    mark_count(mark, COUNT_LOGINS_REFUSED, mark->target_port, mark->source_port, 1);
    mark_count(mark, COUNT_LOGINS_REFUSED_SLOW, mark->target_port, mark->source_port, 1);
}

/* Another password for the same name: the ones before it were refused. Two may be a slip of the hand. */
static void count_guess(struct mark *mark, const struct guess *guess)
{
    struct window *window =
        windows_at(mark->hosts->scope[LIMIT_PAIR], web_key(mark, window_mix(GUESSES_OF, guess->name)), mark->now_ns,
                   minute_ns, true);

    if (window_holds(window, guess->password))
        return;
    window_add(window, guess->password);
    if (window_distinct(window) >= GUESSES)
        count_refused(mark);
}

static void count_request(struct mark *mark, const struct packet *packet)
{
    const char *name = http_pattern(packet->payload, packet->payload_captured), *password = NULL;
    size_t length = http_password(packet->payload, packet->payload_captured, &password);

    const uint8_t *end = memchr(packet->payload, '\n', packet->payload_captured);
    struct guess guess;

    note_web(mark, WEB_PATHS, packet->payload,
             end == NULL ? packet->payload_captured : (size_t)(end - packet->payload));
    if (length > 0)
        note_web(mark, WEB_PASSWORDS, password, length);
    if (name != NULL && strcmp(name, "bot") == 0)
        mark_count(mark, COUNT_BOT_REQUESTS, 0, packet->source_port, 1);
    else if (name != NULL)
        mark_count(mark, COUNT_REQUEST_PATTERNS, 0, packet->source_port, 1);
    else if (guess_in_request(packet->payload, packet->payload_captured, &guess))
        count_guess(mark, &guess);
}

/* A page asks for a password with the same answer as it refuses one: whoever asks without one is asked first, each
 * of the many behind a proxy. */
static void count_denied(struct mark *mark)
{
    double bare = web_sum(mark, WEB_PATHS) - web_sum(mark, WEB_PASSWORDS);

    note_web(mark, WEB_DENIED, &mark->source_port, sizeof mark->source_port);
    if (web_distinct(mark, WEB_PASSWORDS) >= GUESSES && web_sum(mark, WEB_DENIED) > 1.5 * bare)
        count_refused(mark);
}

/* Where the questions were seen and are few, the same few pages are missing. Where a fourth of them or more is there,
 * or is put there, a program looks in several places: a builder's, a cache's. */
static void count_missing_page(struct mark *mark)
{
    double paths = web_distinct(mark, WEB_PATHS);
    size_t before = mark->count;

    mark_count(mark, COUNT_PAGES_MISSING, mark->target_port, mark->source_port, 1);
    if (mark->count > before && paths > 0 &&
        (paths < limits[COUNT_PAGES_MISSING].limit / 4 || 4 * mark->out[before].value < 3 * web_sum(mark, WEB_PATHS)))
        mark->count = before;
}

static void count_talk(struct mark *mark, const struct packet *packet, enum talk talk)
{
    static const enum counter counter[] = {[TALK_CHAT] = COUNT_CHAT,
                                           [TALK_CONTROL] = COUNT_CONTROL,
                                           [TALK_BANNER] = COUNT_BANNERS,
                                           [TALK_FILLER] = COUNT_FILLERS,
                                           [TALK_KEYED] = COUNT_KEYED,
                                           [TALK_BOT] = COUNT_BOT_REQUESTS,
                                           [TALK_BODY] = COUNT_REQUEST_PATTERNS,
                                           [TALK_MINER] = COUNT_MINING,
                                           [TALK_EXPLOIT] = COUNT_EXPLOITS,
                                           [TALK_EXPLOIT_DATAGRAM] = COUNT_EXPLOIT_DATAGRAMS,
                                           [TALK_SPOILS] = COUNT_SPOILS,
                                           [TALK_DISGUISE] = COUNT_DISGUISES};
    struct guess guess;

    if (talk == TALK_REQUEST)
        count_request(mark, packet);
    else if (talk == TALK_REFUSED) {
        if (!is_forgotten(mark))
            count_refused(mark);
    } else if (talk == TALK_LOGIN)
        note_login(mark, packet);
    else if (talk == TALK_LET_IN || talk == TALK_LOG)
        forgive(mark);
    else if (talk == TALK_DENIED)
        count_denied(mark);
    else if (talk == TALK_MISSING)
        count_missing_page(mark);
    else if (talk == TALK_GUESS && talk_guess(packet, &guess))
        count_guess(mark, &guess);
    else if (talk == TALK_LEASE)
        mark_count(mark, COUNT_LEASES, 0, talk_maker(packet), 1);
    else if (talk == TALK_KEYS)
        mark_count(mark, COUNT_RENEGOTIATIONS, mark->source_port, 1, 1);
    else if (talk == TALK_FUNCTION)
        mark_count(mark, COUNT_FUNCTIONS, 0, talk_function(packet), 1);
    else if (talk == TALK_NAME)
        mark_count(mark, COUNT_CLAIMED_NAMES, 0, talk_name(packet), 1);
    else if (talk == TALK_COMMUNITY)
        mark_count(mark, COUNT_COMMUNITIES, 0, talk_community(packet), 1);
    else if (talk != TALK_NOTHING && talk != TALK_GUESS)
        mark_count(mark, counter[talk], mark->target_port, mark->source_port, 1);
}

/* An answer goes to the client, which is the source of what was asked. A client's port is the higher one. */
static bool is_answer(const struct packet *packet, enum talk talk)
{
    switch (talk) {
    case TALK_MISSING:
    case TALK_REFUSED:
    case TALK_LET_IN:
    case TALK_FUNCTION:
    case TALK_DENIED:
    case TALK_KEYED:
    case TALK_SPOILS:
    case TALK_DISGUISE:
        return true;
    case TALK_CHAT:
    case TALK_CONTROL:
    case TALK_BOT:
    case TALK_MINER:
    case TALK_EXPLOIT:
        return packet->source_port < packet->destination_port;
    default:
        return false;
    }
}

bool hosts_wants(const struct packet *packet)
{
    if (packet->impossible)
        return true;
    switch (packet->protocol) {
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMP6:
        return true;
    case PROTOCOL_UDP:
        return packet->arp || packet->source_port == PORT_DNS || packet->destination_port == PORT_DNS ||
               talk_of(packet) != TALK_NOTHING;
    case PROTOCOL_TCP:
        return packet->arp || talk_of(packet) != TALK_NOTHING;
    default:
        return packet->arp;
    }
}

size_t hosts_packet(struct hosts *hosts, const struct packet *packet, struct evidence out[HOSTS_EVIDENCE])
{
    struct mark mark = {.out = out};
    bool icmp = packet->protocol == PROTOCOL_ICMP || packet->protocol == PROTOCOL_ICMP6;
    bool dns =
        packet->protocol == PROTOCOL_UDP && (packet->source_port == PORT_DNS || packet->destination_port == PORT_DNS);
    bool talks = packet->protocol == PROTOCOL_TCP || packet->protocol == PROTOCOL_UDP;
    enum talk talk = talks && !packet->arp && !dns ? talk_of(packet) : TALK_NOTHING;
    bool answer = dns ? packet->source_port == PORT_DNS : is_answer(packet, talk);

    mark_setup(&mark, hosts, packet->time_ns, answer ? packet->destination : packet->source,
               answer ? packet->source : packet->destination);
    mark.protocol = packet->protocol;
    mark.source_port = answer ? packet->destination_port : packet->source_port;
    mark.target_port = answer ? packet->source_port : packet->destination_port;
    if (packet->impossible)
        mark_count(&mark, COUNT_IMPOSSIBLE, 0, packet->protocol, 1);
    else if (packet->arp)
        count_arp(&mark, packet);
    else if (icmp)
        count_icmp(hosts, &mark, packet);
    else if (dns && packet->payload_captured > 0)
        count_dns(&mark, packet);
    else
        count_talk(&mark, packet, talk);
    return mark.count;
}
