"""Threats in: what is taken, what is refused, and that a 2xx means stored and streamed."""

import json
import threading

import pytest
import requests

from backend_fixture import Backend, MongoServer, sign, stream_of_now, threat, wait_until

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


@pytest.fixture(scope="module")
def backend(on_each_store):
    b = on_each_store()
    yield b
    b.close()


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Trusts no network; knows one secret bound to the sensor edge-1."""
    secrets = tmp_path_factory.mktemp("secrets") / "webhook.secret"
    secrets.write_text(f"edge-1 {SECRET}\n")
    b = Backend("--trusted-networks", "none", "--webhook-secret-file", str(secrets)).start()
    b.secrets = secrets
    yield b
    b.close()


def test_the_guides_threat_is_stored_streamed_and_in_history(backend):
    stream = stream_of_now(backend)
    mine = threat()
    answer = backend.send(mine)
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["message"] == "Threat received and broadcasted"
    assert answer.json()["threat_id"] == mine["threat_id"]
    identity, event = stream.next("threat_detected")
    assert event["data"]["threat_id"] == mine["threat_id"]
    assert event["data"]["details"] == mine["details"]
    assert identity.split(".")[1].isdigit()
    assert backend.history()[0]["threat_id"] == mine["threat_id"]
    stream.close()


def test_the_same_threat_again_is_no_new_event(backend):
    mine = threat()
    backend.send(mine)
    stream = stream_of_now(backend)
    again = backend.send(mine)
    assert again.status_code == 200 and again.json()["status"] == "duplicate"
    other = threat()
    backend.send(other)
    assert stream.next()[1]["data"]["threat_id"] == other["threat_id"]
    assert [t["threat_id"] for t in backend.history()].count(mine["threat_id"]) == 1
    stream.close()


def test_a_higher_revision_updates_and_severity_never_falls(backend):
    mine = threat(severity="high", confidence=0.8, details={"packet_count": 10})
    backend.send(mine)
    stream = stream_of_now(backend)
    answer = backend.send({**mine, "revision": 2, "severity": "low", "details": {"packet_count": 900}})
    assert answer.json()["status"] == "updated"
    event = stream.next("threat_updated")[1]
    assert event["data"]["severity"] == "high"
    assert event["data"]["details"]["packet_count"] == 900
    assert backend.send({**mine, "revision": 1}).json()["status"] == "duplicate"
    stream.close()


def test_unknown_keys_are_kept(backend):
    mine = threat(weather="rain", details={"a": {"b": [1, 2, "x"]}})
    assert backend.send(mine).status_code == 200
    kept = backend.get(f"/api/network/threats/{mine['threat_id']}").json()["threat"]
    assert kept["weather"] == "rain" and kept["details"] == mine["details"]


@pytest.mark.parametrize("field,value", [
    ("threat_id", None), ("threat_id", ""), ("threat_id", "a b"), ("threat_id", "x" * 129), ("threat_id", 7),
    ("threat_type", None), ("threat_type", "Port-Scan"), ("severity", "urgent"), ("severity", None),
    ("source_ip", "10.0.0.300"), ("source_ip", None), ("destination_ip", "here"), ("protocol", None),
    ("source_port", 65536), ("source_port", "80"), ("destination_port", -2), ("confidence", 1.01),
    ("confidence", "0.5"), ("confidence", None), ("timestamp", "yesterday"), ("timestamp", None), ("revision", 0),
    ("details", "text"),
])
def test_a_wrong_field_is_named(backend, field, value):
    answer = backend.send(threat(**{field: value}))
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["success"] is False
    assert field in [d["field"] for d in body["details"]]


@pytest.mark.parametrize("body,status", [
    (b"", 400), (b"{", 400), (b"nonsense", 400), (b"7", 400), (b"[]", 400), (b'{"a":1}x', 400),
    (b"[" * 600, 400), (b'{"threat_id":"a\\u0000b"}', 400), (b"\xff\xfe", 400), (b"{\"a\":1e999}", 400),
])
def test_what_is_no_threat_is_refused(backend, body, status):
    answer = requests.post(backend.url("/api/network/webhook"), data=body, timeout=10,
                           headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["success"] is False


def test_another_content_type_is_415(backend):
    answer = requests.post(backend.url("/api/network/webhook"), data="a=1", timeout=10,
                           headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415


def test_an_array_is_answered_item_by_item(backend):
    good, known, bad = threat(), threat(), threat(confidence=7)
    backend.send(known)
    answer = backend.send([good, known, bad, 5])
    assert answer.status_code == 207
    assert [r["status"] for r in answer.json()["results"]] == ["stored", "duplicate", "refused", "refused"]
    assert "confidence" in answer.json()["results"][2]["message"]
    answer = backend.send([threat() for _ in range(1000)])
    assert answer.status_code == 200
    assert all(r["status"] == "stored" for r in answer.json()["results"])
    assert backend.send([threat() for _ in range(1001)]).status_code == 413


def test_sizes_have_ceilings(backend):
    assert backend.send(threat(details={"x": "y" * 200_000})).status_code == 200
    assert backend.send(threat(details={"x": "y" * 300_000})).status_code == 413
    big = [threat(details={"x": "y" * 100_000}) for _ in range(90)]
    assert backend.send(big).status_code == 413


def test_many_at_once_are_all_stored_and_all_streamed_in_order(backend):
    stream = stream_of_now(backend)
    sent, lock = set(), threading.Lock()

    def run():
        with requests.Session() as session:
            for _ in range(25):
                mine = threat()
                answer = session.post(backend.url("/api/network/webhook"), json=mine, timeout=30)
                assert answer.status_code == 200
                with lock:
                    sent.add(mine["threat_id"])

    threads = [threading.Thread(target=run) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(sent) == 200
    seen = [stream.next("threat_detected") for _ in range(200)]
    assert {e["data"]["threat_id"] for _, e in seen} == sent
    numbers = [int(i.split(".")[1]) for i, _ in seen]
    assert numbers == sorted(numbers)
    stream.close()


def test_a_page_of_a_browser_may_not_use_the_webhook(backend):
    assert backend.send(threat(), headers={"Origin": "http://evil.example"}).status_code == 403


def test_a_request_through_an_unknown_proxy_is_not_trusted(backend):
    assert backend.send(threat(), headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401


def test_the_dashboard_port_has_no_webhook(backend):
    answer = requests.post(backend.url("/api/network/webhook", backend.dashboard_port), json=threat(), timeout=10)
    assert answer.status_code == 404
    assert requests.get(backend.url("/healthz", backend.dashboard_port), timeout=10).status_code == 200


def test_without_a_credential_nobody_gets_in_where_no_network_is_trusted(signed):
    answer = signed.send(threat())
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


def test_a_signature_opens_the_webhook_for_its_own_sensor(signed):
    body = json.dumps(threat()).encode()
    answer = requests.post(signed.url("/api/network/webhook"), data=body, headers=sign(SECRET, body), timeout=10)
    assert answer.status_code == 200, answer.text
    assert signed.history()[0]["sensor"] == "edge-1"
    body = json.dumps(threat(sensor="edge-2")).encode()
    answer = requests.post(signed.url("/api/network/webhook"), data=body, headers=sign(SECRET, body), timeout=10)
    assert answer.status_code == 403


@pytest.mark.parametrize("spoil", ["body", "secret", "stale", "future", "id", "missing"])
def test_a_wrong_signature_is_401(signed, spoil):
    body = json.dumps(threat()).encode()
    import time
    headers = sign(SECRET if spoil != "secret" else "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVg=", body,
                   at=time.time() + {"stale": -400, "future": 400}.get(spoil, 0))
    if spoil == "body":
        body = body.replace(b"TCP", b"UDP")
    if spoil == "id":
        headers["webhook-id"] = "msg_2"
    if spoil == "missing":
        del headers["webhook-timestamp"]
    answer = requests.post(signed.url("/api/network/webhook"), data=body, headers=headers, timeout=10)
    assert answer.status_code == 401, answer.text


def test_a_key_opens_the_webhook_until_it_is_taken_back(signed):
    made = signed.post("/api/keys", json={"name": "curl", "scopes": ["webhook"]})
    assert made.status_code in (200, 201), made.text
    key = made.json()["key"]
    text = key if isinstance(key, str) else key.get("secret") or key.get("key")
    answer = signed.send(threat(), headers={"X-API-Key": text})
    assert answer.status_code == 200, answer.text
    assert signed.send(threat(), headers={"X-API-Key": text + "x"}).status_code == 401
    bound = signed.post("/api/keys", json={"name": "edge", "scopes": ["webhook"], "sensor": "edge-7"}).json()["key"]
    bound = bound if isinstance(bound, str) else bound.get("secret") or bound.get("key")
    assert signed.send(threat(), headers={"X-API-Key": bound}).status_code == 200
    assert signed.history()[0]["sensor"] == "edge-7"
    assert signed.send(threat(sensor="edge-8"), headers={"X-API-Key": bound}).status_code == 403
    reader = signed.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()["key"]
    reader = reader if isinstance(reader, str) else reader.get("secret") or reader.get("key")
    assert signed.send(threat(), headers={"X-API-Key": reader}).status_code == 403


def test_sighup_takes_a_new_secret(signed):
    import signal
    other = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    signed.secrets.write_text(f"edge-1 {SECRET}\nedge-9 {other}\n")
    signed.process.send_signal(signal.SIGHUP)

    def taken():
        body = json.dumps(threat()).encode()
        return requests.post(signed.url("/api/network/webhook"), data=body, headers=sign(other, body),
                             timeout=10).status_code == 200

    wait_until(taken)


def test_the_store_away_is_503_and_heals_by_itself():
    server = MongoServer(own=True).start()
    backend = Backend(mongodb_uri=server.uri("away")).start()
    try:
        assert backend.send(threat()).status_code == 200
        server.kill()
        answer = backend.send(threat())
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert requests.get(backend.url("/readyz"), timeout=10).status_code == 503
        assert requests.get(backend.url("/healthz"), timeout=10).status_code == 200
        server.start()
        wait_until(lambda: backend.send(threat()).status_code == 200, 30, 0.5)
    finally:
        backend.close()
        server.close()
