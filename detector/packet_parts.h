/* packet_parts.h: what the files of the decoder share. Only detector/packet*.c include it. */
#ifndef DETECTOR_PACKET_PARTS_H
#define DETECTOR_PACKET_PARTS_H

#include "detector/bytes.h"
#include "detector/packet.h"

#include <string.h>

enum {
    LAYERS_MAX = 8,      /* tags, label stacks and tunnels in one frame */
    EXTENSIONS_MAX = 12, /* IPv6 extension headers and AH */
    FRAGMENT_WAYS = 4,
    FRAGMENT_SETS = 256
};

struct fragment {
    uint8_t source[16], destination[16];
    uint32_t id;
    uint16_t source_port, destination_port;
    uint32_t length; /* of what the first one holds */
    int64_t time_ns;
    uint8_t protocol, used;
};

struct packet_decoder {
    bool inner_flows;
    struct fragment fragments[FRAGMENT_SETS][FRAGMENT_WAYS];
};

/* One frame on its way through the layers. */
struct walk {
    struct packet_decoder *decoder;
    struct packet *out;
    unsigned layers;
};

enum packet_reason packet_ethernet(struct walk *walk, const uint8_t *p, size_t n);
enum packet_reason packet_ethertype(struct walk *walk, unsigned type, const uint8_t *p, size_t n);
enum packet_reason packet_ppp(struct walk *walk, const uint8_t *p, size_t n); /* p: at the protocol field */
enum packet_reason packet_ip(struct walk *walk, const uint8_t *p, size_t n);  /* 4 or 6 by the first nibble */
enum packet_reason packet_ipv4(struct walk *walk, const uint8_t *p, size_t n);
enum packet_reason packet_ipv6(struct walk *walk, const uint8_t *p, size_t n);

/* p: behind the IP headers; n: bytes captured there; length: bytes by the IP lengths. */
enum packet_reason packet_transport(struct walk *walk, const uint8_t *p, size_t n, size_t length);
/* The same for a first fragment that more follow, and for a later one (offset > 0). */
enum packet_reason packet_first_fragment(struct walk *walk, uint32_t id, const uint8_t *p, size_t n, size_t length);
enum packet_reason packet_later_fragment(struct walk *walk, uint32_t id, size_t offset, const uint8_t *p, size_t n,
                                         size_t length);
/* True when a tunnel's inner packet was decoded into *walk->out; false leaves the outer one as it is. */
bool packet_inner(struct walk *walk, const uint8_t *p, size_t n);

#endif
