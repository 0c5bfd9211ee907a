/* Fuzzes the reader of detector/dns.h. */
#include "detector/dns.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct dns dns;

    (void)dns_read(bytes, size, &dns);
    return 0;
}
