/* dns.h: the one question of a DNS message, and how it was answered (RFC 1035).
 *
 * Reads the header and the first question only; compression never occurs there, so there is nothing to follow and
 * every read is bounded by the bytes given. */
#ifndef DETECTOR_DNS_H
#define DETECTOR_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_NAME = 256 };
enum { DNS_TYPE_NULL = 10, DNS_TYPE_TXT = 16 };
enum { DNS_NO_SUCH_NAME = 3 };

struct dns {
    char name[DNS_NAME]; /* lower case, without the last dot, odd bytes as '?' */
    size_t name_length;
    size_t
        domain; /* where the registered domain begins in name (its last two labels, three under ac, co, com, ...) */
    size_t longest_label;
    uint16_t type;
    uint8_t code; /* of a response */
    bool response;
    bool cut; /* the capture ends inside the name: what was there counts */
};

bool dns_read(const uint8_t *bytes, size_t length, struct dns *out);

#endif
