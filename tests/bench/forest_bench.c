/* forest_bench.c: CPU time a flow of both forests of a model file, one row at a time and in batches of 1,000.
 *
 *   forest_bench MODEL [ROWS]
 *
 * Rows are drawn column by column from the model's own benign quantiles, each column by itself, so that branches are
 * hard to predict. Prints one line of key=value. */
#include "detector/forest.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fill(const struct model *model, float *rows, size_t count)
{
    size_t width = model_features(model);
    uint64_t state = 1;

    for (size_t f = 0; f < width; f++) {
        double quantiles[7];
        model_quantiles(model, f, quantiles);
        for (size_t r = 0; r < count; r++) {
            uint64_t draw = next(&state);
            size_t step = draw % 6;
            double share = (double)(draw >> 11) / 9007199254740992.0;
            rows[r * width + f] = (float)(quantiles[step] + share * (quantiles[step + 1] - quantiles[step]));
        }
    }
}

int main(int argc, char **argv)
{
    struct err err = {0};
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
    struct model *model = argc > 1 ? model_load(argv[1], &err) : NULL;
    float *rows = model != NULL ? calloc(count * model_features(model), sizeof *rows) : NULL;
    struct score *scores = calloc(count, sizeof *scores);
    double one = 0, batch = 0, began;

    if (rows == NULL || scores == NULL) {
        fprintf(stderr, "forest_bench: %s\n", err.text);
        free(scores);
        return 1;
    }
    fill(model, rows, count);
    for (int round = 0; round < 3; round++) {
        began = cpu_us();
        for (size_t r = 0; r < count; r++)
            model_score(model, rows + r * model_features(model), &scores[r]);
        one = one == 0 || cpu_us() - began < one ? cpu_us() - began : one;
        began = cpu_us();
        for (size_t r = 0; r + 1000 <= count; r += 1000)
            model_score_rows(model, rows + r * model_features(model), 1000, &scores[r]);
        batch = batch == 0 || cpu_us() - began < batch ? cpu_us() - began : batch;
    }
    printf("one_us=%.2f batch_us=%.2f rows=%zu features=%zu\n", one / (double)count,
           batch / (double)(count / 1000 * 1000), count, model_features(model));
    free(rows);
    free(scores);
    model_free(model);
    return 0;
}
