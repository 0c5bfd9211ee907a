"""Random traffic for hypothesis: few ends, so that packets meet, and times that repeat, jump and run backwards."""

import struct

import dpkt
from hypothesis import strategies as st

LINKS = (1, 101, 113, 276, 0)
START = 1_700_000_000 * 10**9
HOSTS = (b"\x0a\0\0\1", b"\x0a\0\0\2", bytes(15) + b"\1", b"\x20\1\x0d\xb8" + bytes(11) + b"\7")
# Limits of every rule about time, just below, at and above them, and stranger ones.
PAUSES = [0, 1, 10**3, 10**6, 10**8, 4_999_999_999, 5_000_000_000, 119_999_999_999, 120 * 10**9, 61 * 10**9]
PAUSES += [600 * 10**9, 1799 * 10**9, 1801 * 10**9, -1, -(10**6), -(10**9), -301 * 10**9, 10**16, -(10**16)]


@st.composite
def _frame(draw):
    six = draw(st.integers(0, 3)) == 0
    hosts = HOSTS[2:] if six else HOSTS[:2]
    source, destination = draw(st.sampled_from([hosts, hosts[::-1], (hosts[0], hosts[0])]))
    sport, dport = draw(st.sampled_from([(1025, 80), (80, 1025), (1026, 80), (80, 80)]))
    protocol = draw(st.sampled_from([6, 6, 6, 17, 132, 58 if six else 1, 47]))
    payload = bytes(draw(st.sampled_from([0, 0, 1, 6, 100, 1400])))
    if protocol == 6:
        options = b"\1" * draw(st.sampled_from([0, 4, 12, 40]))
        flags = draw(st.one_of(st.sampled_from([2, 18, 16, 24, 17, 20, 4, 0]), st.integers(0, 255)))
        inner = bytes(dpkt.tcp.TCP(sport=sport, dport=dport, flags=flags, opts=options, data=payload, win=0))
    elif protocol == 17:
        inner = bytes(dpkt.udp.UDP(sport=sport, dport=dport, ulen=8 + len(payload), data=payload))
    elif protocol == 132:
        inner = struct.pack(">HHII", sport, dport, 0, 0) + payload
    elif protocol in (1, 58):
        inner = bytes([draw(st.sampled_from([8, 0, 3, 128, 129])), 0]) + bytes(6) + payload
    else:
        inner = bytes(4) + payload
    packet = _ip(draw, six, source, destination, protocol, inner)
    return packet if draw(st.integers(0, 5)) else _in_a_tunnel(draw, packet)


def _in_a_tunnel(draw, packet):
    six = packet[0] >> 4 == 6
    kind = 0x86DD if six else 0x0800
    way = draw(st.sampled_from(["ip", "gre", "keyed", "bridged", "vxlan"]))
    frame = bytes(12) + struct.pack(">H", kind) + packet
    if way == "ip":
        return _ip(draw, False, HOSTS[0], HOSTS[1], 41 if six else 4, packet)
    if way == "vxlan":
        return _ip(draw, False, HOSTS[0], HOSTS[1], 17, struct.pack(">HHHH", 1025, 4789, 16 + len(frame), 0) + b"\x08" + bytes(7) + frame)
    if way == "bridged":
        return _ip(draw, False, HOSTS[0], HOSTS[1], 47, b"\0\0\x65\x58" + frame)
    flags, more = (0x2000, bytes(4)) if way == "keyed" else (0, b"")
    return _ip(draw, False, HOSTS[0], HOSTS[1], 47, struct.pack(">HH", flags, kind) + more + packet)


def _ip(draw, six, source, destination, protocol, inner):
    part = draw(st.sampled_from([None] * 8 + [(0, 1), (1, 0), (1, 1), (3, 0)]))  # offset in 8 bytes, more
    ident = draw(st.integers(1, 2))
    if six:
        head = b""
        if draw(st.booleans()):
            head, protocol = bytes([protocol, 0]) + bytes(6), 60
        if part is not None:
            head = struct.pack(">BBHI", protocol, 0, part[0] << 3 | part[1], ident) + head
            protocol = 44
        body = head + inner
        return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + source + destination + body
    offset, more = part or (0, 0)
    options = b"\1" * draw(st.sampled_from([0, 0, 0, 4, 40]))
    total = 20 + len(options) + len(inner)
    if draw(st.integers(0, 19)) == 0:
        total = 0
    return (
        struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, total, ident, more << 13 | offset, 64, protocol, 0)
        + source + destination + options + inner
    )  # fmt: skip


@st.composite
def conversations(draw):
    """A list of (nanoseconds, IP packet, cut to, tags)."""
    time, out = START, []
    pool = draw(st.lists(_frame(), min_size=1, max_size=12))
    for _ in range(draw(st.integers(1, 150))):
        time = max(0, time + draw(st.sampled_from(PAUSES)))
        packet = draw(st.sampled_from(pool))
        cut = draw(st.sampled_from([None] * 9 + [60]))
        out.append((min(time, 4_000_000_000 * 10**9), packet, cut, draw(st.sampled_from(TAGS))))
    return out


TAGS = ((), (), (), ("vlan",), ("qinq", "vlan"), ("mpls",), ("mpls", "mpls"), ("pppoe",), ("vlan", "pppoe"), ("vlan",) * 9)


def _tagged(tags, kind, packet):
    """EtherType and what follows it; the first tag is the outermost."""
    for tag in reversed(tags):
        if tag == "pppoe":
            packet = struct.pack(">BBHHH", 0x11, 0, 1, len(packet) + 2, {0x86DD: 0x57, 0x8847: 0x281}.get(kind, 0x21)) + packet
            kind = 0x8864
        elif tag == "mpls":
            packet = bytes([0, 1, kind != 0x8847, 64]) + packet
            kind = 0x8847
        else:
            packet = struct.pack(">HH", 100, kind) + packet
            kind = 0x88A8 if tag == "qinq" else 0x8100
    return struct.pack(">H", kind) + packet


def _link(link, packet, tags=()):
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    if link == 1:
        return (bytes(12) + _tagged(tags, kind, packet)).ljust(60, b"\x55")
    if link == 113:
        return bytes(14) + struct.pack(">H", kind) + packet
    if link == 276:
        return struct.pack(">H", kind) + bytes(18) + packet
    if link == 0:
        return struct.pack("<I", 10 if kind == 0x86DD else 2) + packet
    return packet


def pcap(frames, link):
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, link)]
    for time, packet, cut, tags in frames:
        frame = _link(link, packet, tags)
        kept = frame[:cut]
        out.append(struct.pack("<IIII", time // 10**9, time % 10**9, len(kept), len(frame)) + kept)
    return b"".join(out)
