"""The rows of the API about threats, sensors and operations."""

import csv
import io
import json
import time

import pytest
import requests

from backend_fixture import Backend, Stream, threat


@pytest.fixture(scope="module")
def backend(on_each_store):
    b = on_each_store()
    yield b
    b.close()


@pytest.fixture()
def filled(backend):
    backend.clear()
    types = ["port_scan", "web_attack", "brute_force"]
    severities = ["low", "medium", "high", "critical"]
    backend.threats = [threat(threat_type=types[i % 3], severity=severities[i % 4], source_ip=f"10.0.{i % 2}.{i + 1}",
                              destination_port=[22, 80, 443][i % 3], sensor=f"edge-{i % 2}",
                              timestamp=f"2026-11-{10 + i:02d}T12:00:00Z", confidence=round(0.05 * i, 2))
                       for i in range(20)]
    backend.deliver(backend.threats)
    return backend


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [t["threat_id"] for t in answer.json()["threats"]]


def test_history_is_newest_first_and_bounded(filled):
    answer = filled.get("/api/network/threats/history?limit=5").json()
    assert answer["success"] is True and answer["count"] == 5
    assert [t["threat_id"] for t in answer["threats"]] == [t["threat_id"] for t in reversed(filled.threats[-5:])]
    assert filled.get("/api/network/threats/history").json()["count"] == 20
    for limit in ("0", "101", "-1", "x", "1.5", ""):
        assert filled.get(f"/api/network/threats/history?limit={limit}").status_code == 400


@pytest.mark.parametrize("query,fits", [
    ("type=port_scan", lambda t: t["threat_type"] == "port_scan"),
    ("severity=critical", lambda t: t["severity"] == "critical"),
    ("source=10.0.1.0/24", lambda t: t["source_ip"].startswith("10.0.1.")),
    ("port=22", lambda t: t["destination_port"] == 22),
    ("sensor=edge-1", lambda t: t["sensor"] == "edge-1"),
    ("protocol=UDP", lambda t: False),
    ("status=new", lambda t: True),
    ("from=2026-11-15T00:00:00Z", lambda t: t["timestamp"] >= "2026-11-15"),
    ("from=2026-11-12T12:00:00Z&to=2026-11-14T12:00:00Z", lambda t: "2026-11-12" <= t["timestamp"] < "2026-11-15"),
    ("q=type:web_attack+-severity:low", lambda t: t["threat_type"] == "web_attack" and t["severity"] != "low"),
    ("q=type:web_attack&severity=high", lambda t: t["threat_type"] == "web_attack" and t["severity"] == "high"),
])
def test_filters(filled, query, fits):
    expected = [t["threat_id"] for t in reversed(filled.threats) if fits(t)]
    assert ids(filled.get(f"/api/network/threats?limit=100&{query}")) == expected


@pytest.mark.parametrize("query", [
    "limit=0", "limit=1001", "offset=-1", "offset=10001", "cursor=x", "sort=best", "from=yesterday", "to=1",
    "severity=a%20b", "type=x)OR(y", "q=" + "a" * 2049, "q=port:abc", "q=(type:x", "source=1.2.3.4.5",
])
def test_a_bad_query_is_400(backend, query):
    answer = backend.get(f"/api/network/threats?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["success"] is False


def test_a_bad_q_points_at_the_character(backend):
    answer = backend.get("/api/network/threats?q=type:port_scan+port:abc").json()
    assert answer["code"] == "invalid_query"
    assert 15 <= answer["at"] <= 23


def test_paging_by_cursor_is_whole_while_threats_arrive(filled):
    seen, cursor = [], ""
    while True:
        answer = filled.get(f"/api/network/threats?limit=3{cursor}").json()
        seen += [t["threat_id"] for t in answer["threats"]]
        filled.send(threat())
        if "next" not in answer:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == [t["threat_id"] for t in reversed(filled.threats)]
    assert ids(filled.get("/api/network/threats?limit=3&sort=oldest")) == \
        [t["threat_id"] for t in filled.threats[:3]]
    assert filled.get("/api/network/threats?limit=1&total=1").json()["total"] >= 20


def test_one_threat(filled):
    mine = filled.threats[3]
    answer = filled.get(f"/api/network/threats/{mine['threat_id']}")
    assert answer.status_code == 200 and answer.headers["ETag"] == '"1"'
    assert answer.json()["threat"]["triage"]["status"] == "new"
    assert filled.get("/api/network/threats/nobody").status_code == 404


def test_statistics(filled):
    s = filled.get("/api/network/statistics").json()["statistics"]
    assert (s["total"], s["critical"], s["high"], s["medium"], s["low"]) == (20, 5, 5, 5, 5)
    assert s["byType"] == {"port_scan": 7, "web_attack": 7, "brute_force": 6}
    assert "timeline" in s and "models" in s and "monitoring" in s
    assert filled.get("/api/network/statistics?from=nonsense").status_code == 400
    assert filled.get("/api/network/statistics?bucket=1").status_code == 400


def test_export_as_csv_is_safe_for_spreadsheets(filled):
    nasty = threat(protocol="=1+2")
    filled.send(nasty)
    answer = filled.get("/api/network/threats/export?format=csv")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 21
    assert rows[0]["threat_id"] == nasty["threat_id"] and rows[0]["protocol"] == "'=1+2"


def test_export_as_ndjson_and_eve(filled):
    lines = filled.get("/api/network/threats/export?format=ndjson&type=port_scan").text.splitlines()
    assert [json.loads(line)["threat_type"] for line in lines] == ["port_scan"] * 7
    eve = [json.loads(x) for x in filled.get("/api/network/threats/export?format=eve").text.splitlines()]
    assert len(eve) == 20
    assert eve[0]["event_type"] == "alert" and eve[0]["src_ip"] == filled.threats[-1]["source_ip"]
    assert eve[0]["alert"]["signature"] == filled.threats[-1]["threat_type"]
    assert filled.get("/api/network/threats/export?format=xml").status_code == 400


def test_an_export_has_no_size_limit(backend):
    backend.clear()
    backend.deliver([threat() for _ in range(3000)])
    answer = backend.get("/api/network/threats/export?format=ndjson")
    assert len({json.loads(line)["threat_id"] for line in answer.text.splitlines()}) == 3000


PCAP = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")


def test_evidence_comes_in_by_the_webhook_and_out_for_analysts(filled):
    mine = filled.threats[0]["threat_id"]
    url = f"/api/network/threats/{mine}/evidence"
    assert filled.get(url + ".pcap").status_code == 404
    assert requests.put(filled.url(url), data=PCAP, timeout=10).status_code == 200
    answer = filled.get(url + ".pcap")
    assert answer.content == PCAP and "attachment" in answer.headers["Content-Disposition"]
    assert requests.put(filled.url(url), data=b"MZ" * 20, timeout=10).status_code == 400
    assert requests.put(filled.url(url), data=PCAP + bytes(1 << 20), timeout=10).status_code == 413
    assert requests.put(filled.url("/api/network/threats/none/evidence"), data=PCAP, timeout=10).status_code == 404


def test_sensors_are_heard_and_told(backend):
    stream = Stream(backend)
    stream.next("connection")
    name = f"edge-{time.time_ns()}"
    beat = {"version": "0.1.0", "packets": 12, "spool": {"depth": 0}}
    answer = requests.post(backend.url(f"/api/network/sensors/{name}/heartbeat"), json=beat, timeout=10)
    assert answer.status_code == 200
    assert stream.next("sensor")[1]["data"]["state"] == "ok"
    mine = [s for s in backend.get("/api/network/sensors").json()["sensors"] if s["name"] == name]
    assert mine[0]["report"] == beat and mine[0]["state"] == "ok"
    assert requests.post(backend.url("/api/network/sensors/a%20b/heartbeat"), json=beat, timeout=10).status_code == 400
    stream.close()


def test_operations_need_no_credential_and_tell_no_secret(backend):
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.yaml"):
        answer = requests.get(backend.url(path), timeout=10)
        assert answer.status_code == 200
        assert backend.token() not in answer.text
        assert requests.head(backend.url(path), timeout=10).status_code == 200
    assert "threatline_threats_total" in requests.get(backend.url("/metrics"), timeout=10).text


def test_everything_else_needs_one(backend):
    for path in ("threats/history", "threats", "threats/x", "statistics", "sensors", "status", "interfaces", "health",
                 "uploads", "stream", "threats/export", "threats/x/evidence.pcap"):
        answer = requests.get(backend.url(f"/api/network/{path}"), timeout=10)
        assert answer.status_code == 401, path
        assert "WWW-Authenticate" in answer.headers
    for path in ("clear-threats", "start-monitoring", "stop-monitoring", "test-connection", "upload-pcap"):
        assert requests.post(backend.url(f"/api/network/{path}"), timeout=10).status_code == 401, path


def test_an_unknown_path_and_a_wrong_method(backend):
    assert backend.get("/api/network/nothing").status_code == 404
    answer = backend.call("DELETE", "/api/network/webhook")
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]


def test_without_a_detector_control_is_503_with_the_reason(backend):
    for method, path in (("GET", "health"), ("GET", "interfaces"), ("POST", "test-connection"),
                         ("POST", "stop-monitoring")):
        answer = backend.call(method, f"/api/network/{path}")
        assert answer.status_code == 503, path
        assert "Retry-After" in answer.headers
    status = backend.get("/api/network/status").json()
    assert status["detector"]["healthy"] is False and status["monitoring"]["active"] is False
    assert status["store"]["available"] is True


def test_no_token_and_no_password_in_the_log(backend):
    stream = Stream(backend)
    stream.next("connection")
    stream.close()
    assert backend.token() not in backend.log()
    assert "correct horse" not in backend.log()


def test_settings_are_checked_without_a_start(tmp_path):
    import subprocess
    from backend_fixture import PROGRAM
    run = lambda *o: subprocess.run([PROGRAM, "--data-dir", str(tmp_path), "--static-dir", "", *o],
                                    capture_output=True, text=True, timeout=20)
    assert run("--check").returncode == 0
    assert run("--version").stdout.startswith("threatline-backend ")
    assert "--trusted-networks" in run("--help").stdout
    (tmp_path / "short").write_text("abc")
    for wrong in (["--port", "70000"], ["--trusted-networks", "10.0.0.0/40"], ["--detector", "nonsense"],
                  ["--log-level", "loud"], ["--webhook-secret-file", str(tmp_path / "none")], ["--nothing"],
                  ["--static-dir", str(tmp_path / "none")], ["--secret-key-file", str(tmp_path / "short")]):
        result = run("--check", *wrong)
        assert result.returncode == 2, wrong
        assert result.stderr.strip()


def test_an_idle_backend_is_small():
    b = Backend().start()
    try:
        assert b.resident_bytes() <= 21 * 1024 * 1024
    finally:
        b.close()


def test_a_backup_is_a_whole_copy_made_while_the_backend_works(tmp_path):
    import subprocess
    from backend_fixture import PROGRAM
    b = Backend().start()
    try:
        b.deliver([threat() for _ in range(50)])
        copy = tmp_path / "copy" / "threatline.db"
        copy.parent.mkdir()
        run = lambda *o: subprocess.run([PROGRAM, "--data-dir", str(b.data_dir), "--static-dir", "", *o], env=b.env,
                                        capture_output=True, text=True, timeout=60)
        done = run("backup", str(copy))
        assert done.returncode == 0, done.stderr
        again = run("backup", str(copy))
        assert again.returncode == 1 and "exists already" in again.stderr
        assert run("backup").returncode == 2
        b.send(threat())
        other = Backend(data_dir=copy.parent).start()
        try:
            assert len(other.history()) == 50 and len(b.history()) == 51
        finally:
            other.close()
    finally:
        b.close()
