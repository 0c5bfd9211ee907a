/* capture_pcapng.c: reads pcapng block by block. */
#include "detector/capture_pcapng.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_OLD_PACKET = 2,
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_PACKET = 6,
    BLOCK_MAX = 16 << 20,
    INTERFACES_MAX = 4096,
    OPTION_RESOLUTION = 9,
    OPTION_OFFSET = 14,
    LINKTYPE_RAW = 101, /* files number this one unlike libpcap's DLT_... */
    DLT_RAW_LINUX = 12
};

__extension__ typedef unsigned __int128 wide;

struct interface {
    int link;
    uint32_t snap;
    uint64_t per_second;
    int64_t offset; /* seconds */
};

struct capture_pcapng {
    FILE *file;
    bool swapped;
    struct interface *interfaces;
    size_t count;
    uint8_t *body;
    size_t room;
};

bool capture_pcapng_is(const uint8_t *bytes, size_t length)
{
    static const uint8_t magic[4] = {0x0a, 0x0d, 0x0d, 0x0a};

    return length >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

void capture_pcapng_close(struct capture_pcapng *reader)
{
    if (reader == NULL)
        return;
    free(reader->interfaces);
    free(reader->body);
    free(reader);
}

static uint16_t get16(const struct capture_pcapng *reader, const uint8_t *p)
{
    uint16_t value;

    memcpy(&value, p, sizeof value);
    return reader->swapped ? __builtin_bswap16(value) : value;
}

static uint32_t get32(const struct capture_pcapng *reader, const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return reader->swapped ? __builtin_bswap32(value) : value;
}

static bool take(struct capture_pcapng *reader, void *out, size_t n, struct err *err)
{
    return fread(out, 1, n, reader->file) == n || err_set(err, ERR_CUT_SHORT, "the file ends inside a block");
}

static bool room(struct capture_pcapng *reader, size_t n, struct err *err)
{
    if (n <= reader->room)
        return true;
    uint8_t *body = realloc(reader->body, n);
    if (body == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a block of %zu bytes", n);
    reader->body = body;
    reader->room = n;
    return true;
}

/* A section begins: it says the byte order, and its interfaces are its own. */
static bool section(struct capture_pcapng *reader, uint8_t head[8], struct err *err)
{
    uint8_t magic[4];

    if (!take(reader, magic, sizeof magic, err))
        return false;
    reader->swapped = false;
    if (get32(reader, magic) != 0x1a2b3c4d) {
        reader->swapped = true;
        if (get32(reader, magic) != 0x1a2b3c4d)
            return err_set(err, ERR_INVALID, "a section without a byte order");
    }
    uint32_t length = get32(reader, head + 4);
    if (length < 28 || length > BLOCK_MAX || length % 4 != 0)
        return err_set(err, ERR_INVALID, "a section header of %u bytes", length);
    if (!room(reader, length - 12, err) || !take(reader, reader->body, length - 12, err))
        return false;
    if (get16(reader, reader->body) != 1)
        return err_set(err, ERR_INVALID, "pcapng version %u is not known", get16(reader, reader->body));
    reader->count = 0;
    return true;
}

struct capture_pcapng *capture_pcapng_open(FILE *file, struct err *err)
{
    struct capture_pcapng *reader = calloc(1, sizeof *reader);
    uint8_t head[8];

    if (reader == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    reader->file = file;
    if (take(reader, head, sizeof head, err) && section(reader, head, err))
        return reader;
    capture_pcapng_close(reader);
    return NULL;
}

static bool interface_options(struct capture_pcapng *reader, struct interface *one, size_t n, struct err *err)
{
    for (size_t at = 8; at + 4 <= n;) {
        const uint8_t *option = reader->body + at;
        unsigned code = get16(reader, option), length = get16(reader, option + 2);
        if (code == 0 || at + 4 + length > n)
            break;
        if (code == OPTION_RESOLUTION && length >= 1) {
            unsigned power = option[4] & 127;
            if (power > (option[4] & 128 ? 63 : 19))
                return err_set(err, ERR_INVALID, "an interface with time resolution 0x%02x", option[4]);
            one->per_second = 1;
            for (unsigned i = 0; i < power; i++)
                one->per_second *= option[4] & 128 ? 2 : 10;
        } else if (code == OPTION_OFFSET && length >= 8) {
            uint64_t low = get32(reader, option + (reader->swapped ? 8 : 4));
            one->offset = (int64_t)((uint64_t)get32(reader, option + (reader->swapped ? 4 : 8)) << 32 | low);
        }
        at += 4 + (length + 3u) / 4 * 4;
    }
    return true;
}

static bool interface(struct capture_pcapng *reader, size_t n, struct err *err)
{
    struct interface one = {.per_second = 1000000};

    if (n < 8)
        return err_set(err, ERR_INVALID, "an interface description of %zu bytes", n);
    if (reader->count == INTERFACES_MAX)
        return err_set(err, ERR_INVALID, "more than %d interfaces", INTERFACES_MAX);
    one.link = get16(reader, reader->body);
    if (one.link == LINKTYPE_RAW)
        one.link = DLT_RAW_LINUX;
    one.snap = get32(reader, reader->body + 4);
    if (!interface_options(reader, &one, n, err))
        return false;
    if (reader->interfaces == NULL)
        reader->interfaces = calloc(INTERFACES_MAX, sizeof *reader->interfaces);
    if (reader->interfaces == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    reader->interfaces[reader->count++] = one;
    return true;
}

static int64_t time_of(const struct interface *from, uint64_t ticks)
{
    const int64_t latest = INT64_C(1) << 62;
    uint64_t whole = ticks / from->per_second;
    int64_t fraction = (int64_t)((wide)(ticks % from->per_second) * 1000000000 / from->per_second);
    int64_t seconds = 0;

    if (whole > INT64_MAX || __builtin_add_overflow((int64_t)whole, from->offset, &seconds))
        return latest;
    if (seconds < 0)
        return 0;
    return seconds >= latest / 1000000000 ? latest : seconds * 1000000000 + fraction;
}

/* n: bytes of the block's body. */
static bool packet(struct capture_pcapng *reader, uint32_t type, size_t n, struct capture_frame *frame,
                   struct err *err)
{
    const size_t head = type == BLOCK_SIMPLE_PACKET ? 4 : 20;
    const uint8_t *p = reader->body;

    if (n < head)
        return err_set(err, ERR_INVALID, "a packet block of %zu bytes", n);
    size_t number = type == BLOCK_PACKET ? get32(reader, p) : type == BLOCK_OLD_PACKET ? get16(reader, p) : 0;
    if (number >= reader->count)
        return err_set(err, ERR_INVALID, "a packet of interface %zu of %zu", number, reader->count);
    const struct interface *from = &reader->interfaces[number];
    frame->link = from->link;
    frame->time_ns = 0;
    frame->bytes = p + head;
    if (type == BLOCK_SIMPLE_PACKET) {
        frame->wire = get32(reader, p);
        frame->captured = from->snap != 0 && from->snap < frame->wire ? from->snap : frame->wire;
        if (frame->captured > n - head)
            frame->captured = n - head;
        return true;
    }
    frame->time_ns = time_of(from, (uint64_t)get32(reader, p + 4) << 32 | get32(reader, p + 8));
    frame->captured = get32(reader, p + 12);
    frame->wire = get32(reader, p + 16);
    if (frame->captured > n - head)
        return err_set(err, ERR_INVALID, "a packet of %zu bytes in a block of %zu", frame->captured, n);
    return true;
}

/* One block; *is_packet says whether it gave a frame. */
static bool block(struct capture_pcapng *reader, uint8_t head[8], struct capture_frame *frame, bool *is_packet,
                  struct err *err)
{
    uint32_t type = 0, length = 0;
    uint8_t trailer[4];

    *is_packet = false;
    memcpy(&type, head, sizeof type); /* the same in both byte orders */
    if (type == BLOCK_SECTION)
        return section(reader, head, err);
    type = get32(reader, head);
    length = get32(reader, head + 4);
    if (length < 12 || length > BLOCK_MAX)
        return err_set(err, ERR_INVALID, "a block of %u bytes", length);
    size_t n = (length - 12 + 3) / 4 * 4; /* some writers forget the padding in the length */
    if (!room(reader, n, err) || !take(reader, reader->body, n, err) || !take(reader, trailer, sizeof trailer, err))
        return false;
    if (get32(reader, trailer) != length)
        return err_set(err, ERR_INVALID, "a block that begins with length %u and ends with %u", length,
                       get32(reader, trailer));
    if (type == BLOCK_INTERFACE)
        return interface(reader, n, err);
    *is_packet = type == BLOCK_PACKET || type == BLOCK_OLD_PACKET || type == BLOCK_SIMPLE_PACKET;
    return !*is_packet || packet(reader, type, n, frame, err);
}

enum capture_news capture_pcapng_next(struct capture_pcapng *reader, struct capture_frame *frame, struct err *err)
{
    bool is_packet = false;

    while (!is_packet) {
        uint8_t head[8];
        size_t n = fread(head, 1, sizeof head, reader->file);
        if (n == 0)
            return CAPTURE_END;
        if (n < sizeof head) {
            err_set(err, ERR_CUT_SHORT, "the file ends inside a block");
            return CAPTURE_SHORT;
        }
        if (!block(reader, head, frame, &is_packet, err))
            return CAPTURE_SHORT;
    }
    return CAPTURE_FRAME;
}
