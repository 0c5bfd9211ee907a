/* forest_file.c: reads a model file into memory, all or nothing; the format stands in docs/model-format.md. */
#include "common/token.h"
#include "detector/bytes.h"
#include "detector/features.h"
#include "detector/forest_model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char magic[] = "threatline-model ";
static const char file_name[] = "threatline.model";
enum { FORMAT = 2, NODE_BYTES = 16, FEATURE_BITS = 6, FEATURE_NUMBERS = 2 * MODEL_QUANTILES + 1, BUDGET_NUMBERS = 4 };
static const uint32_t LEAF = UINT32_MAX;

/* What is still to be read; the text in front is made of lines, the numbers behind it are little endian. */
struct reader {
    const uint8_t *at, *end;
    struct err *err;
};

static float le_float(const uint8_t *p)
{
    uint32_t bits = le32(p);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static double le_double(const uint8_t *p)
{
    uint64_t bits = le32(p) | (uint64_t)le32(p + 4) << 32;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool bad(struct reader *in, const char *what)
{
    return err_set(in->err, ERR_INVALID, "model: %s", what);
}

/* The next line without its end, as a text of its own in line; it has to begin with key and a blank. *rest is
 * what follows. */
static bool line(struct reader *in, const char *key, char *buffer, size_t size, char **rest)
{
    const uint8_t *stop = memchr(in->at, '\n', (size_t)(in->end - in->at));
    size_t length = stop == NULL ? 0 : (size_t)(stop - in->at), skip = strlen(key);

    if (stop == NULL || length >= size || memchr(in->at, '\0', length) != NULL)
        return err_set(in->err, ERR_INVALID, "model: line \"%s\" is missing or too long", key);
    memcpy(buffer, in->at, length);
    buffer[length] = '\0';
    in->at = stop + 1;
    if (strncmp(buffer, key, skip) != 0 || (buffer[skip] != ' ' && buffer[skip] != '\0'))
        return err_set(in->err, ERR_INVALID, "model: expected the line \"%s\"", key);
    *rest = buffer + skip + (buffer[skip] == ' ');
    return true;
}

/* Takes a finite number off the front of *text. */
static bool number(char **text, double *out)
{
    char *stop = NULL;

    *out = strtod(*text, &stop);
    if (stop == *text || !isfinite(*out))
        return false;
    *text = stop;
    return true;
}

static bool numbers(struct reader *in, const char *key, double *out, size_t count)
{
    char buffer[4096], *rest;

    if (!line(in, key, buffer, sizeof buffer, &rest))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!number(&rest, &out[i]))
            return err_set(in->err, ERR_INVALID, "model: %s: expected %zu numbers", key, count);
    }
    return *rest == '\0' || err_set(in->err, ERR_INVALID, "model: %s: more than %zu numbers", key, count);
}

static bool count_of(struct reader *in, const char *key, size_t max, size_t *out)
{
    double value;

    if (!numbers(in, key, &value, 1))
        return false;
    if (value < 1 || value > (double)max || value != floor(value))
        return err_set(in->err, ERR_INVALID, "model: %s: expected a whole number from 1 to %zu", key, max);
    *out = (size_t)value;
    return true;
}

static bool ascending(const double *values, size_t count, size_t stride)
{
    for (size_t i = 1; i < count; i++) {
        if (values[i * stride] < values[(i - 1) * stride])
            return false;
    }
    return true;
}

/* Numbers from 0 to 1 that are 1 together. */
static bool are_shares(const double *values, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (values[i] < 0)
            return false;
        sum += values[i];
    }
    return fabs(sum - 1) < 1e-6;
}

static bool read_feature(struct reader *in, struct model *model, size_t index)
{
    char buffer[1024], *rest, *name;

    if (!line(in, "feature", buffer, sizeof buffer, &rest))
        return false;
    name = rest;
    rest += strcspn(rest, " ");
    if (rest == name || *rest == '\0' || (size_t)(rest - name) >= sizeof model->feature[0])
        return err_set(in->err, ERR_INVALID, "model: feature: expected a name and %d numbers", FEATURE_NUMBERS);
    *rest++ = '\0';
    for (size_t i = 0; i < index; i++) {
        if (strcmp(model->feature[i], name) == 0)
            return err_set(in->err, ERR_INVALID, "model: feature %s stands twice", name);
    }
    memcpy(model->feature[index], name, strlen(name) + 1);
    for (size_t i = 0; i < FEATURE_NUMBERS; i++) {
        if (!number(&rest,
                    i < MODEL_QUANTILES ? &model->quantile[index][i] : &model->share[index][i - MODEL_QUANTILES]))
            return err_set(in->err, ERR_INVALID, "model: feature %s: expected %d numbers", name, FEATURE_NUMBERS);
    }
    return (*rest == '\0' && ascending(model->quantile[index], MODEL_QUANTILES, 1) &&
            are_shares(model->share[index], MODEL_QUANTILES + 1)) ||
           err_set(in->err, ERR_INVALID, "model: feature %s: expected 7 ascending numbers and 8 shares of 1", name);
}

/* A table of count rows of width numbers, the first of each row ascending. */
static bool read_table(struct reader *in, const char *key, size_t max, size_t width, double *out, size_t *count)
{
    char name[64];

    snprintf(name, sizeof name, "%s-count", key);
    return count_of(in, name, max, count) && numbers(in, key, out, *count * width) &&
           (ascending(out, *count, width) ||
            err_set(in->err, ERR_INVALID, "model: %s: expected ascending rows", key));
}

/* Each row of the curve is looser than the one before, and so flags no fewer. */
static bool read_curve(struct reader *in, struct model *model)
{
    double values[MODEL_BUDGETS_MAX * BUDGET_NUMBERS], rows;

    if (!numbers(in, "budget-rows", &rows, 1) ||
        !read_table(in, "budgets", MODEL_BUDGETS_MAX, BUDGET_NUMBERS, values, &model->budgets))
        return false;
    for (size_t i = 0; i < model->budgets; i++) {
        const double *row = &values[i * BUDGET_NUMBERS];
        const struct model_budget *stricter = i > 0 ? &model->budget[i - 1] : NULL;

        model->budget[i] = (struct model_budget){row[0], row[1], row[2], row[3], (row[3] + 1) / (rows + 1) * 1e6};
        if (rows < 1 || row[0] < 0 || row[3] < 0 || row[3] > rows ||
            (stricter != NULL && (row[1] > stricter->rf || row[2] < stricter->iso || row[3] < stricter->flagged)))
            return bad(in, "budgets: expected ever looser thresholds, and counts up to budget-rows that do not fall");
    }
    return true;
}

static bool read_header(struct reader *in, struct model *model)
{
    char buffer[1024], *rest;

    if (!line(in, "extractor", buffer, sizeof buffer, &rest))
        return false;
    if (strcmp(rest, FEATURES_EXTRACTOR) != 0)
        return err_set(in->err, ERR_INVALID,
                       "model: trained for extractor %.20s, this program has %s: train it again", rest,
                       FEATURES_EXTRACTOR);
    if (!line(in, "trained", buffer, sizeof buffer, &rest) || !line(in, "made-with", buffer, sizeof buffer, &rest) ||
        !count_of(in, "features", MODEL_FEATURES_MAX, &model->features))
        return false;
    for (size_t i = 0; i < model->features; i++) {
        if (!read_feature(in, model, i))
            return false;
    }
    if (!numbers(in, "rf-threshold", &model->rf_threshold, 1) || !numbers(in, "rf-sure", &model->rf_sure, 1) ||
        !numbers(in, "iso-threshold", &model->iso_threshold, 1) || !numbers(in, "iso-sure", &model->iso_sure, 1) ||
        !numbers(in, "iso-scale", &model->iso_scale, 1) || !numbers(in, "iso-offset", &model->iso_offset, 1) ||
        !read_table(in, "calibration", MODEL_CALIBRATION_MAX, 2, &model->calibration[0][0], &model->calibrations) ||
        !numbers(in, "percentiles", model->percentile, MODEL_PERCENTILES) || !read_curve(in, model))
        return false;
    for (size_t i = 0; i < model->calibrations; i++) {
        if (model->calibration[i][1] < 0 || model->calibration[i][1] > 1 ||
            (i > 0 && model->calibration[i][0] <= model->calibration[i - 1][0]))
            return bad(in, "calibration: expected growing scores and shares from 0 to 1");
    }
    return (model->iso_scale > 0 && ascending(model->percentile, MODEL_PERCENTILES, 1)) ||
           bad(in, "iso-scale has to be positive and percentiles ascending");
}

static bool read_sizes(struct reader *in, const char *key, struct forest *forest)
{
    double size[2];

    if (!numbers(in, key, size, 2))
        return false;
    if (size[0] < 1 || size[0] > MODEL_TREES_MAX || size[1] < size[0] || size[1] > MODEL_NODES_MAX ||
        size[0] != floor(size[0]) || size[1] != floor(size[1]))
        return err_set(in->err, ERR_INVALID, "model: %s: expected up to %d trees and %d nodes", key, MODEL_TREES_MAX,
                       MODEL_NODES_MAX);
    forest->trees = (size_t)size[0];
    forest->nodes = (size_t)size[1];
    return true;
}

static size_t body_bytes(const struct forest *forest)
{
    return forest->trees * 4 + forest->nodes * NODE_BYTES;
}

/* Children stand behind their parent and inside their tree, so every walk ends. */
static bool read_node(const uint8_t *p, size_t index, size_t end, size_t features, struct forest *forest)
{
    uint32_t go = le32(p + 4);
    size_t left = go >> FEATURE_BITS;
    float threshold = le_float(p);

    forest->value[index] = le_double(p + 8);
    if (!isfinite(forest->value[index]))
        return false;
    if (go == LEAF) {
        forest->node[index] = (struct forest_node){INFINITY, (uint32_t)index << FEATURE_BITS};
        return true;
    }
    if (!isfinite(threshold) || left <= index || left + 1 >= end || (go & ((1U << FEATURE_BITS) - 1)) >= features)
        return false;
    forest->node[index] = (struct forest_node){threshold, go};
    return true;
}

static bool read_forest(struct reader *in, const char *key, size_t features, struct forest *forest)
{
    const uint8_t *nodes = in->at + forest->trees * 4;
    size_t bytes = (forest->nodes * sizeof *forest->node + 63) / 64 * 64;

    forest->root = calloc(forest->trees, sizeof *forest->root);
    forest->value = calloc(forest->nodes, sizeof *forest->value);
    forest->rest = calloc(forest->trees + 1, sizeof *forest->rest);
    forest->node = aligned_alloc(64, bytes);
    if (forest->root == NULL || forest->value == NULL || forest->rest == NULL || forest->node == NULL)
        return err_set(in->err, ERR_MEMORY, "model: out of memory");
    for (size_t tree = 0; tree < forest->trees; tree++) {
        forest->root[tree] = le32(in->at + tree * 4);
        if (tree == 0 ? forest->root[0] != 0
                      : forest->root[tree] <= forest->root[tree - 1] || forest->root[tree] >= forest->nodes)
            return err_set(in->err, ERR_INVALID, "model: %s: tree %zu begins where no tree can", key, tree);
    }
    for (size_t tree = 0, i = 0; tree < forest->trees; tree++) {
        size_t end = tree + 1 < forest->trees ? forest->root[tree + 1] : forest->nodes;

        for (; i < end; i++) {
            if (!read_node(nodes + i * NODE_BYTES, i, end, features, forest))
                return err_set(in->err, ERR_INVALID, "model: %s: node %zu is damaged", key, i);
        }
    }
    in->at = nodes + forest->nodes * NODE_BYTES;
    return true;
}

static bool read_body(struct reader *in, struct model *model)
{
    char buffer[64], *rest;

    if (!read_sizes(in, "rf", &model->rf) || !read_sizes(in, "iso", &model->iso) ||
        !line(in, "body", buffer, sizeof buffer, &rest))
        return false;
    if ((size_t)(in->end - in->at) != body_bytes(&model->rf) + body_bytes(&model->iso))
        return bad(in, "the forests' bytes are too few or too many");
    return read_forest(in, "rf", model->features, &model->rf) && read_forest(in, "iso", model->features, &model->iso);
}

/* The first line: "threatline-model 2 SHA256", the hash being that of all that follows. */
static bool read_first_line(struct reader *in, struct model *model)
{
    char buffer[160], hash[TOKEN_HASH], *rest;

    if ((size_t)(in->end - in->at) < sizeof magic || memcmp(in->at, magic, sizeof magic - 1) != 0)
        return bad(in, "this is no model file of Threatline");
    if (!line(in, "threatline-model", buffer, sizeof buffer, &rest))
        return false;
    if (strtol(rest, &rest, 10) != FORMAT || *rest++ != ' ')
        return err_set(in->err, ERR_INVALID, "model: the file has another format than %d: train it again", FORMAT);
    token_hash(in->at, (size_t)(in->end - in->at), hash);
    if (strcmp(hash, rest) != 0)
        return bad(in, "the file is damaged: its checksum is another");
    snprintf(model->name, sizeof model->name, "%.12s", hash);
    return true;
}

struct model *model_read(const void *bytes, size_t length, struct err *err)
{
    struct reader in = {bytes, (const uint8_t *)bytes + length, err};
    struct model *model = calloc(1, sizeof *model);

    if (model == NULL) {
        err_set(err, ERR_MEMORY, "model: out of memory");
        return NULL;
    }
    if (!read_first_line(&in, model) || !read_header(&in, model) || !read_body(&in, model)) {
        model_free(model);
        return NULL;
    }
    model->walk = forest_walk_best();
    forest_bound(&model->rf, FOREST_FROM);
    forest_bound(&model->iso, FOREST_UP_TO);
    return model;
}

static void *read_file(FILE *file, const char *path, size_t *length, struct err *err)
{
    struct stat info;
    void *bytes = NULL;

    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 ||
        info.st_size > MODEL_FILE_MAX) {
        err_set(err, ERR_INVALID, "model %s: expected a file of 1 byte to 128 MiB", path);
        return NULL;
    }
    *length = (size_t)info.st_size;
    bytes = malloc(*length);
    if (bytes == NULL || fread(bytes, 1, *length, file) != *length) {
        err_set(err, bytes == NULL ? ERR_MEMORY : ERR_CUT_SHORT, "model %s: cannot read it whole", path);
        free(bytes);
        return NULL;
    }
    return bytes;
}

struct model *model_load(const char *path, struct err *err)
{
    char inside[4096];
    struct stat info;
    size_t length = 0;
    struct model *model = NULL;
    void *bytes = NULL;
    FILE *file;

    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        if ((size_t)snprintf(inside, sizeof inside, "%s/%s", path, file_name) >= sizeof inside) {
            err_set(err, ERR_INVALID, "model %.100s…: the path is too long", path);
            return NULL;
        }
        path = inside;
    }
    file = fopen(path, "rb");
    if (file == NULL) {
        err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, "model %s: %s", path, strerror(errno));
        return NULL;
    }
    bytes = read_file(file, path, &length, err);
    if (bytes != NULL)
        model = model_read(bytes, length, err);
    if (bytes != NULL && model == NULL)
        err_prefix(err, "%s", path);
    free(bytes);
    fclose(file);
    return model;
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    free(model->rf.node);
    free(model->rf.value);
    free(model->rf.root);
    free(model->rf.rest);
    free(model->iso.node);
    free(model->iso.value);
    free(model->iso.root);
    free(model->iso.rest);
    free(model);
}
