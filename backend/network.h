/* network.h: addresses and networks (IPv4, IPv6, CIDR), as lists to test a client against.
 *
 * IPv4 is kept as IPv4-mapped IPv6, so that one compare serves both. Lists are made at start and never change. */
#ifndef BACKEND_NETWORK_H
#define BACKEND_NETWORK_H

#include "common/config.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct network {
    uint8_t low[16], high[16];
};
struct networks {
    struct network items[CONFIG_LIST_MAX];
    size_t count;
};

bool network_address(const char *text, uint8_t out[16]);
/* "10.0.0.0/8", "fe80::/10", "192.0.2.1"; host bits may be set (they are cut off). */
bool network_parse(const char *text, struct network *out, struct err *err);
bool network_has(const struct network *network, const uint8_t address[16]);

bool networks_read(struct networks *out, const struct config_list *texts, struct err *err);
bool networks_have(const struct networks *networks, const char *address);

#endif
