"""Frames become packets: an independent reading of the headers, by docs/features.md and the RFCs."""

from dataclasses import dataclass
from ipaddress import ip_address
from struct import unpack

ICMP, IPIP, TCP, UDP, IPV6, GRE, AH, ICMPV6, SCTP = 1, 4, 6, 17, 41, 47, 51, 58, 132
EXTENSIONS = {0, 43, 44, 51, 60, 135, 139, 140}
FRAGMENT_NS = 30 * 10**9
TAGS = {0x8100, 0x88A8, 0x9100}


class Refused(Exception):
    """No packet for a flow; says why."""


@dataclass
class Packet:
    time: int = 0
    version: int = 0
    source: bytes = b""
    destination: bytes = b""
    source_port: int = 0
    destination_port: int = 0
    protocol: int = 0
    flags: int = 0
    ip_bytes: int = 0
    header: int = 0
    payload: int = 0
    icmp_type: int = 0
    icmp_code: int = 0

    def ends(self):
        return (self.source, self.source_port), (self.destination, self.destination_port)


def text(address):
    return str(ip_address(address))


def need(condition, why):
    if not condition:
        raise Refused(why)


class Decoder:
    def __init__(self):
        self.fragments = {}

    def decode(self, link, time, frame):
        packet = Packet(time=time)
        if link == 1:
            need(len(frame) >= 14, "cut_short")
            self.ethertype(packet, unpack(">H", frame[12:14])[0], frame[14:], 0)
        elif link in (101, 12, 14):
            self.ip(packet, frame)
        elif link == 228:
            self.ipv4(packet, frame)
        elif link == 229:
            self.ipv6(packet, frame)
        elif link in (0, 108):
            self.loopback(packet, frame)
        elif link == 113:
            need(len(frame) >= 16, "cut_short")
            self.cooked(packet, unpack(">H", frame[14:16])[0], frame[16:])
        elif link == 276:
            need(len(frame) >= 20, "cut_short")
            self.cooked(packet, unpack(">H", frame[:2])[0], frame[20:])
        elif link in (9, 50):
            self.ppp(packet, frame[2:] if frame[:2] == b"\xff\x03" else frame)
        else:
            raise Refused("unknown_link")
        return packet

    def loopback(self, packet, frame):
        need(len(frame) >= 4, "cut_short")
        family = unpack(">I", frame[:4])[0]
        if family > 0xFFFF:
            family = unpack("<I", frame[:4])[0]
        need(family in (2, 10, 24, 28, 30), "not_ip")
        (self.ipv4 if family == 2 else self.ipv6)(packet, frame[4:])

    def cooked(self, packet, kind, rest):
        if kind == 4:
            self.llc(packet, rest, 0)
        else:
            need(kind > 1501, "not_ip")
            self.ethertype(packet, kind, rest, 0)

    def llc(self, packet, data, layers):
        need(len(data) >= 3, "cut_short")
        need(len(data) >= 8 and data[:6] == b"\xaa\xaa\x03\0\0\0", "not_ip")
        self.ethertype(packet, unpack(">H", data[6:8])[0], data[8:], layers)

    def ethertype(self, packet, kind, data, layers):
        while kind in TAGS:
            need(len(data) >= 4, "cut_short")
            layers += 1
            need(layers <= 8, "too_deep")
            kind, data = unpack(">H", data[2:4])[0], data[4:]
        if kind == 0x0800:
            self.ipv4(packet, data)
        elif kind == 0x86DD:
            self.ipv6(packet, data)
        elif kind in (0x8847, 0x8848):
            self.mpls(packet, data)
        elif kind == 0x8864:
            need(len(data) >= 8, "cut_short")
            need(data[:2] == b"\x11\0", "bad_header")
            self.ppp(packet, data[6 : 6 + unpack(">H", data[4:6])[0]])
        elif kind <= 1501:
            need(layers + 1 <= 8, "too_deep")
            self.llc(packet, data[:kind], layers + 1)
        else:
            raise Refused("not_ip")

    def mpls(self, packet, data):
        for _ in range(8):
            need(len(data) >= 4, "cut_short")
            bottom, data = data[2] & 1, data[4:]
            if bottom:
                break
        else:
            raise Refused("too_deep")
        need(data, "cut_short")
        need(data[0] >> 4 in (4, 6), "not_ip")
        self.ip(packet, data)

    def ppp(self, packet, data):
        need(len(data) >= 2, "cut_short")
        protocol, data = (data[0], data[1:]) if data[0] & 1 else (unpack(">H", data[:2])[0], data[2:])
        if protocol == 0x21:
            self.ipv4(packet, data)
        elif protocol == 0x57:
            self.ipv6(packet, data)
        elif protocol == 0x281:
            self.mpls(packet, data)
        else:
            raise Refused("not_ip")

    def ip(self, packet, data):
        need(data, "cut_short")
        need(data[0] >> 4 in (4, 6), "bad_header")
        (self.ipv4 if data[0] >> 4 == 4 else self.ipv6)(packet, data)

    def ipv4(self, packet, data):
        need(data, "cut_short")
        head = (data[0] & 15) * 4
        need(data[0] >> 4 == 4 and head >= 20, "bad_header")
        need(len(data) >= 20, "cut_short")
        total, ident, fragment = unpack(">HHH", data[2:8])
        total = total or len(data)
        need(total >= head, "bad_header")
        data = data[:total]
        need(len(data) >= head, "cut_short")
        packet.version, packet.protocol, packet.ip_bytes = 4, data[9], total
        packet.source, packet.destination = data[12:16], data[16:20]
        more, offset = bool(fragment & 0x2000), (fragment & 0x1FFF) * 8
        self.payload(packet, data[head:], total - head, ident, offset, more)

    def ipv6(self, packet, data):
        need(data, "cut_short")
        need(data[0] >> 4 == 6, "bad_header")
        need(len(data) >= 40, "cut_short")
        total = 40 + unpack(">H", data[4:6])[0]
        if total == 40 and data[6] != 59:
            total = len(data)
        data = data[:total]
        packet.version, packet.ip_bytes = 6, total
        packet.source, packet.destination = data[8:24], data[24:40]
        following, at, ident, offset, more = data[6], 40, 0, 0, False
        count = 0
        while following in EXTENSIONS and offset == 0:
            need(count < 12, "too_deep")
            count += 1
            need(at + 8 <= total, "bad_header")
            need(at + 8 <= len(data), "cut_short")
            if following == 44:
                bits, ident = unpack(">HI", data[at + 2 : at + 8])
                offset, more, length = bits & 0xFFF8, bool(bits & 1), 8
            else:
                length = (data[at + 1] + 2) * 4 if following == AH else (data[at + 1] + 1) * 8
            following = data[at]
            at += length
            need(at <= total, "bad_header")
        need(at <= len(data), "cut_short")
        packet.protocol = following
        self.payload(packet, data[at:], total - at, ident, offset, more)

    def payload(self, packet, data, length, ident, offset, more):
        ported = packet.protocol in (TCP, UDP, SCTP)
        key = (packet.source, packet.destination, packet.protocol, ident)
        if offset > 0:
            if ported:
                first = self.fragments.get(key)
                need(first is not None and packet.time - first[0] <= FRAGMENT_NS, "fragment")
                packet.source_port, packet.destination_port = first[1:]
            packet.payload = length
            if packet.protocol == TCP and offset == 8 and len(data) >= 6:
                packet.flags = data[5]
            return
        if more and packet.protocol == TCP and 8 <= length < 20:
            need(len(data) >= 4, "cut_short")
            packet.source_port, packet.destination_port = unpack(">HH", data[:4])
            packet.flags = data[13] if len(data) > 13 else 0
            packet.header = length
        else:
            self.transport(packet, data, length)
        if more and ported:
            self.fragments[key] = (packet.time, packet.source_port, packet.destination_port)

    def transport(self, packet, data, length):
        header = {TCP: 20, UDP: 8, SCTP: 12, ICMP: 8, ICMPV6: 8}.get(packet.protocol, 0)
        need(length >= header, "bad_header")
        if packet.protocol == TCP:
            need(len(data) >= 16, "cut_short")
            header = (data[12] >> 4) * 4
            need(20 <= header <= length, "bad_header")
            packet.flags = data[13]
        elif packet.protocol in (ICMP, ICMPV6):
            need(len(data) >= 2, "cut_short")
            packet.icmp_type, packet.icmp_code = data[0], data[1]
        if packet.protocol in (TCP, UDP, SCTP):
            need(len(data) >= 4, "cut_short")
            packet.source_port, packet.destination_port = unpack(">HH", data[:4])
        packet.payload = length - header
        packet.header = 0 if packet.protocol == SCTP else header
