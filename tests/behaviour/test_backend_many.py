"""Several backends on one MongoDB, and the API against its description."""

import pathlib
import re
import signal
import time

import pytest
import requests

from backend_fixture import ROOT, Backend, MongoServer, Stream, free_port, threat, wait_until


@pytest.fixture(scope="module")
def mongo():
    if not MongoServer.available():
        pytest.skip("no MongoDB server at hand")
    server = MongoServer().start()
    yield server
    server.close()


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
        assert str(first.port) in second.logged()
        second.close()
        third = Backend(data_dir=tmp_path)
        (tmp_path / "threatline.db").mkdir()
        third.start(ready=False)
        assert third.process.wait(20) == 1 and "threatline-backend:" in third.logged()
        third.close()
    finally:
        first.close()


def test_a_stop_finishes_what_has_begun():
    import threading
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
