"""Flows and their 25 features, computed from docs/features.md and nothing else.

It keeps every packet of a flow and works with whole numbers and fractions, so that it shares neither method nor
rounding with the detector. `python -m tests.reference.flows FILE` prints the detector's CSV.
"""

import base64
import hashlib
import struct
import sys
from fractions import Fraction
from math import sqrt

from . import captures, packets

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
SECOND = 10**9
IDLE, ACTIVE, LINGER, BEHIND = 120 * SECOND, 1800 * SECOND, 5 * SECOND, 300 * SECOND
LATE_MAX, BEHIND_MAX = 64, 64

NAMES = (
    "duration total_fwd_packets total_bwd_packets flow_bytes_s flow_packets_s fwd_packet_length_mean "
    "bwd_packet_length_mean flow_iat_mean fwd_iat_mean bwd_iat_mean fwd_psh_flags bwd_psh_flags fwd_urg_flags "
    "bwd_urg_flags fwd_header_length bwd_header_length fwd_packets_s bwd_packets_s packet_length_mean "
    "packet_length_std packet_length_variance syn_flag_count rst_flag_count psh_flag_count ack_flag_count"
).split()
COLUMNS = "source_ip destination_ip source_port destination_port protocol first_seen last_seen end packets bytes community_id".split()
PROTOCOLS = {
    1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 8: "EGP", 17: "UDP", 33: "DCCP", 41: "IPV6", 46: "RSVP", 47: "GRE",
    50: "ESP", 51: "AH", 58: "ICMPV6", 88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP", 115: "L2TP", 132: "SCTP",
    136: "UDPLITE", 137: "MPLS",
}  # fmt: skip


class Flow:
    def __init__(self, packet, initiator, responder):
        self.initiator, self.responder = initiator, responder
        self.protocol = packet.protocol
        self.packets = []  # (time, forward?, packet)
        self.seen = 0  # the clock at the last packet
        self.end = "open"
        self.handshake = False  # a SYN was seen
        self.fins = []  # who sent a first FIN, in order: True for forward
        self.late = 0
        self.first = self.last = packet.time
        self.swallows = False  # ended by FIN or RST, not merely out of time

    def keep(self, time, forward, packet):
        self.first = min(self.first, time) if self.packets else time
        self.last = max(self.last, time) if self.packets else time
        self.packets.append((time, forward, packet))

    def idle_due(self):
        return self.seen + (LINGER if self.swallows else IDLE)

    def active_due(self):
        return self.seen - (self.last - self.first) + ACTIVE

    def row(self):
        row = {
            "source_ip": packets.text(self.initiator[0]),
            "destination_ip": packets.text(self.responder[0]),
            "source_port": self.initiator[1],
            "destination_port": self.responder[1],
            "protocol": PROTOCOLS.get(self.protocol, f"IP-{self.protocol}"),
            "first_seen": self.first,
            "last_seen": self.last,
            "end": self.end,
            "packets": len(self.packets),
            "bytes": sum(p.ip_bytes for _, _, p in self.packets),
            "community_id": community_id(self.initiator, self.responder, self.packets[0][2]),
        }
        return row | features(self.packets)


# Types of ICMP and ICMPv6 that ask, and that answer them.
ANSWERS = {
    packets.ICMP: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 10: 9, 9: 10, 17: 18, 18: 17},
    packets.ICMPV6: {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130, 144: 145, 145: 144, 139: 140, 140: 139},
}  # fmt: skip


def community_id(initiator, responder, first):
    """Version 1, seed 0, by the specification's pseudo code; first: the flow's first packet."""
    ends, one_way = [initiator, responder], False
    if first.protocol in ANSWERS:
        answer = ANSWERS[first.protocol].get(first.icmp_type)
        one_way = answer is None
        ends = [(initiator[0], first.icmp_type), (responder[0], first.icmp_code if one_way else answer)]
    if not one_way:
        ends.sort()
    text = struct.pack(">H", 0) + ends[0][0] + ends[1][0] + bytes([first.protocol, 0])
    if first.protocol in (packets.TCP, packets.UDP, packets.SCTP, *ANSWERS):
        text += struct.pack(">HH", ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(text).digest()).decode()


def mean(values):
    return float(Fraction(sum(values), len(values))) if values else 0.0


def variance(values):
    """Of the sample."""
    n = len(values)
    if n < 2:
        return Fraction(0)
    return Fraction(n * sum(v * v for v in values) - sum(values) ** 2, n * (n - 1))


def gap_mean(times):
    """The mean of the gaps between neighbours in order of time, in seconds."""
    times = sorted(times)
    gaps = [b - a for a, b in zip(times, times[1:])]
    return float(Fraction(sum(gaps), len(gaps) * SECOND)) if gaps else 0.0


def features(all_packets):
    both = [p for _, _, p in all_packets]
    fwd = [p for _, forward, p in all_packets if forward]
    bwd = [p for _, forward, p in all_packets if not forward]
    times = [t for t, _, _ in all_packets]
    duration = Fraction(max(times) - min(times), SECOND)
    lengths = [p.payload for p in both]

    def rate(amount):
        return float(amount / duration) if duration else 0.0

    def flag(group, bit):
        return sum(1 for p in group if p.protocol == packets.TCP and p.flags & bit)

    return {
        "duration": float(duration),
        "total_fwd_packets": len(fwd),
        "total_bwd_packets": len(bwd),
        "flow_bytes_s": rate(sum(lengths)),
        "flow_packets_s": rate(len(both)),
        "fwd_packet_length_mean": mean([p.payload for p in fwd]),
        "bwd_packet_length_mean": mean([p.payload for p in bwd]),
        "flow_iat_mean": gap_mean(times),
        "fwd_iat_mean": gap_mean([t for t, forward, _ in all_packets if forward]),
        "bwd_iat_mean": gap_mean([t for t, forward, _ in all_packets if not forward]),
        "fwd_psh_flags": flag(fwd, PSH),
        "bwd_psh_flags": flag(bwd, PSH),
        "fwd_urg_flags": flag(fwd, URG),
        "bwd_urg_flags": flag(bwd, URG),
        "fwd_header_length": sum(p.header for p in fwd),
        "bwd_header_length": sum(p.header for p in bwd),
        "fwd_packets_s": rate(len(fwd)),
        "bwd_packets_s": rate(len(bwd)),
        "packet_length_mean": mean(lengths),
        "packet_length_std": sqrt(variance(lengths)),
        "packet_length_variance": float(variance(lengths)),
        "syn_flag_count": flag(both, SYN),
        "rst_flag_count": flag(both, RST),
        "psh_flag_count": flag(both, PSH),
        "ack_flag_count": flag(both, ACK),
    }


class Table:
    def __init__(self):
        self.flows = {}  # by unordered ends and protocol; ended ones stay to be asked
        self.done = []
        self.clock = None
        self.behind = 0

    def finish_flow(self, flow, end, swallows=False):
        flow.end = end
        flow.swallows = swallows
        self.done.append(flow)

    def finish_all(self, end):
        for flow in self.flows.values():
            if flow.end != "open":
                continue
            idle, active = flow.idle_due(), flow.active_due()
            if min(idle, active) <= self.clock:
                self.finish_flow(flow, "active" if active < idle else "idle")
            else:
                self.finish_flow(flow, end)
        self.flows = {}

    def set_clock(self, time):
        if self.clock is None:
            self.clock = time
        elif time >= self.clock - BEHIND:
            self.behind = 0
            self.clock = max(self.clock, time)
        else:
            self.behind += 1
            if self.behind == BEHIND_MAX:
                self.behind = 0
                self.finish_all("idle")
                self.clock = time

    def add(self, packet):
        self.set_clock(packet.time)
        tcp = packet.protocol == packets.TCP
        handshake = packet.flags & (SYN | ACK) if tcp else 0
        opening, reply = handshake == SYN, handshake == SYN | ACK
        source, destination = packet.ends()
        key = (packet.version, packet.protocol, *sorted((source, destination)))
        flow = self.flows.get(key)
        keep = False
        if flow is not None:
            idle = self.clock >= flow.idle_due() or packet.time - flow.last >= IDLE
            if flow.end == "open":
                active = self.clock >= flow.active_due()
                if active and (not idle or flow.active_due() < flow.idle_due()):
                    self.finish_flow(flow, "active")
                elif idle:
                    self.finish_flow(flow, "idle")
                elif opening and flow.fins:
                    self.finish_flow(flow, "fin")
                else:
                    keep = True
            elif flow.swallows and not idle and not opening and flow.late < LATE_MAX:
                flow.late += 1
                return
            if not keep and not (idle or opening or reply):
                flow = self.flows[key] = Flow(packet, flow.initiator, flow.responder)
                keep = True
        if not keep:
            initiator, responder = (destination, source) if reply else (source, destination)
            flow = self.flows[key] = Flow(packet, initiator, responder)
        self.count(flow, packet, source, opening)

    def count(self, flow, packet, source, opening):
        forward = flow.initiator == source
        if opening and not forward and not flow.handshake:
            flow.initiator, flow.responder = flow.responder, flow.initiator
            flow.packets = [(t, not f, p) for t, f, p in flow.packets]
            flow.fins = [not f for f in flow.fins]
            forward = True
        time = packet.time
        if flow.packets and time < flow.last - BEHIND:
            time = flow.last
        flow.keep(time, forward, packet)
        flow.seen = self.clock
        flags = packet.flags if packet.protocol == packets.TCP else 0
        flow.handshake = flow.handshake or bool(flags & SYN)
        if flags & RST:
            self.finish_flow(flow, "rst", True)
        elif flags & FIN:
            if forward not in flow.fins:
                flow.fins.append(forward)
        elif len(flow.fins) == 2 and flags & (ACK | SYN) == ACK and forward == flow.fins[0]:
            self.finish_flow(flow, "fin", True)


def flows_of(frames):
    """Flows of (link, nanoseconds, bytes), in no order that matters; and how many frames were refused, by reason."""
    decoder, table, refused = packets.Decoder(), Table(), {}
    try:
        for link, time, frame in frames:
            try:
                table.add(decoder.decode(link, time, frame))
            except packets.Refused as why:
                refused[str(why)] = refused.get(str(why), 0) + 1
    except captures.Short:
        pass
    if table.clock is not None:
        table.finish_all("input")
    return [flow.row() for flow in table.done], refused


def main():
    rows, _ = flows_of(captures.read(sys.argv[1]))
    print(",".join(COLUMNS + NAMES))
    for row in rows:
        print(",".join(repr(row[name]) if isinstance(row[name], float) else str(row[name]) for name in COLUMNS + NAMES))


if __name__ == "__main__":
    main()
