/* flow_community_id.c: Community ID v1, a name for a flow that other tools give it too.
 *
 * SHA-1 over seed, ordered ends, protocol and ports, as the community-id-spec says. The hash stands here because no
 * library of the detector has it and nothing depends on its strength. */
#include "detector/flow.h"

#include <netinet/in.h>
#include <string.h>

static uint32_t turn(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

/* SHA-1 (RFC 3174) of at most 55 bytes: one block. */
static void sha1_short(const uint8_t *data, size_t n, uint8_t out[20])
{
    uint8_t block[64] = {0};
    uint32_t w[80], h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    memcpy(block, data, n);
    block[n] = 0x80;
    block[62] = (uint8_t)(n * 8 >> 8);
    block[63] = (uint8_t)(n * 8);
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (0x5a827999 + ((b & c) | (~b & d)))
                     : i < 40 ? (0x6ed9eba1 + (b ^ c ^ d))
                     : i < 60 ? (0x8f1bbcdc + ((b & c) | (b & d) | (c & d)))
                              : (0xca62c1d6 + (b ^ c ^ d));
        uint32_t next = turn(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = turn(b, 30);
        b = a;
        a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    for (int i = 0; i < 20; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t in[20], char out[29])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;

    for (size_t i = 0; i < 20; i += 3) {
        uint32_t three = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | (i + 2 < 20 ? in[i + 2] : 0);
        out[n++] = digits[three >> 18];
        out[n++] = digits[three >> 12 & 63];
        out[n++] = digits[three >> 6 & 63];
        out[n++] = digits[three & 63];
    }
    out[27] = '=';
    out[28] = '\0';
}

struct icmp_pair {
    uint8_t ask, answer;
};

/* ICMP has no ports: the type stands for the one, the type that answers it for the other; a type without an answer
 * keeps its code there and makes the flow one-way. */
static bool icmp_ports(const struct flow *flow, uint16_t ports[2])
{
    static const struct icmp_pair v4[] = {{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}};
    static const struct icmp_pair v6[] = {{128, 129}, {133, 134}, {135, 136}, {130, 131}, {144, 145}, {139, 140}};
    const struct icmp_pair *pairs = flow->protocol == IPPROTO_ICMP ? v4 : v6;
    size_t count = flow->protocol == IPPROTO_ICMP ? sizeof v4 / sizeof *v4 : sizeof v6 / sizeof *v6;

    ports[0] = flow->icmp_type;
    ports[1] = flow->icmp_code;
    for (size_t i = 0; i < count; i++) {
        if (flow->icmp_type == pairs[i].ask || flow->icmp_type == pairs[i].answer) {
            ports[1] = flow->icmp_type == pairs[i].ask ? pairs[i].answer : pairs[i].ask;
            return false;
        }
    }
    return true;
}

void flow_community_id(const struct flow *flow, char out[32])
{
    uint16_t ports[2] = {flow->port[0], flow->port[1]};
    bool one_way = false, with_ports = true;
    size_t skip = flow->version == 4 ? 12 : 0, length = 16 - skip, n = 2;
    uint8_t data[2 + 32 + 2 + 4] = {0}, digest[20];

    if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
        one_way = icmp_ports(flow, ports);
    else
        with_ports = flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP || flow->protocol == IPPROTO_SCTP;
    int order = memcmp(flow->address[0] + skip, flow->address[1] + skip, length);
    int low = one_way || order < 0 || (order == 0 && ports[0] <= ports[1]) ? 0 : 1;
    memcpy(data + n, flow->address[low] + skip, length);
    memcpy(data + n + length, flow->address[!low] + skip, length);
    n += 2 * length;
    data[n] = flow->protocol;
    n += 2;
    for (int i = 0; with_ports && i < 2; i++) {
        data[n++] = (uint8_t)(ports[i ^ low] >> 8);
        data[n++] = (uint8_t)ports[i ^ low];
    }
    sha1_short(data, n, digest);
    memcpy(out, "1:", 2);
    base64(digest, out + 2);
}
