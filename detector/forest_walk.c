/* forest_walk.c: one row down all trees of a forest; see forest_model.h.
 *
 * Sixteen trees go down side by side in one register where the machine has AVX-512, ten in registers elsewhere (more
 * of them would be kept in memory): their cache misses and compares overlap, whatever the row looks like. Both find
 * the same leaves and add their values in the order of the trees, as scikit-learn does, so the sums are equal to the
 * last bit. */
#include "detector/forest_model.h"

#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { GROUP = 10, FEATURE_BITS = FOREST_FEATURE_BITS, FEATURE_MASK = FOREST_FEATURE_MASK };

static uint32_t step(const struct forest_node *nodes, const float *row, uint32_t at)
{
    struct forest_node node = nodes[at];

    return (node.go >> FEATURE_BITS) + (row[node.go & FEATURE_MASK] > node.threshold);
}

/* The leaves that GROUP trees from `tree` on lead to, walked side by side. */
static inline void walk_group(const struct forest *forest, const float *row, size_t tree, uint32_t at[GROUP])
{
    uint32_t moved;

#pragma GCC unroll 10
    for (size_t i = 0; i < GROUP; i++)
        at[i] = forest->root[tree + i < forest->trees ? tree + i : tree];
    do {
        moved = 0;
#pragma GCC unroll 10
        for (size_t i = 0; i < GROUP; i++) {
            uint32_t next = step(forest->node, row, at[i]);

            moved |= next ^ at[i];
            at[i] = next;
        }
    } while (moved != 0);
}

static size_t in_group(const struct forest *forest, size_t tree)
{
    return forest->trees - tree < GROUP ? forest->trees - tree : GROUP;
}

double forest_walk_plain(const struct forest *forest, const float *row)
{
    double sum = 0;

    for (size_t tree = 0; tree < forest->trees; tree += GROUP) {
        uint32_t at[GROUP];

        walk_group(forest, row, tree, at);
        for (size_t i = 0; i < in_group(forest, tree); i++)
            sum += forest->value[at[i]];
    }
    return sum;
}

/* Whether sum and what is left of the trees stay short of an alarm. */
static bool is_short(const struct forest *forest, enum forest_side side, double limit, double sum, size_t walked)
{
    return side == FOREST_FROM ? sum + forest->rest[walked] < limit : sum + forest->rest[walked] > limit;
}

bool forest_is_quiet(const struct forest *forest, enum forest_side side, double limit, const float *row)
{
    double sum = 0;

    for (size_t tree = 0; tree < forest->trees;) {
        size_t count = in_group(forest, tree);
        uint32_t at[GROUP];

        walk_group(forest, row, tree, at);
        for (size_t i = 0; i < count; i++)
            sum += forest->value[at[i]];
        tree += count;
        if (is_short(forest, side, limit, sum, tree))
            return true;
    }
    return false;
}

void forest_bound(struct forest *forest, enum forest_side side)
{
    for (size_t tree = forest->trees, end = forest->nodes; tree-- > 0; end = forest->root[tree]) {
        double best = side == FOREST_FROM ? -INFINITY : INFINITY;

        for (size_t i = forest->root[tree]; i < end; i++) {
            bool leaf = forest->node[i].go >> FEATURE_BITS == i;

            if (leaf && (side == FOREST_FROM ? forest->value[i] > best : forest->value[i] < best))
                best = forest->value[i];
        }
        forest->rest[tree] = forest->rest[tree + 1] + best;
    }
}

#if defined(__x86_64__)
enum { LANES = 16, WIDE = 4 }; /* registers under way at once */

/* The row itself lies in four registers, so that only the nodes are fetched from memory. */
__attribute__((target("avx512f"))) static double walk_avx512(const struct forest *forest, const float *row)
{
    const __m512 low = _mm512_loadu_ps(row), second = _mm512_loadu_ps(row + LANES);
    const __m512 third = _mm512_loadu_ps(row + 2 * LANES), high = _mm512_loadu_ps(row + 3 * LANES);
    const __m512i feature_mask = _mm512_set1_epi32(FEATURE_MASK), upper = _mm512_set1_epi32(2 * LANES);
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, one);
    double sum = 0;

    for (size_t tree = 0; tree < forest->trees; tree += LANES * WIDE) {
        size_t count = forest->trees - tree < LANES * WIDE ? forest->trees - tree : LANES * WIDE;
        uint32_t leaf[LANES * WIDE];
        __m512i at[WIDE];
        unsigned active = 0;

        for (unsigned w = 0; w < WIDE; w++) {
            size_t here = count > w * LANES ? count - w * LANES : 0;
            __mmask16 lanes = (__mmask16)(here >= LANES ? 0xffff : (1U << here) - 1);

            at[w] = _mm512_maskz_loadu_epi32(lanes, forest->root + tree + w * LANES);
            active |= lanes != 0 ? 1U << w : 0;
        }
        for (unsigned walking = active; walking != 0;) {
            for (unsigned w = 0; w < WIDE; w++) {
                __m512i first, last, go, feature, next;
                __m512 threshold, value, value_upper;

                if ((walking >> w & 1) == 0)
                    continue;
                first = _mm512_i32gather_epi64(_mm512_castsi512_si256(at[w]), forest->node, 8);
                last = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at[w], 1), forest->node, 8);
                threshold = _mm512_castsi512_ps(_mm512_permutex2var_epi32(first, even, last));
                go = _mm512_permutex2var_epi32(first, odd, last);
                feature = _mm512_and_si512(go, feature_mask);
                value = _mm512_permutex2var_ps(low, feature, second);
                value_upper = _mm512_permutex2var_ps(third, feature, high);
                value = _mm512_mask_mov_ps(value, _mm512_test_epi32_mask(feature, upper), value_upper);
                next = _mm512_srli_epi32(go, FEATURE_BITS);
                next = _mm512_mask_add_epi32(next, _mm512_cmp_ps_mask(value, threshold, _CMP_GT_OQ), next, one);
                if (_mm512_cmpneq_epi32_mask(next, at[w]) == 0)
                    walking &= ~(1U << w);
                at[w] = next;
            }
        }
        for (unsigned w = 0; w < WIDE; w++)
            _mm512_storeu_si512(leaf + w * LANES, at[w]);
        for (size_t i = 0; i < count; i++)
            sum += forest->value[leaf[i]];
    }
    return sum;
}
#endif

forest_walker *forest_walk_best(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return walk_avx512;
#endif
    return forest_walk_plain;
}

static double walk_tree_box(const struct forest *forest, size_t tree, const float *row, float *least, float *most)
{
    uint32_t at = forest->root[tree], next;

    for (next = step(forest->node, row, at); next != at; at = next, next = step(forest->node, row, at)) {
        struct forest_node node = forest->node[at];
        size_t f = node.go & FEATURE_MASK;

        if (row[f] > node.threshold)
            least[f] = node.threshold > least[f] ? node.threshold : least[f];
        else
            most[f] = node.threshold < most[f] ? node.threshold : most[f];
    }
    return forest->value[at];
}

double forest_walk_box(const struct forest *forest, const float *row, float *least, float *most)
{
    double sum = 0;

    for (size_t tree = 0; tree < forest->trees; tree++)
        sum += walk_tree_box(forest, tree, row, least, most);
    return sum;
}

bool forest_is_quiet_box(const struct forest *forest, enum forest_side side, double limit, const float *row,
                         float *least, float *most)
{
    double sum = 0;

    for (size_t tree = 0; tree < forest->trees; tree++) {
        sum += walk_tree_box(forest, tree, row, least, most);
        if (is_short(forest, side, limit, sum, tree + 1))
            return true;
    }
    return false;
}
