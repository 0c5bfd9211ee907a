/* store_sqlite_list.h: rising sequence numbers as bytes. The first one stands elsewhere; each that follows is written
 * as the distance from the one before, seven bits a byte, the lowest first. */
#ifndef BACKEND_STORE_SQLITE_LIST_H
#define BACKEND_STORE_SQLITE_LIST_H

#include <stddef.h>
#include <stdint.h>

enum { LIST_SEQS = 500, LIST_BYTES = 900 /* a row of this size stays within its page */, LIST_STEP = 10 };

/* Writes as many of seqs as fit into out; gives how many (one at least) and their bytes. */
size_t list_write(const int64_t *seqs, size_t count, uint8_t out[LIST_BYTES], size_t *length);
/* Reads at most room numbers, the first among them; stops at what is no list. */
size_t list_read(int64_t first, const uint8_t *bytes, size_t length, int64_t *seqs, size_t room);

#endif
