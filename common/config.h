/* config.h: one table per program = flag, environment variable, bounds,
 * default and help text.
 *
 * Order: default, environment, flag (the later wins). Settings land in a struct
 * of the program's own; texts point into argv, the environment or the table and
 * are borrowed. --help, --version and --check are known to every program. An empty environment variable counts as not
 * set. */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPT_TEXT,   /* const char *; bounds are lengths in bytes */
    OPT_NUMBER, /* long */
    OPT_REAL,   /* double */
    OPT_FLAG,   /* bool; "--name" alone means true, environment: 0/1/true/false/yes/no */
    OPT_LIST    /* struct config_list; the flag may be repeated, texts may be comma-separated */
};

enum { CONFIG_LIST_MAX = 64, CONFIG_LIST_BYTES = 4096 };
/* The items of a setting lie in storage, so the struct must not be copied. */
struct config_list {
    const char *items[CONFIG_LIST_MAX];
    size_t count;
    char storage[CONFIG_LIST_BYTES];
    size_t used;
};

struct option_row {
    const char *name; /* "port" is the flag --port */
    const char *env;  /* environment variable, or NULL */
    enum option_kind kind;
    size_t offset;        /* in the settings struct */
    double min, max;      /* both 0: no bounds */
    const char *fallback; /* the default as text; NULL: NULL, 0, false or empty */
    const char *help;
};

struct config_program {
    const char *name; /* "threatline-backend" */
    const char *version;
    const char *usage; /* what follows the name in the first line of --help */
    const char *about; /* one paragraph */
    const struct option_row *rows;
    size_t row_count;
    bool files; /* plain arguments are allowed (collected in files) */
};

enum config_result {
    CONFIG_RUN,   /* settings are filled */
    CONFIG_CHECK, /* the same, and --check was given: say what is wrong, start nothing */
    CONFIG_DONE,  /* --help or --version was printed: exit 0 */
    CONFIG_WRONG  /* err says which setting is wrong: exit 2 */
};

/* files receives the plain arguments (pointers into argv); NULL when none are allowed. */
enum config_result config_read(const struct config_program *program, int argc, char **argv, void *settings,
                               struct config_list *files, struct err *err);

/* Reads a secret's file: at most max-1 bytes, the last newline cut off; refuses an empty one. */
bool config_read_secret(const char *path, char *out, size_t max, struct err *err);

#endif
