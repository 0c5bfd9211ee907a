/* folder.h: the folder in which a program keeps its things, and what was installed beside the program.
 *
 * Errors name the folder. Any thread may call. */
#ifndef COMMON_FOLDER_H
#define COMMON_FOLDER_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { FOLDER_PATH = 4096 };

/* Makes the folder with all above it (mode 0700) where it is missing; false: it cannot be made, or not be written to.
 */
bool folder_make(const char *path, struct err *err);

/* Would folder_make do? Makes nothing. */
bool folder_fits(const char *path, struct err *err);

/* Where to find what a program brings along: name itself when the working directory has it, else
 * PREFIX/share/threatline/name for a program in PREFIX/bin when that exists (written to out), else name. */
const char *folder_beside(const char *name, char out[FOLDER_PATH]);

#endif
