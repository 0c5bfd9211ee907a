/* Tests of forest.h on the shipped model and on damaged copies of it. */
#include "tests/unit/check.h"

#include "common/token.h"
#include "detector/forest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_LINE = sizeof "threatline-model 2 " - 1 + TOKEN_HASH - 1 + 1 };

struct file {
    char *bytes;
    size_t length;
};

static int read_model(void **state)
{
    struct file *file = calloc(1, sizeof *file);
    FILE *in = fopen("models/threatline.model", "rb");

    assert_non_null(in);
    fseek(in, 0, SEEK_END);
    file->length = (size_t)ftell(in);
    rewind(in);
    file->bytes = malloc(file->length);
    assert_int_equal(fread(file->bytes, 1, file->length, in), file->length);
    fclose(in);
    *state = file;
    return token_setup() ? 0 : -1;
}

static int drop_model(void **state)
{
    struct file *file = *state;

    free(file->bytes);
    free(file);
    return 0;
}

/* A copy with one text in the header replaced by another of the same length, and a checksum that is right again. */
static char *changed(const struct file *file, const char *from, const char *to)
{
    char *copy = malloc(file->length), hash[TOKEN_HASH];
    char *at;

    memcpy(copy, file->bytes, file->length);
    at = memmem(copy, file->length, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    token_hash(copy + FIRST_LINE, file->length - FIRST_LINE, hash);
    memcpy(copy + FIRST_LINE - TOKEN_HASH, hash, TOKEN_HASH - 1);
    return copy;
}

static void assert_refused(const char *bytes, size_t length, const char *why)
{
    struct err err = {0};

    assert_null(model_read(bytes, length, &err));
    if (strstr(err.text, why) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", why, err.text);
}

static void the_shipped_model_is_read(void **state)
{
    struct err err = {0};
    struct model *model = model_load("models", &err);
    double quantiles[7];

    (void)state;
    assert_non_null(model);
    assert_true(model_features(model) >= 25);
    assert_string_equal(model_feature_name(model, 0), "duration");
    assert_int_equal(strlen(model_name(model)), 12);
    model_quantiles(model, 1, quantiles);
    assert_true(quantiles[0] <= quantiles[3] && quantiles[3] <= quantiles[6]);
    model_free(model);
}

static void contributions_add_up_to_the_score(void **state)
{
    struct model *model = model_load("models", NULL);
    float row[MODEL_FEATURES_MAX];
    double part[MODEL_FEATURES_MAX], base, sum;
    struct score score;
    unsigned seed = 1;

    (void)state;
    for (int turn = 0; turn < 500; turn++) {
        for (size_t i = 0; i < MODEL_FEATURES_MAX; i++) {
            seed = seed * 1664525 + 1013904223;
            row[i] = (float)(seed >> 8) / (turn % 2 == 0 ? 1e3F : 1e6F);
        }
        model_score(model, row, &score);
        model_contributions(model, row, &base, part);
        sum = base;
        for (size_t i = 0; i < model_features(model); i++)
            sum += part[i];
        assert_true(fabs(sum - score.rf) < 1e-12);
        assert_true(score.rf >= 0 && score.rf <= 1);
        assert_true(model_confidence(model, score.rf) >= 0 && model_confidence(model, score.rf) <= 1);
        assert_true(model_iso_percentile(model, score.iso) >= 0 && model_iso_percentile(model, score.iso) <= 1);
    }
    model_free(model);
}

static void many_rows_score_as_single_rows(void **state)
{
    struct model *model = model_load("models", NULL);
    float *rows = calloc(100 * MODEL_FEATURES_MAX, sizeof *rows);
    struct score one, all[100];
    size_t width = model_features(model);

    (void)state;
    for (size_t i = 0; i < 100 * width; i++)
        rows[i] = (float)(i * 7919 % 4001);
    model_score_rows(model, rows, 100, all);
    for (size_t i = 0; i < 100; i++) {
        model_score(model, rows + i * width, &one);
        assert_memory_equal(&one, &all[i], sizeof one);
    }
    free(rows);
    model_free(model);
}

static void the_curve_holds_the_shipped_thresholds_and_what_they_cost(void **state)
{
    struct model *model = model_load("models", NULL);
    struct model_budget row;
    size_t shipped = 0;

    (void)state;
    for (size_t i = 0; i < model_budgets(model); i++) {
        model_budget(model, i, &row);
        shipped += row.rf == model_rf_threshold(model) && row.iso == model_iso_threshold(model);
        assert_true(row.expected > 0 && row.expected < 1e6);
    }
    assert_true(shipped > 0);
    model_free(model);
}

static void shares_of_benign_flows_are_one_together(void **state)
{
    struct model *model = model_load("models", NULL);
    double share[MODEL_QUANTILES + 1], sum = 0;

    (void)state;
    model_shares(model, 0, share);
    for (size_t i = 0; i <= MODEL_QUANTILES; i++)
        sum += share[i];
    assert_true(fabs(sum - 1) < 1e-6);
    assert_true(share[3] > 0.15 && share[3] < 0.35); /* between the quarter and the half */
    model_free(model);
}

static void a_curve_or_shares_that_cannot_be_are_refused(void **state)
{
    struct file *file = *state;
    char *copy = changed(file, "budget-rows 1", "budget-rows -");

    assert_refused(copy, file->length, "budget");
    free(copy);
    copy = changed(file, "budgets 10.0 0.9", "budgets 10.0 0.1"); /* the next one would be stricter */
    assert_refused(copy, file->length, "ever looser");
    free(copy);
    copy = changed(file, "budgets-count", "budgets.count");
    assert_refused(copy, file->length, "budgets-count");
    free(copy);
    copy = changed(file, "feature fwd_urg_flags 0.0 0.0 0.0 0.0 0.0 0.0 0.0 1",
                   "feature fwd_urg_flags 0.0 0.0 0.0 0.0 0.0 0.0 0.0 7");
    assert_refused(copy, file->length, "8 shares");
    free(copy);
}

static void a_flipped_bit_is_refused(void **state)
{
    struct file *file = *state;

    for (size_t at = FIRST_LINE; at < file->length; at += file->length / 50) {
        file->bytes[at] ^= 4;
        assert_refused(file->bytes, file->length, "damaged");
        file->bytes[at] ^= 4;
    }
}

static void a_cut_file_is_refused(void **state)
{
    struct file *file = *state;

    for (size_t length = 0; length < file->length; length += length < 200 ? 1 : file->length / 20)
        assert_refused(file->bytes, length, "model");
}

static void another_extractor_format_or_feature_list_is_refused(void **state)
{
    struct file *file = *state;
    char *copy = changed(file, "extractor 1\n", "extractor 9\n");

    assert_refused(copy, file->length, "extractor 9");
    free(copy);
    copy = changed(file, "feature total_bwd_packets", "feature total_fwd_packets");
    assert_refused(copy, file->length, "twice");
    free(copy);
    copy = changed(file, "iso-offset -", "iso-offset x");
    assert_refused(copy, file->length, "iso-offset");
    free(copy);
    assert_refused("threatline-model 1 x\n", 21, "another format");
    assert_refused("\x80\x04sklearn.ensemble pickle", 25, "no model file");
}

static void a_missing_file_is_named(void **state)
{
    struct err err = {0};

    (void)state;
    assert_null(model_load("no/such/model", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no/such/model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_model_is_read),
        cmocka_unit_test(contributions_add_up_to_the_score),
        cmocka_unit_test(many_rows_score_as_single_rows),
        cmocka_unit_test(the_curve_holds_the_shipped_thresholds_and_what_they_cost),
        cmocka_unit_test(shares_of_benign_flows_are_one_together),
        cmocka_unit_test(a_curve_or_shares_that_cannot_be_are_refused),
        cmocka_unit_test(a_flipped_bit_is_refused),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(another_extractor_format_or_feature_list_is_refused),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, read_model, drop_model);
}
