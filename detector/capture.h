/* capture.h: packets from an interface or from a file. The only place that names libpcap.
 *
 * Files: pcap (both byte orders, micro- and nanoseconds) and pcapng (several interfaces), also compressed by gzip
 * or zstd. Live: a ring of its own size, a BPF filter, promiscuous only when asked. */
#ifndef DETECTOR_CAPTURE_H
#define DETECTOR_CAPTURE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture;

struct capture_settings {
    const char *filter; /* BPF text, or NULL */
    int snap;           /* bytes a packet, 0: 262144 from a file, 2048 live */
    size_t ring_bytes;  /* live, 0: 64 MiB */
    bool promiscuous;
};

struct capture_frame {
    int link;             /* DLT_... */
    int64_t time_ns;      /* UTC */
    const uint8_t *bytes; /* valid until the next call */
    size_t captured, wire;
};

enum capture_news {
    CAPTURE_FRAME,
    CAPTURE_QUIET, /* live: nothing within wait_ms */
    CAPTURE_END,   /* the file is through */
    CAPTURE_SHORT, /* the file ends inside a packet: err says where; what came before counts */
    CAPTURE_LOST   /* the interface went away: err says so */
};

/* False: no filter on any link, its grammar is wrong. What a link type does not have shows when it is opened. */
bool capture_check_filter(const char *filter, struct err *err);

struct capture *capture_open_file(const char *path, const struct capture_settings *settings, struct err *err);
struct capture *capture_open_live(const char *interface, const struct capture_settings *settings, struct err *err);
void capture_close(struct capture *capture);

enum capture_news capture_next(struct capture *capture, int wait_ms, struct capture_frame *frame, struct err *err);

/* Frames that follow and need no wait, at most max; 0: capture_next says why. All of them are valid until the next
 * call. */
size_t capture_more(struct capture *capture, struct capture_frame *frames, size_t max);

/* Live: packets the kernel delivered and dropped since opening. From a file: received counts frames. */
void capture_counters(struct capture *capture, uint64_t *received, uint64_t *dropped);
/* Files: bytes read so far and in all (0 when unknown), for progress. */
void capture_progress(const struct capture *capture, int64_t *done, int64_t *total);

struct capture_interface {
    char name[64];
    char description[128];
    char addresses[8][46];
    size_t address_count;
    bool up, loopback;
};
/* Fills out with up to max interfaces; returns how many. */
size_t capture_interfaces(struct capture_interface *out, size_t max, struct err *err);
/* What "auto" means: the first interface that is up, has an address and is no loopback, else the loopback. */
bool capture_choose(char *name, size_t size, struct err *err);

#endif
