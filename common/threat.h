/* threat.h: the record that the whole product is about.
 *
 * One struct, JSON both ways; keys and meaning as in docs/api.md. What the struct
 * does not know is kept as text and written again, so that nothing a sender said
 * is lost. */
#ifndef COMMON_THREAT_H
#define COMMON_THREAT_H

#include "common/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    THREAT_ID = 129, /* sizes count the NUL */
    THREAT_TYPE = 65,
    THREAT_ADDRESS = 46, /* INET6_ADDRSTRLEN */
    THREAT_PROTOCOL = 33,
    THREAT_SENSOR = 65,
    THREAT_COMMUNITY = 65,
    THREAT_JSON_MAX = 256 * 1024 /* one record as JSON text */
};

enum severity { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };

struct threat {
    char id[THREAT_ID];     /* 1..128 of [A-Za-z0-9._:-] */
    uint32_t revision;      /* >= 1 */
    char type[THREAT_TYPE]; /* 1..64 of [a-z0-9_] */
    enum severity severity;
    char source_ip[THREAT_ADDRESS]; /* canonical text of RFC 5952 or dotted quad */
    char destination_ip[THREAT_ADDRESS];
    int32_t source_port; /* 0..65535, -1: the protocol has none or it was not given */
    int32_t destination_port;
    char protocol[THREAT_PROTOCOL];      /* "TCP", "UDP", "ICMP", ... */
    double confidence;                   /* 0..1 */
    int64_t timestamp_us;                /* UTC */
    char sensor[THREAT_SENSOR];          /* "" when not given */
    char community_id[THREAT_COMMUNITY]; /* "" when not given */
    char *details;                       /* JSON text of the object "details", or NULL; owned */
    char *extra;                         /* JSON text of an object with all other members, or NULL; owned */
};

void threat_clear(struct threat *threat); /* frees what it owns and zeroes it; the struct stays the caller's */

/* A refused field; up to THREAT_FAULTS of them are told at once. */
enum { THREAT_FAULTS = 16 };
struct threat_fault {
    char field[64];
    char expected[96];
};

/* All or nothing: on false *out is untouched, faults[0..*count) name every wrong field
 * and err the first. faults may be NULL. The caller owns *out (threat_clear). */
bool threat_from_json(struct threat *out, const cJSON *object, struct threat_fault *faults, size_t *count,
                      struct err *err);

/* Canonical text: known keys first, in the order of the struct, then the extra ones. A missing
 * timestamp zone has become Z. NULL when memory is out; the caller frees it. */
char *threat_to_json(const struct threat *threat);

enum severity severity_of_confidence(double confidence); /* >=0.9 critical, >=0.7 high, >=0.4 medium, else low */
const char *severity_text(enum severity severity);
bool severity_from_text(const char *text, enum severity *severity);

#endif
