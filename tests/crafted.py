"""Packets made by hand: small captures for tests, written as classic pcap."""
import ipaddress
import struct


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(source, destination, protocol, payload, ttl=64, ident=1):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, 0x4000, ttl, protocol, 0,
                       ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(source, destination, protocol, payload, ttl=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed + payload


def ip(source, destination, protocol, payload):
    return (ip6 if ":" in source else ip4)(source, destination, protocol, payload)


def tcp(source, destination, sport, dport, flags, payload=b"", seq=1, ack=0, window=64240):
    bits = sum({"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}[f] for f in flags)
    return ip(source, destination, 6, struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, bits, window, 0, 0) + payload)


def udp(source, destination, sport, dport, payload=b""):
    return ip(source, destination, 17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


class Frame(bytes):
    """A whole frame of Ethernet, as it is."""


def arp(operation, hardware, sender, target, asked_by=bytes(6)):
    """1: who has target? 2: sender is at hardware, told to target."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + hardware + ipaddress.ip_address(sender).packed + asked_by + ipaddress.ip_address(target).packed
    return Frame((b"\xff" * 6 if operation == 1 else asked_by) + hardware + b"\x08\x06" + body)


def fragment(source, destination, protocol, ident, offset, more, payload):
    packet = ip4(source, destination, protocol, payload, ident=ident)
    head = packet[:6] + struct.pack("!H", (0x2000 if more else 0) | offset // 8) + packet[8:10] + b"\0\0" + packet[12:20]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ethernet(packet):
    if isinstance(packet, Frame):
        return packet
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet


def write_pcap(path, packets):
    """packets: (seconds, IPv4 or IPv6 packet, or a Frame) in any order of time."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for when, packet in packets:
            frame = ethernet(packet)
            seconds = int(when)
            out.write(struct.pack("<IIII", seconds, round((when - seconds) * 1e9), len(frame), len(frame)) + frame)
    return path


def scan(source="10.1.1.9", target="10.1.1.1", ports=range(1, 301), start=1_700_000_000.0, gap=0.005):
    """A SYN scan of closed ports: each SYN is refused."""
    for n, port in enumerate(ports):
        at = start + n * gap
        yield at, tcp(source, target, 40000 + n % 20000, port, "S")
        yield at + 0.0005, tcp(target, source, port, 40000 + n % 20000, "RA")
