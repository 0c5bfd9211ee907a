/* frames.h: builds frames byte by byte for the tests of the decoder and of what reads captures. */
#ifndef TESTS_UNIT_DETECTOR_FRAMES_H
#define TESTS_UNIT_DETECTOR_FRAMES_H

#include <stdint.h>
#include <string.h>

struct frame {
    uint8_t bytes[2048];
    size_t n;
};

static inline void put(struct frame *f, const void *bytes, size_t n)
{
    memcpy(f->bytes + f->n, bytes, n);
    f->n += n;
}

static inline void put8(struct frame *f, unsigned value)
{
    f->bytes[f->n++] = (uint8_t)value;
}

static inline void put16(struct frame *f, unsigned value)
{
    put8(f, value >> 8);
    put8(f, value);
}

static inline void put32(struct frame *f, uint32_t value)
{
    put16(f, value >> 16);
    put16(f, value & 0xffff);
}

static inline void put_zeros(struct frame *f, size_t n)
{
    memset(f->bytes + f->n, 0, n);
    f->n += n;
}

static inline void put_ethernet(struct frame *f, unsigned type)
{
    put_zeros(f, 12);
    put16(f, type);
}

/* IPv4 from 10.0.0.1 to 10.0.0.2 with `length` bytes behind the header. */
static inline void put_ipv4(struct frame *f, unsigned protocol, unsigned length, unsigned id, unsigned fragment)
{
    put16(f, 0x4500);
    put16(f, 20 + length);
    put16(f, id);
    put16(f, fragment);
    put8(f, 64);
    put8(f, protocol);
    put16(f, 0);
    put32(f, 0x0a000001);
    put32(f, 0x0a000002);
}

/* IPv6 from 2001:db8::1 to 2001:db8::2. */
static inline void put_ipv6(struct frame *f, unsigned next, unsigned length)
{
    put32(f, 0x60000000);
    put16(f, length);
    put8(f, next);
    put8(f, 63);
    put32(f, 0x20010db8);
    put_zeros(f, 11);
    put8(f, 1);
    put32(f, 0x20010db8);
    put_zeros(f, 11);
    put8(f, 2);
}

/* TCP from 1025 to 80 with `words` 32-bit words of header. */
static inline void put_tcp(struct frame *f, unsigned flags, unsigned words)
{
    put16(f, 1025);
    put16(f, 80);
    put32(f, 1);
    put32(f, 0);
    put8(f, words << 4);
    put8(f, flags);
    put16(f, 512);
    put32(f, 0);
    if (words > 5)
        put_zeros(f, (words - 5) * 4);
}

static inline void put_udp(struct frame *f, unsigned destination, unsigned payload)
{
    put16(f, 1025);
    put16(f, destination);
    put16(f, 8 + payload);
    put16(f, 0);
}

#endif
