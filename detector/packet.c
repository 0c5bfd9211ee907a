/* packet.c: from the link layer to the IP header.
 *
 * Sources: Ethernet IEEE 802.3, 802.1Q, 802.1ad; LLC/SNAP RFC 1042; MPLS RFC 3032 and 4928; PPPoE RFC 2516; PPP RFC
 * 1661 and 1662; ARP RFC 826; SLL, SLL2, NULL, LOOP, RAW as in the list of link types of libpcap. */
#include "detector/packet.h"

#include "detector/packet_parts.h"

#include <stdlib.h>

enum { /* link types as libpcap gives them: DLT_... of Linux, and the LINKTYPE_... of files where they differ */
       LINK_NULL = 0,
       LINK_ETHERNET = 1,
       LINK_PPP = 9,
       LINK_RAW_DLT = 12,
       LINK_RAW_BSD = 14,
       LINK_PPP_SERIAL = 50,
       LINK_RAW = 101,
       LINK_LOOP = 108,
       LINK_SLL = 113,
       LINK_IPV4 = 228,
       LINK_IPV6 = 229,
       LINK_SLL2 = 276
};

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_VLAN = 0x8100,
    TYPE_IPV6 = 0x86dd,
    TYPE_QINQ = 0x88a8,
    TYPE_QINQ_OLD = 0x9100,
    TYPE_MPLS = 0x8847,
    TYPE_MPLS_MULTICAST = 0x8848,
    TYPE_PPPOE = 0x8864,
    TYPE_LENGTH_MAX = 0x05dc
};

struct packet_decoder *packet_decoder_create(bool inner_flows)
{
    struct packet_decoder *decoder = calloc(1, sizeof *decoder);

    if (decoder != NULL)
        decoder->inner_flows = inner_flows;
    return decoder;
}

void packet_decoder_free(struct packet_decoder *decoder)
{
    free(decoder);
}

static void mapped(uint8_t out[16], const uint8_t *ipv4)
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, ipv4, 4);
}

/* ARP for IPv4 over Ethernet is told with sender and target; other ARP is just no IP. */
static enum packet_reason arp(struct walk *walk, const uint8_t *p, size_t n)
{
    enum { MESSAGE = 28 };

    if (n >= MESSAGE && be16(p) == 1 && be16(p + 2) == TYPE_IPV4 && p[4] == 6 && p[5] == 4 &&
        (be16(p + 6) == ARP_REQUEST || be16(p + 6) == ARP_REPLY)) {
        walk->out->arp = p[7];
        walk->out->payload = p;
        walk->out->payload_captured = MESSAGE;
        walk->out->version = 4;
        mapped(walk->out->source, p + 14);
        mapped(walk->out->destination, p + 24);
    }
    return PACKET_NOT_IP;
}

static enum packet_reason mpls(struct walk *walk, const uint8_t *p, size_t n)
{
    for (unsigned labels = 0;; labels++) {
        if (labels == LAYERS_MAX)
            return PACKET_TOO_DEEP;
        if (n < 4)
            return PACKET_CUT_SHORT;
        bool bottom = (p[2] & 1) != 0;
        p += 4;
        n -= 4;
        if (bottom)
            break;
    }
    if (n < 1)
        return PACKET_CUT_SHORT;
    /* What follows is not named; an IP version in the first nibble is the custom (RFC 4928). */
    return p[0] >> 4 == 4 || p[0] >> 4 == 6 ? packet_ip(walk, p, n) : PACKET_NOT_IP;
}

enum packet_reason packet_ppp(struct walk *walk, const uint8_t *p, size_t n)
{
    size_t head = 2;

    if (n < 2)
        return PACKET_CUT_SHORT;
    unsigned protocol = be16(p);
    if (p[0] & 1) { /* compressed to one byte (RFC 1661 section 6.5) */
        protocol = p[0];
        head = 1;
    }
    switch (protocol) {
    case 0x0021:
        return packet_ipv4(walk, p + head, n - head);
    case 0x0057:
        return packet_ipv6(walk, p + head, n - head);
    case 0x0281:
        return mpls(walk, p + head, n - head);
    default:
        return PACKET_NOT_IP;
    }
}

static enum packet_reason pppoe(struct walk *walk, const uint8_t *p, size_t n)
{
    if (n < 8)
        return PACKET_CUT_SHORT;
    if (p[0] != 0x11 || p[1] != 0)
        return PACKET_BAD_HEADER;
    size_t length = be16(p + 4);
    return packet_ppp(walk, p + 6, length < n - 6 ? length : n - 6);
}

/* IEEE 802.2 LLC; only SNAP with an EtherType (RFC 1042) can hold IP. */
static enum packet_reason llc(struct walk *walk, const uint8_t *p, size_t n)
{
    static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};

    if (n < 8)
        return n < 3 ? PACKET_CUT_SHORT : PACKET_NOT_IP;
    return memcmp(p, snap, sizeof snap) == 0 ? packet_ethertype(walk, be16(p + 6), p + 8, n - 8) : PACKET_NOT_IP;
}

enum packet_reason packet_ethertype(struct walk *walk, unsigned type, const uint8_t *p, size_t n)
{
    while (type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD) {
        if (n < 4)
            return PACKET_CUT_SHORT;
        if (++walk->layers > LAYERS_MAX)
            return PACKET_TOO_DEEP;
        if (walk->out->vlan == 0)
            walk->out->vlan = be16(p) & 0x0fff;
        type = be16(p + 2);
        p += 4;
        n -= 4;
    }
    switch (type) {
    case TYPE_IPV4:
        return packet_ipv4(walk, p, n);
    case TYPE_IPV6:
        return packet_ipv6(walk, p, n);
    case TYPE_ARP:
        return arp(walk, p, n);
    case TYPE_MPLS:
    case TYPE_MPLS_MULTICAST:
        return mpls(walk, p, n);
    case TYPE_PPPOE:
        return pppoe(walk, p, n);
    default:
        if (type > TYPE_LENGTH_MAX)
            return PACKET_NOT_IP;
        if (++walk->layers > LAYERS_MAX)
            return PACKET_TOO_DEEP;
        return llc(walk, p, type < n ? type : n);
    }
}

enum packet_reason packet_ethernet(struct walk *walk, const uint8_t *p, size_t n)
{
    return n < 14 ? PACKET_CUT_SHORT : packet_ethertype(walk, be16(p + 12), p + 14, n - 14);
}

enum packet_reason packet_ip(struct walk *walk, const uint8_t *p, size_t n)
{
    if (n < 1)
        return PACKET_CUT_SHORT;
    if (p[0] >> 4 == 4)
        return packet_ipv4(walk, p, n);
    return p[0] >> 4 == 6 ? packet_ipv6(walk, p, n) : PACKET_BAD_HEADER;
}

/* BSD loopback: an address family in the byte order of the writer (NULL) or of the network (LOOP). IPv6 has had
 * a different number on every BSD: the first nibble tells as much, so that the family need only be known. */
static enum packet_reason loopback(struct walk *walk, const uint8_t *p, size_t n)
{
    if (n < 4)
        return PACKET_CUT_SHORT;
    uint32_t family = be32(p);
    if (family > 0xffff) /* the other byte order */
        family = le32(p);
    switch (family) {
    case 2:
        return packet_ipv4(walk, p + 4, n - 4);
    case 10:
    case 24:
    case 28:
    case 30:
        return packet_ipv6(walk, p + 4, n - 4);
    default:
        return PACKET_NOT_IP;
    }
}

/* PPP as captured: with HDLC's address and control field (RFC 1662) or without. */
static enum packet_reason ppp(struct walk *walk, const uint8_t *p, size_t n)
{
    size_t skip = n >= 2 && p[0] == 0xff && p[1] == 0x03 ? 2 : 0;

    return packet_ppp(walk, p + skip, n - skip);
}

/* Linux "cooked" headers: the EtherType stands at `at`, the header has `head` bytes. */
static enum packet_reason cooked(struct walk *walk, const uint8_t *p, size_t n, size_t at, size_t head)
{
    if (n < head)
        return PACKET_CUT_SHORT;
    unsigned type = be16(p + at);
    if (type == 0x0004)
        return llc(walk, p + head, n - head);
    return type <= TYPE_LENGTH_MAX ? PACKET_NOT_IP : packet_ethertype(walk, type, p + head, n - head);
}

enum packet_reason packet_decode(struct packet_decoder *decoder, int link, int64_t time_ns, const uint8_t *frame,
                                 size_t captured, struct packet *out)
{
    struct walk walk = {decoder, out, 0};

    *out = (struct packet){.time_ns = time_ns};
    switch (link) {
    case LINK_ETHERNET:
        return packet_ethernet(&walk, frame, captured);
    case LINK_RAW:
    case LINK_RAW_DLT:
    case LINK_RAW_BSD:
        return packet_ip(&walk, frame, captured);
    case LINK_IPV4:
        return packet_ipv4(&walk, frame, captured);
    case LINK_IPV6:
        return packet_ipv6(&walk, frame, captured);
    case LINK_NULL:
    case LINK_LOOP:
        return loopback(&walk, frame, captured);
    case LINK_SLL:
        return cooked(&walk, frame, captured, 14, 16);
    case LINK_SLL2:
        return cooked(&walk, frame, captured, 0, 20);
    case LINK_PPP:
    case LINK_PPP_SERIAL:
        return ppp(&walk, frame, captured);
    default:
        return PACKET_UNKNOWN_LINK;
    }
}
