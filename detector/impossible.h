/* impossible.h: what no stack sends and no host is called; by the packet alone. */
#ifndef DETECTOR_IMPOSSIBLE_H
#define DETECTOR_IMPOSSIBLE_H

#include "detector/bytes.h"
#include "detector/packet.h"

/* Hosts in number: a multicast group, or all of a net whose last byte is 255. */
static inline bool address_is_group(const uint8_t address[16])
{
    if (address_is_v4(address))
        return address[12] >= 224 || address[15] == 255;
    return address[0] == 0xff;
}

/* No packet may come from it: groups, all, nobody. Reserved space (240.0.0.0/4) is used inside some nets. */
bool address_is_impossible(const uint8_t source[16]);
bool flags_are_impossible(uint8_t flags); /* of a first segment */
/* Of a flow's first packet: it goes from a port to itself, or makes two services answer each other without end, or
 * many answer at once. */
bool packet_is_impossible(const struct packet *packet);

#endif
