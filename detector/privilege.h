/* privilege.h: the detector keeps one right, to open a capture device, and that one asleep.
 *
 * Rights are per thread and inherited: privilege_drop comes in main before the first thread. */
#ifndef DETECTOR_PRIVILEGE_H
#define DETECTOR_PRIVILEGE_H

#include "common/err.h"

#include <stdbool.h>

/* No new privileges ever; when started as root with a user's name, becomes that user. Of all capabilities only
 * CAP_NET_RAW stays, permitted but not effective, where it was there at all. */
bool privilege_drop(const char *user, struct err *err);
bool privilege_check(const char *user, struct err *err); /* could it become that user? */
/* Around the opening of a device, on the thread that opens it. Without the right they do nothing. */
void privilege_raise(void);
void privilege_lower(void);
bool privilege_may_capture(void);

/* From here on, and for every thread begun later, the kernel takes only the calls that the detector makes (seccomp):
 * another program, a look into another process or a new mount is the end of the process, any other unknown call fails
 * with EPERM. ERR_UNAVAILABLE: this kernel has no filters. */
bool privilege_confine(struct err *err);

#endif
