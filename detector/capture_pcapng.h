/* capture_pcapng.h: packets of a pcapng file, also when its interfaces differ.
 *
 * libpcap refuses a file whose interfaces have different link types or snap lengths, which is what one gets from
 * capturing on several at once; so this format is read here. Sections, interface descriptions, enhanced, simple and
 * old packet blocks (draft-ietf-opsawg-pcapng); all other blocks are passed over. Only detector/capture*.c use it. */
#ifndef DETECTOR_CAPTURE_PCAPNG_H
#define DETECTOR_CAPTURE_PCAPNG_H

#include "common/err.h"
#include "detector/capture.h"

#include <stdio.h>

struct capture_pcapng;

bool capture_pcapng_is(const uint8_t *bytes, size_t length); /* by the first bytes of the file */
/* Reads the section header as well. The FILE stays open when the reader is closed. */
struct capture_pcapng *capture_pcapng_open(FILE *file, struct err *err);
void capture_pcapng_close(struct capture_pcapng *reader);

/* CAPTURE_FRAME, CAPTURE_END, or CAPTURE_SHORT with err: ERR_CUT_SHORT when the file just ends, else ERR_INVALID. */
enum capture_news capture_pcapng_next(struct capture_pcapng *reader, struct capture_frame *frame, struct err *err);

#endif
