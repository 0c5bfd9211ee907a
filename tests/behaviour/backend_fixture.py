"""Starts real backends on free ports, each with a data directory of its own, and speaks to them."""

import base64
import contextlib
import copy
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from types import SimpleNamespace

import requests
from programs import BIN, PASSWORD, ROOT, SEED, Detector, Program, free_port, wait_for

PROGRAM = str(BIN / "threatline-backend")
_numbers = itertools.count(1)


def wait_until(check, seconds=30, pause=0.05):
    return wait_for(check, seconds, pause, f"not in time: {check}")


def threat(**changes):
    """The example of the integration guide, with an id of its own."""
    base = {**copy.deepcopy(SEED), "threat_id": f"threat_{os.getpid()}_{next(_numbers):06d}", **changes}
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

    def next(self, kind=None, seconds=30):
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


def stream_of_now(backend):
    """A stream that has behind it what was sent before: with MongoDB a threat is on the streams a moment after its 2xx."""
    stream, marker = Stream(backend), threat()
    assert stream.next()[1]["type"] == "connection"
    assert backend.send(marker).status_code == 200
    while stream.next("threat_detected")[1]["data"]["threat_id"] != marker["threat_id"]:
        pass
    return stream


class Backend(Program):
    def __init__(self, *options, data_dir=None, mongodb_uri=None, port=None, dashboard=True, env=None):
        self.data_dir = pathlib.Path(data_dir or tempfile.mkdtemp(prefix="threatline-"))
        self.own_dir = data_dir is None
        self.port = port or free_port()
        self.dashboard_port = free_port() if dashboard else -1
        secret = self.data_dir / "admin.password"
        secret.write_text(PASSWORD + "\n")
        given = ["--bind", "127.0.0.1", "--port", self.port, "--dashboard-port", self.dashboard_port, "--data-dir", self.data_dir,
                 "--admin-password-file", secret, "--allowed-origins", f"http://127.0.0.1:{self.dashboard_port}", *options]
        if not any(o.startswith("--detector") for o in options):
            given += ["--detector", "none"]
        if not any(o.startswith("--static-dir") for o in options):
            given += ["--static-dir", ROOT / "frontend-static"]
        self.uri = mongodb_uri  # None: SQLite
        if mongodb_uri:
            given += ["--mongodb-uri", mongodb_uri]
        super().__init__(self.data_dir, "threatline-backend", given, env=env)
        self._token = None

    def start(self, ready=True):
        super().start()
        if ready:
            wait_until(self.is_ready, 60)
        return self

    def is_ready(self):
        if not self.alive():
            raise AssertionError(f"the backend ended with {self.process.returncode}:\n{self.log()}")
        try:
            return requests.get(self.url("/readyz"), timeout=2).status_code == 200
        except requests.RequestException:  # not there yet, or too busy
            return False

    def close(self):
        try:
            self.stop()
        finally:
            if self.own_dir:
                shutil.rmtree(self.data_dir, ignore_errors=True)

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

    def deliver(self, threats, piece=100):
        """Sends all of them, again where the answer was 503 or none came: as a sensor does."""
        def taken(part):
            try:
                return self.send(part).status_code == 200
            except requests.exceptions.ReadTimeout:
                return False

        for i in range(0, len(threats), piece):
            wait_until(lambda: taken(threats[i:i + piece]), 180, 0.5)

    def clear(self):
        wait_until(lambda: self.post("/api/network/clear-threats").status_code == 200, 60, 0.5)

    def history(self, limit=100):
        return self.get(f"/api/network/threats/history?limit={limit}").json()["threats"]

    def resident_bytes(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def backend_with_detector(folder):
    """A backend and the detector that reads uploads for it and sends it what it finds; the detector's files are in the folder."""
    port = free_port()
    backend = Backend("--detector", f"local=http://127.0.0.1:{port}").start()
    try:
        detector = Detector(folder, SimpleNamespace(url=f"http://127.0.0.1:{backend.port}"), port=port)
        try:
            yield backend, detector.start(seconds=60)
        finally:
            detector.stop()
    finally:
        backend.close()


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
