/* monitor.h: what is being watched just now: one capture or the simulator, on its own thread.
 *
 * A run ends when it is told to or when its duration is over. A live capture takes the simulator's place, nothing
 * takes a capture's place. When an interface goes away it is tried again every second and the status says so. Any
 * thread may call. */
#ifndef DETECTOR_MONITOR_H
#define DETECTOR_MONITOR_H

#include "common/err.h"
#include "detector/outlet.h"
#include "detector/pipeline.h"

#include <stdbool.h>
#include <stdint.h>

enum { MONITOR_SOURCE = 256, MONITOR_FILTER = 1024, MONITOR_INTERFACES = 8 };

struct monitor_settings {              /* texts are borrowed and outlive the monitor */
    struct pipeline_settings pipeline; /* sink, context, source and origin of the verdict are the monitor's own */
    struct capture_settings capture;
    const char *webhook;     /* traffic to it is left out of captures; NULL: none */
    const char *own_traffic; /* so is that to these: "host:port,..."; NULL: none */
    uint64_t simulator_seed; /* 0: a random one */
    struct outlet *outlet;
};

struct monitor;
struct monitor *monitor_create(const struct monitor_settings *settings, struct err *err);
void monitor_free(struct monitor *monitor); /* stops what runs */

/* source: "simulator", "auto", an interface, or several with commas between. duration_s 0: until stopped. filter: BPF
 * beside the one of the settings, or NULL. ERR_CONFLICT: something runs already. */
bool monitor_start(struct monitor *monitor, const char *source, long duration_s, const char *filter, struct err *err);
bool monitor_stop(struct monitor *monitor, struct err *err); /* waits for its end; ERR_CONFLICT: nothing runs */

enum monitor_state { MONITOR_IDLE, MONITOR_SIMULATED, MONITOR_LIVE, MONITOR_LOST };
struct monitor_status {
    enum monitor_state state;
    char source[MONITOR_SOURCE]; /* "simulator" or the interfaces; of the last run when idle; "" before the first */
    char filter[MONITOR_FILTER];
    int64_t started_ms, ends_ms; /* UTC; ends_ms 0: not planned, or when it ended when idle */
    long duration_s;
    char trouble[200]; /* why an interface is lost; "" */
};
void monitor_status(struct monitor *monitor, struct monitor_status *out);
const char *monitor_state_text(enum monitor_state state); /* "idle", "simulator", "live", "lost" */
/* Over all runs since the start. */
void monitor_counters(struct monitor *monitor, struct pipeline_counters *out);

#endif
