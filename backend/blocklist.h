/* blocklist.h: addresses that firewalls should keep out, and that this program itself does not answer (kind "block").
 *
 * A listed client gets a 403 on every route, but an address from which an admin is at work just now never does, nor
 * can it be listed. The routes are blocklist_routes (api.h); the feed is text, nft or JSON. Any thread may call. */
#ifndef BACKEND_BLOCKLIST_H
#define BACKEND_BLOCKLIST_H

#include "backend/doc.h"
#include "backend/network.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { BLOCKLIST_MAX = 20000, BLOCK_REASON = 501, BLOCK_ADDRESS = 64, BLOCK_THREAT = 129 };

struct blocklist;
struct store;
struct watch;

struct block {
    char id[DOC_ID];
    char address[BLOCK_ADDRESS]; /* canonical: an address, or a network with its prefix length */
    struct network network;
    char reason[BLOCK_REASON], author[65], threat[BLOCK_THREAT];
    int64_t created_ms, expires_ms; /* 0: never */
};

struct blocklist *blocklist_create(struct store *store, struct watch *watch, struct err *err);
void blocklist_free(struct blocklist *blocklist); /* NULL is fine */

bool blocklist_has(struct blocklist *blocklist, const char *client);

/* "10.1.2.3/8" becomes "10.0.0.0/8", "10.1.2.3/32" becomes "10.1.2.3". False: neither address nor network, or so wide
 * that it would be everybody (wider than /8, or /16 for IPv6). */
bool block_canonical(const char *text, char out[BLOCK_ADDRESS], struct network *network, struct err *err);

/* For every request: false when the client is listed, is not of a trusted network or a proxy, and no admin is logged
 * in from there; it has then answered 403. */
struct api;
struct http_request;
bool blocklist_lets(struct api *api, struct http_request *request);

#endif
