/* selftest.h: `threatline-detector selftest`: crafted packets through the whole way, to see that this build on this
 * machine finds what it must. Needs no files, no network, no rights. */
#ifndef DETECTOR_SELFTEST_H
#define DETECTOR_SELFTEST_H

/* Prints a line for each check and n/n at the end, on stdout. Returns the exit status: 0 all passed, 1 not. */
int selftest_run(void);

#endif
