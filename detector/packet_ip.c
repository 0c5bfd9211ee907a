/* packet_ip.c: IPv4, IPv6, their fragments and what they carry.
 *
 * Sources: IPv4 RFC 791; IPv6 and extension headers RFC 8200, AH RFC 4302; TCP RFC 9293; UDP RFC 768; SCTP RFC 9260;
 * ICMP RFC 792; ICMPv6 RFC 4443; fragments as attacks RFC 1858; GRE RFC 2784, 2890 and (version 1) 2637; IP in IP RFC
 * 2003 and 4213; VXLAN RFC 7348. */
#include "detector/packet_parts.h"

#include <netinet/in.h>

enum {
    IP_HEADER = 20,
    PORT_VXLAN = 4789,
    SCTP_HEADER = 12,
    ICMP_HEADER = 8,
    UDP_HEADER = 8,
    TCP_HEADER = 20,
    FRAGMENT_SECONDS = 30
};

static bool has_ports(unsigned protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

static void payload(struct packet *out, const uint8_t *p, size_t n, size_t length, size_t head)
{
    out->header_bytes = (uint32_t)head;
    out->payload_bytes = (uint32_t)(length - head);
    if (n > head) {
        out->payload = p + head;
        out->first = p[head];
        out->payload_captured = (uint32_t)(n - head);
    }
}

static void ports(struct packet *out, const uint8_t *p)
{
    out->source_port = be16(p);
    out->destination_port = be16(p + 2);
}

static enum packet_reason tcp(struct packet *out, const uint8_t *p, size_t n, size_t length)
{
    if (length < TCP_HEADER)
        return PACKET_BAD_HEADER;
    if (n < 16) /* up to the window; options and the rest may be cut off */
        return PACKET_CUT_SHORT;
    size_t head = (size_t)(p[12] >> 4) * 4;
    if (head < TCP_HEADER || head > length)
        return PACKET_BAD_HEADER;
    ports(out, p);
    out->tcp_flags = p[13];
    out->window = be16(p + 14);
    payload(out, p, n, length, head);
    return PACKET_OK;
}

static enum packet_reason with_ports(struct packet *out, const uint8_t *p, size_t n, size_t length, size_t head)
{
    if (length < head)
        return PACKET_BAD_HEADER;
    if (n < 4)
        return PACKET_CUT_SHORT;
    ports(out, p);
    payload(out, p, n, length, head);
    return PACKET_OK;
}

static enum packet_reason icmp(struct packet *out, const uint8_t *p, size_t n, size_t length)
{
    if (length < ICMP_HEADER)
        return PACKET_BAD_HEADER;
    if (n < 2)
        return PACKET_CUT_SHORT;
    out->icmp_type = p[0];
    out->icmp_code = p[1];
    payload(out, p, n, length, ICMP_HEADER);
    return PACKET_OK;
}

enum packet_reason packet_transport(struct walk *walk, const uint8_t *p, size_t n, size_t length)
{
    struct packet *out = walk->out;
    enum packet_reason reason = PACKET_OK;

    switch (out->protocol) {
    case IPPROTO_TCP:
        return tcp(out, p, n, length);
    case IPPROTO_UDP:
        reason = with_ports(out, p, n, length, UDP_HEADER);
        break;
    case IPPROTO_SCTP:
        /* The header is counted as 0: chunks, not one header, lie in front of SCTP's data. */
        reason = with_ports(out, p, n, length, SCTP_HEADER);
        out->header_bytes = 0;
        return reason;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        return icmp(out, p, n, length);
    default:
        payload(out, p, n, length, 0);
    }
    if (reason == PACKET_OK && walk->decoder->inner_flows)
        (void)packet_inner(walk, p, n);
    return reason;
}

static struct fragment *fragment_set(struct packet_decoder *decoder, const struct packet *out, uint32_t id)
{
    uint32_t hash = id * 0x9e3779b1u ^ be32(out->source + 12) ^ be32(out->destination + 12) * 0x85ebca6bu;

    hash ^= hash >> 15;
    return decoder->fragments[hash % FRAGMENT_SETS];
}

static bool fragment_is(const struct fragment *f, const struct packet *out, uint32_t id)
{
    return f->used && f->id == id && f->protocol == out->protocol && memcmp(f->source, out->source, 16) == 0 &&
           memcmp(f->destination, out->destination, 16) == 0;
}

/* Keeps the ports for the fragments to come, in the place of the same datagram or of the oldest. */
static void fragment_keep(struct walk *walk, uint32_t id, size_t length)
{
    const struct packet *out = walk->out;
    struct fragment *set = fragment_set(walk->decoder, out, id), *place = set;

    for (int i = 0; i < FRAGMENT_WAYS; i++) {
        if (fragment_is(&set[i], out, id)) {
            place = &set[i];
            break;
        }
        if (!set[i].used || (place->used && set[i].time_ns < place->time_ns))
            place = &set[i];
    }
    *place = (struct fragment){.id = id,
                               .source_port = out->source_port,
                               .destination_port = out->destination_port,
                               .length = (uint32_t)length,
                               .time_ns = out->time_ns,
                               .protocol = out->protocol,
                               .used = 1};
    memcpy(place->source, out->source, 16);
    memcpy(place->destination, out->destination, 16);
}

enum packet_reason packet_first_fragment(struct walk *walk, uint32_t id, const uint8_t *p, size_t n, size_t length)
{
    struct packet *out = walk->out;
    enum packet_reason reason = PACKET_OK;

    if (out->protocol == IPPROTO_TCP && length >= 8 && length < TCP_HEADER) {
        /* A header cut in two to hide its flags (RFC 1858): the ports count, the flags follow in the second. */
        reason = with_ports(out, p, n, length, 8);
        out->tcp_flags = reason == PACKET_OK && length > 13 && n > 13 ? p[13] : 0;
        out->header_bytes = (uint32_t)length;
        out->payload_bytes = 0;
        out->payload = NULL;
        out->payload_captured = 0;
    } else {
        bool inner = walk->decoder->inner_flows;
        walk->decoder->inner_flows = false; /* what is inside is cut as well: the outer packet stands */
        reason = packet_transport(walk, p, n, length);
        walk->decoder->inner_flows = inner;
    }
    if (reason == PACKET_OK && has_ports(out->protocol))
        fragment_keep(walk, id, length);
    return reason;
}

enum packet_reason packet_later_fragment(struct walk *walk, uint32_t id, size_t offset, const uint8_t *p, size_t n,
                                         size_t length)
{
    struct packet *out = walk->out;

    out->later = true;
    out->impossible = out->version == 4 && offset + length > UINT16_MAX - IP_HEADER;
    if (has_ports(out->protocol)) {
        const struct fragment *set = fragment_set(walk->decoder, out, id), *found = NULL;
        for (int i = 0; i < FRAGMENT_WAYS && found == NULL; i++)
            if (fragment_is(&set[i], out, id))
                found = &set[i];
        if (found == NULL || out->time_ns - found->time_ns > FRAGMENT_SECONDS * INT64_C(1000000000))
            return PACKET_FRAGMENT;
        out->impossible = out->impossible || offset < found->length;
        out->source_port = found->source_port;
        out->destination_port = found->destination_port;
    }
    payload(out, p, n, length, 0);
    if (out->protocol == IPPROTO_TCP && offset == 8 && n >= 6)
        out->tcp_flags = p[5]; /* byte 13 of a header that was cut in two */
    return PACKET_OK;
}

enum packet_reason packet_ipv4(struct walk *walk, const uint8_t *p, size_t n)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct packet *out = walk->out;

    if (n < 1)
        return PACKET_CUT_SHORT;
    size_t head = (size_t)(p[0] & 15) * 4;
    if (p[0] >> 4 != 4 || head < 20)
        return PACKET_BAD_HEADER;
    if (n < 20)
        return PACKET_CUT_SHORT;
    size_t total = be16(p + 2);
    if (total == 0) /* captured before the network card cut it (TSO): all that is there */
        total = n;
    if (total < head)
        return PACKET_BAD_HEADER;
    if (n > total)
        n = total;
    if (n < head)
        return PACKET_CUT_SHORT;
    out->version = 4;
    out->protocol = p[9];
    out->ttl = p[8];
    out->ip_bytes = (uint32_t)total;
    memcpy(out->source, prefix, 12);
    memcpy(out->source + 12, p + 12, 4);
    memcpy(out->destination, prefix, 12);
    memcpy(out->destination + 12, p + 16, 4);

    unsigned fragment = be16(p + 6) & 0x3fff;
    if (fragment == 0)
        return packet_transport(walk, p + head, n - head, total - head);
    if ((fragment & 0x1fff) == 0)
        return packet_first_fragment(walk, be16(p + 4), p + head, n - head, total - head);
    return packet_later_fragment(walk, be16(p + 4), (size_t)(fragment & 0x1fff) * 8, p + head, n - head,
                                 total - head);
}

/* Where the extension headers of an IPv6 packet end. */
struct extensions {
    size_t head;
    uint32_t id;
    size_t offset;
    bool fragment, more;
};

static bool is_extension(unsigned next)
{
    return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 || next == 139 ||
           next == 140;
}

static enum packet_reason extensions(struct extensions *e, uint8_t *next, const uint8_t *p, size_t n, size_t total)
{
    for (unsigned count = 0; is_extension(*next) && !(e->fragment && e->offset > 0); count++) {
        const uint8_t *at = p + e->head;
        if (count == EXTENSIONS_MAX)
            return PACKET_TOO_DEEP;
        if (e->head + 8 > total)
            return PACKET_BAD_HEADER;
        if (e->head + 8 > n)
            return PACKET_CUT_SHORT;
        size_t length = ((size_t)at[1] + 1) * 8;
        if (*next == 44) {
            length = 8;
            e->fragment = (be16(at + 2) & 0xfff9) != 0; /* an atomic fragment (RFC 6946) is none */
            e->offset = be16(at + 2) & 0xfff8;
            e->more = (be16(at + 2) & 1) != 0;
            e->id = be32(at + 4);
        } else if (*next == 51) {
            length = ((size_t)at[1] + 2) * 4;
        }
        *next = at[0];
        e->head += length;
        if (e->head > total)
            return PACKET_BAD_HEADER;
    }
    return e->head > n ? PACKET_CUT_SHORT : PACKET_OK;
}

enum packet_reason packet_ipv6(struct walk *walk, const uint8_t *p, size_t n)
{
    struct packet *out = walk->out;
    struct extensions e = {.head = 40};

    if (n < 1)
        return PACKET_CUT_SHORT;
    if (p[0] >> 4 != 6)
        return PACKET_BAD_HEADER;
    if (n < 40)
        return PACKET_CUT_SHORT;
    size_t total = 40 + (size_t)be16(p + 4);
    if (total == 40 && p[6] != 59) /* a jumbogram (RFC 2675) or not yet cut by the card: all that is there */
        total = n;
    if (n > total)
        n = total;
    out->version = 6;
    out->ttl = p[7];
    out->ip_bytes = (uint32_t)total;
    memcpy(out->source, p + 8, 16);
    memcpy(out->destination, p + 24, 16);
    out->protocol = p[6];
    enum packet_reason reason = extensions(&e, &out->protocol, p, n, total);
    if (reason != PACKET_OK)
        return reason;
    p += e.head;
    n -= e.head;
    if (!e.fragment)
        return packet_transport(walk, p, n, total - e.head);
    if (e.offset == 0)
        return packet_first_fragment(walk, e.id, p, n, total - e.head);
    return packet_later_fragment(walk, e.id, e.offset, p, n, total - e.head);
}

static enum packet_reason gre(struct walk *walk, const uint8_t *p, size_t n)
{
    size_t head = 4;

    if (n < 4)
        return PACKET_CUT_SHORT;
    unsigned flags = be16(p), type = be16(p + 2), version = flags & 7;
    head += flags & 0x8000 ? 4 : 0;                   /* checksum */
    head += flags & 0x2000 ? 4 : 0;                   /* key */
    head += flags & 0x1000 ? 4 : 0;                   /* sequence */
    head += version == 1 && (flags & 0x0080) ? 4 : 0; /* acknowledgment (PPTP) */
    if (version > 1 || (flags & 0x4000))
        return PACKET_BAD_HEADER;
    if (n < head)
        return PACKET_CUT_SHORT;
    if (version == 1) {
        size_t skip = n >= head + 2 && p[head] == 0xff && p[head + 1] == 0x03 ? 2 : 0;
        return type == 0x880b ? packet_ppp(walk, p + head + skip, n - head - skip) : PACKET_NOT_IP;
    }
    if (type == 0x6558)
        return packet_ethernet(walk, p + head, n - head);
    return packet_ethertype(walk, type, p + head, n - head);
}

bool packet_inner(struct walk *walk, const uint8_t *p, size_t n)
{
    const struct packet *outer = walk->out;
    struct packet inner = {.time_ns = outer->time_ns, .vlan = outer->vlan};
    struct walk below = {walk->decoder, &inner, walk->layers + 1};
    enum packet_reason reason = PACKET_NOT_IP;

    if (below.layers > LAYERS_MAX)
        return false;
    switch (outer->protocol) {
    case IPPROTO_IPIP:
        reason = packet_ipv4(&below, p, n);
        break;
    case IPPROTO_IPV6:
        reason = packet_ipv6(&below, p, n);
        break;
    case IPPROTO_GRE:
        reason = gre(&below, p, n);
        break;
    case IPPROTO_UDP:
        if (outer->destination_port == PORT_VXLAN && n >= 16 && (p[8] & 0x08) != 0)
            reason = packet_ethernet(&below, p + 16, n - 16);
        break;
    default:
        break;
    }
    if (reason == PACKET_OK)
        *walk->out = inner;
    return reason == PACKET_OK;
}
