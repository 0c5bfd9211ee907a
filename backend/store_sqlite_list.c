/* store_sqlite_list.c: see store_sqlite_list.h. */
#include "backend/store_sqlite_list.h"

size_t list_write(const int64_t *seqs, size_t count, uint8_t out[LIST_BYTES], size_t *length)
{
    size_t done = 1;

    *length = 0;
    for (; done < count && done < LIST_SEQS && *length + LIST_STEP <= LIST_BYTES; done++) {
        uint64_t step = (uint64_t)seqs[done] - (uint64_t)seqs[done - 1];

        for (; step >= 128; step >>= 7)
            out[(*length)++] = (uint8_t)(step | 128);
        out[(*length)++] = (uint8_t)step;
    }
    return done;
}

size_t list_read(int64_t first, const uint8_t *bytes, size_t length, int64_t *seqs, size_t room)
{
    uint64_t seq = (uint64_t)first, step = 0;
    unsigned shift = 0;
    size_t count = 0;

    if (room > 0)
        seqs[count++] = first;
    for (size_t i = 0; i < length && count < room && shift < 64; i++) {
        step |= (uint64_t)(bytes[i] & 127) << shift;
        shift += 7;
        if (bytes[i] >= 128)
            continue;
        seq += step;
        seqs[count++] = (int64_t)seq;
        step = shift = 0;
    }
    return count;
}
