/* target_guard.h: keeps notices from being sent into places that only this machine or this network can reach
 * (server-side request forgery): loopback, link-local, private, shared, multicast and other special addresses
 * (RFC 6890), also inside of IPv6. Asked at the moment of connecting, with the address that is really used. */
#ifndef BACKEND_TARGET_GUARD_H
#define BACKEND_TARGET_GUARD_H

#include <stdbool.h>

struct sockaddr;

/* True when the address belongs to the public internet. */
bool target_guard_public(const struct sockaddr *address);
/* For http_call.may_connect: context is a const bool *, true: every address is allowed. */
bool target_guard_may_connect(const struct sockaddr *address, void *context);

#endif
