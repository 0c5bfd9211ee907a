/* config.c: see config.h. */
#include "common/config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELP_WIDTH = 100, HELP_INDENT = 32 };

static const struct option_row builtin_rows[] = {
    {"check", NULL, OPT_FLAG, 0, 0, 0, NULL, "say what is wrong with the settings and start nothing"},
    {"help", NULL, OPT_FLAG, 0, 0, 0, NULL, "this list"},
    {"version", NULL, OPT_FLAG, 0, 0, 0, NULL, "the version"},
};

/* --- values --- */

static bool is_bounded(const struct option_row *row)
{
    return row->min != 0 || row->max != 0;
}

static const char *kind_text(const struct option_row *row)
{
    switch (row->kind) {
    case OPT_NUMBER:
        return "a whole number";
    case OPT_REAL:
        return "a number";
    case OPT_FLAG:
        return "true or false";
    case OPT_LIST:
        return "a list";
    case OPT_TEXT:
        break;
    }
    return "a text";
}

/* source is "--port" or "DETECTOR_PORT". */
static bool wrong_value(const struct option_row *row, const char *source, const char *value, struct err *err)
{
    if (!is_bounded(row))
        return err_set(err, ERR_INVALID, "%s: expected %s, got \"%.64s\"", source, kind_text(row), value);
    if (row->kind == OPT_TEXT)
        return err_set(err, ERR_INVALID, "%s: expected %.15g to %.15g bytes, got \"%.64s\"", source, row->min,
                       row->max, value);
    return err_set(err, ERR_INVALID, "%s: expected %s from %.15g to %.15g, got \"%.64s\"", source, kind_text(row),
                   row->min, row->max, value);
}

static bool in_bounds(const struct option_row *row, double value)
{
    return !is_bounded(row) || (value >= row->min && value <= row->max);
}

static bool read_number(const struct option_row *row, const char *text, long *out)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || strchr("-0123456789", *text) == NULL ||
        !in_bounds(row, (double)value))
        return false;
    *out = value;
    return true;
}

static bool read_real(const struct option_row *row, const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || strchr("-.0123456789", *text) == NULL || !isfinite(value) ||
        !in_bounds(row, value))
        return false;
    *out = value;
    return true;
}

static bool read_flag(const char *text, bool *out)
{
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* Adds the comma-separated parts of text; empty ones are passed over. */
static bool read_list(struct config_list *list, const char *text)
{
    while (*text != '\0') {
        size_t length;

        text += strspn(text, " ,");
        length = strcspn(text, ",");
        while (length > 0 && text[length - 1] == ' ')
            length--;
        if (length > 0) {
            if (list->count == CONFIG_LIST_MAX || length >= sizeof list->storage - list->used)
                return false;
            memcpy(list->storage + list->used, text, length);
            list->storage[list->used + length] = '\0';
            list->items[list->count++] = list->storage + list->used;
            list->used += length + 1;
        }
        text += strcspn(text, ",");
    }
    return true;
}

static bool set_value(const struct option_row *row, void *settings, const char *source, const char *text,
                      struct err *err)
{
    char *field = (char *)settings + row->offset;
    bool ok = true;

    switch (row->kind) {
    case OPT_TEXT:
        ok = in_bounds(row, (double)strlen(text));
        if (ok)
            memcpy(field, &text, sizeof text);
        break;
    case OPT_NUMBER:
        ok = read_number(row, text, (long *)(void *)field);
        break;
    case OPT_REAL:
        ok = read_real(row, text, (double *)(void *)field);
        break;
    case OPT_FLAG:
        ok = read_flag(text, (bool *)(void *)field);
        break;
    case OPT_LIST:
        if (!read_list((struct config_list *)(void *)field, text))
            return err_set(err, ERR_INVALID, "%s: expected at most %d items and %d bytes", source, CONFIG_LIST_MAX,
                           CONFIG_LIST_BYTES);
        break;
    }
    return ok || wrong_value(row, source, text, err);
}

static void clear_list(const struct option_row *row, void *settings)
{
    struct config_list *list = (struct config_list *)(void *)((char *)settings + row->offset);

    if (row->kind != OPT_LIST)
        return;
    list->count = 0;
    list->used = 0;
}

static void clear_value(const struct option_row *row, void *settings)
{
    static const size_t sizes[] = {[OPT_TEXT] = sizeof(char *),
                                   [OPT_NUMBER] = sizeof(long),
                                   [OPT_REAL] = sizeof(double),
                                   [OPT_FLAG] = sizeof(bool),
                                   [OPT_LIST] = sizeof(struct config_list)};

    memset((char *)settings + row->offset, 0, sizes[row->kind]);
}

static bool read_defaults(const struct config_program *program, void *settings, struct err *err)
{
    for (size_t i = 0; i < program->row_count; i++) {
        const struct option_row *row = &program->rows[i];
        const char *value = row->env == NULL ? NULL : getenv(row->env);

        clear_value(row, settings);
        if (row->fallback != NULL && !set_value(row, settings, row->name, row->fallback, err))
            return false;
        if (value == NULL || *value == '\0')
            continue;
        clear_list(row, settings);
        if (!set_value(row, settings, row->env, value, err))
            return false;
    }
    return true;
}

/* --- help --- */

/* Words of text, broken before HELP_WIDTH; column is where the first word goes. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " ");

        if (column > indent && column + 1 + length > HELP_WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static const char *argument_text(enum option_kind kind)
{
    switch (kind) {
    case OPT_TEXT:
        return " TEXT";
    case OPT_NUMBER:
    case OPT_REAL:
        return " N";
    case OPT_LIST:
        return " LIST";
    case OPT_FLAG:
        break;
    }
    return "";
}

static void print_row(const struct option_row *row)
{
    char text[1024];
    int column = printf("  --%s%s", row->name, argument_text(row->kind)), used;
    const char *between = " (";

    used = snprintf(text, sizeof text, "%s", row->help);
    if ((row->kind == OPT_NUMBER || row->kind == OPT_REAL) && is_bounded(row) && used < (int)sizeof text) {
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%.15g to %.15g", between, row->min, row->max);
        between = "; ";
    }
    if (row->fallback != NULL && row->fallback[0] != '\0' && used < (int)sizeof text) {
        used += snprintf(text + used, sizeof text - (size_t)used, "%sdefault %s", between, row->fallback);
        between = "; ";
    }
    if (row->env != NULL && used < (int)sizeof text) {
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%s", between, row->env);
        between = "; ";
    }
    if (between[0] == ';' && used < (int)sizeof text - 1)
        snprintf(text + used, sizeof text - (size_t)used, ")");
    if (column > HELP_INDENT - 2) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", HELP_INDENT - column, "");
    print_wrapped(text, HELP_INDENT, HELP_INDENT);
}

static void print_help(const struct config_program *program)
{
    printf("usage: %s %s\n\n", program->name, program->usage);
    print_wrapped(program->about, 0, 0);
    printf("\nSettings (a flag goes before its environment variable):\n\n");
    for (size_t i = 0; i < program->row_count; i++)
        print_row(&program->rows[i]);
    for (size_t i = 0; i < sizeof builtin_rows / sizeof *builtin_rows; i++)
        print_row(&builtin_rows[i]);
}

/* --- flags --- */

static const struct option_row *find_row(const struct config_program *program, const char *name, size_t length)
{
    for (size_t i = 0; i < program->row_count; i++) {
        const struct option_row *row = &program->rows[i];
        if (strlen(row->name) == length && memcmp(row->name, name, length) == 0)
            return row;
    }
    return NULL;
}

static bool is_builtin(const char *argument, const char *name)
{
    return strcmp(argument, name) == 0;
}

/* A list that was given by flag once keeps what further flags add; the first flag drops default and environment. */
static bool set_from_flag(const struct option_row *row, void *settings, char **argv, int at, const char *text,
                          struct err *err)
{
    size_t length = strlen(row->name);
    char source[64];
    bool first = true;

    for (int i = 1; i < at; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strncmp(argv[i] + 2, row->name, length) == 0 &&
            (argv[i][2 + length] == '\0' || argv[i][2 + length] == '='))
            first = false;
    if (first)
        clear_list(row, settings);
    snprintf(source, sizeof source, "--%s", row->name);
    return set_value(row, settings, source, text, err);
}

/* The flag at argv[*at]; moves *at over a value that stands by itself. */
static bool read_flag_argument(const struct config_program *program, int argc, char **argv, int *at, void *settings,
                               struct err *err)
{
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    const struct option_row *row = find_row(program, name, length);
    int first = *at;

    if (strncmp(argv[*at], "--", 2) != 0 || row == NULL)
        return err_set(err, ERR_INVALID, "unknown setting %.64s", argv[*at]);
    if (name[length] == '=')
        return set_from_flag(row, settings, argv, first, name + length + 1, err);
    if (row->kind == OPT_FLAG)
        return set_from_flag(row, settings, argv, first, "true", err);
    if (*at + 1 >= argc)
        return err_set(err, ERR_INVALID, "--%s: expected %s behind it", row->name, kind_text(row));
    (*at)++;
    return set_from_flag(row, settings, argv, first, argv[*at], err);
}

static bool add_file(const struct config_program *program, struct config_list *files, char *argument, struct err *err)
{
    if (!program->files || files == NULL)
        return err_set(err, ERR_INVALID, "unknown argument \"%.64s\"", argument);
    if (files->count == CONFIG_LIST_MAX)
        return err_set(err, ERR_INVALID, "expected at most %d files", CONFIG_LIST_MAX);
    files->items[files->count++] = argument;
    return true;
}

enum config_result config_read(const struct config_program *program, int argc, char **argv, void *settings,
                               struct config_list *files, struct err *err)
{
    bool check = false, only_files = false;

    if (files != NULL) {
        files->count = 0;
        files->used = 0;
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_builtin(argv[i], "--help") || is_builtin(argv[i], "-h")) {
            print_help(program);
            return CONFIG_DONE;
        }
        if (is_builtin(argv[i], "--version")) {
            printf("%s %s\n", program->name, program->version);
            return CONFIG_DONE;
        }
    }
    if (!read_defaults(program, settings, err))
        return CONFIG_WRONG;
    for (int i = 1; i < argc; i++) {
        bool ok = true;

        if (!only_files && is_builtin(argv[i], "--"))
            only_files = true;
        else if (!only_files && is_builtin(argv[i], "--check"))
            check = true;
        else if (!only_files && argv[i][0] == '-' && argv[i][1] != '\0')
            ok = read_flag_argument(program, argc, argv, &i, settings, err);
        else
            ok = add_file(program, files, argv[i], err);
        if (!ok)
            return CONFIG_WRONG;
    }
    return check ? CONFIG_CHECK : CONFIG_RUN;
}

/* --- secrets --- */

static bool read_fully(int fd, const char *path, char *out, size_t max, size_t *length, struct err *err)
{
    *length = 0;
    while (*length < max) {
        ssize_t n = read(fd, out + *length, max - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
        if (n == 0)
            return true;
        *length += (size_t)n;
    }
    return true;
}

bool config_read_secret(const char *path, char *out, size_t max, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    bool ok;

    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, "%s: %s", path, strerror(errno));
    ok = read_fully(fd, path, out, max, &length, err);
    close(fd);
    if (ok && length == max)
        ok = err_set(err, ERR_INVALID, "%s: expected at most %zu bytes", path, max - 1);
    if (ok && length > 0 && out[length - 1] == '\n')
        length--;
    if (ok && length > 0 && out[length - 1] == '\r')
        length--;
    if (ok && length == 0)
        ok = err_set(err, ERR_INVALID, "%s: is empty", path);
    if (ok && memchr(out, '\0', length) != NULL)
        ok = err_set(err, ERR_INVALID, "%s: has a NUL in it", path);
    if (ok)
        out[length] = '\0';
    else
        explicit_bzero(out, max);
    return ok;
}
