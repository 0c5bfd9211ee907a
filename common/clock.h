/* clock.h: the time, and how it is written.
 *
 * Times of records are UTC since 1970; the unit stands in the name (_ns, _us,
 * _ms). Waits use the monotonic clock. Text is ISO 8601 (RFC 3339), always UTC
 * with a Z. Every function may be called from any thread. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_TEXT = 32 }; /* bytes that any text written here fits in */

int64_t clock_now_ns(void);
int64_t clock_now_us(void);
int64_t clock_now_ms(void);
int64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);

/* "2026-11-23T01:02:03.456789Z"; years 0001 to 9999, others are clamped. */
void clock_text_us(int64_t us, char out[CLOCK_TEXT]);
/* The same with three digits: "2026-11-23T01:02:03.456Z". */
void clock_text_ms(int64_t ms, char out[CLOCK_TEXT]);

/* Reads an ISO 8601 date and time ("T" or a blank between them, up to 9 digits
 * of fraction, Z or +hh:mm or nothing, which is read as UTC). False when the
 * text is anything else; *us is then untouched. */
bool clock_parse_us(const char *text, int64_t *us);

#endif
