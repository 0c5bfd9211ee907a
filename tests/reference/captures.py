"""Capture files as (link type, nanoseconds, bytes): pcap in all four byte orders and resolutions, and pcapng.

Own code, because the usual readers hand out times as floats, which do not hold nanoseconds.
"""

import gzip
import struct

LATEST = 1 << 62


class Short(Exception):
    """The file ends inside a packet; what came before counts."""


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:3] == b"\x1f\x8b\x08":
        data = gzip.decompress(data)
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return _pcapng(data)
    return _pcap(data)


def _clamp(ns):
    return max(0, min(ns, LATEST))


def _pcap(data):
    magic = data[:4]
    orders = {
        b"\xa1\xb2\xc3\xd4": (">", 1000),
        b"\xd4\xc3\xb2\xa1": ("<", 1000),
        b"\xa1\xb2\x3c\x4d": (">", 1),
        b"\x4d\x3c\xb2\xa1": ("<", 1),
    }
    if magic not in orders or len(data) < 24:
        raise ValueError("no pcap file")
    order, unit = orders[magic]
    link = struct.unpack(order + "I", data[20:24])[0] & 0x03FFFFFF
    at = 24
    while at < len(data):
        if at + 16 > len(data):
            raise Short
        seconds, fraction, captured, _ = struct.unpack(order + "IIII", data[at : at + 16])
        at += 16
        if at + captured > len(data):
            raise Short
        yield link, _clamp(seconds * 10**9 + fraction * unit), data[at : at + captured]
        at += captured


def _options(order, data):
    found = {}
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack(order + "HH", data[at : at + 4])
        if code == 0:
            break
        found[code] = data[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
    return found


def _pcapng(data):
    order, interfaces, at = "<", [], 0
    while at < len(data):
        if at + 12 > len(data):
            raise Short
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack(order + "II", data[at : at + 8])
        if at + length > len(data) or length < 12:
            raise Short
        body = data[at + 8 : at + length - 4]
        at += length
        if kind == 1:
            link, _, snap = struct.unpack(order + "HHI", body[:8])
            options = _options(order, body[8:])
            resolution = options.get(9, b"\x06")[0]
            per_second = 2 ** (resolution & 127) if resolution & 128 else 10**resolution
            offset = struct.unpack(order + "q", options[14])[0] if 14 in options else 0
            interfaces.append((link, per_second, offset, snap))
        elif kind == 6:
            number, high, low, captured, _ = struct.unpack(order + "IIIII", body[:20])
            link, per_second, offset, _ = interfaces[number]
            yield link, _time(high << 32 | low, per_second, offset), body[20 : 20 + captured]
        elif kind == 2:
            number, _, high, low, captured, _ = struct.unpack(order + "HHIIII", body[:20])
            link, per_second, offset, _ = interfaces[number]
            yield link, _time(high << 32 | low, per_second, offset), body[20 : 20 + captured]
        elif kind == 3:
            wire = struct.unpack(order + "I", body[:4])[0]
            link, _, _, snap = interfaces[0]
            yield link, 0, body[4 : 4 + min(wire, snap or wire)]


def _time(ticks, per_second, offset):
    seconds, rest = divmod(ticks, per_second)
    return _clamp((seconds + offset) * 10**9 + rest * 10**9 // per_second)
