"""What is secret is in no log, in no answer, and not in the clear in the store."""
import json
import sqlite3

import pymongo
import pytest
import requests

from backend_fixture import PASSWORD, Backend, Stream, sign, threat, wait_until
from notice_helpers import make_target, state_of
from notice_receiver import Receiver

MAIL = {"name": "mail", "type": "email", "url": "smtp://127.0.0.1:1", "from": "a@example.org", "to": "b@example.org", "username": "somebody"}
SMTP_PASSWORD = "smtp-pass-in-the-clear"


@pytest.fixture
def backend(on_each_store):
    b = on_each_store("--allow-private-targets")
    yield b
    b.close()


def stored(backend):
    """All that the store keeps, as text."""
    if backend.uri is None:
        with sqlite3.connect(backend.data_dir / "threatline.db") as database:
            return "\n".join(database.iterdump())
    with pymongo.MongoClient(backend.uri) as client:
        database = client.get_default_database()
        return str([list(database[name].find()) for name in database.list_collection_names()])


def put_in_the_clear(backend, identity, **members):
    """As an older program left it."""
    if backend.uri is None:
        with sqlite3.connect(backend.data_dir / "threatline.db") as database:
            [(kept,)] = database.execute("SELECT json FROM document WHERE kind = 'target' AND id = ?", (identity,)).fetchall()
            database.execute("UPDATE document SET json = ? WHERE kind = 'target' AND id = ?", (json.dumps(json.loads(kept) | members), identity))
        return
    with pymongo.MongoClient(backend.uri) as client:
        database = client.get_default_database()
        for name in database.list_collection_names():
            for document in database[name].find({"kind": "target", "id": identity}):
                text = json.dumps(json.loads(document["json"]) | members)
                database[name].update_one({"_id": document["_id"]}, {"$set": {"json": text}})
                return
    raise AssertionError("there is no such target")


def test_the_secrets_of_targets_are_sealed_in_the_store_and_never_given_out(backend):
    hook = make_target(backend, type="webhook", url="http://127.0.0.1:1/")
    mail = make_target(backend, **MAIL, password=SMTP_PASSWORD)
    everything = stored(backend)
    assert mail["notification"]["id"] in everything and "sealed:" in everything
    for secret in (SMTP_PASSWORD, hook["secret"]):
        assert secret not in everything
    changed = backend.call("PATCH", f"/api/notifications/{mail['notification']['id']}", json={"name": "post", "password": SMTP_PASSWORD + "2"})
    assert changed.status_code == 200
    seen = json.dumps(mail) + changed.text + backend.get("/api/notifications").text + backend.get("/api/audit?limit=100").text
    assert SMTP_PASSWORD not in seen and "sealed:" not in seen
    assert hook["secret"] not in backend.get("/api/notifications").text
    key = backend.data_dir / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_what_an_older_program_left_in_the_clear_is_sealed_at_the_start(backend):
    receiver = Receiver()
    try:
        made = make_target(backend, type="webhook", url=receiver.url)
        mail = make_target(backend, **MAIL, password="x")["notification"]["id"]
        backend.stop()
        put_in_the_clear(backend, made["notification"]["id"], secret=made["secret"])
        put_in_the_clear(backend, mail, password=SMTP_PASSWORD)
        assert SMTP_PASSWORD in stored(backend)
        backend.start()
        assert SMTP_PASSWORD not in stored(backend) and made["secret"] not in stored(backend)
        assert backend.post(f"/api/notifications/{made['notification']['id']}/test").status_code == 200
        headers, body = receiver.got[0]
        assert headers["webhook-signature"] == sign(made["secret"], body, headers["webhook-id"], headers["webhook-timestamp"])["webhook-signature"]
    finally:
        receiver.close()


def test_with_another_key_the_secret_must_be_given_again(backend):
    receiver = Receiver()
    try:
        made = make_target(backend, type="webhook", url=receiver.url)
        identity = made["notification"]["id"]
        backend.stop()
        (backend.data_dir / "secret.key").unlink()
        backend.start()
        answer = backend.post(f"/api/notifications/{identity}/test")
        assert answer.status_code == 422 and "another key" in answer.json()["message"]
        # What comes before the planner's first look is not told, and on MongoDB a lease has to run out before it looks.
        wait_until(lambda: backend.send(threat()) and "another key" in state_of(backend, identity)["lastError"], 90, 0.5)
        answer = backend.call("PATCH", f"/api/notifications/{identity}", json={"name": "still there"})
        assert answer.status_code == 400 and answer.json()["details"][0]["field"] == "secret"
        assert backend.call("PATCH", f"/api/notifications/{identity}", json={"secret": made["secret"]}).status_code == 200
        assert backend.post(f"/api/notifications/{identity}/test").status_code == 200
        assert backend.call("PATCH", f"/api/notifications/{identity}", json={"name": "again"}).status_code == 200
    finally:
        receiver.close()


def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    key = tmp_path / "key"
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o644)
    b = Backend("--secret-key-file", str(key))
    try:
        b.start(ready=False)
        assert b.process.wait(30) == 2 and "0600" in b.log()
        key.chmod(0o600)
        b.start()
        assert not (b.data_dir / "secret.key").exists()
    finally:
        b.close()


@pytest.mark.parametrize("form", [(), ("--log-json",)], ids=["text", "json"])
def test_no_log_tells_a_secret(tmp_path, form):
    webhook_secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    path = tmp_path / "webhook.secret"
    path.write_text(f"edge-1 {webhook_secret}\n")
    path.chmod(0o600)
    b = Backend("--webhook-secret-file", str(path), "--trusted-networks", "none", "--allow-private-targets", "--log-level", "debug", *form).start()
    try:
        secrets = {PASSWORD, webhook_secret, webhook_secret.removeprefix("whsec_"), SMTP_PASSWORD, "a-wrong-guess", "payload-of-a-threat",
                   "a good password", "another password", "x" * 30 + "unknown-key"}
        session = requests.Session()
        answer = session.post(b.url("/api/auth/login"), json={"username": "admin", "password": PASSWORD}, timeout=30)
        token = answer.json()["token"]
        secrets |= {token, token.split(".")[2], *session.cookies.values()}
        session.get(b.url("/api/auth/me"), timeout=30)
        stream = Stream(b, token=token)
        stream.next("connection", 30)
        refreshed = b.post("/api/auth/refresh", token=token).json()["token"]
        secrets |= {refreshed, refreshed.split(".")[2]}
        key = b.post("/api/keys", json={"name": "k", "scopes": ["webhook", "read"]}).json()["key"]
        secrets |= {key, key.removeprefix("tlk_")}
        requests.post(b.url("/api/auth/login"), json={"username": "admin", "password": "a-wrong-guess"}, timeout=30)
        b.call("GET", "/api/network/threats", token=False, headers={"X-API-Key": key})
        b.call("GET", "/api/network/threats", token=False, headers={"X-API-Key": "x" * 30 + "unknown-key"})
        b.call("GET", f"/api/network/threats/history?token={token}", token=False)
        b.post("/api/users", json={"username": "u", "role": "viewer", "password": "a good password"})
        user = b.login("u", "a good password")
        secrets.add(user)
        b.call("PUT", "/api/auth/password", token=user, json={"currentPassword": "a good password", "newPassword": "another password"})
        body = json.dumps(threat(sensor="edge-1", details={"note": "payload-of-a-threat"})).encode()
        signed = sign(webhook_secret, body)
        secrets.add(signed["webhook-signature"].removeprefix("v1,"))
        assert requests.post(b.url("/api/network/webhook"), data=body, headers=signed, timeout=30).status_code == 200
        requests.post(b.url("/api/network/webhook"), data=body + b" ", headers=signed, timeout=30)
        made = make_target(b, type="webhook", url="http://127.0.0.1:1/")
        secrets.add(made["secret"])
        mail = make_target(b, **MAIL, password=SMTP_PASSWORD)["notification"]["id"]
        b.post(f"/api/notifications/{mail}/test")
        b.send(json.loads(body) | {"threat_id": "another"}, headers={"X-API-Key": key})
        wait_until(lambda: state_of(b, made["notification"]["id"])["failed"] >= 1, 30)
        b.stop()
        log = b.log()
        assert log.count("http.request") > 10, "the log says little: it proves nothing"
        for secret in secrets:
            assert secret not in log, f"...{secret[-6:]} is in the log"
    finally:
        b.close()
