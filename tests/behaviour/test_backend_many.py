"""Several backends on one MongoDB, and the API against its description."""

import pathlib
import queue
import re
import signal
import threading
import time

import pytest
import requests

from backend_fixture import ROOT, Backend, Stream, free_port, threat, wait_until


@pytest.fixture()
def three(mongo):
    uri = mongo.uri()
    backends = [Backend(mongodb_uri=uri).start() for _ in range(3)]
    if requests.get(backends[0].url("/readyz"), timeout=10).json()["backends"] != "many":
        [b.close() for b in backends]
        pytest.skip("the server has no change streams")
    yield backends
    [b.close() for b in backends]


def number(identity):
    return int(identity.rsplit(".", 1)[1])


def test_a_threat_handed_to_one_is_on_the_streams_of_all_in_the_same_order(three):
    streams = [Stream(b, token=three[0].token()) for b in three]
    [s.next("connection") for s in streams]
    sent = []
    for i in range(30):
        t = threat()
        sent.append(t["threat_id"])
        three[i % 3].deliver([t])
    seen = [[s.next("threat_detected", 20) for _ in sent] for s in streams]
    for events in seen:
        assert [e["data"]["threat_id"] for _, e in events] == sent
        assert [i for i, _ in events] == [i for i, _ in seen[0]]
    [s.close() for s in streams]


def test_a_client_goes_on_at_another_backend_when_its_own_is_killed(three):
    stream = Stream(three[0], token=three[1].token())
    last = stream.next("connection")[0]
    before = [threat() for _ in range(5)]
    three[1].deliver(before)
    seen = []
    for _ in range(3):
        last, event = stream.next("threat_detected", 20)
        seen.append(event["data"]["threat_id"])
    three[0].stop(signal.SIGKILL)
    after = [threat() for _ in range(5)]
    three[2].deliver(after)
    stream = Stream(three[1], last_id=last)
    while len(seen) < 10:
        identity, event = stream.next("threat_detected", 20)
        assert number(identity) > number(last)
        last = identity
        seen.append(event["data"]["threat_id"])
    assert seen == [t["threat_id"] for t in before + after]
    stream.close()


def test_a_store_with_one_writer_says_that_it_serves_one_backend():
    b = Backend().start()
    try:
        assert requests.get(b.url("/readyz"), timeout=10).json()["backends"] == "one"
    finally:
        b.close()


def routes():
    row = re.compile(r'^\s*\{"(GET|POST|PUT|PATCH|DELETE)", "([^"]+)", (ROLE_\w+),', re.M)
    return {(m, p): r for f in (ROOT / "backend").glob("*.c") for m, p, r in row.findall(f.read_text())}


def described():
    found, path = {}, None
    for line in (ROOT / "backend/openapi.yaml").read_text().splitlines():
        if line == "components:":
            break
        if re.match(r"^  /", line):
            path = line.strip().rstrip(":")
        elif re.match(r"^    (get|post|put|patch|delete):$", line):
            found[(line.strip().rstrip(":").upper(), path)] = True
    return set(found)


def test_the_description_has_every_route_and_no_other():
    assert described() == set(routes())


def test_each_route_refuses_who_has_no_credential(tmp_path):
    b = Backend("--trusted-networks", "none").start()
    try:
        for (method, path), role in sorted(routes().items()):
            if role == "ROLE_NOBODY":
                continue
            answer = requests.request(method, b.url(re.sub(r"\{\w+\}", "x", path)), json={}, timeout=10)
            assert answer.status_code == 401, (method, path, answer.status_code)
    finally:
        b.close()


def test_each_route_keeps_to_its_role():
    b = Backend().start()
    try:
        tokens = {}
        for role in ("viewer", "analyst"):
            b.post("/api/users", json={"username": role, "role": role, "password": "a good long password"})
            tokens[role] = b.login(role, "a good long password")
        for (method, path), role in sorted(routes().items()):
            url = re.sub(r"\{\w+\}", "x", path)
            if role in ("ROLE_ANALYST", "ROLE_ADMIN"):
                assert b.call(method, url, token=tokens["viewer"], json={}).status_code == 403, (method, path)
            if role == "ROLE_ADMIN":
                assert b.call(method, url, token=tokens["analyst"], json={}).status_code == 403, (method, path)
    finally:
        b.close()


def test_a_start_that_cannot_be_ends_with_its_reason(tmp_path):
    first = Backend().start()
    try:
        second = Backend(port=first.port)
        second.start(ready=False)
        assert second.process.wait(20) == 1
        assert str(first.port) in second.log()
        second.close()
        third = Backend(data_dir=tmp_path)
        (tmp_path / "threatline.db").mkdir()
        third.start(ready=False)
        assert third.process.wait(20) == 1 and "threatline-backend:" in third.log()
        third.close()
    finally:
        first.close()


def test_a_stop_finishes_what_has_begun():
    b = Backend().start()
    sent, stop = [], threading.Event()

    def run():
        with requests.Session() as session:
            while not stop.is_set():
                t = threat()
                try:
                    answer = session.post(b.url("/api/network/webhook"), json=t, timeout=10)
                except requests.RequestException:
                    return
                if answer.status_code == 200:
                    sent.append(t["threat_id"])

    threads = [threading.Thread(target=run) for _ in range(4)]
    [t.start() for t in threads]
    time.sleep(1)
    assert b.stop() == 0
    stop.set()
    [t.join() for t in threads]
    again = Backend(data_dir=b.data_dir).start()
    try:
        kept = again.get("/api/network/threats/export?format=ndjson").text
        assert sent and all(f'"{i}"' in kept for i in sent)
    finally:
        again.close()
        b.close()


def test_the_dashboards_files_come_with_a_strict_policy():
    if not pathlib.Path(ROOT / "frontend-static/index.html").exists():
        pytest.skip("no dashboard here")
    b = Backend().start()
    try:
        answer = requests.get(b.url("/", b.dashboard_port), timeout=10)
        assert answer.status_code == 200 and "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert requests.get(b.url("/"), timeout=10).status_code == 404
        for path in ("/../backend/main.c", "/%2e%2e/backend/main.c", "/..%2fbackend/main.c", "/js/../../Makefile"):
            import socket
            with socket.create_connection(("127.0.0.1", b.dashboard_port)) as s:
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                status = s.recv(65536).split(b"\r\n")[0]
            assert b" 404 " in status or b" 400 " in status or b" 403 " in status, (path, status)
    finally:
        b.close()


def test_three_that_start_at_once_on_an_empty_store_all_start(mongo):
    uri = mongo.uri()
    backends = [Backend(mongodb_uri=uri).start(ready=False) for _ in range(3)]
    try:
        for b in backends:
            wait_until(b.is_ready, 60)
    finally:
        [b.close() for b in backends]


class Watcher:
    """A client that comes back with the last id when its stream ends, to the next of the backends that answers."""

    def __init__(self, backends, first, token):
        self.backends, self.at, self.token, self.last = backends, first, token, None
        self.seen, self.changed, self.gaps, self.ends = [], set(), 0, 0
        self.opened, self.stopping = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.is_set():
            try:
                stream = Stream(self.backends[self.at], token=self.token, last_id=self.last)
            except requests.RequestException:
                self.at = (self.at + 1) % len(self.backends)
                continue
            while stream.status == 200 and not self.stopping.is_set():
                try:
                    identity, event = stream.events.get(timeout=0.2)
                except queue.Empty:
                    if stream.ended.is_set() and stream.events.empty():
                        break
                    continue
                self.take(identity, event)
            stream.close()
            self.ends += not self.stopping.is_set()

    def take(self, identity, event):
        if identity:
            self.last = identity
        if event["type"] == "threat_detected":
            self.seen.append((number(identity), event["data"]["threat_id"]))
        elif event["type"] == "threat_updated":
            self.changed.add(event["data"]["threat_id"])
        self.gaps += event["type"] == "gap"
        self.opened.set()

    def stop(self):
        self.stopping.set()
        self.thread.join(30)


def test_three_under_load_while_one_is_killed_and_restarted_lose_double_and_swap_nothing(three):
    token = three[1].token()
    watchers = [Watcher(three, i, token) for i in (0, 0, 1, 2)]
    for watcher in watchers:
        assert watcher.opened.wait(60)
    acknowledged, stopping, lock = [], threading.Event(), threading.Lock()

    def send(worker):
        with requests.Session() as session:
            waiting, at = None, worker
            while not stopping.is_set():
                waiting = waiting or threat()
                try:
                    answer = session.post(three[at % 3].url("/api/network/webhook"), json=waiting, timeout=30)
                except requests.RequestException:
                    at += 1  # the same one to the next: as a sensor behind nginx does
                    continue
                if answer.status_code == 200:
                    with lock:
                        acknowledged.append(waiting["threat_id"])
                    waiting = None

    def more(count):
        before = len(acknowledged)
        wait_until(lambda: len(acknowledged) >= before + count, 120)

    workers = [threading.Thread(target=send, args=(i,), daemon=True) for i in range(3)]
    [w.start() for w in workers]
    for victim in three[:2]:  # who was on the first is on the second by then
        more(30)
        victim.stop(signal.SIGKILL)
        more(30)
        victim.start()
    more(30)
    changed = acknowledged[:3]
    for i, identity in enumerate(changed):  # a change made on one is told by all
        def change():
            answer = three[i].call("PATCH", f"/api/network/threats/{identity}", token=token, json={"status": "acknowledged"})
            assert answer.status_code in (200, 503), answer.text  # 503: it lost every race against what comes in, and is asked again
            return answer.status_code == 200

        wait_until(change, 120)
    stopping.set()
    [w.join(60) for w in workers]
    wanted = set(acknowledged)
    for watcher in watchers:
        wait_until(lambda: wanted <= {i for _, i in watcher.seen} and set(changed) <= watcher.changed, 120)
    assert watchers[0].ends >= 2 and watchers[1].ends >= 2, "nobody was on the backend that was killed"
    for watcher in watchers:
        watcher.stop()
        assert watcher.gaps == 0
        numbers = [n for n, _ in watcher.seen]
        assert numbers == sorted(numbers), "out of order"
        assert len(numbers) == len(set(numbers)), "told twice"
        assert watcher.seen == watchers[0].seen or set(watcher.seen) == set(watchers[0].seen)
    kept, cursor = [], ""
    while True:
        page = three[1].get(f"/api/network/threats?limit=1000{cursor}").json()
        kept += [t["threat_id"] for t in page["threats"]]
        if "next" not in page:
            break
        cursor = f"&cursor={page['next']}"
    assert len(kept) == len(set(kept)) and wanted <= set(kept)
