"""Starts real backends on free ports, each with a data directory of its own, and speaks to them."""

import base64
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("THREATLINE_BACKEND", str(ROOT / "build/bin/threatline-backend"))
PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(check, seconds=15, pause=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = check()
        if result:
            return result
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {check}")


def threat(**changes):
    """The example of the integration guide, with an id of its own."""
    base = {
        "threat_id": f"threat_{os.getpid()}_{next(_numbers):06d}",
        "threat_type": "web_attack",
        "severity": "low",
        "source_ip": "192.168.1.144",
        "destination_ip": "192.168.1.4",
        "source_port": 59510,
        "destination_port": 80,
        "protocol": "TCP",
        "confidence": 0.13,
        "timestamp": "2025-10-21T12:24:37.482505",
        "details": {"rf_prediction": 0, "rf_confidence": 0.13, "iso_prediction": 1, "iso_score": 0.005,
                    "flow_duration": 3.13, "packet_count": 534, "byte_count": 6031},
    }
    base.update(changes)
    return {k: v for k, v in base.items() if v is not None}


def sign(secret, body, identity="msg_1", at=None):
    """Headers of Standard Webhooks for body (bytes)."""
    stamp = str(int(at if at is not None else time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": identity, "webhook-timestamp": stamp, "Content-Type": "application/json",
            "webhook-signature": "v1," + base64.b64encode(mac).decode()}


class Stream:
    """An open event stream; events arrive in .events as (id, object)."""

    def __init__(self, backend, token=None, last_id=None, by_query=False, port=None):
        params = {"token": token or backend.token()}
        headers = {"Accept": "text/event-stream"}
        if last_id and by_query:
            params["last_event_id"] = last_id
        elif last_id:
            headers["Last-Event-ID"] = last_id
        self.response = requests.get(backend.url("/api/network/stream", port), params=params, headers=headers,
                                     stream=True, timeout=(5, 60))
        self.status = self.response.status_code
        self.events = queue.Queue()
        self.ended = threading.Event()
        self.retry = []
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        identity, data = None, []
        try:
            for line in iter(self.response.raw._fp.fp.readline, b""):  # iter_lines takes minutes for megabytes
                line = line.decode().rstrip("\r\n")
                if line.startswith("id: "):
                    identity = line[4:]
                elif line.startswith("data: "):
                    data.append(line[6:])
                elif line.startswith("retry: "):
                    self.retry.append(int(line[7:]))
                elif line == "" and data:
                    self.events.put((identity, json.loads("\n".join(data))))
                    identity, data = None, []
        except Exception:  # closed by either side
            pass
        self.ended.set()

    def next(self, kind=None, seconds=10):
        end = time.monotonic() + seconds
        while True:
            identity, event = self.events.get(timeout=max(0.01, end - time.monotonic()))
            if kind is None or event["type"] == kind:
                return identity, event

    def close(self):
        # the reader hangs in a read: end the connection under it
        try:
            sock = socket.socket(fileno=os.dup(self.response.raw._fp.fp.raw._sock.fileno()))
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        except Exception:
            pass
        self.response.close()


class Backend:
    def __init__(self, *options, data_dir=None, mongodb_uri=None, port=None, dashboard=True, env=None):
        self.data_dir = pathlib.Path(data_dir or tempfile.mkdtemp(prefix="threatline-"))
        self.own_dir = data_dir is None
        self.port = port or free_port()
        self.dashboard_port = free_port() if dashboard else -1
        secret = self.data_dir / "admin.password"
        secret.write_text(PASSWORD + "\n")
        self.arguments = [PROGRAM, "--bind", "127.0.0.1", "--port", str(self.port), "--dashboard-port",
                          str(self.dashboard_port), "--data-dir", str(self.data_dir), "--admin-password-file",
                          str(secret), "--allowed-origins", f"http://127.0.0.1:{self.dashboard_port}", *options]
        if not any(o.startswith("--detector") for o in options):
            self.arguments += ["--detector", "none"]
        if not any(o.startswith("--static-dir") for o in options):
            self.arguments += ["--static-dir", str(ROOT / "frontend-static")
                               if (ROOT / "frontend-static").is_dir() else ""]
        if mongodb_uri:
            self.arguments += ["--mongodb-uri", mongodb_uri]
        self.env = {k: v for k, v in os.environ.items() if k != "MONGODB_URI"} | (env or {})
        self.log = open(self.data_dir / "backend.log", "ab")
        self.process = None
        self._token = None

    def start(self, ready=True):
        self.process = subprocess.Popen(self.arguments, stdout=self.log, stderr=self.log, env=self.env)
        if ready:
            wait_until(self.is_ready, 60)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the backend ended with {self.process.returncode}:\n{self.logged()}")
        try:
            return requests.get(self.url("/readyz"), timeout=2).status_code == 200
        except requests.RequestException:  # not there yet, or too busy
            return False

    def stop(self, how=signal.SIGTERM, seconds=15):
        """Ends the process; its exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the backend did not end within {seconds} s:\n{self.logged()}")

    def close(self):
        try:
            self.stop()
        finally:
            self.log.close()
            if self.own_dir:
                shutil.rmtree(self.data_dir, ignore_errors=True)

    def logged(self):
        return (self.data_dir / "backend.log").read_text(errors="replace")

    def url(self, path, port=None):
        return f"http://127.0.0.1:{port or self.port}{path}"

    def login(self, name="admin", password=PASSWORD):
        answer = requests.post(self.url("/api/auth/login"), json={"username": name, "password": password}, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["token"]

    def token(self):
        if self._token is None:
            self._token = self.login()
        return self._token

    def call(self, method, path, token=True, headers=None, **more):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + (self.token() if token is True else token)
        return requests.request(method, self.url(path), headers=headers, timeout=30, **more)

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, **more):
        return self.call("POST", path, **more)

    def send(self, body, **more):
        return requests.post(self.url("/api/network/webhook"), json=body, timeout=30, **more)

    def deliver(self, threats, piece=250):
        """Sends all of them, again where the answer was 503: as a sensor does."""
        for i in range(0, len(threats), piece):
            wait_until(lambda: self.send(threats[i:i + piece]).status_code == 200, 60, 0.5)

    def history(self, limit=100):
        return self.get(f"/api/network/threats/history?limit={limit}").json()["threats"]

    def resident_bytes(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


class MongoServer:
    """The server of MONGODB_URI, or (and always when own) the wire server for tests on a free port."""

    def __init__(self, data_dir=None, own=False, options=()):
        self.options = options
        self.given = None if own else os.environ.get("MONGODB_URI")
        self.data_dir = pathlib.Path(data_dir or tempfile.mkdtemp(prefix="threatline-mongo-"))
        self.data_dir.mkdir(exist_ok=True)
        self.port = free_port()
        self.process = None

    @staticmethod
    def program():
        beside = pathlib.Path(sys.executable).parent / "secantusd-py"
        return str(beside) if beside.exists() else shutil.which("secantusd-py")

    @classmethod
    def available(cls):
        return bool(os.environ.get("MONGODB_URI") or cls.program())

    def start(self):
        if self.given:
            return self
        with open(self.data_dir / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program(), "--host", "127.0.0.1", "--port", str(self.port), "--storage-path",
                 str(self.data_dir / "db"), "--enable-test-commands", *self.options], stdout=log, stderr=log)

        def listening():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until(listening, 30)
        return self

    def uri(self, database=None):
        database = database or f"threatline_{os.getpid()}_{next(_numbers)}"
        if self.given:
            head, _, options = self.given.partition("?")
            return f"{head.rstrip('/')}/{database}" + (f"?{options}" if options else "")
        return f"mongodb://127.0.0.1:{self.port}/{database}"

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.data_dir, ignore_errors=True)
