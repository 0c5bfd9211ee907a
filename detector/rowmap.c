/* rowmap.c: see rowmap.h. */
#include "detector/rowmap.h"

#include <string.h>

bool rowmap_make(struct rowmap *map, const struct model *model, struct err *err)
{
    *map = (struct rowmap){.count = model_features(model)};
    for (size_t i = 0; i < map->count; i++) {
        const char *name = model_feature_name(model, i);
        size_t at = 0;

        while (at < ROWMAP_VALUES &&
               strcmp(name, at < FEATURES ? features_names[at] : hosts_context_names[at - FEATURES]) != 0)
            at++;
        if (at == ROWMAP_VALUES)
            return err_set(err, ERR_INVALID, "model: it needs the feature %s, which this program does not know",
                           name);
        map->place[i] = at;
        map->uses_windows |= at >= FEATURES;
    }
    return true;
}

void rowmap_row(const struct rowmap *map, const double values[ROWMAP_VALUES], float row[MODEL_FEATURES_MAX])
{
    for (size_t i = 0; i < map->count; i++)
        row[i] = (float)values[map->place[i]];
    memset(row + map->count, 0, (MODEL_FEATURES_MAX - map->count) * sizeof *row);
}
