/* flow_signs.c: see flow_signs.h. */
#include "detector/flow_signs.h"

#include "detector/ports.h"
#include "detector/window.h"

enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PRIVILEGED = 1024, PORT_QUIC = 443 };

bool flow_is_half_open(const struct flow *flow)
{
    return flow->protocol == PROTOCOL_TCP && (flow->flags_seen[FLOW_FORWARD] & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
           (flow->flags_seen[FLOW_BACKWARD] & TCP_SYN) != 0;
}

/* Header by header, a crumb at a time, so that the server keeps waiting (slowloris and its kin). */
bool flow_is_slow_request(const struct flow *flow)
{
    return flow->protocol == PROTOCOL_TCP && port_service(flow->port[1]) == SERVICE_WEB &&
           flow->last_ns - flow->first_ns >= INT64_C(5000000000) && flow->packets[FLOW_BACKWARD] > 0 &&
           flow->payload_bytes[FLOW_BACKWARD] == 0 && flow->psh[FLOW_FORWARD] >= 2 &&
           flow->payload_bytes[FLOW_FORWARD] < 4096;
}

double flow_rate(const struct flow *flow)
{
    enum { MILLISECOND_NS = 1000000 };
    int64_t time_ns = flow->last_ns - flow->first_ns;

    return (double)flow->packets[FLOW_FORWARD] * 1e9 / (double)(time_ns < MILLISECOND_NS ? MILLISECOND_NS : time_ns);
}

/* Nobody wanted it. A transfer by TCP may have few acknowledgements; what counts there are segments that carry
 * nothing. One by UDP may have next to none, but has some. */
bool flow_is_one_way(const struct flow *flow)
{
    if (flow->protocol == PROTOCOL_UDP)
        return flow->packets[FLOW_BACKWARD] == 0 && flow->port[0] != PORT_QUIC;
    return flow->packets[FLOW_BACKWARD] * 20 <= flow->packets[FLOW_FORWARD] &&
           (flow->protocol != PROTOCOL_TCP || flow->payload_bytes[FLOW_FORWARD] == 0);
}

/* Much for little; names are often asked with little, so they need more. */
bool flow_is_amplified(const struct flow *flow)
{
    uint64_t factor = flow->port[1] == PORT_DNS ? 10 : 5;

    return flow->protocol == PROTOCOL_UDP && port_is_amplifier(flow->port[1]) &&
           flow->payload_bytes[FLOW_FORWARD] > 0 &&
           flow->payload_bytes[FLOW_BACKWARD] >= factor * flow->payload_bytes[FLOW_FORWARD];
}

/* A resolver asks a name server for ever other names, which are not all of one length; who invents the asker asks
 * again and again for what is long. */
uint64_t flow_question(const struct flow *flow)
{
    return flow->port[1] == PORT_DNS ? window_mix(PORT_DNS, flow->payload_bytes[FLOW_FORWARD]) : flow->port[1];
}

/* An answer to a SYN; or the initiator goes on where only its own packets are seen. */
bool flow_is_opened(const struct flow *flow, const struct packet *packet)
{
    if (flow->packets[FLOW_BACKWARD] == 0)
        return true;
    return (packet->tcp_flags & TCP_SYN) != 0 && (flow->flags_seen[FLOW_FORWARD] & TCP_ACK) == 0;
}

/* QUIC behind its handshake (RFC 9000, 17.3.1): the capture began later. */
bool packet_is_under_way(const struct packet *packet)
{
    return packet->source_port == PORT_QUIC && packet->first >> 6 == 1;
}

/* BitTorrent's, a dictionary or the head that opens (BEP 5 and 29): peers go on asking a host for hours after its
 * program was ended. */
bool packet_is_of_peer(const struct packet *packet)
{
    enum { ASK = 'd', ASK_MIN = 50, ASK_MAX = 400, OPEN = 0x41, OPEN_BYTES = 20 };
    uint32_t size = packet->payload_bytes;

    return packet->protocol == PROTOCOL_UDP && packet->destination_port >= PRIVILEGED &&
           ((packet->first == OPEN && size == OPEN_BYTES) ||
            (packet->first == ASK && size >= ASK_MIN && size <= ASK_MAX));
}
