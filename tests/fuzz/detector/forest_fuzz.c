/* Fuzzes the reader of detector/forest.h. */
#include "common/token.h"
#include "detector/forest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    /* The first line is made right, so that what lies behind the checksum is reached. */
    char *file = malloc(size + 128), hash[TOKEN_HASH];
    int head;

    token_hash(bytes, size, hash);
    head = snprintf(file, 128, "threatline-model 2 %s\n", hash);
    memcpy(file + head, bytes, size);
    struct model *model = model_read(file, (size_t)head + size, NULL);

    if (model != NULL) {
        float row[MODEL_FEATURES_MAX] = {0};
        double part[MODEL_FEATURES_MAX], base;
        struct score score;

        model_score(model, row, &score);
        model_contributions(model, row, &base, part);
        model_free(model);
    }
    free(file);
    model_free(model_read(bytes, size, NULL));
    return 0;
}
