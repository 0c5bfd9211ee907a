/* packet.h: the bytes of one captured frame become a struct.
 *
 * Decodes link, network and transport headers (the sources stand at each decoder in packet.c). Every
 * read is length-checked; lengths come from the IP headers, so that a capture cut by a snap length gives the
 * same numbers. A frame that cannot be decoded is counted by reason, never dropped in silence. */
#ifndef DETECTOR_PACKET_H
#define DETECTOR_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum packet_reason {
    PACKET_OK,
    PACKET_NOT_IP,       /* ARP, LLDP, ...: fine, but no flow (ARP is told apart by packet.arp) */
    PACKET_CUT_SHORT,    /* fewer bytes captured than the headers need */
    PACKET_BAD_HEADER,   /* version, header length or total length that cannot be */
    PACKET_TOO_DEEP,     /* more tags, tunnels or extension headers than the limit */
    PACKET_UNKNOWN_LINK, /* link type without a decoder */
    PACKET_FRAGMENT,     /* a later fragment whose first one was not seen */
    PACKET_REASONS
};

enum { /* TCP flags as in the header (RFC 9293) */
       TCP_FIN = 1,
       TCP_SYN = 2,
       TCP_RST = 4,
       TCP_PSH = 8,
       TCP_ACK = 16,
       TCP_URG = 32
};

enum { ARP_REQUEST = 1, ARP_REPLY = 2, ARP_HARDWARE = 8 }; /* the sender's hardware address: its place */

struct packet {
    int64_t time_ns;    /* UTC */
    uint8_t source[16]; /* IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2) */
    uint8_t destination[16];
    uint16_t source_port; /* TCP, UDP, SCTP; else 0 */
    uint16_t destination_port;
    uint8_t version;  /* 4 or 6 */
    uint8_t protocol; /* IANA number of the transport, after extension headers */
    uint8_t tcp_flags;
    uint8_t icmp_type, icmp_code;
    uint8_t first; /* byte of the payload, which an event outlives; 0: there is none */
    uint8_t ttl;
    bool later;             /* a fragment but the first: what it holds has no header */
    bool impossible;        /* fragments that overlap, or reach beyond the longest packet: no stack makes them */
    uint8_t arp;            /* PACKET_NOT_IP only: an ARP request or reply; source/destination hold sender and target,
                               payload the whole message */
    uint16_t vlan;          /* outermost 802.1Q id, 0: none */
    uint16_t window;        /* TCP window as sent */
    uint32_t ip_bytes;      /* IP total length: headers and payload, no link header, no padding */
    uint32_t header_bytes;  /* transport header (TCP with options 20..60, UDP 8, ICMP 8, others 0) */
    uint32_t payload_bytes; /* transport payload by the IP lengths */
    const uint8_t *payload; /* what was captured of it; borrowed from the frame */
    uint32_t payload_captured;
};

struct packet_decoder; /* remembers first fragments (bounded) and the options */
struct packet_decoder *packet_decoder_create(bool inner_flows); /* inner_flows: look into GRE, IP-in-IP, VXLAN */
void packet_decoder_free(struct packet_decoder *decoder);

/* link is the libpcap link type (DLT_...). *out is only whole on PACKET_OK (and for ARP). */
enum packet_reason packet_decode(struct packet_decoder *decoder, int link, int64_t time_ns, const uint8_t *frame,
                                 size_t captured, struct packet *out);
const char *packet_reason_text(enum packet_reason reason); /* "cut_short": as in metrics */
const char *packet_protocol_text(uint8_t protocol);        /* "TCP", "UDP", "ICMP", ..., "IP-99" via a static table */
/* Canonical text of an address in a packet or flow ("10.0.0.1", "2001:db8::1"); out holds INET6_ADDRSTRLEN bytes. */
void packet_address_text(const uint8_t address[16], char out[46]);

#endif
