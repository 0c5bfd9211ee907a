/* classify.c: see classify.h. */
#include "detector/classify.h"

#include <string.h>

enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, MANY_PACKETS = 100 };

static const struct {
    uint16_t port;
    const char *type;
} by_port[] = {
    {21, "brute_force"},  {22, "brute_force"},  {23, "brute_force"},   {110, "brute_force"},
    {143, "brute_force"}, {445, "brute_force"}, {3389, "brute_force"}, {5900, "brute_force"},
    {80, "web_attack"},   {443, "web_attack"},  {8080, "web_attack"},
};

static const struct {
    const char *type, *counter, *mitre; /* counter NULL: any other */
} by_type[] = {
    {"port_scan", NULL, "[\"T1046\",\"T1595.001\"]"},
    {"brute_force", NULL, "[\"T1110\"]"},
    {"web_attack", "request_sizes", "[\"T1595.003\",\"T1190\"]"},
    {"web_attack", NULL, "[\"T1190\"]"},
    {"ddos", "reflectors", "[\"T1498.002\"]"},
    {"ddos", NULL, "[\"T1498.001\"]"},
    {"dos", "slow_requests", "[\"T1499.002\"]"},
    {"dos", "renegotiations", "[\"T1499.002\"]"},
    {"dos", "lease_makers", "[\"T1499.002\"]"},
    {"dos", NULL, "[\"T1498.001\"]"},
    {"udp_flood", NULL, "[\"T1498.001\"]"},
    {"data_exfiltration", "icmp_unlike_replies", "[\"T1048\",\"T1095\"]"},
    {"data_exfiltration", NULL, "[\"T1048\",\"T1071.004\"]"},
    {"suspicious_tcp", "exploit_messages", "[\"T1210\",\"T1190\"]"},
    {"suspicious_udp", "exploit_datagrams", "[\"T1210\",\"T1190\"]"},
    {"malware", "missing_names", "[\"T1568.002\"]"},
    {"suspicious_udp", "claimed_names", "[\"T1557.001\"]"},
    {"anomaly", "forged_addresses", "[\"T1557.002\"]"},
    {"malware", NULL, "[\"T1071\"]"},
};

const char *classify_flow(const struct flow *flow)
{
    uint16_t port = flow->port[FLOW_BACKWARD];

    for (size_t i = 0; i < sizeof by_port / sizeof by_port[0]; i++) {
        if (flow->protocol == PROTOCOL_TCP && by_port[i].port == port)
            return by_port[i].type;
    }
    if (flow->protocol == PROTOCOL_UDP)
        return flow->packets[0] + flow->packets[1] > MANY_PACKETS ? "ddos" : "suspicious_udp";
    return flow->protocol == PROTOCOL_TCP ? "suspicious_tcp" : "anomaly";
}

const char *classify_mitre(const char *type, const char *counter)
{
    for (size_t i = 0; i < sizeof by_type / sizeof by_type[0]; i++) {
        if (strcmp(by_type[i].type, type) == 0 &&
            (by_type[i].counter == NULL || (counter != NULL && strcmp(by_type[i].counter, counter) == 0)))
            return by_type[i].mitre;
    }
    return "[]";
}

double classify_confidence(const struct evidence *evidence)
{
    double doubt = 0.25 * evidence->limit / evidence->value;

    return doubt < 0.01 ? 0.99 : doubt > 0.25 ? 0.75 : 1.0 - doubt;
}
