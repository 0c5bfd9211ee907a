"""Both programs are used as a client would; what an answer holds must stand in openapi.yaml, once, with its status. (Whether what is
described as required is there, schemathesis looks in test_the_backend_keeps_its_description.py.)"""
import json

import pytest
import requests
import yaml

from crafted import scan, write_pcap
from programs import PASSWORD, ROOT, SEED, Backend, Detector, free_port, wait_for


def once(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a member twice among {names}"
    return dict(pairs)


class Described:
    def __init__(self, path):
        self.document = yaml.safe_load((ROOT / path).read_text())
        self.wrong, self.called = [], set()

    def resolve(self, node):
        while "$ref" in node:
            at = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            node = at
        return node

    def members(self, schema):
        schema = self.resolve(schema)
        found = {}
        for kind in ("allOf", "oneOf", "anyOf"):
            for part in schema.get(kind, []):
                found |= self.members(part)
        return found | schema.get("properties", {})

    def look(self, value, schema, where):
        resolved = self.resolve(schema)
        if isinstance(value, dict):
            known, more = self.members(resolved), resolved.get("additionalProperties")
            for name, inner in value.items():
                if name in known:
                    self.look(inner, known[name], f"{where}.{name}")
                elif isinstance(more, dict):
                    self.look(inner, more, f"{where}.*")
                elif not more:
                    self.wrong.append(f"{where}.{name} is not described")
        elif isinstance(value, list):
            for inner in value:
                self.look(inner, resolved.get("items", {}), f"{where}[]")

    def check(self, method, template, answer):
        self.called.add((method.lower(), template))
        described = self.document["paths"][template][method.lower()]["responses"].get(str(answer.status_code))
        where = f"{method} {template} {answer.status_code}"
        if described is None:
            self.wrong.append(f"{where} is not described: {answer.text[:300]}")
            return None
        content = self.resolve(described).get("content", {})
        if "json" not in answer.headers.get("Content-Type", "") or "ndjson" in answer.headers["Content-Type"]:
            lines = answer.text.splitlines() if "ndjson" in answer.headers.get("Content-Type", "") and "export" not in template else []
            for line in lines:
                self.look(json.loads(line, object_pairs_hook=once), content["application/x-ndjson"]["schema"], where)
            return None
        value = json.loads(answer.text, object_pairs_hook=once)
        self.look(value, content.get("application/json", {}).get("schema", {}), where)
        return value


@pytest.fixture
def both(tmp_path):
    port = free_port()
    backend = Backend(tmp_path / "backend", arguments=["--detector", f"local=http://127.0.0.1:{port}"]).start()
    detector = Detector(tmp_path / "detector", backend, "simulator", ["--sensor", "local"], port=port).start()
    try:
        wait_for(lambda: len(backend.history()) > 0, 60, why="no simulated threat")
        yield backend, detector
    finally:
        detector.stop()
        backend.stop()


def test_the_backends_answers(both, tmp_path):
    backend, _ = both
    described = Described("backend/openapi.yaml")

    def go(method, template, body=None, query="", path=None, token=True, **kwargs):
        return described.check(method, template, backend.call(method, (path or template) + query, body, token=token, **kwargs))

    threat = "/api/network/threats/{id}"
    one = threat.replace("{id}", SEED["threat_id"])
    go("POST", "/api/network/webhook", SEED, token=False)
    go("POST", "/api/network/webhook", [{**SEED, "threat_id": "other"}, {"a": 1}], token=False)
    go("GET", "/api/network/threats/history")
    go("GET", "/api/network/threats", query="?total=1&limit=1")
    go("PATCH", threat, {"status": "acknowledged", "assignee": "admin", "verdict": "true_positive"}, path=one)
    go("POST", threat + "/comments", {"text": "a"}, path=one + "/comments")
    go("GET", threat, path=one)
    go("GET", threat, path="/api/network/threats/none")
    go("POST", "/api/network/threats/bulk", {"ids": [SEED["threat_id"], "none"], "set": {"status": "closed"}})
    go("GET", "/api/network/threats/export", query="?format=ndjson")
    for template in ("statistics", "sensors", "status", "interfaces", "health"):
        go("GET", f"/api/network/{template}")
    go("POST", "/api/network/test-connection")
    go("POST", "/api/network/stop-monitoring")
    go("POST", "/api/network/stop-monitoring")
    go("POST", "/api/network/start-monitoring", {"interface": "none0"})
    go("POST", "/api/network/start-monitoring", {"interface": "simulator", "duration": 60})
    go("POST", "/api/network/start-monitoring", {"interface": "simulator", "duration": 60})
    capture = write_pcap(tmp_path / "scan.pcap", scan())
    job = go("POST", "/api/network/upload-pcap", query="?wait=1", files={"pcap": open(capture, "rb")})["job"]
    go("POST", "/api/network/upload-pcap", files={"pcap": open(capture, "rb")})
    go("GET", "/api/network/uploads")
    go("GET", "/api/network/uploads/{id}", path=f"/api/network/uploads/{job}")
    go("DELETE", "/api/network/uploads/{id}", path=f"/api/network/uploads/{job}")

    def all_of(template, body, name, change=None, key="{id}", method="POST", label="id"):
        """Made, listed, changed and removed."""
        made = go(method, template if method == "POST" else f"{template}/{key}", body, path=template if method == "POST" else f"{template}/{body['address']}")
        inner = made[name]
        go("GET", template)
        path = f"{template}/{inner[label]}"
        if change:
            go("PATCH", f"{template}/{key}", change, path=path)
        return f"{template}/{key}", path

    removals = [
        all_of("/api/users", {"username": "anna", "role": "viewer", "password": "long enough 1"}, "user", {"role": "analyst"}),
        all_of("/api/keys", {"name": "k", "scopes": ["webhook"], "sensor": "edge"}, "record"),
        all_of("/api/suppressions", {"match": {"type": SEED["threat_type"]}, "reason": "r"}, "suppression", {"reason": "other"}),
        all_of("/api/blocklist", {"address": "203.0.113.0/24", "reason": "r", "threat": SEED["threat_id"]}, "block"),
        all_of("/api/notifications", {"type": "email", "name": "mail", "url": "smtp://203.0.113.1", "from": "a@example.org", "to": "b@example.org"},
               "notification", {"enabled": False}),
        all_of("/api/notifications", {"type": "webhook", "name": "hook", "url": "http://203.0.113.1/"}, "notification"),
        all_of("/api/searches", {"name": "n", "q": "type:ddos"}, "search"),
        all_of("/api/assets", {"address": "10.0.0.1", "name": "n", "note": "o"}, "asset", key="{address}", method="PUT", label="address"),
    ]
    go("POST", "/api/suppressions/preview", {"match": {"type": SEED["threat_type"]}})
    go("POST", "/api/names", {"addresses": ["10.0.0.1", "203.0.113.9"]})
    for template, path in removals:
        go("DELETE", template, path=path)
    for template in ("/api/assignees", "/api/audit", "/api/dead-letters", "/api/auth/me", "/healthz", "/readyz"):
        go("GET", template)
    go("GET", "/api/audit", query="?limit=1")
    heartbeat = "/api/network/sensors/{name}/heartbeat"
    go("POST", heartbeat, {"a": 1}, path=heartbeat.replace("{name}", "edge"), token=False)
    go("POST", "/api/network/clear-threats")
    go("POST", "/api/auth/login", {"username": "admin", "password": "not this one"}, token=False)
    go("POST", "/api/auth/login", {"username": "admin", "password": PASSWORD}, token=False)
    go("POST", "/api/auth/refresh")
    go("PUT", "/api/auth/password", {"currentPassword": PASSWORD, "newPassword": PASSWORD + "!"})
    backend.login(password=PASSWORD + "!")
    go("POST", "/api/auth/logout")
    assert not described.wrong, "\n".join(sorted(set(described.wrong)))
    operations = {(method, path) for path, item in described.document["paths"].items() for method in item}
    assert operations - described.called == {
        ("get", "/api/network/stream"), ("get", "/metrics"), ("get", "/openapi.yaml"),  # no JSON
        ("put", threat + "/evidence"), ("get", threat + "/evidence.pcap"),  # test_a_threat_shows_its_packets.py
        ("post", "/api/notifications/{id}/test"), ("post", "/api/dead-letters/{id}/replay")}  # test_people_are_told.py


def test_the_detectors_answers(both, tmp_path):
    _, detector = both
    described = Described("detector/openapi.yaml")

    def go(method, template, body=None, query="", **kwargs):
        return described.check(method, template, requests.request(method, detector.url + template + query, json=body, timeout=60, **kwargs))

    for template in ("/health", "/metrics", "/api/threats", "/api/get-threats", "/api/statistics", "/api/model-stats", "/api/interfaces", "/api/dead-letters"):
        go("GET", template)
    go("GET", "/api/threats", query="?limit=0")
    go("POST", "/api/start-capture", {"interface": "none0"})
    go("POST", "/api/stop-capture")
    go("POST", "/api/stop-capture")
    go("POST", "/api/start-capture", {"interface": "simulator", "duration": 60})
    go("POST", "/api/start-capture", {"interface": "simulator", "duration": 60})
    go("POST", "/api/analyze-pcap", files={"pcap": open(write_pcap(tmp_path / "scan.pcap", scan()), "rb")})
    go("POST", "/api/analyze-pcap", files={"pcap": b"this is no capture"})
    go("POST", "/api/analyze-pcap", {"file_path": "/etc/passwd"})
    go("POST", "/api/dead-letters/replay")
    go("POST", "/api/clear-threats")
    assert not described.wrong, "\n".join(sorted(set(described.wrong)))
    operations = {(method, path) for path, item in described.document["paths"].items() for method in item}
    assert operations - described.called == {("post", "/api/dead-letters/{id}/replay")}
