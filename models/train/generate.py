"""generate.py: packets with known labels from a random number generator, as pcap files.

    generate.py OUT [--seed N]

A stopgap for traffic made by real tools: each file holds one behaviour (a scan, a flood, browsing, mail, ...), drawn anew with
other sizes, times and paces in each of ROUNDS rounds, so that a round can be held out. OUT gets *.pcap and labels.csv
(file, label attack|benign, type, group). Only the standard library is used; the same seed gives the same bytes.
"""
import argparse
import csv
import os
import random
import struct

ROUNDS = 6
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


def address(text):
    return bytes(int(part) for part in text.split("."))


class Wire:
    """Packets of one file; times in seconds."""

    def __init__(self, rng):
        self.rng, self.packets = rng, []

    def ip(self, time, source, target, protocol, body):
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), self.rng.randrange(65536), 0, 64, protocol, 0,
                           address(source), address(target))
        self.packets.append((time, b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + head + body))

    def tcp(self, time, source, sport, target, dport, flags, size=0):
        options = b"\2\4\5\xb4\4\2\x08\x0a\0\0\0\0\0\0\0\0\1\3\3\7" if flags & SYN else b"\1\1\x08\x0a" + bytes(8)
        if flags & RST or not flags & (SYN | ACK):
            options = b""
        head = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, (5 + len(options) // 4) << 4, flags, 64240, 0, 0)
        self.ip(time, source, target, 6, head + options + bytes(size))

    def udp(self, time, source, sport, target, dport, payload):
        payload = bytes(payload) if isinstance(payload, int) else payload
        self.ip(time, source, target, 17, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)

    def icmp(self, time, source, target, kind, code, payload, ident=1, sequence=1):
        payload = bytes(payload) if isinstance(payload, int) else payload
        self.ip(time, source, target, 1, struct.pack(">BBHHH", kind, code, 0, ident, sequence) + payload)

    def session(self, time, a, ap, b, bp, turns, rtt, end="fin"):
        """A TCP session: turns of (bytes up, bytes down, pause before)."""
        self.tcp(time, a, ap, b, bp, SYN)
        self.tcp(time + rtt, b, bp, a, ap, SYN | ACK)
        time += rtt * 1.1
        self.tcp(time, a, ap, b, bp, ACK)
        for up, down, pause in turns:
            time += pause
            time = self.flood(time, a, ap, b, bp, up, rtt)
            time = self.flood(time + rtt, b, bp, a, ap, down, rtt)
        time += rtt
        if end == "rst":
            self.tcp(time, b, bp, a, ap, RST | ACK)
        elif end == "fin":
            self.tcp(time, a, ap, b, bp, FIN | ACK)
            self.tcp(time + rtt, b, bp, a, ap, FIN | ACK)
            self.tcp(time + rtt * 1.1, a, ap, b, bp, ACK)
        return time

    def flood(self, time, a, ap, b, bp, size, rtt):
        sent = 0
        while sent < size:
            part = min(1448, size - sent)
            sent += part
            self.tcp(time, a, ap, b, bp, ACK | (PSH if sent == size else 0), part)
            time += 0.0001 + self.rng.random() * 0.0002
            if sent // 1448 % 2 == 0 or sent == size:
                self.tcp(time + rtt * 0.5, b, bp, a, ap, ACK)
        return time

    def save(self, path):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for time, frame in sorted(self.packets, key=lambda p: p[0]):
                micros = round(time * 1e6)
                out.write(struct.pack("<IIII", micros // 1000000, micros % 1000000, len(frame), len(frame)) + frame)


def name(rng, low, high):
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(rng.randint(low, high)))


def dns(rng, host, kind=1, answers=None, code=0):
    question = b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
    flags = 0x0100 if answers is None else 0x8180 | code
    body = struct.pack(">HHHHHH", rng.randrange(65536), flags, 1, answers or 0, 0, 0) + question
    return body + (b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, 4) + bytes(4)) * (answers or 0)


class Scene:
    """One behaviour's addresses and time."""

    def __init__(self, wire, rng, number):
        self.w, self.rng, self.time = wire, rng, 1700000000.0 + number * 10000
        self.source = f"10.{rng.randrange(1, 250)}.{rng.randrange(250)}.{rng.randrange(2, 250)}"
        self.net = f"192.168.{rng.randrange(250)}"
        self.target = f"{self.net}.{rng.randrange(2, 250)}"
        self.rtt = rng.choice([0.0002, 0.001, 0.01, 0.04, 0.12]) * (0.5 + rng.random())
        self.port = rng.randrange(20000, 50000)

    def host(self):
        return f"{self.rng.choice([93, 104, 142, 151, 185])}.{self.rng.randrange(250)}.{self.rng.randrange(250)}.{self.rng.randrange(1, 250)}"

    def sport(self):
        self.port = 20000 + (self.port - 19999) % 40000
        return self.port

    def talk(self, target, dport, turns, end="fin"):
        return self.w.session(self.time, self.source, self.sport(), target, dport, turns, self.rtt, end)

    def wait(self, mean):
        self.time += self.rng.expovariate(1 / mean)


def browsing(s):
    for _ in range(s.rng.randint(20, 60)):
        host = s.host()
        for _ in range(s.rng.randint(1, 6)):
            s.talk(host, s.rng.choice([80, 443, 443]), [(s.rng.randint(200, 2000), int(s.rng.lognormvariate(9, 1.5)),
                                                        s.rng.random() * 0.1) for _ in range(s.rng.randint(1, 8))])
            s.time += s.rng.random() * 0.05
        s.wait(4)


def api_polls(s):
    for _ in range(s.rng.randint(40, 120)):
        s.talk(s.target, 443, [(s.rng.randint(400, 900), s.rng.randint(300, 3000), 0.01)])
        s.wait(s.rng.choice([2, 5, 10]))


def lookups(s):
    for _ in range(s.rng.randint(60, 200)):
        host = name(s.rng, 3, 14) + "." + name(s.rng, 4, 12) + ".com"
        port = s.sport()
        s.w.udp(s.time, s.source, port, s.target, 53, dns(s.rng, host))
        s.w.udp(s.time + s.rtt, s.target, 53, s.source, port, dns(s.rng, host, 1, s.rng.randint(1, 4)))
        s.wait(1.5)


def ssh_work(s):
    for _ in range(s.rng.randint(2, 6)):
        s.talk(s.target, 22, [(1500, 1800, 0.02)] + [(s.rng.randint(36, 120), s.rng.randint(36, 900), s.rng.random() * 3)
                                                     for _ in range(s.rng.randint(20, 120))])
        s.wait(60)


def transfers(s):
    for _ in range(s.rng.randint(1, 4)):
        big, small = s.rng.randint(200000, 1500000), s.rng.randint(300, 3000)
        s.talk(s.target, s.rng.choice([22, 443, 873, 445]), [(big, small, 0.1) if s.rng.random() < 0.5 else (small, big, 0.1)])
        s.wait(60)


def databases(s):
    dport = s.rng.choice([3306, 5432, 6379, 27017])
    for _ in range(s.rng.randint(10, 40)):
        s.talk(s.target, dport, [(s.rng.randint(60, 400), s.rng.randint(60, 4000), 0.01 + s.rng.random() * 0.1)
                                 for _ in range(s.rng.randint(2, 20))])
        s.wait(6)


def mail(s):
    for _ in range(s.rng.randint(5, 20)):
        s.talk(s.target, s.rng.choice([25, 143, 587, 993]), [(30, 90, 0.05)] * 4 + [(s.rng.randint(500, 60000), 60, 0.1)])
        s.wait(30)


def clocks(s):
    for _ in range(s.rng.randint(30, 90)):
        port = s.rng.choice([123, s.sport()])
        s.w.udp(s.time, s.source, port, s.target, 123, 48)
        s.w.udp(s.time + s.rtt, s.target, 123, s.source, port, 48)
        s.wait(64)


def pings(s):
    for n in range(s.rng.randint(20, 100)):
        payload = struct.pack(">d", s.time) * 2 + bytes(range(16, 56))
        s.w.icmp(s.time, s.source, s.target, 8, 0, payload, 7, n)
        s.w.icmp(s.time + s.rtt, s.target, s.source, 0, 0, payload, 7, n)
        s.time += 1


def calls(s):
    for _ in range(s.rng.randint(1, 3)):
        a, b, start = s.sport(), s.rng.randrange(10000, 20000), s.time
        for n in range(s.rng.randint(400, 1500)):
            s.w.udp(start + n * 0.02, s.source, a, s.target, b, 172)
            s.w.udp(start + n * 0.02 + s.rtt, s.target, b, s.source, a, 172)
        s.wait(60)


def video(s):
    port, start = s.sport(), s.time
    for n in range(s.rng.randint(1000, 3000)):
        s.w.udp(start + n * 0.004, s.target, 443, s.source, port, 1200 + s.rng.randrange(100))
        if n % 10 == 0:
            s.w.udp(start + n * 0.004 - 0.001, s.source, port, s.target, 443, 40 + s.rng.randrange(30))


def server_away(s):
    for _ in range(s.rng.randint(20, 60)):
        port = s.sport()
        s.w.tcp(s.time, s.source, port, s.target, 443, SYN)
        if s.rng.random() < 0.5:
            s.w.tcp(s.time + s.rtt, s.target, 443, s.source, port, RST | ACK)
        else:
            s.w.tcp(s.time + 1, s.source, port, s.target, 443, SYN)
            s.w.tcp(s.time + 3, s.source, port, s.target, 443, SYN)
        s.wait(s.rng.choice([5, 15, 30]))


def peers(s):
    port = s.sport()
    for _ in range(s.rng.randint(60, 200)):
        peer, pport = s.host(), s.rng.randrange(1024, 65535)
        s.w.udp(s.time, s.source, port, peer, pport, s.rng.randint(60, 140))
        if s.rng.random() < 0.5:
            s.w.udp(s.time + 0.1, peer, pport, s.source, port, s.rng.randint(60, 400))
        s.wait(1)


def phones_home(s):
    for _ in range(s.rng.randint(10, 40)):
        s.talk(s.host(), 8883, [(s.rng.randint(100, 300), s.rng.randint(50, 300), s.rng.random()) for _ in range(4)])
        s.wait(60)


def printers(s):
    for _ in range(s.rng.randint(3, 12)):
        s.talk(s.target, s.rng.choice([631, 9100]), [(s.rng.randint(5000, 200000), 200, 0.1)])
        s.w.udp(s.time, s.source, s.sport(), s.target, 161, 43)
        s.w.udp(s.time + s.rtt, s.target, 161, s.source, s.port, 60)
        s.wait(40)


def scan_answer(s, port, dport, flags, answer, time):
    s.w.tcp(time, s.source, port, s.target, dport, flags)
    if answer:
        s.w.tcp(time + s.rtt, s.target, dport, s.source, port, answer)
        if answer == SYN | ACK:
            s.w.tcp(time + s.rtt * 1.1, s.source, port, s.target, dport, RST)


def syn_scan(s):
    filtered, port = s.rng.random() < 0.4, s.sport()
    for dport in s.rng.sample(range(1, 10000), s.rng.randint(150, 600)):
        answer = SYN | ACK if s.rng.random() < 0.02 else None if filtered else RST | ACK
        scan_answer(s, port, dport, SYN, answer, s.time)
        s.wait(s.rng.choice([0.001, 0.01, 0.05]))


def connect_scan(s):
    for dport in s.rng.sample(range(1, 10000), s.rng.randint(150, 500)):
        if s.rng.random() < 0.03:
            s.talk(s.target, dport, [], "rst")
        else:
            scan_answer(s, s.sport(), dport, SYN, RST | ACK, s.time)
        s.wait(0.02)


def odd_scan(s):
    flags, port = s.rng.choice([0, FIN, FIN | PSH | URG]), s.sport()
    for dport in s.rng.sample(range(1, 10000), s.rng.randint(150, 400)):
        scan_answer(s, port, dport, flags, None if s.rng.random() < 0.1 else RST | ACK, s.time)
        s.wait(0.01)


def udp_scan(s):
    port = s.sport()
    for dport in s.rng.sample(range(1, 10000), s.rng.randint(100, 300)):
        s.w.udp(s.time, s.source, port, s.target, dport, s.rng.choice([0, 0, 12, 40]))
        s.wait(0.1)


def sweep(s):
    dport = s.rng.choice([22, 23, 80, 445, 3389])
    for last in range(1, 255):
        if s.rng.random() < 0.9:
            s.target = f"{s.net}.{last}"
            scan_answer(s, s.sport(), dport, SYN, RST | ACK if s.rng.random() < 0.3 else None, s.time)
            s.wait(0.02)


def guessing(s):
    dport = s.rng.choice([21, 22, 23, 3389, 110])
    turns = [(1300, 1600, 0.02)] if dport in (22, 3389) else [(12, 40, 0.01)]
    for _ in range(s.rng.randint(60, 200)):
        s.talk(s.target, dport, turns + [(s.rng.randint(10, 60), s.rng.randint(20, 60), 0.02)] * s.rng.randint(2, 4),
               s.rng.choice(["fin", "rst"]))
        s.wait(0.3)


def path_list(s):
    for _ in range(s.rng.randint(150, 400)):
        s.talk(s.target, s.rng.choice([80, 8080]), [(s.rng.randint(80, 300), s.rng.randint(150, 600), 0.002)])
        s.wait(0.03)


def syn_flood(s):
    for _ in range(s.rng.randint(400, 1000)):
        source = f"{s.rng.randrange(1, 223)}.{s.rng.randrange(250)}.{s.rng.randrange(250)}.{s.rng.randrange(1, 250)}"
        s.w.tcp(s.time, source, s.rng.randrange(1024, 65535), s.target, 80, SYN)
        s.time += 0.0005


def udp_flood(s):
    size, dport = s.rng.randint(0, 1200), s.rng.choice([53, 80, 9999])
    for _ in range(s.rng.randint(400, 1000)):
        s.w.udp(s.time, s.source, s.rng.randrange(1024, 65535), s.target, dport, size)
        s.time += 0.0002


def big_floods(s):
    port = s.sport()
    for _ in range(6):
        kind, size, port, start = s.rng.randrange(3), s.rng.randint(0, 1200), s.sport(), s.time
        for n in range(3000):
            if kind == 0:
                s.w.udp(start + n * 0.00005, s.source, port, s.target, 9, size)
            elif kind == 1:
                s.w.tcp(start + n * 0.00005, s.source, port, s.target, 80, SYN)
            else:
                s.w.icmp(start + n * 0.00005, s.source, s.target, 8, 0, size, 9, n)
        s.time += 200


def slow_web(s):
    for _ in range(s.rng.randint(40, 120)):
        port = s.sport()
        s.w.tcp(s.time, s.source, port, s.target, 80, SYN)
        s.w.tcp(s.time + s.rtt, s.target, 80, s.source, port, SYN | ACK)
        s.w.tcp(s.time + s.rtt * 1.1, s.source, port, s.target, 80, ACK)
        for n in range(s.rng.randint(4, 10)):
            s.w.tcp(s.time + 0.01 + n * 10, s.source, port, s.target, 80, PSH | ACK, s.rng.randint(8, 230))
            s.w.tcp(s.time + 0.01 + n * 10 + s.rtt, s.target, 80, s.source, port, ACK)
        s.wait(0.1)


def web_flood(s):
    for _ in range(s.rng.randint(300, 600)):
        s.talk(s.target, 80, [(s.rng.randint(300, 420), s.rng.randint(200, 4000), 0.001)], "rst")
        s.wait(0.01)


def dns_tunnel(s):
    domain = ".t." + name(s.rng, 5, 6) + ".net"
    for _ in range(8):
        port = s.sport()
        for _ in range(s.rng.randint(40, 120)):
            host = ".".join(name(s.rng, 40, 60) for _ in range(s.rng.randint(1, 3))) + domain
            kind = s.rng.choice([1, 10, 16])
            s.w.udp(s.time, s.source, port, s.target, 53, dns(s.rng, host, kind))
            s.w.udp(s.time + s.rtt, s.target, 53, s.source, port, dns(s.rng, host, kind, 1) + bytes(s.rng.randint(0, 300)))
            s.wait(0.1)


def icmp_tunnel(s):
    for n in range(s.rng.randint(100, 300)):
        s.w.icmp(s.time, s.source, s.target, 8, 0, s.rng.randbytes(s.rng.randint(20, 1200)), n // 20, n)
        s.w.icmp(s.time + s.rtt, s.target, s.source, 0, 0, s.rng.randbytes(s.rng.randint(20, 1200)), n // 20, n)
        s.wait(0.3)


def generated_names(s):
    for _ in range(s.rng.randint(60, 150)):
        host, port = name(s.rng, 12, 20) + s.rng.choice([".com", ".net", ".biz"]), s.sport()
        s.w.udp(s.time, s.source, port, s.target, 53, dns(s.rng, host))
        s.w.udp(s.time + s.rtt, s.target, 53, s.source, port, dns(s.rng, host, 1, 0, 3))
        s.wait(0.5)


BENIGN = [browsing, api_polls, lookups, ssh_work, transfers, databases, mail, clocks, pings, calls, video, server_away, peers,
          phones_home, printers]
ATTACKS = {syn_scan: "port_scan", connect_scan: "port_scan", odd_scan: "port_scan", udp_scan: "port_scan", sweep: "port_scan",
           guessing: "brute_force", path_list: "web_attack", syn_flood: "ddos", udp_flood: "udp_flood", big_floods: "dos",
           slow_web: "dos", web_flood: "dos", dns_tunnel: "data_exfiltration", icmp_tunnel: "data_exfiltration",
           generated_names: "malware"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "labels.csv"), "w", newline="") as out:
        labels = csv.writer(out, lineterminator="\n")
        labels.writerow(["file", "label", "type", "group"])
        for turn in range(ROUNDS):
            for behaviour in BENIGN * 2 + list(ATTACKS):
                kind = ATTACKS.get(behaviour, "")
                number = sum(1 for entry in os.listdir(args.out) if entry.startswith(f"{behaviour.__name__}-{turn}-"))
                file = f"{behaviour.__name__}-{turn}-{number}.pcap"
                rng = random.Random(f"{args.seed} {file}")
                wire = Wire(rng)
                behaviour(Scene(wire, rng, turn))
                wire.save(os.path.join(args.out, file))
                labels.writerow([file, "attack" if kind else "benign", kind, turn])


if __name__ == "__main__":
    main()
