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

/* 0 where the question makes no sense: no packets. */
static double mean(uint64_t sum, uint64_t count)
{
    return count > 0 ? (double)sum / (double)count : 0;
}

/* A second; 0 when no time has passed. */
static double rate(uint64_t amount, int64_t ns)
{
    return ns > 0 ? (double)amount * 1e9 / (double)ns : 0;
}

/* In seconds. The gaps between n packets add up to the time between the first and the last. */
static double gap_mean(int64_t first, int64_t last, uint64_t packets)
{
    return packets > 1 ? (double)(last - first) / (1e9 * (double)(packets - 1)) : 0;
}

void features_of(const struct flow *flow, double out[FEATURES])
{
    const uint64_t *packets = flow->packets, *payload = flow->payload_bytes;
    uint64_t all = packets[0] + packets[1], bytes = payload[0] + payload[1];
    int64_t duration = flow->last_ns - flow->first_ns;
    double variance = all > 1 ? flow->length_m2 / (double)(all - 1) : 0;

    out[0] = (double)duration / 1e9;
    out[1] = (double)packets[0];
    out[2] = (double)packets[1];
    out[3] = rate(bytes, duration);
    out[4] = rate(all, duration);
    out[5] = mean(payload[0], packets[0]);
    out[6] = mean(payload[1], packets[1]);
    out[7] = gap_mean(flow->first_ns, flow->last_ns, all);
    out[8] = gap_mean(flow->first_dir_ns[0], flow->last_dir_ns[0], packets[0]);
    out[9] = gap_mean(flow->first_dir_ns[1], flow->last_dir_ns[1], packets[1]);
    out[10] = flow->psh[0];
    out[11] = flow->psh[1];
    out[12] = flow->urg[0];
    out[13] = flow->urg[1];
    out[14] = (double)flow->header_bytes[0];
    out[15] = (double)flow->header_bytes[1];
    out[16] = rate(packets[0], duration);
    out[17] = rate(packets[1], duration);
    out[18] = mean(bytes, all);
    out[19] = sqrt(variance);
    out[20] = variance;
    out[21] = flow->syn;
    out[22] = flow->rst;
    out[23] = (double)flow->psh[0] + flow->psh[1];
    out[24] = flow->ack;
}
