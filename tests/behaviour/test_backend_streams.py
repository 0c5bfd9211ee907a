"""The stream: resuming without loss, gaps said, caps, and who may not."""

import threading
import time

import pytest
import requests

from backend_fixture import PASSWORD, Backend, Stream, threat, wait_until


@pytest.fixture(scope="module")
def backend():
    b = Backend("--streams-per-user", "20").start()
    yield b
    b.close()


def number(identity):
    return int(identity.rsplit(".", 1)[1])


def test_the_head_says_what_browsers_and_proxies_need(backend):
    stream = Stream(backend)
    headers = stream.response.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Request-Id"]
    stream.next("connection")
    assert stream.retry == [2000]
    stream.close()


@pytest.mark.parametrize("by_query", [False, True])
def test_a_client_that_comes_back_misses_nothing(backend, by_query):
    stream = Stream(backend)
    last = stream.next("connection")[0]
    stream.close()
    sent = [threat() for _ in range(10)]
    for t in sent:
        backend.send(t)
    stream = Stream(backend, last_id=last, by_query=by_query)
    identity, event = stream.next()
    assert event["type"] == "connection" and identity == last
    seen = [stream.next("threat_detected") for _ in range(10)]
    assert [e["data"]["threat_id"] for _, e in seen] == [t["threat_id"] for t in sent]
    assert [number(i) for i, _ in seen] == list(range(number(last) + 1, number(last) + 11))
    stream.close()


def test_reconnecting_under_load_misses_nothing_and_keeps_order(backend):
    stop = threading.Event()
    sent = []

    def run():
        with requests.Session() as session:
            while not stop.is_set():
                t = threat()
                if session.post(backend.url("/api/network/webhook"), json=t, timeout=10).status_code == 200:
                    sent.append(t["threat_id"])

    stream = Stream(backend)
    last = stream.next("connection")[0]
    sender = threading.Thread(target=run)
    sender.start()
    seen = []
    for _ in range(30):
        for _ in range(5):
            identity, event = stream.next("threat_detected")
            assert number(identity) == number(last) + 1
            last = identity
            seen.append(event["data"]["threat_id"])
        stream.close()
        stream = Stream(backend, last_id=last)
    stop.set()
    sender.join()
    while len(seen) < len(sent):
        identity, event = stream.next("threat_detected")
        assert number(identity) == number(last) + 1
        last = identity
        seen.append(event["data"]["threat_id"])
    assert seen == sent
    stream.close()


def test_a_replay_reaches_over_a_restart_of_the_backend(tmp_path):
    first = Backend(data_dir=tmp_path).start()
    stream = Stream(first)
    last = stream.next("connection")[0]
    sent = [threat() for _ in range(20)]
    first.send(sent)
    assert first.stop() == 0
    assert stream.ended.wait(5)
    assert len(stream.retry) == 2 and stream.retry[1] >= 500
    first.close()
    second = Backend(data_dir=tmp_path).start()
    try:
        stream = Stream(second, last_id=last)
        stream.next("connection")
        assert [stream.next("threat_detected")[1]["data"]["threat_id"] for _ in sent] == \
            [t["threat_id"] for t in sent]
        more = threat()
        second.send(more)
        assert stream.next("threat_detected")[1]["data"]["threat_id"] == more["threat_id"]
        stream.close()
    finally:
        second.close()


@pytest.mark.parametrize("last_id", ["another.5", "nonsense", "x.", ".", "1", "{name}.99999999", "{name}.-1",
                                     "{name}.99999999999999999999"])
def test_an_id_that_cannot_be_honoured_gets_a_gap(backend, last_id):
    probe = Stream(backend)
    name = probe.next("connection")[0].rsplit(".", 1)[0]
    probe.close()
    stream = Stream(backend, last_id=last_id.replace("{name}", name))
    identity, _ = stream.next("connection")
    gap_id, gap = stream.next("gap")
    assert gap_id == identity
    assert gap["data"]["to"] == number(identity)
    t = threat()
    backend.send(t)
    assert stream.next("threat_detected")[1]["data"]["threat_id"] == t["threat_id"]
    stream.close()


def test_a_stream_needs_a_credential(backend):
    assert requests.get(backend.url("/api/network/stream"), timeout=5).status_code == 401
    assert requests.get(backend.url("/api/network/stream?token=nonsense"), timeout=5).status_code == 401


def test_a_stream_is_open_to_a_cookie_too(backend):
    with requests.Session() as session:
        session.post(backend.url("/api/auth/login", backend.dashboard_port),
                     json={"username": "admin", "password": PASSWORD}, timeout=10).raise_for_status()
        answer = session.get(backend.url("/api/network/stream", backend.dashboard_port), stream=True, timeout=5)
        assert answer.status_code == 200
        answer.close()


def test_too_many_streams_of_a_user_are_503(backend):
    streams = [Stream(backend) for _ in range(22)]
    refused = [s for s in streams if s.status == 503]
    assert refused and len(refused) >= 2
    assert all(s.response.headers["Retry-After"] for s in refused)
    [s.close() for s in streams]
    wait_until(lambda: Stream(backend).status == 200)


def test_logout_ends_the_stream_of_its_session_alone(backend):
    token, other = backend.login(), backend.login()
    mine, theirs = Stream(backend, token=token), Stream(backend, token=other)
    mine.next("connection"), theirs.next("connection")
    assert backend.post("/api/auth/logout", token=token).status_code == 200
    assert mine.ended.wait(3)
    t = threat()
    backend.send(t)
    assert theirs.next("threat_detected")[1]["data"]["threat_id"] == t["threat_id"]
    assert Stream(backend, token=token).status == 401
    theirs.close()


def test_a_disabled_user_loses_the_stream_at_once(backend):
    made = backend.post("/api/users", json={"username": "vera", "email": "vera@example.org", "role": "viewer",
                                            "password": "a good long password"})
    assert made.status_code in (200, 201), made.text
    user = made.json()["user"]["id"]
    stream = Stream(backend, token=backend.login("vera", "a good long password"))
    stream.next("connection")
    assert backend.call("PATCH", f"/api/users/{user}", json={"disabled": True}).status_code == 200
    assert stream.ended.wait(3)


def test_an_allowed_page_may_read_the_stream_and_another_may_not(backend):
    ours = f"http://127.0.0.1:{backend.dashboard_port}"
    for origin, expected in ((ours, ours), ("http://evil.example", None)):
        answer = requests.get(backend.url("/api/network/stream"), params={"token": backend.token()}, stream=True,
                              headers={"Origin": origin}, timeout=5)
        assert answer.headers.get("Access-Control-Allow-Origin") == expected
        answer.close()


def test_a_slow_reader_hurts_nobody(backend):
    import socket
    slow = socket.create_connection(("127.0.0.1", backend.port))
    slow.sendall(f"GET /api/network/stream?token={backend.token()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    good = Stream(backend)
    good.next("connection")
    batch = [threat(details={"x": "y" * 20000}) for _ in range(300)]
    for i in range(0, 300, 100):
        assert backend.send(batch[i:i + 100]).status_code == 200
    for t in batch:
        assert good.next("threat_detected")[1]["data"]["threat_id"] == t["threat_id"]
    slow.close()
    good.close()


def test_clearing_is_told(backend):
    t = threat()
    backend.send(t)
    stream = Stream(backend)
    stream.next("connection")
    answer = backend.post("/api/network/clear-threats")
    assert answer.status_code == 200 and answer.json()["count"] >= 1
    event = stream.next()[1]
    assert event["type"] in ("threats_removed", "gap")
    assert backend.history() == []
    stream.close()


def test_streams_leave_no_descriptors_behind(backend):
    import os

    def count():
        return len(os.listdir(f"/proc/{backend.process.pid}/fd"))

    token = backend.token()
    time.sleep(0.5)
    before = count()
    for _ in range(5):
        streams = [Stream(backend, token=token) for _ in range(15)]
        [s.next("connection") for s in streams if s.status == 200]
        [s.close() for s in streams]
    wait_until(lambda: count() <= before + 8, 10)
