/* forest_score MODEL < rows > scores: floats in, two doubles a row out (P(attack), isolation decision). */
#include "common/token.h"
#include "detector/forest.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct err err = {0};
    struct model *model = argc == 2 && token_setup() ? model_load(argv[1], &err) : NULL;
    float row[MODEL_FEATURES_MAX];
    struct score score;

    if (model == NULL) {
        fprintf(stderr, "usage: forest_score MODEL < rows > scores\n%s\n", err.text);
        return 2;
    }
    while (fread(row, sizeof *row, model_features(model), stdin) == model_features(model)) {
        model_score(model, row, &score);
        fwrite(&score.rf, sizeof score.rf, 1, stdout);
        fwrite(&score.iso, sizeof score.iso, 1, stdout);
    }
    model_free(model);
    return 0;
}
