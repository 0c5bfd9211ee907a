"""Honest traffic, drawn at random, that looks like an attack by one sign and not by the second: a link captured one way, a centre asked by all its
branches, a build that looks for each part in several places. Each function is the twin of an attack in drawn.py or of a limit.
"""
import base64
import struct

from crafted import arp, ip, ip4, ip6, tcp, udp
from drawn import SITES, ask, dns, echo, get, page, refused, session

HELLO = b"\x16\3\1\2\0\1"


def host(d, n):
    return f"10.{d.net}.{n // 250}.{n % 250 + 1}"


def card(n):
    return b"\x00\x1b\x21\x00" + struct.pack("!H", n % 65536)


# --- names ---

def names_of_services(d):
    """A mail server looks up what senders published (RFC 7208, macros), a domain's members their servers, a device a whole address."""
    for n in range(100):
        nibbles = ".".join(d.word(1, 1, "0123456789abcdef") for _ in range(32))
        yield from ask(d, host(d, 1), host(d, 2), f"{nibbles}._ip.mail-{d.word(3, 6)}.example.com._ehlo.{d.word(5, 14)}.com._spf.example.org")
        yield from ask(d, host(d, 1), host(d, 2), f"bounce+{d.word(5, 9)}-{d.word(6, 12)}=example.com._lp.{d.word(6, 10)}._spf.{d.rng.choice(SITES)}.com", 1, 3)
        yield from ask(d, host(d, 1), host(d, 2), "_ldap._tcp.Branch-Office-Some-Town._sites.ForestDnsZones.subsidiary.department.corporation-holding.example.com", 33)
        yield from ask(d, host(d, 1), host(d, 2), "https://updates.of-the-device.vendor-services.example.com", 1, 3)
        d.wait(0.4)


def monitored_names(d):
    """Eight hundred hosts of a few rows within a minute, and long names."""
    for n in range(800):
        yield from ask(d, host(d, 1), host(d, 2), f"node-{n:04d}.rack{n % 40}.prod.{d.rng.choice(['example', 'cluster-of-the-second-data-centre.example'])}.com")
        d.even(0.06)


def blocked_advertisements(d):
    """The resolver says of advertisers that they are not there."""
    for _ in range(60):
        for code, name in [(3, f"{d.word(3, 9)}.ads{d.rng.choice(SITES)}.com")] * d.rng.randint(1, 3) + [(0, f"{d.word(3, 9)}.{d.word(5, 12)}.com")] * 2:
            for kind in (1, 28, 65):
                yield from ask(d, host(d, 1), host(d, 2), name, kind, code)
        d.wait(1)


def resolver_that_works(d):
    """The capture begins in the middle; some name servers are lame, one of a top-level domain answers with much."""
    for _ in range(40):
        yield d.now + d.rng.random() * 0.05, udp(d.world(), d.host(1), 53, d.sport(), dns(f"{d.word(5, 9)}.com", 1, 0, 6))
    for _ in range(1200):
        server, answer = ("192.5.6.30" if not d.six else "2001:503::30", 800) if d.rng.random() < 0.5 else (d.world(), 120)
        asked, sport = dns(f"{d.word(5, 12)}.com"), d.sport()
        yield d.now, udp(d.host(1), server, sport, 53, asked)
        if d.rng.random() < 0.88:
            yield d.now + d.rtt, udp(server, d.host(1), 53, sport, asked[:2] + b"\x81\x80" + asked[4:] + bytes(answer))
        d.wait(0.012)


# --- half of it seen ---

def seen_one_way(d):
    """What goes to a server; what one client sends; what comes back to it."""
    for n in range(250):
        client, at, sport, server = d.world(), d.now, d.sport(), d.world()
        yield at, tcp(client, d.host(1), sport, 80, "S")
        yield at + d.rtt, tcp(client, d.host(1), sport, 80, "A")
        for k in range(3):
            yield at + d.rtt + k * 4, tcp(client if k else d.world(), d.host(1), sport, 80, "PA", get("/" + d.word(3, 20)))
        yield at, tcp(d.host(7), server, sport, 443, "S")
        yield at + d.rtt, tcp(d.host(7), server, sport, 443, "A")
        yield at + d.rtt, tcp(d.host(7), server, sport, 443, "PA", HELLO + d.rng.randbytes(500))
        yield at, tcp(server, d.host(8), 443, sport, "SA")
        yield at + d.rtt, tcp(server, d.host(8), 443, sport, "PA", d.rng.randbytes(900))
        for k in range(2):
            yield at + k * 6, tcp(d.host(7), d.host(1), 5000 + n % 12, 80, "PA", get("/" + d.word(3, 20)))
        d.wait(0.05)


def begun_in_the_middle(d):
    """An office's address, a hundred downloads by QUIC, just before the next acknowledgement."""
    for k in range(12):
        for n in range(100):
            yield d.now + d.rng.random(), udp(f"142.250.{n}.{n + 1}", "198.51.100.7", 443, 20000 + n, b"\x4a" + d.rng.randbytes(900))
            if k % 3 == 2:
                yield d.now + d.rng.random(), udp("198.51.100.7", f"142.250.{n}.{n + 1}", 20000 + n, 443, b"\x4b" + d.rng.randbytes(40))
        d.now += 1


def asked_after_a_restart(d):
    """A database looks whether the connections of a host are alive, which was started anew; clients of a balancer that was come back."""
    for n in range(250):
        client = f"93.{n % 200}.{n // 200}.7"
        yield d.now, tcp(host(d, 1), host(d, 2), 5432, 40000 + n % 60, "A")
        yield d.now + 0.0003, tcp(host(d, 2), host(d, 1), 40000 + n % 60, 5432, "R")
        yield d.now, tcp(client, host(d, 3), 30000 + n, 443, "A")
        yield d.now + 0.0003, tcp(host(d, 3), client, 443, 30000 + n, "R")
        yield from session(d, client, host(d, 3), 443, [(True, HELLO + d.rng.randbytes(500)), (False, d.rng.randbytes(900))], at=d.now + 0.05)
        d.wait(0.04)


# --- one link ---

def head_end_and_router(d):
    """A head end asks for its customers all over its nets; a router that took over asks for all hosts, which answer."""
    for n in range(900):
        number = d.rng.randrange(8192)
        yield d.now, arp(1, card(1), "24.166.172.1", f"24.166.{160 + number // 256}.{number % 256}")
        yield d.now, arp(1, card(2), f"10.{d.net}.0.254", host(d, n % 220))
        yield d.now + 0.0004, arp(2, card(100 + n % 220), host(d, n % 220), f"10.{d.net}.0.254", card(2))
        d.wait(0.04)


def answers_of_all(d):
    """SSDP and WS-Discovery: one asks, eighty answer from the port that was asked."""
    for n in range(10):
        for port in (1900, 3702):
            yield d.now, udp(host(d, 1), "239.255.255.250", 50000 + n, port, b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n")
            for k in range(80):
                yield d.now + 0.01 + d.rng.random(), udp(host(d, 10 + k), host(d, 1), port, 50000 + n, b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n" + bytes(200))
        d.even(15)


def woken_and_met(d):
    """Cards are woken from the echo port, a program meets itself on its own host, pods have addresses of reserved space."""
    for n in range(60):
        yield d.now, udp(host(d, 9), f"10.{d.net}.0.255", 7, 7, b"\xff" * 6 + card(n) * 16)
        yield d.now, tcp(host(d, 1), host(d, 1), 45678 + n % 3, 45678 + n % 3, "S")
        for k in range(12):
            yield from session(d, f"240.10.{n % 20}.{k + 1}", host(d, k), 8080, [(True, get("/healthz")), (False, page())])
        d.wait(0.5)


def branches(d):
    """Two hundred look each second whether the centre is there; a program with an identity made anew each time; a measured thousand."""
    for n in range(8):
        for k in range(200):
            yield d.now + d.rng.random(), ip(host(d, 300 + k), host(d, 1), 1, struct.pack("!BBHHH", 8, 0, 0, k, n) + bytes(32))
            yield d.now + 1 + d.rng.random() * 0.01, ip(host(d, 1), host(d, 300 + k), 1, struct.pack("!BBHHH", 0, 0, 0, k, n) + bytes(32))
        d.now += 1
    for n in range(1000):
        if n % 50 == 0:
            yield from echo(d, d.host(1), d.host(2), d.rng.randbytes(24), n)
        yield from echo(d, d.host(3), d.host(4), bytes(range(72)), n)
        d.now += 0.0016


# --- log-ins ---

FTP = [(False, b"220 ready\r\n"), (True, b"USER cam\r\n"), (False, b"331 Password?\r\n"), (True, b"PASS cam1\r\n")]


def let_in(d):
    """Cameras that hand in each picture by itself, messages of a log one by one on the port that is also rsh's."""
    for n in range(160):
        yield from session(d, d.host(1), d.host(2), 21, [*FTP, (False, b"230 Login successful.\r\n"), (True, b"STOR a.jpg\r\n"), (False, b"226 done\r\n")])
        yield from session(d, d.host(3), d.host(2), 514, [(True, b"<13>Nov 29 10:00:00 host app: message %d\n" % n)])
        yield from session(d, d.host(4), d.host(2), 5985, [(True, b"POST /wsman HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 \r\n\r\n")])
        d.wait(0.7)


def mail_of_many(d):
    """Mailboxes asked by one gateway on a server that does not know CAPA; a mail page where one in twenty mistypes."""
    for n in range(400):
        yield from session(d, d.host(1), d.host(2), 110, [(False, b"+OK\r\n"), (True, b"CAPA\r\n"), (False, b"-ERR Unknown command\r\n"), (True, f"USER u{n % 60}\r\n".encode()),
                                                          (False, b"+OK\r\n"), (True, f"PASS p{n % 60}\r\n".encode()), (False, b"+OK 0 messages\r\n"), (True, b"UIDL\r\n"), (False, b"-ERR not implemented\r\n")])
        answer = b"a1 NO [AUTHENTICATIONFAILED] LOGIN failed\r\n" if d.rng.random() < 0.05 else b"a1 OK\r\n"
        yield from session(d, d.host(3), d.host(2), 143, [(False, b"* OK\r\n"), (True, f"a1 LOGIN u{n} p{n}\r\n".encode()), (False, answer)])
        d.wait(0.1)


def old_passwords(d):
    """Programs to which nobody told the new one try theirs for twenty minutes."""
    connect = b"\x10\x22\0\4MQTT\4\xc2\0\x3c\0\4dev1\0\4user\0\6oldpwd"
    for _ in range(150):
        yield from session(d, d.host(1), d.host(3), 1883, [(True, connect), (False, b"\x20\2\0\5")])
        yield from session(d, d.host(2), d.host(3), 21, [*FTP, (False, b"530 Login incorrect.\r\n")])
        yield from session(d, d.host(2), d.host(3), 143, [(False, b"* OK\r\n"), (True, b"a1 LOGIN anna old\r\n"), (False, b"a1 NO LOGIN failed\r\n")])
        yield from session(d, d.host(4), d.host(3), 389, [(True, b"\x30\x14\2\1\1\x60\x0f\2\1\3\4\4cn=a\x80\4old1"), (False, b"\x30\x0c\2\1\1\x61\7\x0a\1\x31\4\0\4\0")])
        d.even(8)


def asked_for_a_password_first(d):
    """Each of hundreds behind a proxy; telephones' subscriptions are forbidden."""
    for n in range(250):
        who = base64.b64encode(b"user%d:secret%d" % (n, n)).decode()
        with_it = get(f"/mail/{n}").replace(b"\r\n\r\n", f"\r\nAuthorization: Basic {who}\r\n\r\n".encode())
        yield from session(d, d.host(1), d.host(2), 80, [(True, get(f"/mail/{n}")), (False, page(100, "401 Unauthorized")), (True, with_it), (False, page())])
        yield d.now, udp(d.host(3), d.host(4), 5061, 5060, b"SUBSCRIBE sip:1%d@lab SIP/2.0\r\nCSeq: 2 SUBSCRIBE\r\n\r\n" % n)
        yield d.now + d.rtt, udp(d.host(4), d.host(3), 5060, 5061, b"SIP/2.0 403 Forbidden\r\nCSeq: 2 SUBSCRIBE\r\n\r\n")
        d.wait(0.2)


# --- much of it fails ---

def builds(d):
    """Each part is looked for in several places; a cache is asked, then filled."""
    for n in range(220):
        part = f"{d.word(3, 9)}/{d.word(4, 20)}"
        yield from session(d, d.host(1), d.host(2), 8081, [(True, get(f"/releases/{part}.pom")), (False, page(150, "404 Not Found")), (True, get(f"/central/{part}.pom")), (False, page())])
        yield from session(d, d.host(1), d.host(3), 8080, [(True, get(f"/ac/{part}")), (False, page(20, "404 Not Found")), (True, get(f"/cas/{part}").replace(b"GET", b"PUT")), (False, page(20, "201 Created"))])
        d.wait(0.1)


def one_address_of_many_people(d):
    """An office behind one address, an eighth of whose sessions go to the same site."""
    for n in range(1600):
        yield from session(d, "198.51.100.9", "104.16.1.1" if n % 8 == 0 else f"93.{d.rng.randrange(250)}.{d.rng.randrange(250)}.7", 443,
                           [(True, HELLO + d.rng.randbytes(d.rng.randint(400, 3000))), (False, d.rng.randbytes(d.rng.randint(300, 3000)))])
        d.wait(0.04)


def backend_restarts(d):
    """Of a proxy that many ask; for some seconds it is refused."""
    for n in range(800):
        yield from session(d, d.world(), d.host(1), 443, [(True, d.rng.randbytes(500)), (False, d.rng.randbytes(700))])
        if 200 < n < 600:
            yield from refused(d, d.host(1), d.host(2), 8080)
        else:
            yield from session(d, d.host(1), d.host(2), 8080, [(True, get("/x")), (False, page())])
        d.wait(0.015)


def some_are_away(d):
    """One in nine machines that are set up by SSH; all of IPv6, where it does not work."""
    for n in range(240):
        if n % 9 == 0:
            yield d.now, tcp(host(d, 900), host(d, n % 120), d.sport(), 22, "S")
        else:
            yield from session(d, host(d, 900), host(d, n % 120), 22, [(False, b"SSH-2.0-a\r\n"), (True, b"SSH-2.0-a\r\n"), (True, d.rng.randbytes(900)), (False, d.rng.randbytes(9000))])
        yield d.now, tcp("fd00::9", f"2001:db8:{d.rng.randrange(65536):x}::1", d.sport(), 443, "S")
        d.even(0.4)


def peers(d):
    """Of file-sharing programs: most are gone; a host is asked long after its program was ended."""
    for _ in range(900):
        yield d.now, tcp(d.host(1), d.world(), d.sport(), d.rng.choice([4001, 4001, 6881, 51413, d.rng.randrange(1024, 65535)]), "S")
        yield d.now, udp(d.world(), d.host(2), d.rng.randrange(1024, 65535), 51413, d.rng.choice([b"d1:ad2:id20:" + d.rng.randbytes(60), b"\x41\0" + d.rng.randbytes(18)]))
        d.wait(0.05)


def transfers(d):
    """Thousands of datagrams a second with few answers; points of a series each from a port of its own; terminals' blanks, pasted stars."""
    for n in range(9000):
        yield d.now, udp(d.host(1), d.host(2), 40000, 33001, bytes(600))
        if n % 150 == 0:
            yield d.now + 0.001, udp(d.host(2), d.host(1), 33001, 40000, bytes(60))
        if n % 8 == 0:
            yield d.now, udp(d.host(3), d.host(4), d.sport(), 8089, b"cpu,host=a value=1")
        d.now += 0.0001
    yield from session(d, d.host(5), d.host(6), 23, [turn for _ in range(6) for turn in ((True, b"*" * 90 + b"\r\n"), (True, b"\x7d" + b"\x40" * 400 + b"\xff\xef"))])


def routers_of_a_link(d):
    """Two of each kind that tell each other who stands in for whom, and relayed requests for addresses."""
    for n in range(300):
        yield d.now, ip4(host(d, 1), "224.0.0.18", 112, bytes([0x21, 7, 100, 1, 0, 1]) + bytes(10), ttl=255)
        yield d.now, udp(host(d, 2), "224.0.0.2", 1985, 1985, bytes(20))
        yield d.now, ip6(f"fe80::{n % 2 + 1}", "ff02::1", 58, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ttl=255)
        yield d.now, udp(host(d, 1), host(d, 3), 67, 67, struct.pack("!BBBBIHH", 1, 1, 6, 1, n, 0, 0) + bytes(16) + bytes([n % 256, n * 7 % 256, n * 3 % 256, 1, 2, 3]) + bytes(202) + b"\x63\x82\x53\x63\x35\1\1\xff")
        d.even(0.3)


TWINS = [names_of_services, monitored_names, blocked_advertisements, resolver_that_works, seen_one_way, begun_in_the_middle, asked_after_a_restart,
         head_end_and_router, answers_of_all, woken_and_met, branches, let_in, mail_of_many, old_passwords, asked_for_a_password_first, builds,
         one_address_of_many_people, backend_restarts, some_are_away, peers, transfers, routers_of_a_link]
