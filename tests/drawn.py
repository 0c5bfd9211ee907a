"""Traffic drawn at random: attacks and honest behaviour, each with another pace, size, addresses, IP version and delay.

Each function takes a Draw and yields (seconds, packet); ATTACKS gives the types that a detector may call it, HONEST has to stay
silent. Not made after any capture: what a behaviour is comes from its protocol, how much of it from the dice.
"""
import random
import struct

from crafted import ip, tcp, udp

SITES = ["example", "widget", "orchard", "lantern", "meadow", "copper", "harbour", "saffron", "granite", "juniper"]


class Draw:
    """The dice of one run: a clock, addresses of one IP version, a round-trip time."""

    def __init__(self, seed):
        self.rng = random.Random(f"drawn {seed}")
        self.now = 1_700_000_000.0 + self.rng.random() * 1000
        self.six = self.rng.random() < 0.25
        self.rtt = self.rng.choice([0.0003, 0.002, 0.02, 0.09])
        self.net = self.rng.randrange(1, 250)
        self.port = self.rng.randrange(30000, 50000)

    def host(self, n):
        """The n-th host of the net at hand."""
        return f"fd00:{self.net:x}::{n + 1:x}" if self.six else f"10.{self.net}.{n // 250}.{n % 250 + 1}"

    def world(self):
        r = self.rng
        if self.six:
            return f"2001:db8:{r.randrange(65536):x}:{r.randrange(65536):x}::{r.randrange(1, 65536):x}"
        return f"{r.choice([23, 34, 52, 93, 104, 142, 151, 185])}.{r.randrange(250)}.{r.randrange(250)}.{r.randrange(1, 250)}"

    def sport(self):
        self.port = 20000 + (self.port - 19999) % 40000
        return self.port

    def wait(self, mean):
        self.now += self.rng.expovariate(1 / mean)

    def even(self, gap):
        self.now += gap * (0.9 + 0.2 * self.rng.random())

    def word(self, low, high, letters="abcdefghijklmnopqrstuvwxyz0123456789"):
        return "".join(self.rng.choice(letters) for _ in range(self.rng.randint(low, high)))


def session(d, client, server, dport, turns, end="FA", at=None, sport=None):
    """turns: (from the client, bytes); the server's turn by (False, bytes)."""
    at, sport = d.now if at is None else at, sport or d.sport()
    yield at, tcp(client, server, sport, dport, "S")
    yield at + d.rtt, tcp(server, client, dport, sport, "SA")
    at += d.rtt * 1.1
    yield at, tcp(client, server, sport, dport, "A")
    for up, data in turns:
        at += d.rtt
        for n in range(0, len(data), 1400):
            part = data[n:n + 1400]
            yield (at, tcp(client, server, sport, dport, "PA", part)) if up else (at, tcp(server, client, dport, sport, "PA", part))
            at += 0.00005
        yield (at + d.rtt / 2, tcp(server, client, dport, sport, "A")) if up else (at + d.rtt / 2, tcp(client, server, sport, dport, "A"))
    at += d.rtt
    yield at, tcp(client, server, sport, dport, end)
    yield at + d.rtt, tcp(server, client, dport, sport, "FA")
    yield at + d.rtt * 1.1, tcp(client, server, sport, dport, "A")


def refused(d, client, server, dport):
    sport = d.sport()
    yield d.now, tcp(client, server, sport, dport, "S")
    yield d.now + d.rtt, tcp(server, client, dport, sport, "RA")


def dns(name, kind=1, code=None, answers=0, ident=7):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    flags = 0x0100 if code is None else 0x8180 | code
    return struct.pack("!HHHHHH", ident, flags, 1, answers, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1) + b"\0" * (16 * answers)


def ask(d, client, server, name, kind=1, code=0, sport=None):
    """A question and its answer; code None: no answer."""
    sport = sport or d.sport()
    yield d.now, udp(client, server, sport, 53, dns(name, kind))
    if code is not None:
        yield d.now + d.rtt, udp(server, client, 53, sport, dns(name, kind, code, int(code == 0)))


def echo(d, source, target, data, number, answer=True, back=None):
    if d.six:
        kinds, protocol = (128, 129), 58
    else:
        kinds, protocol = (8, 0), 1
    yield d.now, ip(source, target, protocol, struct.pack("!BBHHH", kinds[0], 0, 0, 9, number % 65536) + data)
    if answer:
        yield d.now + d.rtt, ip(target, source, protocol, struct.pack("!BBHHH", kinds[1], 0, 0, 9, number % 65536) + (data if back is None else back))


def get(path, host="shop.example"):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n".encode()


def page(size=900, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + b"<p>hello</p>" * (size // 12)


# --- attacks ---

def port_scan(d):
    gap = d.rng.choice([0.001, 0.01, 0.1, 0.5])
    silent, opened, odd = d.rng.random() < 0.4, d.rng.random() * 0.1, d.rng.choice(["S", "S", "S", "F", "", "FPU"])
    sport = d.sport()
    for port in d.rng.sample(range(1, 10000), d.rng.randint(40, 400)):
        sport = d.sport() if d.rng.random() < 0.5 else sport
        yield d.now, tcp(d.host(9), d.host(1), sport, port, odd)
        if odd == "S" and d.rng.random() < opened:
            yield d.now + d.rtt, tcp(d.host(1), d.host(9), port, sport, "SA")
            yield d.now + d.rtt * 1.1, tcp(d.host(9), d.host(1), sport, port, "R")
        elif not silent:
            yield d.now + d.rtt, tcp(d.host(1), d.host(9), port, sport, "RA")
        d.wait(gap)


def slow_scan(d):
    for port in d.rng.sample(range(1, 1024), d.rng.randint(60, 90)):
        yield from refused(d, d.host(9), d.host(1), port)
        d.even(d.rng.choice([2, 4]))


def sweep(d):
    port = d.rng.choice([22, 23, 80, 443, 445, 3389, 1433])
    for n in range(d.rng.randint(60, 240)):
        if d.rng.random() < 0.15:
            yield from session(d, d.host(300), d.host(n), port, [], end="RA")
        elif d.rng.random() < 0.4:
            yield from refused(d, d.host(300), d.host(n), port)
        else:
            yield d.now, tcp(d.host(300), d.host(n), d.sport(), port, "S")
        d.wait(d.rng.choice([0.01, 0.1]))


def ping_sweep(d):
    for n in range(d.rng.randint(60, 250)):
        yield from echo(d, d.host(400), d.host(n), bytes(range(40)), n, d.rng.random() < 0.3)
        d.wait(0.03)


def udp_scan(d):
    for port in d.rng.sample(range(1, 1024), d.rng.randint(60, 200)):
        yield d.now, udp(d.host(9), d.host(1), d.sport(), port)
        d.wait(d.rng.choice([0.02, 0.2]))


def ssh_guessing(d):
    port = d.rng.choice([22, 22, 2222, 22022, 902])
    for _ in range(d.rng.randint(70, 200)):
        yield from session(d, d.host(9), d.host(1), port, [(False, b"SSH-2.0-OpenSSH_9.2\r\n"), (True, b"SSH-2.0-libssh_0.9\r\n"), (True, d.rng.randbytes(1300)),
                                                           (False, d.rng.randbytes(1200)), (True, d.rng.randbytes(200)), (False, d.rng.randbytes(80))])
        d.wait(d.rng.choice([0.1, 0.5, 1]))


def ftp_guessing_in_one_session(d):
    tries = []
    for _ in range(d.rng.randint(40, 120)):
        tries += [(True, f"USER {d.word(4, 8)}\r\n".encode()), (False, b"331 Password?\r\n"), (True, f"PASS {d.word(4, 10)}\r\n".encode()), (False, b"530 Login incorrect.\r\n")]
    d.rtt = 0.02
    yield from session(d, d.host(9), d.host(1), 21, [(False, b"220 ready\r\n"), *tries])


def mailbox_guessing(d):
    port = d.rng.choice([110, 143])
    no = b"-ERR no\r\n" if port == 110 else b"a1 NO LOGIN failed\r\n"
    for _ in range(d.rng.randint(40, 150)):
        yield from session(d, d.host(9), d.host(1), port, [(False, b"+OK\r\n"), (True, b"USER x\r\n"), (False, b"+OK\r\n"), (True, f"PASS {d.word(4, 9)}\r\n".encode()), (False, no)])
        d.wait(0.6)


def smb_guessing(d):
    failed = b"\0\0\0\x49\xfeSMB\x40\0\0\0\x6d\0\0\xc0\x01\0\x01\0" + bytes(52)
    for _ in range(d.rng.randint(40, 150)):
        yield from session(d, d.host(9), d.host(1), 445, [(True, b"\0\0\0\x50\xfeSMB\x40" + bytes(75)), (False, failed)])
        d.wait(0.7)


def database_guessing(d):
    for _ in range(d.rng.randint(40, 150)):
        yield from session(d, d.host(9), d.host(1), 3306, [(False, b"\x4a\0\0\0\x0a8.0.3" + bytes(60)), (True, bytes(80)), (False, b"\x48\0\0\2\xff\x15\x04#28000Access denied")])
        d.wait(0.7)


def path_list(d):
    """One kept-alive connection or many."""
    many, count, turns = d.rng.random() < 0.5, d.rng.randint(300, 700), []
    for _ in range(count):
        turn = [(True, get("/" + d.word(2, 14))), (False, page(150, "404 Not Found"))]
        if many:
            yield from session(d, d.host(9), d.host(1), 80, turn)
            d.even(0.05)
        else:
            turns += turn
    d.rtt = min(d.rtt, 0.01)
    yield from session(d, d.host(9), d.host(1), 8080, turns) if turns else ()


def injection(d):
    path = d.rng.choice(["/item.php?id=1%27%20UNION%20SELECT%201,2,3--", "/a?f=../../../../etc/passwd", "/x?q=%3Cscript%3Ealert(1)%3C/script%3E", "/?x=${jndi:ldap://a/b}"])
    yield from session(d, d.world(), d.host(1), d.rng.choice([80, 8080, 8000]), [(True, get(path)), (False, page())])


def spoofed_flood(d):
    answers, port, gap = d.rng.random() < 0.5, d.rng.choice([80, 443, 22, 53]), d.rng.choice([0.0002, 0.002, 0.02])
    for _ in range(d.rng.randint(200, 900)):
        source, sport = (d.world() if d.six else f"{d.rng.randrange(1, 223)}.{d.rng.randrange(250)}.{d.rng.randrange(250)}.{d.rng.randrange(1, 250)}"), d.rng.randrange(1024, 65535)
        yield d.now, tcp(source, d.host(1), sport, port, "S")
        if answers:
            yield d.now + 0.0002, tcp(d.host(1), source, port, sport, "SA")
        d.now += gap


def own_flood(d):
    port, silent = d.rng.choice([80, 443, 8080]), d.rng.random() < 0.5
    for n in range(d.rng.randint(900, 2000)):
        yield d.now, tcp(d.host(9), d.host(1), 1024 + n, port, "S")
        if not silent:
            yield d.now + 0.0001, tcp(d.host(1), d.host(9), port, 1024 + n, "SA")
        d.now += d.rng.choice([0.0002, 0.002])


def datagram_flood(d):
    size, ports, many = d.rng.randint(1, 1200), d.rng.random() < 0.5, d.rng.random() < 0.5
    for n in range(d.rng.randint(5000, 9000)):
        yield d.now, udp(d.host(9), d.host(1), 2000 + n % 40000 if many else 4000, d.rng.randrange(1, 65535) if ports else 7777, b"x" * size)
        d.now += 0.0001


def ping_flood(d):
    for n in range(d.rng.randint(4000, 8000)):
        yield from echo(d, d.host(9), d.host(1), b"X" * 56, n, d.rng.random() < 0.9)
        d.now += 0.0005


def amplification(d):
    port, size = d.rng.choice([(53, 1200), (123, 440), (1900, 300), (11211, 1300), (389, 1300)])
    servers = [d.world() for _ in range(d.rng.randint(40, 300))]
    for _ in range(d.rng.randint(600, 2000)):
        yield d.now, udp(d.rng.choice(servers), d.host(1), port, d.rng.randrange(1024, 65535), b"z" * size)
        d.now += 0.002


def slow_web(d):
    ends = []
    for n in range(d.rng.randint(30, 120)):
        at, sport = d.now + n * 0.05, d.sport()
        ends.append((at, tcp(d.host(9), d.host(1), sport, 80, "S")))
        ends.append((at + d.rtt, tcp(d.host(1), d.host(9), 80, sport, "SA")))
        ends.append((at + d.rtt * 1.1, tcp(d.host(9), d.host(1), sport, 80, "A")))
        for k in range(d.rng.randint(4, 9)):
            t = at + d.rtt * 2 + k * d.rng.choice([3, 8, 12])
            ends.append((t, tcp(d.host(9), d.host(1), sport, 80, "PA", b"GET / HTTP/1.1\r\nHost: a\r\n" if k == 0 else b"X-a: b\r\n")))
            ends.append((t + d.rtt, tcp(d.host(1), d.host(9), 80, sport, "A")))
    yield from ends


def overflow(d):
    block = d.rng.choice([b"A", b"\x90", b"AB", b"%n%s", b"\x04"])
    yield from session(d, d.host(9), d.host(1), d.rng.choice([21, 23, 110, 143, 5631]), [(True, b"USER " + block * (d.rng.randint(3000, 9000) // len(block)))])


def dns_tunnel(d):
    domain, kind, low = f"t.{d.word(5, 9)}.net", d.rng.choice([1, 5, 10, 16]), d.rng.choice([40, 90])
    sport = d.sport() if d.rng.random() < 0.5 else None
    for _ in range(d.rng.randint(120, 400)):
        data = d.word(low, low + 60)
        name = ".".join([*(data[n:n + 60] for n in range(0, len(data), 60)), domain])
        yield from ask(d, d.host(9), d.host(1), name, kind, 0, sport)
        d.wait(d.rng.choice([0.05, 0.3]))


def echo_tunnel(d):
    own = d.rng.random() < 0.5
    for n in range(d.rng.randint(60, 200)):
        data = d.rng.randbytes(d.rng.randint(60, 1000))
        yield from echo(d, d.host(9), d.world() if False else d.host(1), data, n, True, d.rng.randbytes(80) if own else None)
        d.wait(d.rng.choice([0.1, 1]))


def generated_names(d):
    for _ in range(d.rng.randint(60, 150)):
        yield from ask(d, d.host(9), d.host(1), d.word(10, 20) + d.rng.choice([".com", ".net", ".info", ".ru"]), 1, 3)
        d.wait(d.rng.choice([0.3, 1]))
        if d.rng.random() < 0.3:
            yield from ask(d, d.host(9), d.host(1), "www." + d.rng.choice(SITES) + ".com")


def spam(d):
    for _ in range(d.rng.randint(90, 200)):
        yield from session(d, d.host(9), d.world(), 25, [(False, b"220 mx\r\n"), (True, b"EHLO x\r\n"), (False, b"250 ok\r\n"), (True, b"MAIL FROM:<a@b>\r\n")])
        d.wait(1)


def remote_control(d):
    packed = d.word(5, 5, "ABCDEFGHabcdefgh").encode() + struct.pack("<II", 60, 90) + b"\x78\x9c" + d.rng.randbytes(45)
    talk = d.rng.choice([[(True, packed), (False, packed)], [(True, b"Microsoft Windows [Version 10.0.19045]\r\n"), (True, b"\r\nC:\\Users\\anna>")],
                         [(False, b"id\n"), (True, b"uid=0(root) gid=0(root) groups=0(root)\n")], [(False, b"MZARUH\x89\xe5" + d.rng.randbytes(3000))]])
    yield from session(d, d.host(9), d.world(), d.rng.choice([80, 443, 4444, 8080, 1337]), talk)


def bot_requests(d):
    path = d.rng.choice(["/panel/gate.php", "/five/fre.php", "/cfg.bin", "/bins/x.mpsl", "/nss3.dll", "/a/b/getcfg.php"])
    for _ in range(d.rng.randint(1, 5)):
        yield from session(d, d.host(9), d.world(), 80, [(True, get(path)), (False, page())])
        d.wait(20)


ATTACKS = {port_scan: {"port_scan"}, slow_scan: {"port_scan"}, sweep: {"port_scan"}, ping_sweep: {"port_scan"}, udp_scan: {"port_scan"},
           ssh_guessing: {"brute_force"}, ftp_guessing_in_one_session: {"brute_force"}, mailbox_guessing: {"brute_force"}, smb_guessing: {"brute_force"},
           database_guessing: {"brute_force"}, path_list: {"web_attack"}, injection: {"web_attack"}, spoofed_flood: {"ddos", "dos"},
           own_flood: {"dos", "ddos"}, datagram_flood: {"udp_flood", "ddos", "dos"}, ping_flood: {"dos"}, amplification: {"ddos"}, slow_web: {"dos"},
           overflow: {"dos", "suspicious_tcp"}, dns_tunnel: {"data_exfiltration"}, echo_tunnel: {"data_exfiltration"}, generated_names: {"malware"}, spam: {"malware"},
           remote_control: {"malware"}, bot_requests: {"malware"}}


# --- honest behaviour, most of it busier than in any capture at hand ---

def gateway(d):
    """An office behind one address: thousands of flows, and every minute some dozens of hosts that are away."""
    for _ in range(1500):
        server = d.world()
        if d.rng.random() < 0.03:
            yield d.now, tcp(d.host(1), server, d.sport(), 443, "S")
        else:
            yield from session(d, d.host(1), server, d.rng.choice([443, 443, 80]), [(True, b"\x16\x03\x01" + bytes(300)), (False, bytes(1200))])
        d.wait(0.05)


def resolver(d):
    """Asks upstream for hundreds of people: of large domains many names, and a tenth of all does not exist."""
    for n in range(1500):
        roll = d.rng.random()
        if roll < 0.06:
            name, code = f"{d.word(5, 12)}.{d.rng.choice(['com', 'org', 'net'])}", 3
        elif roll < 0.3:
            name, code = f"{d.word(6, 12)}-{n}.{d.rng.choice(['cloudfront', 'googlevideo', 'fbcdn'])}.net", 0
        else:
            name, code = f"www.{d.word(3, 5)}{n}.{d.rng.choice(['com', 'org', 'de'])}", 0
        yield from ask(d, d.host(1), d.world() if d.rng.random() < 0.3 else d.host(2), name, d.rng.choice([1, 28, 65]), code)
        d.wait(0.06)


def mail_server(d):
    talk = [(False, b"220 mx\r\n"), (True, b"EHLO x\r\n"), (False, b"250 ok\r\n"), (True, b"MAIL FROM:<a@b>\r\n"), (False, b"250 ok\r\n"), (True, bytes(4000))]
    for _ in range(200):
        yield from session(d, d.world(), d.host(1), 25, talk)
        yield from session(d, d.host(1), d.world(), 25, talk)
        d.wait(2)


def log_collector(d):
    port = d.rng.choice([514, 2055, 6343, 162, 8125, 12201])
    for n in range(3000):
        yield d.now, udp(d.host(10 + n % 150), d.host(1), 40000 + n % 700, port, b"<13>" + b"m" * d.rng.randint(60, 900))
        d.wait(0.01)


def overlay(d):
    """VXLAN: each inner flow has a source port of its own, and answers come by another."""
    for n in range(3000):
        yield d.now, udp(d.host(1), d.host(2), 30000 + d.rng.randrange(900), 4789, b"\x08\0\0\0\0\0\1\0" + d.rng.randbytes(60))
        d.wait(0.005)


def monitor(d):
    for _ in range(3):
        for n in range(120):
            yield from echo(d, d.host(300), d.host(n), bytes(48), n, n % 40 != 7)
            d.even(0.08)
            if n % 5 == 0:
                yield from session(d, d.host(300), d.host(n), d.rng.choice([80, 443, 22, 9100]), [(True, b"ping"), (False, b"pong")])


def server_away(d):
    port, gap, loud = d.rng.choice([443, 8883, 5432]), d.rng.choice([0.5, 2, 10]), d.rng.random() < 0.5
    for _ in range(60):
        for n in range(d.rng.randint(2, 8)):
            if loud:
                yield from refused(d, d.host(10 + n), d.host(1), port)
            else:
                sport = d.sport()
                for k in (0, 1, 3):
                    yield d.now + k, tcp(d.host(10 + n), d.host(1), sport, port, "S")
        d.even(gap)


def logon(d):
    """A morning's domain log-ons: Kerberos, LDAP and SMB, one client after the other."""
    for n in range(40):
        for port in (88, 88, 389, 445, 135, 88):
            yield from session(d, d.host(10 + n % 12), d.host(1), port, [(True, d.rng.randbytes(300)), (False, d.rng.randbytes(1500))])
        yield from ask(d, d.host(10 + n % 12), d.host(1), "_ldap._tcp.dc._msdcs.office.example", 33)
        d.wait(0.5)


def web_mail(d):
    for _ in range(120):
        yield from session(d, d.host(1), d.host(2), d.rng.choice([143, 993]), [(False, b"* OK ready\r\n"), (True, b"a LOGIN x y\r\n"), (False, b"a OK\r\n"), (False, bytes(5000))])
        d.wait(0.6)


def proxy_clients(d):
    port = d.rng.choice([3128, 8080, 1080])
    for _ in range(300):
        yield from session(d, d.host(9), d.host(1), port, [(True, b"CONNECT www.example.com:443 HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 ok\r\n\r\n"), (False, bytes(3000))])
        d.wait(0.3)


def own_services(d):
    """Programs that talk to each other without keeping connections."""
    port = d.rng.choice([7070, 9092, 50051, 4000, 6443, 853])
    for _ in range(200):
        yield from session(d, d.host(9), d.host(1), port, [(True, d.rng.randbytes(200)), (False, d.rng.randbytes(500))])
        d.wait(0.4)


def reputation(d):
    for n in range(200):
        name = f"4.0.{d.word(20, 40)}.{d.word(30, 40)}.avqs.mcafee.com" if n % 2 else f"{d.word(40, 40, '0123456789abcdef')}.hash.zen.spamhaus.org"
        yield from ask(d, d.host(1), d.host(2), name, d.rng.choice([1, 16]), d.rng.choice([0, 3]))
        d.wait(0.2)


def long_names_again(d):
    names = [f"internal-{d.word(24, 30)}-1234567890.eu-west-1.elb.amazonaws.com" for _ in range(12)]
    for _ in range(400):
        yield from ask(d, d.host(1), d.host(2), d.rng.choice(names), d.rng.choice([1, 28]))
        d.wait(0.1)


def search_list(d):
    for n in range(200):
        for tail in ("default.svc.cluster.local", "svc.cluster.local", "cluster.local"):
            yield from ask(d, d.host(1), d.host(2), f"api{n % 60}.{d.rng.choice(SITES)}.com.{tail}", 1, 3)
        yield from ask(d, d.host(1), d.host(2), f"api{n % 60}.{d.rng.choice(SITES)}.com", 1, 0)
        d.wait(0.3)


def resolver_away(d):
    for n in range(120):
        yield from ask(d, d.host(1), d.host(2), f"www{n % 7}.{d.rng.choice(SITES)}.com", d.rng.choice([1, 28]), None)
        d.wait(0.3)


def torrent(d):
    for _ in range(250):
        peer, port = d.world(), d.rng.randrange(1024, 65535)
        if d.rng.random() < 0.5:
            yield d.now, tcp(d.host(1), peer, d.sport(), port, "S")
        else:
            yield d.now, udp(d.host(1), peer, 6881, port, b"d1:ad2:id20:" + bytes(60))
            if d.rng.random() < 0.5:
                yield d.now + d.rtt, udp(peer, d.host(1), port, 6881, b"d1:rd2:id20:" + bytes(200))
        d.wait(0.2)


def call(d):
    """RTP both ways, and a camera that nobody answers."""
    for n in range(2500):
        yield d.now, udp(d.host(1), d.host(2), 16000, 17000, bytes(172))
        yield d.now + 0.001, udp(d.host(2), d.host(1), 17000, 16000, bytes(172))
        yield d.now + 0.002, udp(d.host(3), d.host(2), 5000, 5004, bytes(1200))
        d.even(0.02)


def game(d):
    for n in range(4000):
        yield d.now, udp(d.host(1), d.world() if n == 0 else d.host(200), 27005, 27015, d.rng.randbytes(60))
        yield d.now + d.rtt, udp(d.host(200), d.host(1), 27015, 27005, d.rng.randbytes(400))
        d.even(0.015)


def chatter(d):
    """mDNS, SSDP, DHCP, neighbours."""
    for n in range(200):
        h = f"10.9.0.{n % 90 + 1}"
        yield d.now, udp(h, "224.0.0.251", 5353, 5353, dns("_ipp._tcp.local", 12))
        yield d.now, udp(h, "239.255.255.250", 40000 + n, 1900, b"M-SEARCH * HTTP/1.1\r\n\r\n")
        yield d.now, udp("0.0.0.0", "255.255.255.255", 68, 67, bytes(300))
        yield d.now, udp(h, "10.9.0.255", 137, 137, bytes(60))
        d.wait(0.1)


def backup(d):
    for n in range(4):
        yield from session(d, d.host(1), d.host(2), d.rng.choice([22, 445, 873, 443]), [(True, d.rng.randbytes(1_500_000)), (False, bytes(50))])
        d.wait(5)


def traceroute(d):
    for hop in range(30):
        for k in range(3):
            yield d.now, udp(d.host(1), d.host(200), 40000, 33434 + hop * 3 + k, bytes(32))
            d.even(0.05)


def browsing(d):
    for _ in range(60):
        server = d.world()
        for n in range(d.rng.randint(1, 12)):
            yield from session(d, d.host(1), server, 80, [(True, get(f"/{d.word(3, 40)}?utm={d.word(5, 30)}")), (False, page(d.rng.randint(200, 9000), d.rng.choice(["200 OK"] * 12 + ["404 Not Found"])))])
        d.wait(1.5)


def relay(d):
    """A reverse proxy in front of two servers, and an application that opens its database for each page."""
    for n in range(500):
        asked = get(f"/{d.word(3, 60)}?q={d.word(1, 40)}")
        yield from session(d, d.world(), d.host(1), 443, [(True, d.rng.randbytes(500)), (False, d.rng.randbytes(900))])
        yield from session(d, d.host(1), d.host(2), 8080, [(True, asked), (False, page(600, d.rng.choice(["200 OK", "404 Not Found"])))])
        yield from session(d, d.host(2), d.host(3), 3306, [(False, b"\x4a\0\0\0\x0a8.0.3" + bytes(60)), (True, bytes(80)), (False, b"\7\0\0\2\0\0\0\2\0\0\0")])
        d.wait(0.15)


def api_client(d):
    for n in range(500):
        yield from session(d, d.host(1), d.host(2), d.rng.choice([80, 443, 8080]), [(True, get(f"/v1/items/{d.rng.randrange(10**6)}")), (False, page(300))])
        d.wait(0.15)


def port_checks(d):
    """A monitor that looks whether doors are open and says nothing."""
    for _ in range(120):
        for port, greeting in ((22, b"SSH-2.0-OpenSSH_9.2\r\n"), (80, b""), (21, b"220 FTP ready\r\n")):
            yield from session(d, d.host(9), d.host(1), port, [(False, greeting)] if greeting else [])
        d.even(0.7)


def ansible(d):
    for n in range(20):
        for host in range(12):
            yield from session(d, d.host(300), d.host(host), 22, [(False, b"SSH-2.0-OpenSSH_9.2\r\n"), (True, b"SSH-2.0-OpenSSH_9.2\r\n"), (True, d.rng.randbytes(3000)), (False, d.rng.randbytes(9000))])
            d.even(0.25)


HONEST = [gateway, resolver, mail_server, log_collector, overlay, monitor, server_away, logon, web_mail, proxy_clients, own_services, reputation,
          long_names_again, search_list, resolver_away, torrent, call, game, chatter, backup, traceroute, browsing, relay, api_client, ansible]
UNLEARNED = [port_checks]  # the model has seen draws of the others (models/lab/drawn.py)
