/* impossible.c: see impossible.h. */
#include "detector/impossible.h"

enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PORT_ECHO = 7, PORT_CHARGEN = 19 };

bool address_is_impossible(const uint8_t source[16])
{
    if (address_is_v4(source))
        return (source[12] >= 224 && source[12] < 240) || source[12] == 255 ||
               (source[12] == 0 && (source[13] | source[14] | source[15]) != 0);
    return source[0] == 0xff;
}

bool flags_are_impossible(uint8_t flags)
{
    return (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == 0 || (flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN) ||
           (flags & (TCP_SYN | TCP_RST)) == (TCP_SYN | TCP_RST);
}

/* Echo and chargen answer whatever comes: each other for ever (an echo of an echo), and all hosts of a net the one
 * whose address was taken (fraggle). A card is woken by a datagram to all, at the echo port, too, that begins with
 * 0xff. */
static bool is_loop(const struct packet *packet)
{
    enum { WAKE = 0xff };

    if ((packet->destination_port != PORT_ECHO && packet->destination_port != PORT_CHARGEN) || packet->first == WAKE)
        return false;
    return packet->source_port == PORT_ECHO || packet->source_port == PORT_CHARGEN ||
           (address_is_group(packet->destination) && packet->payload_bytes > 0);
}

/* A host's own talk may be captured as it is made; what is told to 127.0.0.1 never leaves it. */
static bool is_loopback(const uint8_t address[16])
{
    static const uint8_t six[16] = {[15] = 1};

    return (address_is_v4(address) && address[12] == 127) || memcmp(address, six, sizeof six) == 0;
}

/* From a port to itself, on one host: a client that waits for a server of its own host may be given the server's port
 * (TCP opens from both sides), if it is one of those that clients are given. */
bool packet_is_impossible(const struct packet *packet)
{
    enum { GIVEN = 32768 };

    if (packet->protocol == PROTOCOL_UDP)
        return is_loop(packet);
    return packet->protocol == PROTOCOL_TCP && packet->source_port == packet->destination_port &&
           packet->source_port != 0 && packet->source_port < GIVEN && packet->payload_bytes == 0 &&
           memcmp(packet->source, packet->destination, 16) == 0 && !is_loopback(packet->source); /* land */
}
