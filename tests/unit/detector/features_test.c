/* features_test.c: the numbers at their limits, and how they are written. */
#include "detector/features_csv.h"

#include "tests/unit/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t place(const char *name)
{
    for (size_t i = 0; i < FEATURES; i++)
        if (strcmp(features_names[i], name) == 0)
            return i;
    fail_msg("no feature %s", name);
    return 0;
}

static double value(const struct flow *flow, const char *name)
{
    double out[FEATURES];
    features_of(flow, out);
    return out[place(name)];
}

static struct flow one_packet(void)
{
    struct flow flow = {.packets = {1, 0}, .payload_bytes = {100, 0}, .header_bytes = {20, 0}, .length_mean = 100};
    flow.first_ns = flow.last_ns = flow.first_dir_ns[0] = flow.last_dir_ns[0] = 5000000000;
    return flow;
}

static void a_flow_of_one_packet_has_no_times_rates_or_spread(void **state)
{
    static const char *const zero[] = {
        "duration",      "flow_bytes_s",      "flow_packets_s",         "flow_iat_mean",
        "fwd_iat_mean",  "bwd_iat_mean",      "bwd_packet_length_mean", "fwd_packets_s",
        "bwd_packets_s", "packet_length_std", "packet_length_variance"};
    struct flow flow = one_packet();
    (void)state;
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        assert_true(value(&flow, zero[i]) == 0);
    assert_true(value(&flow, "packet_length_mean") == 100);
    assert_true(value(&flow, "fwd_packet_length_mean") == 100);
    assert_true(value(&flow, "fwd_header_length") == 20);
}

static void no_flow_gives_nan_or_infinity(void **state)
{
    struct flow flow = one_packet();
    double out[FEATURES];
    (void)state;
    flow.packets[0] = 2; /* two at the same time */
    features_of(&flow, out);
    for (size_t i = 0; i < FEATURES; i++)
        assert_true(isfinite(out[i]));
    memset(&flow, 0, sizeof flow);
    features_of(&flow, out);
    for (size_t i = 0; i < FEATURES; i++)
        assert_true(out[i] == 0);
    memset(&flow, 0xff, sizeof flow);
    flow.length_mean = flow.length_m2 = 1;
    flow.first_ns = flow.first_dir_ns[0] = flow.first_dir_ns[1] = 0;
    flow.last_ns = flow.last_dir_ns[0] = flow.last_dir_ns[1] = INT64_MAX;
    features_of(&flow, out);
    for (size_t i = 0; i < FEATURES; i++)
        assert_true(isfinite(out[i]));
}

static void each_number_is_what_the_document_says(void **state)
{
    /* Forward 0, 1.0 s, 3.0 s with 10, 20, 30 bytes; backward 0.5 s, 2.5 s with 100, 200 bytes. */
    struct flow flow = {.packets = {3, 2},
                        .payload_bytes = {60, 300},
                        .header_bytes = {72, 40},
                        .psh = {2, 1},
                        .urg = {1, 0},
                        .syn = 2,
                        .rst = 1,
                        .ack = 4,
                        .fin = 3,
                        .length_mean = 72,
                        .length_m2 = 25480};
    static const double expected[FEATURES] = {3, 3,  2,  120, 5 / 3.0, 20, 150, 0.75, 1.5, 2, 2, 1, 1,
                                              0, 72, 40, 1,   2 / 3.0, 72, 0,   6370, 2,   1, 3, 4};
    double out[FEATURES];
    (void)state;
    flow.last_ns = flow.last_dir_ns[0] = 3000000000;
    flow.first_dir_ns[1] = 500000000;
    flow.last_dir_ns[1] = 2500000000;
    features_of(&flow, out);
    for (size_t i = 0; i < FEATURES; i++) {
        double want = i == place("packet_length_std") ? sqrt(6370) : expected[i];
        if (fabs(out[i] - want) > 1e-12)
            fail_msg("%s is %.17g, not %.17g", features_names[i], out[i], want);
    }
}

static size_t commas(const char *line)
{
    size_t n = 0;
    for (; *line != '\0'; line++)
        n += *line == ',';
    return n;
}

static void the_csv_has_a_name_for_each_value(void **state)
{
    char own[FEATURES_CSV_LINE], cic[FEATURES_CSV_LINE], row[FEATURES_CSV_LINE];
    struct flow flow = one_packet();
    (void)state;
    size_t n = features_csv_header(FEATURES_CSV_OWN, own);
    assert_int_equal(n, strlen(own));
    n = features_csv_header(FEATURES_CSV_CICFLOWMETER, cic);
    assert_int_equal(n, strlen(cic));
    n = features_csv_row(&flow, row);
    assert_int_equal(n, strlen(row));
    assert_int_equal(commas(own), 35);
    assert_int_equal(commas(cic), 35);
    assert_int_equal(commas(row), 35);
    assert_non_null(strstr(own,
                           "source_ip,destination_ip,source_port,destination_port,protocol,first_seen,last_seen,end,"
                           "packets,bytes,community_id,duration,total_fwd_packets,"));
    assert_non_null(strstr(cic, ",Flow Duration,Total Fwd Packets,Total Backward Packets,Flow Bytes/s,"));
}

static void a_row_is_written_like_this(void **state)
{
    char row[FEATURES_CSV_LINE];
    struct flow flow = one_packet();
    (void)state;
    flow.protocol = 17;
    flow.port[0] = 53;
    flow.port[1] = 65535;
    flow.end = FLOW_END_IDLE;
    flow.ip_bytes[0] = 128;
    flow.packets[0] = 2;
    flow.last_ns += 1;
    flow.address[0][10] = flow.address[0][11] = 0xff;
    flow.address[0][12] = 10;
    flow.address[1][0] = 0x20;
    features_csv_row(&flow, row);
    assert_string_equal(
        row, "10.0.0.0,2000::,53,65535,UDP,1970-01-01T00:00:05.000000000Z,1970-01-01T00:00:05.000000001Z,idle,"
             "2,128,1:XVnmbcMZyfqbz9ogPVPDopRUpBo=,1e-09,2,0,100000000000,2000000000,50,0,1e-09,0,0,0,0,0,0,20,0,"
             "2000000000,0,50,0,0,0,0,0,0\n");
}

static void numbers_read_back_as_they_were(void **state)
{
    char row[FEATURES_CSV_LINE];
    struct flow flow = one_packet();
    (void)state;
    flow.packets[0] = 3;
    flow.payload_bytes[0] = 100;
    features_csv_row(&flow, row);
    const char *at = row;
    for (size_t i = 0; i < 11 + place("fwd_packet_length_mean"); i++)
        at = strchr(at, ',') + 1;
    assert_true(strtod(at, NULL) == 100 / 3.0);
}

static void the_longest_line_fits(void **state)
{
    char row[FEATURES_CSV_LINE];
    struct flow flow;
    (void)state;
    memset(&flow, 0xff, sizeof flow);
    flow.length_mean = 1 / 3.0;
    flow.length_m2 = 1e300 / 3;
    flow.first_ns = 0;
    flow.last_ns = INT64_MAX;
    assert_in_range(features_csv_row(&flow, row), 400, FEATURES_CSV_LINE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_of_one_packet_has_no_times_rates_or_spread),
        cmocka_unit_test(no_flow_gives_nan_or_infinity),
        cmocka_unit_test(each_number_is_what_the_document_says),
        cmocka_unit_test(the_csv_has_a_name_for_each_value),
        cmocka_unit_test(a_row_is_written_like_this),
        cmocka_unit_test(numbers_read_back_as_they_were),
        cmocka_unit_test(the_longest_line_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
