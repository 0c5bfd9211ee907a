/* claims.h: which hardware address says by ARP that an IPv4 address is its own.
 *
 * A reply that nobody asked for, to one host, about an address that another hardware address claims as well, is how
 * traffic is drawn through a third machine. Two network cards of one host answer alike, a failover tells everybody,
 * a proxy answers for others: each of them only when asked, or to all, or without a rival. Fixed memory; one thread.
 */
#ifndef DETECTOR_CLAIMS_H
#define DETECTOR_CLAIMS_H

#include "detector/packet.h"

struct claims;
struct claims *claims_create(void); /* NULL when memory is out */
void claims_free(struct claims *claims);
size_t claims_memory(void);

/* Takes note of a packet with .arp set. Whether it is such a reply. */
bool claims_contradict(struct claims *claims, const struct packet *packet);

#endif
