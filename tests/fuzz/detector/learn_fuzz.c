/* Fuzzes the reader of what detector/learn.h keeps. */
#include "common/token.h"
#include "detector/learn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t hour_ns = INT64_C(3600000000000);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is taken keeps to the bounds, whatever the file says. */
static void take(const struct model *model, const char *text, size_t length)
{
    struct learn *learn = malloc(sizeof *learn);

    learn_init(learn, model, hour_ns);
    if (learn_parse(learn, text, length, NULL)) {
        for (int c = 0; c < COUNTERS; c++)
            assert(learn->limit[c] >= limits[c].limit && learn->limit[c] <= LEARN_CEILING * limits[c].limit);
    }
    free(learn);
}

/* The lines in front are made right, so that what lies behind them is reached. */
static void take_behind(const struct model *model, const char *front, const uint8_t *bytes, size_t size)
{
    size_t length = strlen(front) + size;
    char *body = malloc(length + 1), *file = malloc(length + 128), hash[TOKEN_HASH];
    int head;

    memcpy(body, front, strlen(front));
    memcpy(body + strlen(front), bytes, size);
    token_hash(body, length, hash);
    head = snprintf(file, 128, "threatline-learned 1 %s\n", hash);
    memcpy(file + head, body, length);
    take(model, file, (size_t)head + length);
    free(body);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct model *model;
    static bool tried;
    char front[128];

    if (!tried)
        model = model_load("models", NULL);
    tried = true;
    take(NULL, (const char *)bytes, size);
    take_behind(NULL, "", bytes, size);
    if (model != NULL) {
        snprintf(front, sizeof front, "model %s\nwatched 3600 of 3600\nflows ", model_name(model));
        take_behind(model, front, bytes, size);
    }
    return 0;
}
