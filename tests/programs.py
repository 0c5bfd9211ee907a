"""The real programs for tests: started on free ports of the loopback with a folder of their own, stopped by pid."""
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("THREATLINE_BIN", ROOT / "build" / "bin"))
PASSWORD = "correct horse battery"

SEED = {
    "threat_id": "threat_000001", "threat_type": "web_attack", "severity": "low", "source_ip": "192.168.1.144",
    "destination_ip": "192.168.1.4", "source_port": 59510, "destination_port": 80, "protocol": "TCP", "confidence": 0.13,
    "timestamp": "2025-10-21T12:24:37.482505",
    "details": {"rf_prediction": 0, "rf_confidence": 0.13, "iso_prediction": 1, "iso_score": 0.005, "flow_duration": 3.13,
                "packet_count": 534, "byte_count": 6031},
}


def threat(number, **changes):
    """A threat like the seed's, under an id of its own."""
    return {**SEED, "threat_id": f"threat_{number:06d}" if isinstance(number, int) else number, **changes}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds=30, pause=0.02, why="it did not happen"):
    """The first true value of what(); fails with why."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"{why} (waited {seconds} s)")


class Program:
    """One process; its stderr is kept in a file, so that a full pipe never stops it."""

    def __init__(self, folder, name, arguments, prefix=(), env=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.command = [*prefix, str(BIN / name), *map(str, arguments)]
        self.log_path = self.folder / f"{name}.log"
        self.env = {k: v for k, v in os.environ.items() if k != "MONGODB_URI"} | (env or {})
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, number=signal.SIGTERM, seconds=15):
        """Asks it to end; gives the exit status."""
        if not self.alive():
            return self.process.returncode if self.process else None
        self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.command[0]} did not stop within {seconds} s\n{self.log()[-2000:]}") from None

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()


class Backend(Program):
    """store: "sqlite" or a MongoDB URI. The admin's password is PASSWORD."""

    def __init__(self, folder, store="sqlite", arguments=(), port=None, page_port=None, prefix=()):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.page_port = port or free_port(), page_port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.page = f"http://127.0.0.1:{self.page_port}"
        secret = folder / "admin.password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        given = ["--bind", "127.0.0.1", "--port", self.port, "--dashboard-port", self.page_port, "--data-dir", folder / "data",
                 "--admin-password-file", secret, "--static-dir", ROOT / "frontend-static", *arguments]
        if store != "sqlite":
            given += ["--mongodb-uri", store]
        super().__init__(folder, "threatline-backend", given, prefix)
        self.token = None

    def start(self, ready=True, seconds=15):
        super().start()
        if ready:
            wait_for(lambda: self.ready() or not self.alive(), seconds, why=f"the backend is not ready\n{self.log()[-3000:]}")
            assert self.alive(), self.log()[-3000:]
        return self

    def ready(self):
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def login(self, user="admin", password=PASSWORD):
        answer = requests.post(f"{self.url}/api/auth/login", json={"username": user, "password": password}, timeout=60)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["token"]
        return self.token

    def call(self, method, path, body=None, token=True, timeout=60, **kwargs):
        headers = dict(kwargs.pop("headers", {}))
        if token:
            if self.token is None:
                self.login()
            headers["Authorization"] = f"Bearer {self.token}"
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=timeout, **kwargs)

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, *threats, **kwargs):
        """To the webhook: one threat as an object, several as an array."""
        body = threats[0] if len(threats) == 1 else list(threats)
        return self.call("POST", "/api/network/webhook", body, token=False, **kwargs)

    def history(self, limit=100):
        answer = self.get(f"/api/network/threats/history?limit={limit}")
        assert answer.status_code == 200, answer.text
        return answer.json()["threats"]

    def every_id(self):
        """The ids of all stored threats, by the cursor."""
        ids, cursor = [], None
        while True:
            answer = self.get("/api/network/threats?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
            assert answer.status_code == 200, f"{answer.status_code} {answer.text}\n{self.log()[-2000:]}"
            answer = answer.json()
            ids += [t["threat_id"] for t in answer["threats"]]
            cursor = answer.get("next")
            if not cursor:
                return ids

    def stream(self, last_id=None, **kwargs):
        if self.token is None:
            self.login()
        return Stream(self.url, self.token, last_id, **kwargs)


class Detector(Program):
    def __init__(self, folder, backend=None, source="none", arguments=(), port=None, prefix=()):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = ["--bind", "127.0.0.1", "--port", self.port, "--data-dir", pathlib.Path(folder) / "data", "--model", ROOT / "models",
                 "--source", source, *arguments]
        if backend is not None:
            given += ["--webhook", f"{backend.url}/api/network/webhook"]
        super().__init__(folder, "threatline-detector", given, prefix)

    def start(self, ready=True, seconds=15):
        super().start()
        if ready:
            wait_for(lambda: self.ready() or not self.alive(), seconds, why=f"the detector is not ready\n{self.log()[-3000:]}")
            assert self.alive(), self.log()[-3000:]
        return self

    def ready(self):
        try:
            return requests.get(f"{self.url}/health", timeout=2).status_code == 200
        except requests.RequestException:
            return False


def taken(program):
    """(resident KiB, open files, threads) of a running program."""
    proc = pathlib.Path(f"/proc/{program.process.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]), len(list((proc / "fd").iterdir())), int(status["Threads"])


def read(*arguments, check=True, timeout=120):
    """threatline-detector --read ...: gives the finished process (text of stdout and stderr)."""
    done = subprocess.run([str(BIN / "threatline-detector"), "--model", str(ROOT / "models"), "--read", *map(str, arguments)],
                          capture_output=True, text=True, timeout=timeout)
    assert not check or done.returncode == 0, done.stderr
    return done


class Stream:
    """A Server-Sent Events client in a thread: every event with its id, in order; "heard" is when it was read."""

    def __init__(self, url, token, last_id=None, path="/api/network/stream"):
        self.events, self.last_id, self.raw = queue.Queue(), last_id, []
        query = {"token": token} | ({"last_event_id": last_id} if last_id else {})
        self.answer = requests.get(url + path, params=query, stream=True, timeout=(5, 60))
        assert self.answer.status_code == 200, self.answer.text
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        identity, data, heard = None, [], 0.0
        try:
            for line in self.answer.iter_lines(chunk_size=1, decode_unicode=True):
                self.raw.append(line)
                if line.startswith("id:"):
                    identity = line[3:].strip()
                elif line.startswith("data:"):
                    heard = time.time()
                    data.append(line[5:].strip())
                elif line == "" and data:
                    if identity is not None:
                        self.last_id = identity
                    self.events.put((identity, {**json.loads("\n".join(data)), "heard": heard}))
                    identity, data = None, []
        except (requests.RequestException, ValueError, AttributeError, OSError):
            pass
        self.events.put((None, None))  # the end

    def next(self, kind, seconds=30):
        """The next event of this type: (id, event). Others before it are passed over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                identity, event = self.events.get(timeout=left)
            except queue.Empty:
                break
            if event is None:
                raise AssertionError(f"the stream ended while a {kind} was awaited")
            if event["type"] == kind:
                return identity, event
        raise AssertionError(f"no {kind} within {seconds} s")

    def close(self):
        """At once: closing alone would wait for the reader, and that for the next event."""
        try:
            self.answer.raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        except (AttributeError, OSError):
            pass  # it has ended by itself
        self.answer.close()
