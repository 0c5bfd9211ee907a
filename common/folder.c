/* folder.c: see folder.h. */
#include "common/folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ours(const char *path, struct err *err)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ERR_INVALID, "%s: is no folder", path);
    if (access(path, R_OK | W_OK | X_OK) != 0)
        return err_set(err, ERR_SYSTEM, "%s: cannot be written: %s", path, strerror(errno));
    return true;
}

static bool copy_path(const char *path, char out[FOLDER_PATH], struct err *err)
{
    size_t length = strlen(path);

    if (length == 0 || length >= FOLDER_PATH)
        return err_set(err, ERR_INVALID, "expected a path of 1 to %d bytes", FOLDER_PATH - 1);
    memcpy(out, path, length + 1);
    return true;
}

bool folder_make(const char *path, struct err *err)
{
    char part[FOLDER_PATH];

    if (!copy_path(path, part, err))
        return false;
    for (char *at = part + 1;; at++) {
        char kept = *at;

        if (kept != '/' && kept != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return err_set(err, ERR_SYSTEM, "%s: cannot be made: %s", part, strerror(errno));
        if (kept == '\0')
            return is_ours(path, err);
        *at = kept;
    }
}

bool folder_fits(const char *path, struct err *err)
{
    char part[FOLDER_PATH];
    struct stat info;

    if (!copy_path(path, part, err))
        return false;
    while (stat(part, &info) != 0 && errno == ENOENT) { /* up to what is there: the rest would be made in it */
        char *slash = strrchr(part, '/');

        if (slash == NULL)
            return is_ours(".", err);
        slash[slash == part] = '\0';
    }
    return is_ours(part, err);
}

const char *folder_beside(const char *name, char out[FOLDER_PATH])
{
    char self[FOLDER_PATH];
    ssize_t length = access(name, F_OK) == 0 ? -1 : readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (length <= 0)
        return name;
    self[length] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL ||
        snprintf(out, FOLDER_PATH, "%.*s/../share/threatline/%s", (int)(slash - self), self, name) >= FOLDER_PATH)
        return name;
    return access(out, F_OK) == 0 ? out : name;
}
