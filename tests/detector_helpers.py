"""What the tests of the detector share: a receiver with a script, a detector that sends to it, and captures of more than one kind."""
import http.server
import json
import threading

import pytest
from crafted import tcp, udp
from programs import Detector


class Receiver:
    """A webhook on the loopback that answers as told and keeps what it heard."""

    def __init__(self, answer=lambda body: (200, {"success": True})):
        self.answer, self.heard, self.headers, self.beats, self.packets = answer, [], [], [], []
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/heartbeat"):
                    with receiver.lock:
                        receiver.beats.append((self.path, body))
                    status, reply = 200, {"success": True}
                else:
                    with receiver.lock:
                        receiver.heard += body if isinstance(body, list) else [body]
                        receiver.headers.append(dict(self.headers))
                    status, reply = receiver.answer(body)
                text = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.packets.append((self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def ids(self):
        with self.lock:
            return {(t["threat_id"], t.get("revision", 1)) for t in self.heard}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def start(tmp_path, receiver):
    """start(source, arguments): a running detector that sends to the receiver; all are stopped at the end."""
    running = []

    def go(source="none", arguments=(), **kwargs):
        program = Detector(tmp_path / f"detector{len(running)}", receiver, source, ["--sensor", "unit", *arguments], **kwargs).start()
        running.append(program)
        return program

    yield go
    for program in running:
        program.stop()


def quiet(start=1_700_000_000.0, count=20):
    """Honest look-ups and one page: nothing to find."""
    for n in range(count):
        yield start + n, udp("10.0.0.5", "10.0.0.1", 50000 + n, 53, b"\0" * 30)
        yield start + n + 0.01, udp("10.0.0.1", "10.0.0.5", 53, 50000 + n, b"\0" * 60)


def page(start=1_700_000_100.0):
    at = [start]

    def step(*arguments, **kwargs):
        at[0] += 0.001
        return at[0], tcp(*arguments, **kwargs)

    client, server = ("10.0.0.5", "10.0.0.2", 40000, 80), ("10.0.0.2", "10.0.0.5", 80, 40000)
    yield step(*client, "S")
    yield step(*server, "SA")
    yield step(*client, "A")
    yield step(*client, "PA", b"GET / HTTP/1.1\r\n\r\n")
    yield step(*server, "PA", b"x" * 900)
    yield step(*client, "FA")
    yield step(*server, "FA")
    yield step(*client, "A")
