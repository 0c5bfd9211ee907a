"""Notices: signed webhooks, syslog and e-mail, kept until they are delivered."""

import json
import socket
import socketserver
import threading
import time

import pytest

from backend_fixture import Backend, free_port, sign, threat, wait_until
from notice_helpers import make_target, state_of
from notice_receiver import Receiver


@pytest.fixture
def backend(on_each_store):
    b = on_each_store("--allow-private-targets")
    yield b
    b.close()


@pytest.fixture()
def one():
    b = Backend("--allow-private-targets").start()
    yield b
    b.close()


@pytest.fixture()
def receiver():
    r = Receiver()
    yield r
    r.close()


def test_a_webhook_gets_what_fits_its_filter_signed(backend, receiver):
    made = make_target(backend, type="webhook", url=receiver.url, filter="severity:high OR port:22")
    wanted = threat(severity="high", confidence=0.8)
    backend.send([threat(), wanted, threat(destination_port=22)])
    wait_until(lambda: len(receiver.got) >= 2, 8)
    time.sleep(0.5)
    assert len(receiver.got) == 2
    headers, body = next(g for g in receiver.got if json.loads(g[1])["data"]["threat_id"] == wanted["threat_id"])
    assert json.loads(body)["type"] == "threat_detected"
    expected = sign(made["secret"], body, headers["webhook-id"], headers["webhook-timestamp"])
    assert headers["webhook-signature"] == expected["webhook-signature"]
    wait_until(lambda: state_of(backend, made["notification"]["id"])["sent"] == 2, 5)
    listed = backend.get("/api/notifications").json()
    assert made["secret"] not in json.dumps(listed)


def test_a_notice_survives_silence_and_a_restart(one, receiver):
    port = free_port()
    made = make_target(one, type="webhook", url=f"http://127.0.0.1:{port}/hook")
    one.send(threat())
    wait_until(lambda: state_of(one, made["notification"]["id"])["failed"] == 1, 8)
    one.stop()
    late = Receiver(port=port)
    try:
        one.start()
        wait_until(lambda: late.got, 15)  # due 5 s after the first try
        time.sleep(0.7)
        assert len(late.got) == 1
    finally:
        late.close()


def test_only_what_comes_after_the_target_is_told(one, receiver):
    one.send(threat())
    make_target(one, type="webhook", url=receiver.url)
    late = threat()
    one.send(late)
    wait_until(lambda: receiver.got, 8)
    time.sleep(0.5)
    assert [json.loads(b)["data"]["threat_id"] for _, b in receiver.got] == [late["threat_id"]]


def test_suppressed_threats_are_not_told(one, receiver):
    make_target(one, type="webhook", url=receiver.url)
    one.post("/api/suppressions", json={"match": {"type": "web_attack"}, "reason": "x"})
    one.send(threat())
    one.send(threat(threat_type="port_scan"))
    wait_until(lambda: receiver.got, 8)
    time.sleep(0.5)
    assert [json.loads(b)["data"]["threat_type"] for _, b in receiver.got] == ["port_scan"]


def test_a_target_that_is_gone_makes_a_dead_letter_that_can_be_replayed(one, receiver):
    receiver.status = 410
    make_target(one, type="webhook", url=receiver.url)
    one.send(threat())
    letters = wait_until(lambda: one.get("/api/dead-letters").json()["deadLetters"], 8)
    assert letters[0]["kind"] == "notice" and "410" in letters[0]["message"]
    receiver.status = 200
    assert one.post(f"/api/dead-letters/{letters[0]['id']}/replay").status_code == 200
    wait_until(lambda: len(receiver.got) == 2, 15)
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]
    wait_until(lambda: one.get("/api/dead-letters").json()["count"] == 0, 5)
    assert one.post("/api/dead-letters/none/replay").status_code == 404
    assert one.post("/api/dead-letters/detector:x:y/replay").status_code in (404, 503)


def test_a_slow_target_does_not_hold_up_another(one, receiver):
    with socket.socket() as silent:  # takes connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        make_target(one, type="webhook", url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        make_target(one, type="webhook", url=receiver.url)
        begun = time.monotonic()
        one.send([threat() for _ in range(10)])
        wait_until(lambda: len(receiver.got) == 10, 8)
        assert time.monotonic() - begun < 6


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_syslog_gets_rfc_5424(one, way):
    got = []
    if way == "udp":
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                got.append(self.request[0].decode())
        server = socketserver.UDPServer(("127.0.0.1", 0), Handler)
    else:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                data = self.rfile.read()
                length, _, rest = data.partition(b" ")
                assert int(length) == len(rest)
                got.append(rest.decode())
        server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        make_target(one, type="syslog", url=f"{way}://127.0.0.1:{server.server_address[1]}")
        one.send(threat(severity="critical", confidence=0.95, sensor="edge-1"))
        wait_until(lambda: got, 8)
        assert got[0].startswith("<130>1 20") and " threatline - threat [threat@32473 id=\"" in got[0]
        assert 'sensor="edge-1"' in got[0]
        assert got[0].isprintable()
    finally:
        server.shutdown()
        server.server_close()


class MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self):
        self.mails = []
        super().__init__(("127.0.0.1", 0), MailSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class MailSession(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 test\r\n")
        mail = {"to": []}
        for line in self.rfile:
            verb = line.strip().upper()
            if verb.startswith(b"MAIL FROM"):
                mail["from"] = line.decode().strip()
            if verb.startswith(b"RCPT TO"):
                mail["to"].append(line.decode().strip())
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                for part in self.rfile:
                    if part == b".\r\n":
                        break
                    text += part
                mail["text"] = text.decode()
                self.server.mails.append(mail)
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
            if verb == b"QUIT":
                break


def test_a_mailbox_gets_a_mail(one):
    server = MailServer()
    try:
        make_target(one, type="email", url=f"smtp://127.0.0.1:{server.server_address[1]}", to="a@example.org, b@example.org",
                    **{"from": "threatline@example.org"})
        one.send(threat(severity="high", confidence=0.7))
        mail = wait_until(lambda: server.mails, 10)[0]
        assert len(mail["to"]) == 2 and "a@example.org" in mail["to"][0]
        head, _, body = mail["text"].partition("\r\n\r\n")
        assert "Subject: [Threatline] high web_attack from 192.168.1.144 to 192.168.1.4" in head
        assert "Bcc" not in head and "192.168.1.144" in body
    finally:
        server.shutdown()
        server.server_close()


def test_a_target_can_be_tried(one, receiver):
    made = make_target(one, type="webhook", url=receiver.url)["notification"]
    assert one.post(f"/api/notifications/{made['id']}/test").status_code == 200
    assert json.loads(receiver.got[0][1])["type"] == "test"
    receiver.status = 500
    answer = one.post(f"/api/notifications/{made['id']}/test")
    assert answer.status_code == 502 and "500" in answer.json()["message"]
    assert one.post("/api/notifications/none/test").status_code == 404


def test_private_addresses_are_out_of_reach_unless_allowed():
    backend, receiver = Backend().start(), Receiver()
    try:
        port = receiver.server.server_port
        for url in (receiver.url, f"http://localhost:{port}/", f"http://[::ffff:127.0.0.1]:{port}/",
                    f"http://2130706433:{port}/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"):
            made = make_target(backend, type="webhook", url=url)["notification"]
            answer = backend.post(f"/api/notifications/{made['id']}/test")
            assert answer.status_code == 422, (url, answer.text)
        for kind, url in (("syslog", "udp://127.0.0.1:514"), ("syslog", "tcp://127.0.0.1:601"),
                          ("email", "smtp://127.0.0.1:25")):
            more = {"from": "a@example.org", "to": "b@example.org"} if kind == "email" else {}
            made = make_target(backend, type=kind, url=url, **more)["notification"]
            assert backend.post(f"/api/notifications/{made['id']}/test").status_code == 422, url
        assert receiver.got == []
    finally:
        receiver.close()
        backend.close()


@pytest.mark.parametrize("body", [
    {"type": "webhook", "url": "ftp://example.org/"}, {"type": "webhook", "url": "http://"},
    {"type": "webhook", "url": "http://a b/"}, {"type": "webhook", "url": "http://x/\r\nX: y"}, {"type": "pigeon", "url": "x"},
    {"type": "syslog", "url": "udp://example.org"}, {"type": "syslog", "url": "udp://x:99999"},
    {"type": "webhook", "url": "http://x/", "filter": "port:("}, {"type": "webhook", "url": "http://x/", "secret": "short"},
    {"type": "email", "url": "smtp://x", "from": "a", "to": "b@c"}, {"type": "email", "url": "smtp://x"},
    {"type": "email", "url": "smtp://x", "from": "a@b", "to": "b@c\r\nBcc: d@e"}, {"type": "webhook"}, {}])
def test_a_target_that_makes_no_sense_is_refused(body, one_for_all):
    answer = one_for_all.post("/api/notifications", json={"name": "x", **body})
    assert answer.status_code == 400 and answer.json()["details"], answer.text


@pytest.fixture(scope="module")
def one_for_all():
    b = Backend().start()
    yield b
    b.close()


def test_two_backends_on_one_store_tell_once(mongo, receiver, tmp_path):
    options = ["--allow-private-targets", "--secret-key-file", str(tmp_path / "secret.key")]
    uri = mongo.uri()
    first = Backend(*options, mongodb_uri=uri).start()
    second = Backend(*options, mongodb_uri=uri).start()
    try:
        make_target(second, type="webhook", url=receiver.url)
        first.send([threat() for _ in range(5)])
        second.send([threat() for _ in range(5)])
        wait_until(lambda: len(receiver.got) >= 10, 60)
        time.sleep(1)
        assert len(receiver.got) == 10
        first.stop()
        second.send(threat())
        wait_until(lambda: len(receiver.got) == 11, 60)  # the lease runs out
    finally:
        first.close()
        second.close()
