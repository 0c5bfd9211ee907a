/* watch.h: notices what other backends wrote to the small documents, within a second.
 *
 * Rooms that keep a kind of document in memory give a function that reads it again; it is called when the kind's
 * generation has moved. One thread asks twice a second; own changes are told at once by watch_changed. Reads of one
 * kind never run side by side. */
#ifndef BACKEND_WATCH_H
#define BACKEND_WATCH_H

#include "common/err.h"

#include <stdbool.h>

enum { WATCH_ROWS = 16, WATCH_PERIOD_MS = 500 };

struct store;
struct watch;

/* Reads all of the kind again. False leaves what was known; it is tried again at the next round. */
typedef bool watch_read(void *context, struct err *err);

struct watch *watch_create(struct store *store); /* NULL when memory is out */
void watch_stop(struct watch *watch); /* ends the thread: after it no read is called but by watch_changed */
void watch_free(struct watch *watch); /* NULL is fine */

/* Before watch_start. Reads once at once; false when that failed. kind NULL: called every round (and not at once). */
bool watch_add(struct watch *watch, const char *kind, watch_read *read, void *context, struct err *err);
bool watch_start(struct watch *watch, struct err *err);

void watch_changed(struct watch *watch, const char *kind); /* after an own write: read it again now */
void watch_round(struct watch *watch);                     /* one round, as the thread does it */

#endif
