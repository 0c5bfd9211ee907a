/* flow_signs.h: what one flow's sums, or its first packet, say by themselves. Reads only what it is given. */
#ifndef DETECTOR_FLOW_SIGNS_H
#define DETECTOR_FLOW_SIGNS_H

#include "detector/flow.h"

bool flow_is_opened(const struct flow *flow, const struct packet *packet); /* by its FLOW_ANSWERED */
bool flow_is_half_open(const struct flow *flow);
bool flow_is_slow_request(const struct flow *flow);
bool flow_is_one_way(const struct flow *flow);
bool flow_is_amplified(const struct flow *flow);
double flow_rate(const struct flow *flow);       /* packets forward a second */
uint64_t flow_question(const struct flow *flow); /* to a service that answers with much: alike for the same one */

bool packet_is_under_way(const struct packet *packet); /* in the middle of a connection by UDP */
bool packet_is_of_peer(const struct packet *packet);

#endif
