/* simulator.h: traffic of a small network that does not exist, as packets.
 *
 * The mock loop of the product's first description: every 5 s one to three flows, 70 % of them threat-shaped,
 * 192.168.1.x addresses. The threat-shaped ones are short real attacks: a port scan, a run of guessed passwords, a
 * flood. What comes out are Ethernet frames with the times at which they would have been seen, so
 * they take the same way as captured ones. The same seed and start give the same frames. One thread. */
#ifndef DETECTOR_SIMULATOR_H
#define DETECTOR_SIMULATOR_H

#include "common/err.h"
#include "detector/capture.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIMULATOR_CYCLE_S = 5 };

struct simulator;
struct simulator *simulator_create(uint64_t seed, int64_t start_ns, struct err *err);

/* One flow or attack alone, beginning at start_ns; for selftest. */
enum simulator_flow {
    SIMULATOR_BENIGN,
    SIMULATOR_SCAN,
    SIMULATOR_GUESSING,
    SIMULATOR_UDP_FLOOD,
    SIMULATOR_SYN_FLOOD
};
struct simulator *simulator_create_one(enum simulator_flow flow, uint64_t seed, int64_t start_ns, struct err *err);
void simulator_free(struct simulator *simulator);
/* The next frame whose time is not after until_ns; false: there is none yet. The bytes are valid until the next call.
 */
bool simulator_next(struct simulator *simulator, int64_t until_ns, struct capture_frame *frame);
int64_t simulator_due(struct simulator *simulator); /* when the next frame comes */

#endif
