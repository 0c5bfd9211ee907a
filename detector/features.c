/* features.c: the sums of a flow become its 25 numbers. docs/features.md says what each means. */
#include "detector/features.h"

#include <math.h>

const char *const features_names[FEATURES] = {
    "duration",
    "total_fwd_packets",
    "total_bwd_packets",
    "flow_bytes_s",
    "flow_packets_s",
    "fwd_packet_length_mean",
    "bwd_packet_length_mean",
    "flow_iat_mean",
    "fwd_iat_mean",
    "bwd_iat_mean",
    "fwd_psh_flags",
    "bwd_psh_flags",
    "fwd_urg_flags",
    "bwd_urg_flags",
    "fwd_header_length",
    "bwd_header_length",
    "fwd_packets_s",
    "bwd_packets_s",
    "packet_length_mean",
    "packet_length_std",
    "packet_length_variance",
    "syn_flag_count",
    "rst_flag_count",
    "psh_flag_count",
    "ack_flag_count",
};

const char *const features_cic_names[FEATURES] = {
    "Flow Duration",          "Total Fwd Packets",      "Total Backward Packets", "Flow Bytes/s",
    "Flow Packets/s",         "Fwd Packet Length Mean", "Bwd Packet Length Mean", "Flow IAT Mean",
    "Fwd IAT Mean",           "Bwd IAT Mean",           "Fwd PSH Flags",          "Bwd PSH Flags",
    "Fwd URG Flags",          "Bwd URG Flags",          "Fwd Header Length",      "Bwd Header Length",
    "Fwd Packets/s",          "Bwd Packets/s",          "Packet Length Mean",     "Packet Length Std",
    "Packet Length Variance", "SYN Flag Count",         "RST Flag Count",         "PSH Flag Count",
    "ACK Flag Count",
};

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

/* 0 where the question makes no sense: no time, no packets. */
static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* The gaps between n packets add up to the time between the first and the last. */
static double gap_mean(int64_t first, int64_t last, uint64_t packets)
{
    return packets > 1 ? seconds(last - first) / (double)(packets - 1) : 0;
}

void features_of(const struct flow *flow, double out[FEATURES])
{
    const uint64_t *packets = flow->packets, *payload = flow->payload_bytes;
    double fwd = (double)packets[0], bwd = (double)packets[1], all = fwd + bwd;
    double duration = seconds(flow->last_ns - flow->first_ns);
    double variance = all > 1 ? flow->length_m2 / (all - 1) : 0;

    out[0] = duration;
    out[1] = fwd;
    out[2] = bwd;
    out[3] = ratio((double)(payload[0] + payload[1]), duration);
    out[4] = ratio(all, duration);
    out[5] = ratio((double)payload[0], fwd);
    out[6] = ratio((double)payload[1], bwd);
    out[7] = gap_mean(flow->first_ns, flow->last_ns, packets[0] + packets[1]);
    out[8] = gap_mean(flow->first_dir_ns[0], flow->last_dir_ns[0], packets[0]);
    out[9] = gap_mean(flow->first_dir_ns[1], flow->last_dir_ns[1], packets[1]);
    out[10] = flow->psh[0];
    out[11] = flow->psh[1];
    out[12] = flow->urg[0];
    out[13] = flow->urg[1];
    out[14] = (double)flow->header_bytes[0];
    out[15] = (double)flow->header_bytes[1];
    out[16] = ratio(fwd, duration);
    out[17] = ratio(bwd, duration);
    out[18] = ratio((double)(payload[0] + payload[1]), all);
    out[19] = sqrt(variance);
    out[20] = variance;
    out[21] = flow->syn;
    out[22] = flow->rst;
    out[23] = (double)flow->psh[0] + flow->psh[1];
    out[24] = flow->ack;
}
