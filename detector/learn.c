/* learn.c: see learn.h. Its file is learn_file.c's. */
#include "detector/learn.h"

#include "detector/learn_parts.h"

#include <string.h>

static const int64_t wait_ns = INT64_C(600000000000); /* an incident stays open as long */
static const int64_t gap_ns = INT64_C(60000000000);   /* a longer pause is no time that was watched */
enum { LEAST = 107, MANTISSA = 20 };                  /* exponent of 2^-20, and the bits of a float that are let go */
static const double shares[MODEL_QUANTILES] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
enum { MEDIAN = 3 };

/* Eight ranges to a doubling, from 2^-20 to 2^40; the first holds all below, the last all above. */
static size_t bucket_of(float value)
{
    uint32_t bits, first = LEAST << 3;

    if (!(value > 0))
        return 0;
    memcpy(&bits, &value, sizeof bits);
    bits >>= MANTISSA;
    if (bits < first)
        return 0;
    return bits - first + 1 < LEARN_BUCKETS ? bits - first + 1 : LEARN_BUCKETS - 1;
}

static double least_of(size_t bucket)
{
    uint32_t bits = ((uint32_t)bucket - 1 + (LEAST << 3)) << MANTISSA;
    float value;

    if (bucket == 0)
        return 0;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double quantile_of(const struct learn *learn, size_t feature, double share)
{
    double below = 0;
    size_t i = 0;

    while (i + 1 < LEARN_BUCKETS && (below += learn->bucket[feature][i]) < share * learn->flows)
        i++;
    return least_of(i);
}

static double limit_of(enum counter counter, double greatest)
{
    double floor = limits[counter].limit, learned = 2 * greatest;

    if (learned > LEARN_CEILING * floor)
        learned = LEARN_CEILING * floor;
    return learned > floor ? learned : floor;
}

void learn_apply(struct learn *learn)
{
    bool over = learn_is_over(learn);

    for (int c = 0; c < COUNTERS; c++)
        learn->limit[c] = over ? limit_of((enum counter)c, learn->greatest[c]) : limits[c].limit;
    for (size_t i = 0; learn->model != NULL && i < model_features(learn->model); i++) {
        double *usual = learn->quantile[i], ceiling;

        model_quantiles(learn->model, i, usual);
        ceiling = LEARN_QUANTILES * usual[MODEL_QUANTILES - 1];
        for (size_t q = MEDIAN; over && learn->flows >= LEARN_FLOWS && q < MODEL_QUANTILES; q++) {
            double here = quantile_of(learn, i, shares[q]);

            here = here < ceiling ? here : ceiling;
            usual[q] = here > usual[q] ? here : usual[q];
        }
    }
}

void learn_init(struct learn *learn, const struct model *model, int64_t wanted_ns)
{
    memset(learn, 0, sizeof *learn);
    learn->model = model;
    learn->wanted_ns = wanted_ns;
    learn_apply(learn);
}

void learn_pause(struct learn *learn)
{
    learn->last_ns = 0;
    memset(learn->candidate, 0, sizeof learn->candidate);
}

bool learn_is_over(const struct learn *learn)
{
    return learn->seen_ns >= learn->wanted_ns;
}

void learn_value(struct learn *learn, enum counter counter, double value, const uint8_t source[16],
                 const uint8_t target[16], int64_t now_ns, learn_suspect *suspect, void *context)
{
    struct learn_candidate *place = NULL;

    if (learn_is_over(learn) || value >= limits[counter].limit || value <= learn->greatest[counter])
        return;
    for (size_t i = 0; i < LEARN_CANDIDATES; i++) {
        struct learn_candidate *c = &learn->candidate[i];

        if (c->used && c->counter == counter && memcmp(c->source, source, 16) == 0 &&
            memcmp(c->target, target, 16) == 0) {
            if (value > c->value) {
                c->value = value;
                c->since_ns = now_ns;
            }
            return;
        }
        if (!c->used && place == NULL)
            place = c;
    }
    if (place == NULL || suspect(context, source, target)) /* no place: what is not learned stays strict */
        return;
    *place = (struct learn_candidate){.used = true, .counter = counter, .value = value, .since_ns = now_ns};
    memcpy(place->source, source, 16);
    memcpy(place->target, target, 16);
}

void learn_flow(struct learn *learn, const float *row)
{
    if (learn_is_over(learn) || learn->flows == UINT32_MAX)
        return;
    for (size_t i = 0; i < model_features(learn->model); i++)
        learn->bucket[i][bucket_of(row[i])]++;
    learn->flows++;
}

bool learn_tick(struct learn *learn, int64_t now_ns, learn_suspect *suspect, void *context)
{
    int64_t passed = learn->last_ns == 0 ? 0 : now_ns - learn->last_ns;

    if (learn_is_over(learn))
        return false;
    learn->last_ns = now_ns;
    if (passed > 0)
        learn->seen_ns += passed < gap_ns ? passed : gap_ns;
    for (size_t i = 0; i < LEARN_CANDIDATES; i++) {
        struct learn_candidate *c = &learn->candidate[i];

        if (!c->used)
            continue;
        if (suspect(context, c->source, c->target)) {
            c->used = false;
        } else if (now_ns - c->since_ns >= wait_ns) {
            c->used = false;
            if (c->value > learn->greatest[c->counter])
                learn->greatest[c->counter] = c->value;
        }
    }
    if (!learn_is_over(learn))
        return false;
    learn_apply(learn);
    return true;
}
