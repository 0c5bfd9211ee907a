/* belt.h: carries records from one thread to the next, many at a time.
 *
 * One thread lays records on, one takes them off, in the same order. Records travel in trays of fixed number and
 * size: the memory is taken at the start, who is ahead waits, and nobody takes a lock for a single record. */
#ifndef DETECTOR_BELT_H
#define DETECTOR_BELT_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BELT_TRAY = 128 * 1024, BELT_RECORD_MAX = 16 * 1024 };

struct belt;
struct belt *belt_create(struct err *err);
void belt_free(struct belt *belt); /* after both threads have left it */

/* Room for a record of at most BELT_RECORD_MAX bytes, at a multiple of 16; waits while the other thread is too far
 * behind. */
void *belt_room(struct belt *belt, size_t size);
void belt_push(struct belt *belt);  /* what was laid on may be taken off now */
void belt_close(struct belt *belt); /* the same, and nothing follows */

/* Calls some for the records that are pushed next, at most BELT_SOME at once, waiting for them; false: the belt is
 * closed and empty. */
enum { BELT_SOME = 32 };
bool belt_take(struct belt *belt, void (*some)(void *context, void *const *records, size_t count), void *context);

#endif
