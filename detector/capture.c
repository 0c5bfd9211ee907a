/* capture.c: libpcap behind capture.h. */
#include "detector/capture.h"

#include "detector/capture_pcapng.h"
#include "detector/capture_stream.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

enum { SNAP_LIVE = 2048, RING_BYTES = 64 << 20, BATCH_MS = 10, LIVE_FRAMES = 32 };
static const int64_t latest = INT64_C(1) << 62; /* year 2116: later times are taken for this */

enum { FILTERS_MAX = 16 };

/* A filter is compiled for one link type; a pcapng file may have several. */
struct filter {
    int link;
    struct bpf_program program;
};

struct capture {
    pcap_t *pcap; /* NULL: pcapng */
    struct capture_pcapng *pcapng;
    char *filter; /* text, for pcapng */
    struct filter filters[FILTERS_MAX];
    size_t filter_count;
    struct capture_stream *stream; /* NULL: live */
    int link;
    bool nano;
    bool usual, swapped, fine; /* a pcap file as all write it: read here, in place; its byte order; in nanoseconds */
    uint32_t longest;          /* its snap length */
    char name[256];
    uint64_t received, dropped;
    uint32_t last_drops; /* as libpcap said last; it counts in 32 bits */

    uint8_t *held; /* live: LIVE_FRAMES of at most snap bytes */
    size_t snap;
    bool broken; /* the last look gave frames, or none, and an error: it is told after them */
};

bool capture_check_filter(const char *filter, struct err *err)
{
    pcap_t *dead = pcap_open_dead(DLT_EN10MB, SNAP_LIVE);
    struct bpf_program program;
    bool ok = true;

    if (dead == NULL)
        return err_set(err, ERR_MEMORY, "filter: out of memory");
    if (pcap_compile(dead, &program, filter, 1, PCAP_NETMASK_UNKNOWN) == 0)
        pcap_freecode(&program);
    else if (strstr(pcap_geterr(dead), "syntax error") != NULL)
        ok = err_set(err, ERR_INVALID, "filter \"%s\": %s", filter, pcap_geterr(dead));
    pcap_close(dead);
    return ok;
}

static bool set_filter(struct capture *capture, const char *filter, struct err *err)
{
    struct bpf_program program;

    if (filter == NULL || filter[0] == '\0')
        return true;
    if (pcap_compile(capture->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return err_set(err, ERR_INVALID, "filter \"%s\": %s", filter, pcap_geterr(capture->pcap));
    int status = pcap_setfilter(capture->pcap, &program);
    pcap_freecode(&program);
    return status == 0 || err_set(err, ERR_SYSTEM, "filter \"%s\": %s", filter, pcap_geterr(capture->pcap));
}

static struct capture *create(const char *name, struct err *err)
{
    struct capture *capture = calloc(1, sizeof *capture);

    if (capture == NULL)
        err_set(err, ERR_MEMORY, "%s: out of memory", name);
    else
        snprintf(capture->name, sizeof capture->name, "%s", name);
    return capture;
}

/* The filter for a link type; NULL and err when it makes no sense there. */
static const struct bpf_program *filter_for(struct capture *capture, int link, struct err *err)
{
    for (size_t i = 0; i < capture->filter_count; i++)
        if (capture->filters[i].link == link)
            return &capture->filters[i].program;
    if (capture->filter_count == FILTERS_MAX) {
        err_set(err, ERR_INVALID, "filter: more than %d link types", FILTERS_MAX);
        return NULL;
    }
    struct filter *one = &capture->filters[capture->filter_count];
    pcap_t *dead = pcap_open_dead(link, 262144);
    bool ok = dead != NULL && pcap_compile(dead, &one->program, capture->filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!ok)
        err_set(err, ERR_INVALID, "filter \"%s\": %s", capture->filter,
                dead != NULL ? pcap_geterr(dead) : "out of memory");
    if (dead != NULL)
        pcap_close(dead);
    if (!ok)
        return NULL;
    one->link = link;
    capture->filter_count++;
    return &one->program;
}

static bool open_pcapng(struct capture *capture, FILE *file, const char *filter, struct err *err)
{
    bool cut = false;

    capture->pcapng = capture_pcapng_open(file, err);
    if (capture->pcapng == NULL) {
        const char *fault = capture_stream_fault(capture->stream, &cut);
        return fault == NULL ? false : err_set(err, cut ? ERR_CUT_SHORT : ERR_INVALID, "%s", fault);
    }
    if (filter == NULL || filter[0] == '\0')
        return true;
    capture->filter = strdup(filter);
    if (capture->filter == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    return filter_for(capture, DLT_EN10MB, err) != NULL; /* says at once what is no filter at all */
}

/* Whether libpcap is needed for the head of the file and for what is odd only. */
static void look_at_head(struct capture *capture)
{
    enum { HEAD = 24, MAJOR = 2, MINOR = 4 };
    const uint32_t micro = 0xa1b2c3d4, nano = 0xa1b23c4d;
    size_t have;
    const uint8_t *bytes = capture_stream_peek(capture->stream, HEAD, &have);
    uint32_t magic;
    uint16_t version[2];

    if (have < HEAD)
        return;
    memcpy(&magic, bytes, sizeof magic);
    memcpy(version, bytes + sizeof magic, sizeof version);
    capture->swapped = magic != micro && magic != nano;
    if (capture->swapped) {
        magic = __builtin_bswap32(magic);
        version[0] = __builtin_bswap16(version[0]);
        version[1] = __builtin_bswap16(version[1]);
    }
    capture->fine = magic == nano;
    capture->usual = (magic == micro || magic == nano) && version[0] == MAJOR && version[1] == MINOR;
}

static bool open_pcap(struct capture *capture, FILE *file, const char *filter, struct err *err)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    bool cut = false;

    look_at_head(capture);
    capture->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (capture->pcap == NULL) {
        const char *fault = capture_stream_fault(capture->stream, &cut);
        cut = cut || strstr(why, "truncated") != NULL || (fault == NULL && feof(file));
        return err_set(err, cut ? ERR_CUT_SHORT : ERR_INVALID, "%s", fault != NULL ? fault : why);
    }
    capture_stream_hand_over(capture->stream); /* pcap_close closes it */
    capture->nano = true;
    capture->link = pcap_datalink(capture->pcap);
    capture->longest = (uint32_t)pcap_snapshot(capture->pcap);
    if (filter != NULL && filter[0] != '\0')
        capture->usual = false;
    return set_filter(capture, filter, err);
}

struct capture *capture_open_file(const char *path, const struct capture_settings *settings, struct err *err)
{
    struct capture *capture = create(path, err);
    const char *filter = settings != NULL ? settings->filter : NULL;
    size_t have;

    if (capture == NULL)
        return NULL;
    capture->stream = capture_stream_open(path, err);
    if (capture->stream == NULL)
        goto failed;
    FILE *file = capture_stream_file(capture->stream);
    __fsetlocking(file, FSETLOCKING_BYCALLER); /* one thread reads: two locks a packet saved */
    const uint8_t *first = capture_stream_peek(capture->stream, 4, &have);
    if (capture_pcapng_is(first, have) ? open_pcapng(capture, file, filter, err)
                                       : open_pcap(capture, file, filter, err))
        return capture;
    err_prefix(err, "%s", path);
failed:
    capture_close(capture);
    return NULL;
}

/* A status of pcap_activate in words. */
static bool activated(struct capture *capture, int status, struct err *err)
{
    if (status >= 0)
        return true;
    const char *more = pcap_geterr(capture->pcap);
    enum err_code code = status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED ? ERR_DENIED
                         : status == PCAP_ERROR_NO_SUCH_DEVICE                                        ? ERR_NOT_FOUND
                         : status == PCAP_ERROR_IFACE_NOT_UP ? ERR_UNAVAILABLE
                                                             : ERR_SYSTEM;
    const char *what = pcap_statustostr(status);

    if (code == ERR_DENIED)
        return err_set(err, code, "%s: no right to capture: it takes CAP_NET_RAW (setcap cap_net_raw=p, or root): %s",
                       capture->name, more[0] != '\0' ? more : what);
    return strcmp(more, what) == 0 || more[0] == '\0' ? err_set(err, code, "%s: %s", capture->name, what)
                                                      : err_set(err, code, "%s: %s: %s", capture->name, what, more);
}

bool capture_choose(char *name, size_t size, struct err *err)
{
    struct capture_interface found[64];
    size_t count = capture_interfaces(found, sizeof found / sizeof *found, err);

    for (int loopback = 0; loopback < 2; loopback++)
        for (size_t i = 0; i < count; i++)
            if (found[i].up && found[i].address_count > 0 && found[i].loopback == (loopback == 1) &&
                strcmp(found[i].name, "any") != 0) {
                snprintf(name, size, "%s", found[i].name);
                return true;
            }
    return err_set(err, ERR_NOT_FOUND, "interface: there is none that is up");
}

struct capture *capture_open_live(const char *interface, const struct capture_settings *settings, struct err *err)
{
    static const struct capture_settings usual = {0};
    char why[PCAP_ERRBUF_SIZE] = "";
    struct capture *capture = create(interface, err);

    if (capture == NULL)
        return NULL;
    if (settings == NULL)
        settings = &usual;
    capture->pcap = pcap_create(interface, why);
    if (capture->pcap == NULL) {
        err_set(err, ERR_SYSTEM, "%s: %s", interface, why);
        goto failed;
    }
    size_t ring = settings->ring_bytes != 0 ? settings->ring_bytes : RING_BYTES;
    pcap_set_snaplen(capture->pcap, settings->snap > 0 ? settings->snap : SNAP_LIVE);
    pcap_set_promisc(capture->pcap, settings->promiscuous);
    pcap_set_buffer_size(capture->pcap, ring < INT32_MAX ? (int)ring : INT32_MAX);
    pcap_set_timeout(capture->pcap, BATCH_MS); /* a block of the ring is handed over at the latest then */
    pcap_set_tstamp_precision(capture->pcap, PCAP_TSTAMP_PRECISION_NANO);
    if (!activated(capture, pcap_activate(capture->pcap), err))
        goto failed;
    if (pcap_setnonblock(capture->pcap, 1, why) != 0) {
        err_set(err, ERR_SYSTEM, "%s: %s", interface, why);
        goto failed;
    }
    capture->nano = pcap_get_tstamp_precision(capture->pcap) == PCAP_TSTAMP_PRECISION_NANO;
    capture->link = pcap_datalink(capture->pcap);
    if (!set_filter(capture, settings->filter, err)) {
        err_prefix(err, "%s", interface);
        goto failed;
    }
    capture->snap = (size_t)pcap_snapshot(capture->pcap);
    capture->held = malloc(LIVE_FRAMES * capture->snap);
    if (capture->held == NULL) {
        err_set(err, ERR_MEMORY, "%s: out of memory", interface);
        goto failed;
    }
    return capture;
failed:
    capture_close(capture);
    return NULL;
}

void capture_close(struct capture *capture)
{
    if (capture == NULL)
        return;
    if (capture->pcap != NULL)
        pcap_close(capture->pcap);
    capture_pcapng_close(capture->pcapng);
    for (size_t i = 0; i < capture->filter_count; i++)
        pcap_freecode(&capture->filters[i].program);
    free(capture->filter);
    capture_stream_close(capture->stream);
    free(capture->held);
    free(capture);
}

/* Classic pcap has 32 bits of seconds; libpcap takes them as signed, but they count on to 2106. A fraction may be
 * any number in a damaged file. */
static int64_t frame_time(const struct capture *capture, const struct pcap_pkthdr *head)
{
    int64_t seconds = head->ts.tv_sec, fraction = head->ts.tv_usec;
    const int64_t unit = capture->nano ? 1 : 1000;

    if (seconds < 0)
        seconds = seconds >= INT32_MIN ? (int64_t)(uint32_t)seconds : 0;
    if (seconds >= latest / 1000000000)
        return latest;
    if (fraction < 0)
        fraction = 0;
    if (fraction >= 1000000000 / unit)
        fraction = 1000000000 / unit - 1;
    return seconds * 1000000000 + fraction * unit;
}

/* why: what the reader says, cut: whether the file merely ends there. */
static enum capture_news file_failed(struct capture *capture, bool cut, const char *why, struct err *err)
{
    bool stream_cut = false;
    const char *fault = capture_stream_fault(capture->stream, &stream_cut);

    err_set(err, (fault != NULL ? stream_cut : cut) ? ERR_CUT_SHORT : ERR_INVALID, "%s: after %llu packets: %s",
            capture->name, (unsigned long long)capture->received, fault != NULL ? fault : why);
    return CAPTURE_SHORT;
}

static enum capture_news failed(struct capture *capture, struct err *err)
{
    const char *why = pcap_geterr(capture->pcap);

    if (capture->stream != NULL)
        return file_failed(capture, strstr(why, "truncated") != NULL, why, err);
    err_set(err, ERR_UNAVAILABLE, "%s: %s", capture->name, why);
    return CAPTURE_LOST;
}

static enum capture_news next_pcapng(struct capture *capture, struct capture_frame *frame, struct err *err)
{
    struct err why = {ERR_NONE, ""};

    for (;;) {
        enum capture_news news = capture_pcapng_next(capture->pcapng, frame, &why);
        bool cut = false;
        if (news == CAPTURE_END && capture_stream_fault(capture->stream, &cut) != NULL)
            news = CAPTURE_SHORT;
        if (news == CAPTURE_SHORT)
            return file_failed(capture, why.code == ERR_CUT_SHORT, why.text, err);
        if (news == CAPTURE_FRAME && capture->filter != NULL) {
            const struct pcap_pkthdr head = {.caplen = (bpf_u_int32)frame->captured, .len = (bpf_u_int32)frame->wire};
            const struct bpf_program *program = filter_for(capture, frame->link, &why);
            if (program == NULL)
                return file_failed(capture, false, why.text, err);
            if (pcap_offline_filter(program, &head, frame->bytes) == 0)
                continue;
        }
        if (news == CAPTURE_FRAME)
            capture->received++;
        return news;
    }
}

static uint32_t file32(const struct capture *capture, const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return capture->swapped ? __builtin_bswap32(value) : value;
}

/* A record that is whole and no longer than the file says. all: it may be waited for, and what was got before may go.
 * Nothing of any other record is taken: libpcap reads it, and knows what to say. */
static bool next_usual(struct capture *capture, bool all, struct capture_frame *frame)
{
    enum { HEAD = 16 };
    size_t have;
    const uint8_t *p = capture_stream_peek(capture->stream, all ? HEAD : 0, &have);
    struct pcap_pkthdr head;

    if (have < HEAD)
        return false;
    head.caplen = file32(capture, p + 8);
    if (head.caplen > capture->longest)
        return false;
    if (have < HEAD + (size_t)head.caplen) {
        p = capture_stream_peek(capture->stream, all ? HEAD + (size_t)head.caplen : 0, &have);
        if (have < HEAD + (size_t)head.caplen)
            return false;
    }
    head.ts.tv_sec = (int32_t)file32(capture, p);
    head.ts.tv_usec = (int32_t)file32(capture, p + 4);
    if (!capture->fine)
        head.ts.tv_usec *= 1000;
    *frame = (struct capture_frame){.link = capture->link,
                                    .time_ns = frame_time(capture, &head),
                                    .bytes = p + HEAD,
                                    .captured = head.caplen,
                                    .wire = file32(capture, p + 12)};
    capture_stream_skip(capture->stream, HEAD + (size_t)head.caplen);
    capture->received++;
    return true;
}

/* --- live --- */

struct haul {
    struct capture *capture;
    struct capture_frame *frames;
    size_t count;
};

/* Copies: libpcap returns a block of the ring to the kernel with its last frame, which may then be written over
 * before anyone has looked at it. */
static void take_frame(u_char *context, const struct pcap_pkthdr *head, const u_char *bytes)
{
    struct haul *haul = (struct haul *)(void *)context;
    struct capture *capture = haul->capture;
    uint8_t *held = capture->held + haul->count * capture->snap;
    size_t captured = head->caplen < capture->snap ? head->caplen : capture->snap;

    memcpy(held, bytes, captured);
    haul->frames[haul->count++] = (struct capture_frame){.link = capture->link,
                                                         .time_ns = frame_time(capture, head),
                                                         .bytes = held,
                                                         .captured = captured,
                                                         .wire = head->len};
}

static size_t more_live(struct capture *capture, struct capture_frame *frames, size_t max)
{
    struct haul haul = {.capture = capture, .frames = frames};

    if (capture->broken)
        return 0;
    capture->broken =
        pcap_dispatch(capture->pcap, (int)(max < LIVE_FRAMES ? max : LIVE_FRAMES), take_frame, (u_char *)&haul) < 0;
    capture->received += haul.count;
    return haul.count;
}

static bool wait_for(struct capture *capture, int wait_ms)
{
    struct pollfd fd = {.fd = pcap_get_selectable_fd(capture->pcap), .events = POLLIN};

    return wait_ms != 0 && fd.fd >= 0 && poll(&fd, 1, wait_ms) > 0;
}

static enum capture_news next_live(struct capture *capture, int wait_ms, struct capture_frame *frame, struct err *err)
{
    if (more_live(capture, frame, 1) > 0)
        return CAPTURE_FRAME;
    if (!capture->broken && wait_for(capture, wait_ms) && more_live(capture, frame, 1) > 0)
        return CAPTURE_FRAME;
    return capture->broken ? failed(capture, err) : CAPTURE_QUIET;
}

/* --- of either kind --- */

size_t capture_more(struct capture *capture, struct capture_frame *frames, size_t max)
{
    size_t n = 0;

    if (capture->held != NULL)
        return more_live(capture, frames, max);
    if (!capture->usual)
        return 0;
    while (n < max && next_usual(capture, n == 0, &frames[n]))
        n++;
    return n;
}

enum capture_news capture_next(struct capture *capture, int wait_ms, struct capture_frame *frame, struct err *err)
{
    struct pcap_pkthdr *head = NULL;
    const u_char *bytes = NULL;

    if (capture->pcapng != NULL)
        return next_pcapng(capture, frame, err);
    if (capture->held != NULL)
        return next_live(capture, wait_ms, frame, err);
    int status = pcap_next_ex(capture->pcap, &head, &bytes);
    if (status == PCAP_ERROR_BREAK)
        return CAPTURE_END;
    if (status < 0)
        return failed(capture, err);
    capture->received++;
    frame->link = capture->link;
    frame->time_ns = frame_time(capture, head);
    frame->bytes = bytes;
    frame->captured = head->caplen;
    frame->wire = head->len;
    return CAPTURE_FRAME;
}

void capture_counters(struct capture *capture, uint64_t *received, uint64_t *dropped)
{
    struct pcap_stat stat;

    if (capture->stream == NULL && pcap_stats(capture->pcap, &stat) == 0) {
        capture->dropped += stat.ps_drop - capture->last_drops;
        capture->last_drops = stat.ps_drop;
    }
    *received = capture->received;
    *dropped = capture->dropped;
}

void capture_progress(const struct capture *capture, int64_t *done, int64_t *total)
{
    *done = *total = 0;
    if (capture->stream != NULL)
        capture_stream_progress(capture->stream, done, total);
}

static void describe(struct capture_interface *out, const pcap_if_t *found)
{
    *out = (struct capture_interface){.up = (found->flags & PCAP_IF_UP) != 0,
                                      .loopback = (found->flags & PCAP_IF_LOOPBACK) != 0};
    snprintf(out->name, sizeof out->name, "%s", found->name);
    snprintf(out->description, sizeof out->description, "%s", found->description != NULL ? found->description : "");
    for (const pcap_addr_t *a = found->addresses; a != NULL && out->address_count < 8; a = a->next) {
        char *text = out->addresses[out->address_count];
        const void *in = NULL;
        if (a->addr != NULL && a->addr->sa_family == AF_INET)
            in = &((const struct sockaddr_in *)(const void *)a->addr)->sin_addr;
        else if (a->addr != NULL && a->addr->sa_family == AF_INET6)
            in = &((const struct sockaddr_in6 *)(const void *)a->addr)->sin6_addr;
        if (in != NULL && inet_ntop(a->addr->sa_family, in, text, sizeof out->addresses[0]) != NULL)
            out->address_count++;
    }
}

/* Devices that are not network interfaces ("any", "nflog", usb monitors) are left out, but for "any". */
size_t capture_interfaces(struct capture_interface *out, size_t max, struct err *err)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    pcap_if_t *all = NULL;
    size_t n = 0;

    if (pcap_findalldevs(&all, why) != 0) {
        err_set(err, ERR_SYSTEM, "interfaces: %s", why);
        return 0;
    }
    for (const pcap_if_t *one = all; one != NULL && n < max; one = one->next)
        if (strcmp(one->name, "any") == 0 || if_nametoindex(one->name) != 0)
            describe(&out[n++], one);
    pcap_freealldevs(all);
    return n;
}
