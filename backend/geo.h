/* geo.h: country, city and network of an address, from a database file of MaxMind's format that the operator gives.
 * Nothing is asked over the network, and special addresses have no place. Any thread may call. */
#ifndef BACKEND_GEO_H
#define BACKEND_GEO_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct geo;
struct geo_place {
    char country[3]; /* ISO 3166, or "" */
    char name[65];   /* of the country, in English */
    char city[65];
    uint32_t asn;     /* 0: not known */
    char network[97]; /* its holder */
};

struct geo *geo_open(const char *path, struct err *err);
void geo_close(struct geo *geo);                                            /* NULL is fine */
bool geo_find(struct geo *geo, const char *address, struct geo_place *out); /* false: nothing is known */

#endif
