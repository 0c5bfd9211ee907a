/* learn_file.c: what learn.c counted as a text file, and back, all or nothing.
 *
 *   threatline-learned 1 SHA256      the hash being that of all that follows
 *   model NAME                       of the model whose features were counted; "-" without one
 *   watched SECONDS of SECONDS
 *   flows N
 *   counter NUMBER NAME FLOOR VALUE  for each that was seen: the most below its floor
 *   feature NAME BUCKET:COUNT ...    for each feature of the model */
#include "common/json.h"
#include "common/token.h"
#include "detector/learn_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024, PATH_ROOM = 4200 };
static const char magic[] = "threatline-learned 1 ";
static const int64_t second_ns = 1000000000;

static void add_feature(struct text *out, const struct learn *learn, size_t feature)
{
    text_addf(out, "feature %s", model_feature_name(learn->model, feature));
    for (size_t i = 0; i < LEARN_BUCKETS; i++) {
        if (learn->bucket[feature][i] > 0)
            text_addf(out, " %zu:%u", i, learn->bucket[feature][i]);
    }
    text_add(out, "\n", 1);
}

char *learn_text(const struct learn *learn)
{
    struct text body = {.max = FILE_MAX}, file = {.max = FILE_MAX};
    char hash[TOKEN_HASH];

    text_addf(&body, "model %s\nwatched %lld of %lld\nflows %u\n",
              learn->model != NULL ? model_name(learn->model) : "-", (long long)(learn->seen_ns / second_ns),
              (long long)(learn->wanted_ns / second_ns), learn->flows);
    for (int c = 0; c < COUNTERS; c++) {
        if (learn->greatest[c] <= 0)
            continue;
        text_addf(&body, "counter %d %s ", c, limits[c].counter);
        text_add_number(&body, limits[c].limit);
        text_add(&body, " ", 1);
        text_add_number(&body, learn->greatest[c]);
        text_add(&body, "\n", 1);
    }
    for (size_t i = 0; learn->model != NULL && i < model_features(learn->model); i++)
        add_feature(&body, learn, i);
    if (!body.failed) {
        token_hash(body.bytes, body.length, hash);
        text_addf(&file, "%s%s\n", magic, hash);
        text_add(&file, body.bytes, body.length);
    }
    free(body.bytes);
    if (body.failed || file.failed) {
        free(file.bytes);
        return NULL;
    }
    return file.bytes;
}

static bool parse_counter(struct learn *learn, const char *line)
{
    char name[48];
    unsigned number;
    double floor, value;
    int end = 0;

    if (sscanf(line, "counter %3u %47s %lf %lf%n", &number, name, &floor, &value, &end) != 4 || line[end] != '\0' ||
        number >= COUNTERS || strcmp(name, limits[number].counter) != 0 || floor != limits[number].limit ||
        !(value > 0 && value < floor) || learn->greatest[number] > 0)
        return false;
    learn->greatest[number] = value;
    return true;
}

/* " BUCKET:COUNT" and so on, each bucket above the one before, flows in all. */
static bool parse_buckets(struct learn *learn, size_t feature, const char *text)
{
    unsigned long long sum = 0;
    long before = -1;

    while (*text != '\0') {
        char *end;
        long bucket;
        unsigned long long count;

        if (*text++ != ' ' || *text < '0' || *text > '9')
            return false;
        bucket = strtol(text, &end, 10);
        if (*end != ':' || end[1] < '0' || end[1] > '9' || bucket <= before || bucket >= LEARN_BUCKETS)
            return false;
        count = strtoull(end + 1, &end, 10);
        if (count == 0 || count > learn->flows)
            return false;
        learn->bucket[feature][bucket] = (uint32_t)count;
        sum += count;
        before = bucket;
        text = end;
    }
    return sum == learn->flows;
}

static bool parse_feature(struct learn *learn, size_t feature, const char *line)
{
    const char *name = feature < model_features(learn->model) ? model_feature_name(learn->model, feature) : "";
    size_t length = strlen(name);

    return length > 0 && strncmp(line, "feature ", 8) == 0 && strncmp(line + 8, name, length) == 0 &&
           parse_buckets(learn, feature, line + 8 + length);
}

static bool parse_head(struct learn *learn, char **text, struct err *err)
{
    const char *name = learn->model != NULL ? model_name(learn->model) : "-";
    char model[MODEL_NAME];
    long long seen, wanted, flows;
    int end = 0;

    if (sscanf(*text, "model %47s\nwatched %lld of %lld\nflows %lld\n%n", model, &seen, &wanted, &flows, &end) != 4 ||
        end == 0 || flows < 0 || flows > UINT32_MAX || (*text)[end - 1] != '\n' || seen < 0 || wanted < 1 ||
        wanted > INT64_MAX / second_ns || seen > INT64_MAX / second_ns)
        return err_set(err, ERR_INVALID, "learned: its head is damaged");
    if (strcmp(model, name) != 0)
        return err_set(err, ERR_CONFLICT, "learned: with model %s, this one is %s", model, name);
    if (wanted * second_ns != learn->wanted_ns)
        return err_set(err, ERR_CONFLICT, "learned: over %lld seconds, %lld are wanted now", wanted,
                       (long long)(learn->wanted_ns / second_ns));
    learn->seen_ns = seen * second_ns;
    learn->flows = (uint32_t)flows;
    *text += end;
    return true;
}

static bool parse_body(struct learn *learn, char *text, struct err *err)
{
    size_t features = 0;
    char *line;

    if (!parse_head(learn, &text, err))
        return false;
    while ((line = strsep(&text, "\n")) != NULL && *line != '\0') {
        if (strncmp(line, "counter ", 8) == 0) {
            if (features > 0 || !parse_counter(learn, line))
                return err_set(err, ERR_CONFLICT, "learned: \"%.60s\" does not fit this program's limits", line);
        } else if (learn->model == NULL || !parse_feature(learn, features++, line)) {
            return err_set(err, ERR_INVALID, "learned: \"%.60s\" is damaged", line);
        }
    }
    if (line == NULL || text != NULL || features != (learn->model != NULL ? model_features(learn->model) : 0))
        return err_set(err, ERR_INVALID, "learned: lines are missing or too many");
    learn_apply(learn);
    return true;
}

bool learn_parse(struct learn *learn, const char *text, size_t length, struct err *err)
{
    const size_t head = sizeof magic - 1 + TOKEN_HASH - 1 + 1;
    char hash[TOKEN_HASH], *body;
    bool ok;

    if (length < sizeof magic - 1 || memcmp(text, magic, sizeof magic - 1) != 0)
        return err_set(err, ERR_CONFLICT, "learned: of another format than \"%s\"", magic);
    if (length < head || memchr(text, '\0', length) != NULL)
        return err_set(err, ERR_INVALID, "learned: the file is damaged");
    token_hash(text + head, length - head, hash);
    if (memcmp(text + sizeof magic - 1, hash, TOKEN_HASH - 1) != 0 || text[head - 1] != '\n')
        return err_set(err, ERR_INVALID, "learned: the file is damaged: its checksum is another");
    body = strndup(text + head, length - head);
    if (body == NULL)
        return err_set(err, ERR_MEMORY, "learned: out of memory");
    ok = parse_body(learn, body, err);
    free(body);
    return ok;
}

bool learn_save(const struct learn *learn, const char *path, struct err *err)
{
    char beside[PATH_ROOM];
    char *text = learn_text(learn);
    size_t length = text != NULL ? strlen(text) : 0;
    int file = -1;
    bool ok = false;

    if (text == NULL)
        return err_set(err, ERR_MEMORY, "learned: out of memory");
    snprintf(beside, sizeof beside, "%s.new", path);
    file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, text, length) != (ssize_t)length || fsync(file) != 0 || rename(beside, path) != 0)
        err_set(err, ERR_SYSTEM, "learned: %s: %s", path, strerror(errno));
    else
        ok = true;
    if (file >= 0)
        close(file);
    free(text);
    return ok;
}

bool learn_load(struct learn *learn, const char *path, struct err *err)
{
    FILE *file = fopen(path, "rbe");
    struct learn *fresh = malloc(sizeof *fresh);
    char *text = malloc(FILE_MAX);
    size_t length;
    bool ok = false;

    if (file == NULL) {
        err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, "learned: %s: %s", path, strerror(errno));
    } else if (fresh == NULL || text == NULL) {
        err_set(err, ERR_MEMORY, "learned: out of memory");
    } else {
        length = fread(text, 1, FILE_MAX, file);
        learn_init(fresh, learn->model, learn->wanted_ns);
        ok = learn_parse(fresh, text, length, err);
        if (ok)
            *learn = *fresh;
    }
    if (file != NULL)
        fclose(file);
    free(fresh);
    free(text);
    return ok;
}
