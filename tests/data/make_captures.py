"""Makes one small capture for each odd case; what the detector must print for it stands in tests/data/flows/NAME.csv.

`python -m tests.data.make_captures FOLDER` writes them all. The same bytes come out each time.
"""

import gzip
import struct
import sys
from pathlib import Path

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
START = 1_700_000_000
CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
CLIENT6, SERVER6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01", b"\x20\x01\x0d\xb8" + bytes(11) + b"\x02"
ETHERNET, LOOPBACK, RAW, SLL2 = 1, 0, 101, 276
LOOP, PPP, SLL, IPV4, IPV6 = 108, 9, 113, 228, 229


def tcp_header(sport, dport, flags, options=b""):
    return struct.pack(">HHIIBBHHH", sport, dport, 1, 1, (5 + len(options) // 4) << 4, flags, 512, 0, 0) + options


def udp_header(sport, dport, payload):
    return struct.pack(">HHHH", sport, dport, 8 + payload, 0)


def ipv4(source, destination, protocol, body, ident=1, fragment=0, options=b"", total=None):
    total = 20 + len(options) + len(body) if total is None else total
    head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, total, ident, fragment, 64, protocol, 0)
    return head + source + destination + options + body


def ipv6(source, destination, following, body):
    return struct.pack(">IHBB", 6 << 28, len(body), following, 64) + source + destination + body


def tcp(who, flags, payload=b"", options=b"", port=1025):
    """Client (10.0.0.1, port 1025) and server (10.0.0.2, port 80)."""
    if who == "c":
        return ipv4(CLIENT, SERVER, 6, tcp_header(port, 80, flags, options) + payload)
    return ipv4(SERVER, CLIENT, 6, tcp_header(80, port, flags, options) + payload)


def udp(payload=b"", port=1025, back=False):
    ends, ports = ((SERVER, CLIENT), (53, port)) if back else ((CLIENT, SERVER), (port, 53))
    return ipv4(*ends, 17, udp_header(*ports, len(payload)) + payload)


def vxlan(frame):
    return ipv4(CLIENT, SERVER, 17, udp_header(50000, 4789, 8 + len(frame)) + b"\x08" + bytes(7) + frame)


def ethernet(packet, kind=None):
    kind = kind or struct.pack(">H", 0x86DD if packet[0] >> 4 == 6 else 0x0800)
    return (b"\x02" + bytes(4) + b"\x02\x02" + bytes(4) + b"\x01" + kind + packet).ljust(60, b"\x55")


def pcap(frames, link=ETHERNET, order="<", nano=False, cut=None):
    """frames: (seconds since START as a string or number, bytes)."""
    out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)]
    for time, frame in frames:
        ns = nanoseconds(time)
        kept = frame[:cut]
        fraction = ns % 10**9 // (1 if nano else 1000)
        out.append(struct.pack(order + "IIII", START + ns // 10**9, fraction, len(kept), len(frame)) + kept)
    return b"".join(out)


def nanoseconds(time):
    whole, _, fraction = str(time).partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)


def pcapng(frames):
    """Two interfaces, one in microseconds, one in nanoseconds; frames: (interface, seconds, bytes)."""

    def block(kind, body):
        body = body.ljust((len(body) + 3) // 4 * 4, b"\0")
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    out.append(block(1, struct.pack("<HHI", 1, 0, 65535)))
    out.append(block(1, struct.pack("<HHI", 1, 0, 65535) + struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)))
    for number, time, frame in frames:
        ticks = (START * 10**9 + nanoseconds(time)) // (1 if number else 1000)
        out.append(block(6, struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)) + frame))
    return b"".join(out)


def wired(packets):
    return [(time, ethernet(packet)) for time, packet in packets]


HANDSHAKE = [("0", tcp("c", SYN)), ("0.01", tcp("s", SYN | ACK)), ("0.02", tcp("c", ACK))]
REQUEST = [("0.1", tcp("c", PSH | ACK, b"GET / HTTP/1.0\r\n\r\n")), ("0.15", tcp("s", ACK, bytes(1000)))]
GOODBYE = [("0.2", tcp("s", FIN | ACK)), ("0.21", tcp("c", ACK)), ("0.3", tcp("c", FIN | ACK)), ("0.31", tcp("s", ACK))]
CONNECTION = HANDSHAKE + REQUEST + GOODBYE


def cases():
    """Name and bytes of each capture."""
    late = [("0.32", tcp("c", FIN | ACK)), ("0.5", tcp("s", RST))]
    first = ipv4(CLIENT, SERVER, 17, udp_header(1025, 53, 2000) + bytes(1472), 7, 0x2000)
    later = ipv4(CLIENT, SERVER, 17, bytes(528), 7, 185)
    syn = tcp_header(1025, 80, SYN)
    tiny = [("0", ipv4(CLIENT, SERVER, 6, syn[:8], 9, 0x2000)), ("0.1", ipv4(CLIENT, SERVER, 6, syn[8:], 9, 1))]
    extended = bytes([43, 0]) + bytes(6) + bytes([44, 0]) + bytes(6) + bytes([6, 0, 0, 0, 0, 0, 0, 1])
    ping = [(t, ipv4(*ends, 1, bytes([kind, 0]) + bytes(62))) for t, ends, kind in
            (("0", (CLIENT, SERVER), 8), ("0.001", (SERVER, CLIENT), 0), ("1", (CLIENT, SERVER), 8))]  # fmt: skip
    long = [(str(100 * i), tcp("c", ACK, b"x")) for i in range(18)] + [("1800", tcp("s", ACK, b"yy"))]
    qinq = b"\x88\xa8\x00\x64\x81\x00\x00\xc8\x08\x00"
    six = ipv6(CLIENT6, SERVER6, 0, extended + tcp_header(1025, 80, SYN))

    yield "connection", pcap(wired(CONNECTION))
    yield "late_packets_after_the_end", pcap(wired(CONNECTION + late))
    yield "half_closed", pcap(wired(HANDSHAKE + [("1", tcp("c", FIN | ACK)), ("2", tcp("s", ACK, b"more"))]))
    yield "reset_by_a_closed_port", pcap(wired([("0", tcp("c", SYN)), ("0.001", tcp("s", RST | ACK))]))
    yield "port_used_again", pcap(wired(CONNECTION + [("1", tcp("c", SYN)), ("1.01", tcp("s", SYN | ACK))]))
    yield "syn_ack_first", pcap(wired(CONNECTION[1:]))
    yield "syn_comes_late", pcap(wired([("0", tcp("s", ACK, b"early")), ("0.1", tcp("c", SYN))]))
    yield "both_open_at_once", pcap(wired([("0", tcp("s", SYN)), ("0.001", tcp("c", SYN))]))
    yield "one_packet", pcap(wired([("0", udp(b"hello"))]))
    yield "no_time_passes", pcap(wired([("0", udp(b"a")), ("0", udp(b"bb", back=True))]))
    yield "options_and_padding", pcap(wired([("0", tcp("c", SYN, options=b"\1" * 20)), ("1", tcp("s", SYN | ACK))]))
    yield "ip_options", pcap(wired([("0", ipv4(CLIENT, SERVER, 17, udp_header(1, 2, 0), options=b"\1" * 8))]))
    yield "cut_to_60_bytes", pcap(wired(CONNECTION), cut=60)
    yield "total_length_zero", pcap(wired([("0", ipv4(CLIENT, SERVER, 6, tcp_header(1, 2, ACK) + bytes(3000), total=0))]))
    yield "all_flags", pcap(wired([(str(i), tcp("c" if i % 3 else "s", i & 0x38)) for i in range(64)]))
    yield "qinq", pcap([("0", ethernet(udp(b"tagged"), qinq))])
    yield "mpls", pcap([("0", ethernet(udp(b"label"), b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40"))])
    yield "pppoe", pcap([("0", ethernet(udp(b"dsl"), b"\x88\x64\x11\x00\x00\x01\x00\x21\x00\x21"))])
    yield "vlan", pcap([("0", ethernet(udp(b"tagged"), b"\x81\x00\x00\x64\x08\x00"))])
    yield "sll", pcap([("0", bytes(14) + b"\x08\x00" + udp(b"cooked"))], link=SLL)
    yield "loop", pcap([("0", b"\0\0\0\2" + udp(b"openbsd"))], link=LOOP)
    yield "ppp", pcap([("0", b"\xff\x03\x00\x21" + udp(b"serial")), ("1", b"\x21" + udp(b"short", back=True))], link=PPP)
    yield "raw_ipv4", pcap([("0", udp(b"bare"))], link=IPV4)
    yield "raw_ipv6", pcap([("0", ipv6(CLIENT6, SERVER6, 58, bytes([128, 0]) + bytes(62))), ("0.1", ipv6(SERVER6, CLIENT6, 58, bytes([129, 0]) + bytes(62)))], link=IPV6)
    yield "link_nobody_knows", pcap([("0", udp(b"lost"))], link=147)
    yield "sll2", pcap([("0", b"\x08\x00" + bytes(18) + udp(b"cooked"))], link=SLL2)
    yield "loopback_of_the_other_byte_order", pcap([("0", b"\0\0\0\2" + udp(b"bsd"))], link=LOOPBACK)
    yield "ipv6_extension_headers", pcap([("0", six), ("1", ipv6(SERVER6, CLIENT6, 6, tcp_header(80, 1025, RST | ACK)))], link=RAW)
    yield "fragments", pcap(wired([("0", first), ("0.1", later)]))
    yield "fragment_without_a_first", pcap(wired([("0", later), ("1", udp(b"other"))]))
    yield "tcp_header_cut_in_two", pcap(wired(tiny))
    yield "ping", pcap(wired(ping))
    yield "sctp", pcap(wired([("0", ipv4(CLIENT, SERVER, 132, struct.pack(">HHII", 5, 6, 0, 0) + bytes(20)))]))
    yield "land", pcap(wired([("0", ipv4(CLIENT, CLIENT, 6, tcp_header(139, 139, SYN)))] * 2))
    yield "gre_outside", pcap(wired([("0", ipv4(CLIENT, SERVER, 47, b"\0\0\x08\0" + udp(b"inside")))]))
    yield "ip_in_ip", pcap(wired([("0", ipv4(CLIENT, SERVER, 4, udp(b"inside"))), ("1", ipv4(CLIENT, SERVER, 41, six))]))
    yield "vxlan", pcap(wired([("0", vxlan(ethernet(tcp("c", SYN)))), ("1", vxlan(b"no frame"))]))
    yield "gre_with_key_and_a_frame", pcap(wired([("0", ipv4(CLIENT, SERVER, 47, b"\x20\0\x65\x58" + bytes(4) + ethernet(udp(b"bridged"))))]))
    yield "pptp", pcap(wired([("0", ipv4(CLIENT, SERVER, 47, b"\x30\x81\x88\x0b" + bytes(12) + b"\xff\x03\x00\x21" + udp(b"call")))]))
    yield "idle_just_below", pcap(wired([("0", udp()), ("119.999999", udp())]))
    yield "idle_reached", pcap(wired([("0", udp()), ("120", udp())]))
    yield "active_reached", pcap(wired(long))
    yield "out_of_order", pcap(wired([("10", udp(b"1")), ("9", udp(b"22")), ("9.5", udp(b"333", back=True))]))
    yield "jump_forward", pcap(wired([("0", udp(port=1)), ("1", udp(port=2)), ("300000000", udp(port=1))]))
    yield "one_astray", pcap(wired([("1000", udp(b"1")), ("0", udp(b"2")), ("1001", udp(b"3"))]))
    yield "clock_set_back", pcap(wired([("90000", udp(port=7))] + [(f"{i}.5", udp(port=8)) for i in range(70)]))
    yield "nanoseconds_big_endian", pcap(wired([("0.000000001", udp()), ("0.000000004", udp())]), order=">", nano=True)
    yield "pcapng_two_interfaces", pcapng([(0, "0.000001", ethernet(udp())), (1, "0.000001001", ethernet(udp(back=True)))])
    yield "gzip", gzip.compress(pcap(wired(CONNECTION)), mtime=0)
    yield "arp_only", pcap([("0", ethernet(bytes(28), b"\x08\x06"))])
    yield "ends_inside_a_packet", pcap(wired(CONNECTION))[:-7]


def write(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in cases():
        paths.append(folder / f"{name}.pcap")
        paths[-1].write_bytes(data)
    return paths


if __name__ == "__main__":
    write(sys.argv[1])
