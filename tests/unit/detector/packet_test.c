/* packet_test.c: one test for each odd frame. Long because there are many. */
#include "detector/packet.h"

#include "tests/unit/check.h"
#include "tests/unit/detector/frames.h"

#include <stdlib.h>
#include <string.h>

static enum packet_reason decode_at(struct packet_decoder *decoder, int link, int64_t time, const struct frame *f,
                                    struct packet *out)
{
    /* A copy of exactly the bytes, so that the sanitizer sees any read beyond them. */
    uint8_t *exact = malloc(f->n > 0 ? f->n : 1);
    assert_non_null(exact);
    memcpy(exact, f->bytes, f->n);
    enum packet_reason reason = packet_decode(decoder, link, time, exact, f->n, out);
    out->payload = NULL;
    free(exact);
    return reason;
}

static enum packet_reason decode(int link, bool inner, const struct frame *f, struct packet *out)
{
    struct packet_decoder *decoder = packet_decoder_create(inner);
    assert_non_null(decoder);
    enum packet_reason reason = decode_at(decoder, link, 7, f, out);
    packet_decoder_free(decoder);
    return reason;
}

static void assert_tcp_1025_80(enum packet_reason reason, const struct packet *p, unsigned payload)
{
    assert_int_equal(reason, PACKET_OK);
    assert_int_equal(p->protocol, 6);
    assert_int_equal(p->source_port, 1025);
    assert_int_equal(p->destination_port, 80);
    assert_int_equal(p->payload_bytes, payload);
    assert_int_equal(p->time_ns, 7);
}

static void put_http(struct frame *f)
{
    put_ipv4(f, 6, 25, 1, 0);
    put_tcp(f, TCP_ACK | TCP_PSH, 5);
    put(f, "hello", 5);
}

static void an_ethernet_frame_gives_addresses_ports_flags_and_lengths(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    char text[46];
    (void)state;
    put_ethernet(&f, 0x0800);
    put_http(&f);
    assert_tcp_1025_80(decode(1, false, &f, &p), &p, 5);
    assert_int_equal(p.version, 4);
    assert_int_equal(p.tcp_flags, TCP_ACK | TCP_PSH);
    assert_int_equal(p.window, 512);
    assert_int_equal(p.ttl, 64);
    assert_int_equal(p.ip_bytes, 45);
    assert_int_equal(p.header_bytes, 20);
    assert_int_equal(p.payload_captured, 5);
    assert_int_equal(p.vlan, 0);
    packet_address_text(p.source, text);
    assert_string_equal(text, "10.0.0.1");
    packet_address_text(p.destination, text);
    assert_string_equal(text, "10.0.0.2");
}

static void padding_of_a_short_ethernet_frame_is_no_payload(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    (void)state;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, 20, 1, 0);
    put_tcp(&f, TCP_ACK, 5);
    put_zeros(&f, 6);
    assert_tcp_1025_80(decode(1, false, &f, &p), &p, 0);
    assert_int_equal(p.payload_captured, 0);
    assert_int_equal(p.ip_bytes, 40);
}

static void a_cut_packet_keeps_the_lengths_of_its_ip_header(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    (void)state;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, 1400, 1, 0);
    put_tcp(&f, TCP_ACK, 8);
    put_zeros(&f, 50);
    assert_tcp_1025_80(decode(1, false, &f, &p), &p, 1400 - 32);
    assert_int_equal(p.payload_captured, 50);
    f.n = 14 + 20 + 16; /* even within the TCP header, behind its flags */
    assert_tcp_1025_80(decode(1, false, &f, &p), &p, 1400 - 32);
    f.n--;
    assert_int_equal(decode(1, false, &f, &p), PACKET_CUT_SHORT);
}

static void vlan_tags_are_taken_off_and_the_outermost_is_kept(void **state)
{
    static const unsigned outer[] = {0x8100, 0x88a8, 0x9100};
    struct packet p;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct frame f = {.n = 0};
        put_ethernet(&f, outer[i]);
        put16(&f, 0xe064); /* priority 7, id 100 */
        put16(&f, 0x8100);
        put16(&f, 200);
        put16(&f, 0x0800);
        put_http(&f);
        assert_tcp_1025_80(decode(1, false, &f, &p), &p, 5);
        assert_int_equal(p.vlan, 100);
    }
}

static void more_tags_than_the_limit_are_refused(void **state)
{
    struct packet p;
    (void)state;
    for (int tags = 8; tags <= 9; tags++) {
        struct frame f = {.n = 0};
        put_ethernet(&f, 0x8100);
        for (int i = 1; i < tags; i++)
            put32(&f, 0x00018100);
        put32(&f, 0x00010800);
        put_http(&f);
        assert_int_equal(decode(1, false, &f, &p), tags == 8 ? PACKET_OK : PACKET_TOO_DEEP);
    }
}

static void mpls_labels_are_taken_off(void **state)
{
    struct frame f = {.n = 0}, other = {.n = 0};
    struct packet p;
    (void)state;
    put_ethernet(&f, 0x8847);
    put32(&f, 0x00010040);
    put32(&f, 0x00020140);
    put_http(&f);
    assert_tcp_1025_80(decode(1, false, &f, &p), &p, 5);
    put_ethernet(&other, 0x8847);
    put32(&other, 0x00010140);
    put32(&other, 0); /* a pseudowire's control word */
    assert_int_equal(decode(1, false, &other, &p), PACKET_NOT_IP);
}

static void pppoe_sessions_are_looked_into(void **state)
{
    struct frame f = {.n = 0}, six = {.n = 0};
    struct packet p;
    (void)state;
    put_ethernet(&f, 0x8864);
    put16(&f, 0x1100);
    put16(&f, 1);
    put16(&f, 2 + 45);
    put16(&f, 0x0021);
    put_http(&f);
    assert_tcp_1025_80(decode(1, false, &f, &p), &p, 5);
    put_ethernet(&six, 0x8864);
    put16(&six, 0x1100);
    put16(&six, 1);
    put16(&six, 1 + 48);
    put8(&six, 0x57); /* the protocol in one byte */
    put_ipv6(&six, 17, 8);
    put_udp(&six, 53, 0);
    assert_int_equal(decode(1, false, &six, &p), PACKET_OK);
    assert_int_equal(p.version, 6);
}

static void llc_snap_carries_ip_and_other_llc_does_not(void **state)
{
    struct frame f = {.n = 0}, stp = {.n = 0};
    struct packet p;
    (void)state;
    put_ethernet(&f, 8 + 45);
    put32(&f, 0xaaaa0300);
    put16(&f, 0);
    put16(&f, 0x0800);
    put_http(&f);
    assert_tcp_1025_80(decode(1, false, &f, &p), &p, 5);
    put_ethernet(&stp, 38);
    put16(&stp, 0x4242);
    put_zeros(&stp, 40);
    assert_int_equal(decode(1, false, &stp, &p), PACKET_NOT_IP);
}

static void every_link_type_leads_to_the_packet(void **state)
{
    struct packet p;
    (void)state;
    struct frame raw = {.n = 0};
    put_http(&raw);
    assert_tcp_1025_80(decode(101, false, &raw, &p), &p, 5);
    assert_tcp_1025_80(decode(12, false, &raw, &p), &p, 5);
    assert_tcp_1025_80(decode(228, false, &raw, &p), &p, 5);
    assert_int_equal(decode(229, false, &raw, &p), PACKET_BAD_HEADER);
    assert_int_equal(decode(147, false, &raw, &p), PACKET_UNKNOWN_LINK);

    struct frame little = {.n = 0}, big = {.n = 0}, other = {.n = 0};
    put32(&little, 0x02000000);
    put_http(&little);
    put32(&big, 2);
    put_http(&big);
    assert_tcp_1025_80(decode(0, false, &little, &p), &p, 5);
    assert_tcp_1025_80(decode(0, false, &big, &p), &p, 5);
    assert_tcp_1025_80(decode(108, false, &big, &p), &p, 5);
    put32(&other, 7);
    put_http(&other);
    assert_int_equal(decode(0, false, &other, &p), PACKET_NOT_IP);

    struct frame sll = {.n = 0}, sll2 = {.n = 0}, ppp = {.n = 0};
    put_zeros(&sll, 14);
    put16(&sll, 0x0800);
    put_http(&sll);
    assert_tcp_1025_80(decode(113, false, &sll, &p), &p, 5);
    put16(&sll2, 0x0800);
    put_zeros(&sll2, 18);
    put_http(&sll2);
    assert_tcp_1025_80(decode(276, false, &sll2, &p), &p, 5);
    put32(&ppp, 0xff030021);
    put_http(&ppp);
    assert_tcp_1025_80(decode(9, false, &ppp, &p), &p, 5);
}

static void bsd_loopback_knows_every_number_of_ipv6(void **state)
{
    static const unsigned families[] = {10, 24, 28, 30};
    struct packet p;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct frame f = {.n = 0};
        put32(&f, families[i] << 24);
        put_ipv6(&f, 17, 8);
        put_udp(&f, 53, 0);
        assert_int_equal(decode(0, false, &f, &p), PACKET_OK);
        assert_int_equal(p.version, 6);
    }
}

static void arp_is_told_with_sender_and_target(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    char text[46];
    (void)state;
    put_ethernet(&f, 0x0806);
    put32(&f, 0x00010800);
    put32(&f, 0x06040001);
    put_zeros(&f, 6);
    put32(&f, 0xc0a80001);
    put_zeros(&f, 6);
    put32(&f, 0xc0a80002);
    assert_int_equal(decode(1, false, &f, &p), PACKET_NOT_IP);
    assert_int_equal(p.arp, ARP_REQUEST);
    packet_address_text(p.source, text);
    assert_string_equal(text, "192.168.0.1");
    packet_address_text(p.destination, text);
    assert_string_equal(text, "192.168.0.2");
    f.bytes[21] = 2;
    assert_int_equal(decode(1, false, &f, &p), PACKET_NOT_IP);
    assert_int_equal(p.arp, ARP_REPLY);
    assert_int_equal(p.payload_captured, 28);
    f.bytes[21] = 3; /* RARP's question */
    assert_int_equal(decode(1, false, &f, &p), PACKET_NOT_IP);
    assert_int_equal(p.arp, 0);
}

static void ipv4_options_are_no_payload(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    (void)state;
    put_ipv4(&f, 6, 4 + 20, 1, 0);
    f.bytes[0] = 0x46;
    put32(&f, 0x01010101);
    put_tcp(&f, TCP_SYN, 5);
    assert_tcp_1025_80(decode(101, false, &f, &p), &p, 0);
    assert_int_equal(p.ip_bytes, 44);
}

static void a_total_length_of_zero_means_all_that_was_captured(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    (void)state;
    put_http(&f);
    f.bytes[2] = f.bytes[3] = 0;
    put_zeros(&f, 1000);
    assert_tcp_1025_80(decode(101, false, &f, &p), &p, 1005);
    assert_int_equal(p.ip_bytes, 1045);
}

static void headers_that_cannot_be_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum packet_reason reason;
    } cases[] = {
        {0, 0x35, PACKET_BAD_HEADER},  /* version 3 */
        {0, 0x44, PACKET_BAD_HEADER},  /* a header of 16 bytes */
        {3, 19, PACKET_BAD_HEADER},    /* a total below the header's length */
        {3, 39, PACKET_BAD_HEADER},    /* no room for a TCP header */
        {32, 0x40, PACKET_BAD_HEADER}, /* a TCP header of 16 bytes */
        {32, 0x70, PACKET_BAD_HEADER}, /* one longer than the packet */
        {3, 46, PACKET_OK},            /* a byte more than was captured */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame f = {.n = 0};
        struct packet p;
        put_http(&f);
        f.bytes[cases[i].at] = cases[i].value;
        assert_int_equal(decode(101, false, &f, &p), cases[i].reason);
    }
}

static void udp_sctp_and_icmp_have_their_headers(void **state)
{
    struct frame udp = {.n = 0}, sctp = {.n = 0}, icmp = {.n = 0}, six = {.n = 0}, other = {.n = 0}, tiny = {.n = 0};
    struct packet p;
    (void)state;
    put_ipv4(&udp, 17, 8 + 100, 1, 0);
    put_udp(&udp, 53, 100);
    assert_int_equal(decode(101, false, &udp, &p), PACKET_OK);
    assert_int_equal(p.destination_port, 53);
    assert_int_equal(p.header_bytes, 8);
    assert_int_equal(p.payload_bytes, 100);
    assert_int_equal(p.tcp_flags, 0);
    put_ipv4(&sctp, 132, 12 + 16, 1, 0);
    put_udp(&sctp, 9899, 0);
    put_zeros(&sctp, 20);
    assert_int_equal(decode(101, false, &sctp, &p), PACKET_OK);
    assert_int_equal(p.destination_port, 9899);
    assert_int_equal(p.header_bytes, 0);
    assert_int_equal(p.payload_bytes, 16);
    put_ipv4(&icmp, 1, 8 + 56, 1, 0);
    put16(&icmp, 0x0301);
    put_zeros(&icmp, 62);
    assert_int_equal(decode(101, false, &icmp, &p), PACKET_OK);
    assert_int_equal(p.icmp_type, 3);
    assert_int_equal(p.icmp_code, 1);
    assert_int_equal(p.payload_bytes, 56);
    assert_int_equal(p.source_port, 0);
    put_ipv6(&six, 58, 8);
    put16(&six, 0x8000);
    put_zeros(&six, 6);
    assert_int_equal(decode(101, false, &six, &p), PACKET_OK);
    assert_int_equal(p.icmp_type, 128);
    put_ipv4(&other, 89, 44, 1, 0);
    put_zeros(&other, 44);
    assert_int_equal(decode(101, false, &other, &p), PACKET_OK);
    assert_int_equal(p.payload_bytes, 44);
    put_ipv4(&tiny, 17, 7, 1, 0);
    put_zeros(&tiny, 7);
    assert_int_equal(decode(101, false, &tiny, &p), PACKET_BAD_HEADER);
}

static void ipv6_extension_headers_are_walked(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    (void)state;
    put_ipv6(&f, 0, 8 + 16 + 12 + 8 + 25);
    put32(&f, 43u << 24); /* hop-by-hop, 8 bytes */
    put32(&f, 0);
    put32(&f, 51u << 24 | 1u << 16); /* routing, 16 bytes */
    put_zeros(&f, 12);
    put32(&f, 44u << 24 | 1u << 16); /* AH, 12 bytes */
    put_zeros(&f, 8);
    put32(&f, 6u << 24); /* an atomic fragment */
    put32(&f, 99);
    put_tcp(&f, TCP_ACK, 5);
    put(&f, "hello", 5);
    assert_tcp_1025_80(decode(101, false, &f, &p), &p, 5);
    assert_int_equal(p.ttl, 63);
    f.n = 50; /* cut within the second */
    assert_int_equal(decode(101, false, &f, &p), PACKET_CUT_SHORT);
}

static void endless_extension_headers_are_refused(void **state)
{
    struct packet p;
    (void)state;
    for (unsigned count = 12; count <= 13; count++) {
        struct frame f = {.n = 0};
        put_ipv6(&f, 60, count * 8 + 20);
        for (unsigned i = 0; i < count; i++) {
            put32(&f, i + 1 < count ? 60u << 24 : 6u << 24);
            put32(&f, 0);
        }
        put_tcp(&f, TCP_ACK, 5);
        assert_int_equal(decode(101, false, &f, &p), count == 12 ? PACKET_OK : PACKET_TOO_DEEP);
    }
}

static void an_ipv6_packet_without_a_length_is_taken_as_captured(void **state)
{
    struct frame f = {.n = 0}, none = {.n = 0};
    struct packet p;
    (void)state;
    put_ipv6(&f, 6, 0);
    put_tcp(&f, TCP_ACK, 5);
    put_zeros(&f, 100);
    assert_tcp_1025_80(decode(101, false, &f, &p), &p, 100);
    put_ipv6(&none, 59, 0);
    put_zeros(&none, 6); /* padding */
    assert_int_equal(decode(101, false, &none, &p), PACKET_OK);
    assert_int_equal(p.payload_bytes, 0);
    assert_int_equal(p.ip_bytes, 40);
}

static void later_fragments_have_the_ports_of_the_first(void **state)
{
    struct packet_decoder *decoder = packet_decoder_create(false);
    struct frame first = {.n = 0}, later = {.n = 0}, other = {.n = 0};
    struct packet p;
    const int64_t second = 1000000000;
    (void)state;
    put_ipv4(&first, 17, 1480, 77, 0x2000);
    put_udp(&first, 53, 2000);
    put_ipv4(&later, 17, 528, 77, 185);
    put_ipv4(&other, 17, 528, 78, 185);
    assert_int_equal(decode_at(decoder, 101, 0, &later, &p), PACKET_FRAGMENT);
    assert_int_equal(decode_at(decoder, 101, 0, &first, &p), PACKET_OK);
    assert_int_equal(p.payload_bytes, 1472);
    assert_int_equal(decode_at(decoder, 101, 30 * second, &later, &p), PACKET_OK);
    assert_int_equal(p.source_port, 1025);
    assert_int_equal(p.destination_port, 53);
    assert_int_equal(p.header_bytes, 0);
    assert_int_equal(p.payload_bytes, 528);
    assert_int_equal(decode_at(decoder, 101, 0, &other, &p), PACKET_FRAGMENT);
    assert_int_equal(decode_at(decoder, 101, 30 * second + 1, &later, &p), PACKET_FRAGMENT);
    packet_decoder_free(decoder);
}

static void fragments_that_overlap_or_are_too_long_are_impossible(void **state)
{
    struct packet_decoder *decoder = packet_decoder_create(false);
    struct frame first = {.n = 0}, inside = {.n = 0}, behind = {.n = 0}, last = {.n = 0}, beyond = {.n = 0};
    struct packet p;

    (void)state;
    put_ipv4(&first, 17, 40, 77, 0x2000);
    put_udp(&first, 53, 32);
    put_ipv4(&inside, 17, 8, 77, 4); /* at 32, of 40 */
    put_ipv4(&behind, 17, 8, 77, 5);
    put_ipv4(&last, 1, 19, 79, 8187); /* at 65,496: with a header of 20 it is 65,535 long */
    put_ipv4(&beyond, 1, 20, 79, 8187);
    assert_int_equal(decode_at(decoder, 101, 0, &first, &p), PACKET_OK);
    assert_false(p.impossible || p.later);
    assert_int_equal(decode_at(decoder, 101, 0, &inside, &p), PACKET_OK);
    assert_true(p.impossible && p.later);
    assert_int_equal(decode_at(decoder, 101, 0, &behind, &p), PACKET_OK);
    assert_true(!p.impossible && p.later);
    assert_int_equal(decode_at(decoder, 101, 0, &last, &p), PACKET_OK);
    assert_false(p.impossible);
    assert_int_equal(decode_at(decoder, 101, 0, &beyond, &p), PACKET_OK);
    assert_true(p.impossible);
    packet_decoder_free(decoder);
}

static void ipv6_fragments_work_alike(void **state)
{
    struct packet_decoder *decoder = packet_decoder_create(false);
    struct frame first = {.n = 0}, later = {.n = 0};
    struct packet p;
    (void)state;
    put_ipv6(&first, 44, 8 + 1200);
    put32(&first, 17u << 24 | 1);
    put32(&first, 5);
    put_udp(&first, 53, 2000);
    put_ipv6(&later, 44, 8 + 100);
    put32(&later, 17u << 24 | 1200);
    put32(&later, 5);
    put_zeros(&later, 100);
    assert_int_equal(decode_at(decoder, 101, 0, &first, &p), PACKET_OK);
    assert_int_equal(decode_at(decoder, 101, 0, &later, &p), PACKET_OK);
    assert_int_equal(p.destination_port, 53);
    assert_int_equal(p.payload_bytes, 100);
    packet_decoder_free(decoder);
}

static void a_tcp_header_cut_in_two_still_shows_its_flags(void **state)
{
    struct packet_decoder *decoder = packet_decoder_create(false);
    struct frame whole = {.n = 0}, first = {.n = 0}, second = {.n = 0};
    struct packet p;
    (void)state;
    put_tcp(&whole, TCP_SYN, 5);
    put_ipv4(&first, 6, 8, 3, 0x2000);
    put(&first, whole.bytes, 8);
    put_ipv4(&second, 6, 12, 3, 1);
    put(&second, whole.bytes + 8, 12);
    assert_int_equal(decode_at(decoder, 101, 0, &first, &p), PACKET_OK);
    assert_int_equal(p.destination_port, 80);
    assert_int_equal(p.tcp_flags, 0);
    assert_int_equal(decode_at(decoder, 101, 0, &second, &p), PACKET_OK);
    assert_int_equal(p.destination_port, 80);
    assert_int_equal(p.tcp_flags, TCP_SYN);
    packet_decoder_free(decoder);
}

static void a_flood_of_fragments_takes_no_more_memory(void **state)
{
    struct packet_decoder *decoder = packet_decoder_create(false);
    struct packet p;
    int found = 0;
    (void)state;
    for (unsigned id = 0; id < 65536; id++) {
        struct frame first = {.n = 0};
        put_ipv4(&first, 17, 1480, id, 0x2000);
        put_udp(&first, 53, 2000);
        assert_int_equal(decode_at(decoder, 101, id, &first, &p), PACKET_OK);
    }
    for (unsigned id = 0; id < 65536; id++) {
        struct frame later = {.n = 0};
        put_ipv4(&later, 17, 8, id, 185);
        found += decode_at(decoder, 101, 65536, &later, &p) == PACKET_OK;
    }
    assert_in_range(found, 900, 1024);
    packet_decoder_free(decoder);
}

static void put_inner(struct frame *f, int kind)
{
    struct frame inner = {.n = 0};
    put_http(&inner);
    switch (kind) {
    case 0: /* IP in IP */
        put_ipv4(f, 4, 45, 1, 0);
        break;
    case 1: /* GRE with key */
        put_ipv4(f, 47, 8 + 45, 1, 0);
        put32(f, 0x20000800);
        put32(f, 9);
        break;
    case 2: /* GRE, Ethernet inside */
        put_ipv4(f, 47, 4 + 14 + 45, 1, 0);
        put32(f, 0x00006558);
        put_ethernet(f, 0x0800);
        break;
    case 3: /* VXLAN */
        put_ipv4(f, 17, 8 + 8 + 14 + 45, 1, 0);
        put_udp(f, 4789, 8 + 14 + 45);
        put32(f, 0x08000000);
        put32(f, 0);
        put_ethernet(f, 0x0800);
        break;
    default: /* PPTP */
        put_ipv4(f, 47, 12 + 4 + 45, 1, 0);
        put32(f, 0x3001880b);
        put_zeros(f, 8);
        put32(f, 0xff030021);
    }
    put(f, inner.bytes, inner.n);
}

static void tunnels_are_looked_into_when_asked(void **state)
{
    static const uint8_t outer[] = {4, 47, 47, 17, 47};
    struct packet p;
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct frame f = {.n = 0};
        put_inner(&f, kind);
        assert_int_equal(decode(101, false, &f, &p), PACKET_OK);
        assert_int_equal(p.protocol, outer[kind]);
        assert_tcp_1025_80(decode(101, true, &f, &p), &p, 5);
        f.bytes[f.n - 45] = 0x35; /* nothing whole inside: the outer packet stands */
        assert_int_equal(decode(101, true, &f, &p), PACKET_OK);
        assert_int_equal(p.protocol, outer[kind]);
    }
}

static void tunnels_in_tunnels_end_at_the_limit(void **state)
{
    struct frame f = {.n = 0};
    struct packet p;
    (void)state;
    for (unsigned left = 20; left > 0; left--)
        put_ipv4(&f, 4, left * 20 + 25, 1, 0);
    put_http(&f);
    assert_int_equal(decode(101, true, &f, &p), PACKET_OK);
    assert_int_equal(p.protocol, 4);
    assert_int_equal(p.ip_bytes, 20 * 20 + 45 - 8 * 20);
}

static void every_cut_of_every_frame_is_survived(void **state)
{
    struct packet p;
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct frame f = {.n = 0};
        put_ethernet(&f, 0x8100);
        put32(&f, 0x00010800);
        put_inner(&f, kind);
        for (size_t whole = f.n; f.n-- > 0;) {
            enum packet_reason reason = decode(1, true, &f, &p);
            assert_true(reason == PACKET_OK || reason == PACKET_CUT_SHORT);
            assert_true(reason == PACKET_OK || f.n < whole - 5);
        }
    }
}

static void reasons_and_protocols_have_names(void **state)
{
    (void)state;
    assert_string_equal(packet_reason_text(PACKET_CUT_SHORT), "cut_short");
    assert_string_equal(packet_reason_text(PACKET_REASONS), "unknown");
    for (int i = 0; i < PACKET_REASONS; i++)
        assert_non_null(packet_reason_text((enum packet_reason)i));
    assert_string_equal(packet_protocol_text(6), "TCP");
    assert_string_equal(packet_protocol_text(132), "SCTP");
    assert_string_equal(packet_protocol_text(99), "IP-99");
    assert_string_equal(packet_protocol_text(255), "IP-255");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ethernet_frame_gives_addresses_ports_flags_and_lengths),
        cmocka_unit_test(padding_of_a_short_ethernet_frame_is_no_payload),
        cmocka_unit_test(a_cut_packet_keeps_the_lengths_of_its_ip_header),
        cmocka_unit_test(vlan_tags_are_taken_off_and_the_outermost_is_kept),
        cmocka_unit_test(more_tags_than_the_limit_are_refused),
        cmocka_unit_test(mpls_labels_are_taken_off),
        cmocka_unit_test(pppoe_sessions_are_looked_into),
        cmocka_unit_test(llc_snap_carries_ip_and_other_llc_does_not),
        cmocka_unit_test(every_link_type_leads_to_the_packet),
        cmocka_unit_test(bsd_loopback_knows_every_number_of_ipv6),
        cmocka_unit_test(arp_is_told_with_sender_and_target),
        cmocka_unit_test(ipv4_options_are_no_payload),
        cmocka_unit_test(a_total_length_of_zero_means_all_that_was_captured),
        cmocka_unit_test(headers_that_cannot_be_are_refused),
        cmocka_unit_test(udp_sctp_and_icmp_have_their_headers),
        cmocka_unit_test(ipv6_extension_headers_are_walked),
        cmocka_unit_test(endless_extension_headers_are_refused),
        cmocka_unit_test(an_ipv6_packet_without_a_length_is_taken_as_captured),
        cmocka_unit_test(later_fragments_have_the_ports_of_the_first),
        cmocka_unit_test(fragments_that_overlap_or_are_too_long_are_impossible),
        cmocka_unit_test(ipv6_fragments_work_alike),
        cmocka_unit_test(a_tcp_header_cut_in_two_still_shows_its_flags),
        cmocka_unit_test(a_flood_of_fragments_takes_no_more_memory),
        cmocka_unit_test(tunnels_are_looked_into_when_asked),
        cmocka_unit_test(tunnels_in_tunnels_end_at_the_limit),
        cmocka_unit_test(every_cut_of_every_frame_is_survived),
        cmocka_unit_test(reasons_and_protocols_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
