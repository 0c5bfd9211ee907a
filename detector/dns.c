/* dns.c: see dns.h. */
#include "detector/dns.h"

#include "detector/bytes.h"

#include <string.h>

enum { HEADER = 12, LABEL_MAX = 63, LABELS_MAX = 128 };

static char plain(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte + ('a' - 'A'));
    return byte > ' ' && byte < 127 && byte != '.' ? (char)byte : '?';
}

/* A country's domains are often sold one level down: "example.co.uk". */
static bool is_second_level(const char *label, size_t length)
{
    static const char *const known[] = {"ac", "co", "com", "edu", "gov", "mil", "net", "ne", "or", "org"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i]) == length && memcmp(known[i], label, length) == 0)
            return true;
    }
    return false;
}

static void find_domain(struct dns *dns, const uint8_t *starts, size_t labels)
{
    size_t take = labels < 2 ? labels : 2;

    if (labels >= 3) {
        size_t second = starts[labels - 2], top = starts[labels - 1];

        if (dns->name_length - top == 2 && is_second_level(dns->name + second, top - second - 1))
            take = 3;
    }
    dns->domain = take == 0 ? 0 : starts[labels - take];
}

static bool read_name(const uint8_t *bytes, size_t length, size_t *at, struct dns *out)
{
    uint8_t starts[LABELS_MAX];
    size_t labels = 0, used = 0;

    for (;;) {
        size_t label;

        if (*at >= length) {
            out->cut = true;
            break;
        }
        label = bytes[(*at)++];
        if (label == 0)
            break;
        if (label > LABEL_MAX || labels == LABELS_MAX || used + label + 1 >= DNS_NAME)
            return false;
        if (label > length - *at) {
            label = length - *at;
            out->cut = true;
        }
        if (used > 0)
            out->name[used++] = '.';
        starts[labels++] = (uint8_t)used;
        for (size_t i = 0; i < label; i++)
            out->name[used++] = plain(bytes[*at + i]);
        *at += label;
        if (label > out->longest_label)
            out->longest_label = label;
        if (out->cut)
            break;
    }
    out->name[used] = '\0';
    out->name_length = used;
    find_domain(out, starts, labels);
    return true;
}

bool dns_read(const uint8_t *bytes, size_t length, struct dns *out)
{
    struct dns dns = {0};
    size_t at = HEADER;
    uint16_t flags;

    if (length < HEADER || be16(bytes + 4) != 1)
        return false;
    flags = be16(bytes + 2);
    if ((flags >> 11 & 15) != 0) /* an update or a notice: nobody asks for a name */
        return false;
    dns.response = flags >> 15;
    dns.code = flags & 15;
    if (!read_name(bytes, length, &at, &dns))
        return false;
    if (!dns.cut) {
        if (length - at < 4)
            return false;
        dns.type = be16(bytes + at);
    }
    *out = dns;
    return true;
}
