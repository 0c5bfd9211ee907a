"""A backend under mixed load takes no more memory, files or threads with time: threats one by one and in arrays, growing incidents,
searches, statistics, exports, triage, log-ins, and streams that come and go.

Each round removes its threats at the end, so that caches have the same to hold in every round."""
import os
import time

import pytest
import requests
from programs import taken, threat, wait_for

SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
WARM_UP = min(SECONDS / 3, 300)
MAY_GROW_KIB = 4096  # what an allocator still rounds up, once the page caches are full
# What may come on top until then: the page caches of SQLite's readers, the connections and threads that libmongoc comes to use.
COLD_KIB = {"sqlite": 6 * 8192, "mongodb": 8192}
WARM_ROUNDS = {"sqlite": 400, "mongodb": 100}
REMEMBERED = 24 * 1024 * 1024  # bytes of events that a backend keeps for streams that come back, and of frames for those that are there
ROUNDS = 3
SEARCHES = ["/api/network/threats?q=type:port_scan", "/api/network/threats?q=source:192.168.0.0/16&limit=200", "/api/network/threats?q=web*",
            "/api/network/statistics", "/api/network/threats/history?limit=100", "/api/network/threats/export?format=ndjson", "/metrics",
            "/api/network/sensors", "/api/audit", "/api/network/threats?q=confidence:(", "/api/network/threats/nothing"]


class Listener:
    """Hears the first events of a stream and goes away in the middle."""

    def __init__(self, backend):
        self.answer = requests.get(f"{backend.url}/api/network/stream", params={"token": backend.token}, stream=True, timeout=60)
        assert self.answer.status_code == 200

    def hear(self):
        assert b"threat_detected" in self.answer.raw.read(2000)

    def close(self):
        self.answer.close()


def status_of(call):
    """What a patient client gets: a store that is slow for a moment is a 503, and asked again."""
    return wait_for(lambda: (status := call().status_code) != 503 and status, 120, 0.5, why="503 all the time")


def one_round(backend, number):
    def ask(method, path, body=None, **kwargs):
        return status_of(lambda: backend.call(method, path, body, timeout=60, **kwargs))

    def post(*threats):
        return status_of(lambda: backend.post(*threats, timeout=60))

    backend.login()
    streams = [Listener(backend) for _ in range(4)]
    many = [threat(f"r{number}.{n}", source_ip=f"192.168.{n % 200}.{number % 250 + 1}", threat_type=("port_scan", "web_attack")[n % 2])
            for n in range(300)]
    assert post(*many) == 200
    for one in many[:40]:
        assert post({**one, "revision": 2, "confidence": 0.95}) == 200
        assert post(one) == 200  # known by now
    assert post({"threat_id": "r"}) == 400
    for path in SEARCHES:
        assert ask("GET", path) in (200, 400, 404), path
    for one in many[:20]:
        assert ask("PATCH", f"/api/network/threats/{one['threat_id']}", {"status": "acknowledged"}) == 200
    assert ask("POST", f"/api/network/threats/{many[0]['threat_id']}/comments", {"text": "seen " * 40}) in (200, 201)
    for stream in streams:
        stream.hear()
        stream.close()
    assert ask("POST", "/api/network/clear-threats") == 200
    assert ask("POST", "/api/auth/logout") == 200


def fill_what_is_remembered(backend):
    """Large threats, so that the memory of events is full before anything is measured."""
    backend.login()
    listener, size = Listener(backend), 12000
    for first in range(0, REMEMBERED // size + 100, 50):
        large = [threat(f"fill.{n}", details={"note": "x" * size}) for n in range(first, first + 50)]
        assert status_of(lambda large=large: backend.post(*large, timeout=60)) == 200
    listener.close()
    assert status_of(lambda: backend.call("POST", "/api/network/clear-threats", timeout=60)) == 200


@pytest.mark.parametrize("store", ["sqlite", "mongodb"])
def test_memory_files_and_threads_stay_as_they_are_under_mixed_load(start_backend, store):
    backend = start_backend(store)
    fill_what_is_remembered(backend)
    begin, rounds, early = time.monotonic(), 0, None
    while time.monotonic() - begin < SECONDS or rounds < 2 * ROUNDS:
        one_round(backend, rounds)
        rounds += 1
        if early is None and time.monotonic() - begin >= WARM_UP and rounds >= ROUNDS:
            early, warm = taken(backend), rounds >= WARM_ROUNDS[store]
    backend.login()
    wait_for(lambda: taken(backend)[1] <= early[1] + 2, 60, why=f"files: {early}, {taken(backend)}")  # closed streams are noticed in time
    late = taken(backend)
    may = MAY_GROW_KIB + (0 if warm else COLD_KIB[store])
    print(f"{store}: {early[0]} KiB, then {late[0]} KiB after {rounds} rounds; {may} KiB more are fine")
    assert late[0] <= early[0] + may, f"{early[0]} KiB became {late[0]} KiB in {rounds} rounds"
    assert late[2] <= early[2] + 1, (early, late)
