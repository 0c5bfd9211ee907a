"""The control API of the detector, as the backend and people with curl use it."""
import json
import os
import pathlib
import signal
import threading
import time

import pytest
import requests
from crafted import scan, write_pcap
from detector_helpers import Receiver, quiet, receiver, start  # noqa: F401  two are fixtures
from programs import Detector, free_port, wait_for


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """One that watches nothing, for all who change nothing."""
    program = Detector(tmp_path_factory.mktemp("idle") / "detector", None, "none").start()
    yield program
    program.stop()


def get(detector, path, **kwargs):
    return requests.get(detector.url + path, timeout=10, **kwargs)


def post(detector, path, body=None, **kwargs):
    return requests.post(detector.url + path, json=body, timeout=30, **kwargs)


def metric(detector, name):
    for line in get(detector, "/metrics").text.splitlines():
        if line.startswith(f"threatline_detector_{name} "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


# --- the simulator

def test_the_simulators_first_threat_is_delivered_within_15_seconds_and_marked(start, receiver):
    begin = time.monotonic()
    start("simulator")
    wait_for(lambda: receiver.heard, 15, why="no threat")
    assert time.monotonic() - begin < 15
    assert all(t["details"]["source"] == "simulator" and t["sensor"] == "unit" for t in receiver.heard)


def test_the_same_seed_simulates_the_same_attackers(start, receiver):
    def sources():
        receiver.heard.clear()
        program = start("simulator", ["--simulator-seed", "11"])
        first = wait_for(lambda: list(receiver.heard), 15)[0]
        program.stop()
        return first["threat_type"], first["source_ip"], first["destination_ip"]

    assert sources() == sources()


# --- monitoring

def test_monitoring_starts_once_and_stops_once(start):
    detector = start()
    assert get(detector, "/health").json()["monitoring_active"] is False
    answer = post(detector, "/api/start-capture", {"interface": "simulator", "duration": 60})
    assert answer.status_code == 200 and answer.json()["interface"] == "simulator"
    health = get(detector, "/health").json()
    assert health["monitoring_active"] is True and health["monitoring"]["state"] == "simulator" and health["monitoring"]["endsAt"]
    assert post(detector, "/api/start-capture", {"interface": "simulator"}).status_code == 409
    assert post(detector, "/api/stop-capture").status_code == 200
    assert post(detector, "/api/stop-capture").status_code == 409


def test_several_starts_at_once_leave_one_run(start):
    detector, statuses = start(), []
    threads = [threading.Thread(target=lambda: statuses.append(post(detector, "/api/start-capture", {"interface": "simulator"}).status_code))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]


def test_monitoring_ends_by_itself_when_its_duration_is_over(start):
    detector = start()
    assert post(detector, "/api/start-capture", {"interface": "simulator", "duration": 1}).status_code == 200
    wait_for(lambda: not get(detector, "/health").json()["monitoring_active"], 4, why="it did not end")
    assert post(detector, "/api/start-capture", {"interface": "simulator", "duration": 1}).status_code == 200


@pytest.mark.parametrize("body", [{"duration": -1}, {"duration": "60"}, {"duration": 1.5}, {"interface": 7}, {"interface": ""}, {"filter": 1}, [],
                                  {"interface": "x" * 300}, {"interface": "lo", "filter": "no such word("}])
def test_a_start_that_makes_no_sense_is_refused(idle, body):
    detector = idle
    answer = post(detector, "/api/start-capture", body)
    assert 400 <= answer.status_code < 500 and answer.json()["success"] is False, answer.text
    assert get(detector, "/health").json()["monitoring_active"] is False


@pytest.mark.parametrize("wrong", ["port (", "tcp) or (udp"])  # the second makes sense between the parentheses put around it
def test_a_filter_that_is_none_is_refused_in_its_own_words(idle, wrong):
    answer = post(idle, "/api/start-capture", {"interface": "lo", "filter": wrong})
    assert answer.status_code == 400
    assert answer.json()["message"] == f'filter "{wrong}": can\'t parse filter expression: syntax error'


def test_bodies_that_are_no_json_are_refused(idle):
    for body in (b"{", b"\x00", b'{"interface":"lo","interface":"eth0"}', b"[" * 2000):
        answer = requests.post(idle.url + "/api/start-capture", data=body, timeout=10)
        assert answer.status_code == 400, answer.text


def test_an_interface_that_is_not_there_is_named_and_the_simulator_goes_on(start):
    detector = start("simulator")
    answer = post(detector, "/api/start-capture", {"interface": "nosuch0"})
    assert answer.status_code in (400, 403, 404, 503) and "nosuch0" in answer.json()["message"]
    assert get(detector, "/health").json()["monitoring"]["state"] == "simulator"


@pytest.mark.skipif(os.geteuid() != 0, reason="captures need CAP_NET_RAW")
def test_a_live_capture_takes_the_simulators_place_and_sees_packets(start):
    detector = start("simulator")
    assert post(detector, "/api/start-capture", {"interface": "lo", "duration": 60}).status_code == 200
    assert get(detector, "/health").json()["monitoring"]["state"] == "live"
    assert post(detector, "/api/start-capture", {"interface": "simulator"}).status_code == 409
    before = metric(detector, "packets_total")
    wait_for(lambda: metric(detector, "packets_total") > before, 5, why="no packet was seen")
    assert post(detector, "/api/stop-capture").status_code == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="captures need CAP_NET_RAW")
def test_after_the_start_only_the_right_to_capture_is_left_and_asleep(start):
    detector = start()
    text = pathlib.Path(f"/proc/{detector.process.pid}/status").read_text()
    caps = {line.split(":")[0]: int(line.split()[1], 16) for line in text.splitlines() if line.startswith("Cap")}
    assert caps["CapEff"] == 0 and caps["CapPrm"] in (0, 1 << 13) and caps["CapInh"] == 0
    assert "NoNewPrivs:\t1" in text


# --- threats and delivery

def test_threats_are_delivered_and_listed_newest_last_and_cleared(start, receiver, tmp_path):
    detector = start()
    capture = write_pcap(tmp_path / "scan.pcap", list(scan()))
    analyse(detector, capture)
    wait_for(lambda: len(receiver.heard) >= 2)
    for path in ("/api/threats", "/api/get-threats"):
        body = get(detector, path).json()
        assert body["success"] and body["count"] == body["total"] == len(body["threats"])
        assert [t["revision"] for t in body["threats"]] == sorted(t["revision"] for t in body["threats"])
    assert len(get(detector, "/api/threats?limit=1").json()["threats"]) == 1
    for limit in ("0", "-1", "x", "1001", "1e2"):
        assert get(detector, f"/api/threats?limit={limit}").status_code == 400
    assert post(detector, "/api/clear-threats").json()["cleared"] >= 2
    assert get(detector, "/api/threats").json()["threats"] == []


def test_threats_found_while_the_receiver_is_away_arrive_after_a_kill_and_a_restart(tmp_path):
    port = free_port()

    class Nowhere:
        url = f"http://127.0.0.1:{port}"

    detector = Detector(tmp_path / "detector", Nowhere, "simulator", ["--sensor", "unit"]).start()
    waiting = wait_for(lambda: get(detector, "/api/threats").json()["threats"], 15)
    detector.kill()
    receiver = Receiver()
    again = Detector(tmp_path / "detector", receiver, "none", ["--sensor", "unit"]).start()
    try:
        expected = {(t["threat_id"], t["revision"]) for t in waiting}
        wait_for(lambda: expected <= receiver.ids(), 10, why="a threat was lost")
        wait_for(lambda: metric(again, "spool_depth") == 0)
    finally:
        again.stop()
        receiver.close()


def test_dead_letters_are_listed_and_replayed(start, receiver, tmp_path):
    detector = start()
    receiver.answer = lambda body: (400, {"success": False, "message": "no such thing"})
    analyse(detector, write_pcap(tmp_path / "scan.pcap", list(scan())))
    wait_for(lambda: "analysis.ended" in detector.log() and metric(detector, "spool_depth") == 0, 30)
    letters = get(detector, "/api/dead-letters").json()["deadLetters"]
    assert len(letters) >= 2
    assert all(x["status"] == 400 and "no such thing" in x["message"] and x["threat"]["threat_id"] == x["threat_id"] for x in letters)
    assert post(detector, "/api/dead-letters/unknown/replay").status_code == 404
    receiver.answer = lambda body: (200, {"success": True})
    receiver.heard.clear()
    assert post(detector, "/api/dead-letters/replay").json()["replayed"] == len(letters)
    wait_for(lambda: receiver.ids() == {(x["threat_id"], x["revision"]) for x in letters})


def test_heartbeats_carry_the_figures(start, receiver):
    start("simulator")
    path, body = wait_for(lambda: receiver.beats, 30)[0]
    assert path == "/api/network/sensors/unit/heartbeat"
    assert {"version", "source", "packets", "drops", "flows", "evictions", "spool_depth", "oldest_unsent", "model"} <= set(body)
    assert body["source"] in ("simulator", "none")


def test_the_metrics_tell_what_came_in_what_was_lost_and_where_the_time_went(start):
    detector = start("simulator", ["--simulator-seed", "4"])
    wait_for(lambda: metric(detector, "packets_total") > 3000, 60, why="the simulator is slow")
    families, samples = {}, {}
    for line in get(detector, "/metrics").text.splitlines():
        if line.startswith("# TYPE "):
            families[line.split()[2]] = line.split()[3]
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[name.removeprefix("threatline_detector_")] = float(value)
    assert {name.split("{")[0] for name in samples} <= {name.removeprefix("threatline_detector_") for name in families}
    assert all(kind == ("counter" if name.endswith("_total") else "gauge") for name, kind in families.items())
    for name in ("bytes_total", "flows_total", *(f'stage_seconds_total{{stage="{s}"}}' for s in ("decode", "flows", "windows"))):
        assert samples[name] > 0, name
    for name in ("drops_total", "evictions_total", 'decode_errors_total{reason="cut_short"}', 'flows_ended_total{cause="evicted"}',
                 'stage_seconds_total{stage="verdicts"}'):
        assert name in samples
    counters = get(detector, "/api/statistics").json()["statistics"]["counters"]
    assert counters["stageSeconds"].keys() == {"decode", "flows", "windows", "verdicts"}
    assert counters["packets"] >= samples["packets_total"]


# --- files

def analyse(detector, capture, **kwargs):
    with open(capture, "rb") as file:
        answer = requests.post(detector.url + "/api/analyze-pcap", files={"pcap": (pathlib.Path(capture).name, file)}, timeout=60, **kwargs)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_an_upload_is_analysed_as_form_as_raw_body_and_by_path(start, receiver, tmp_path):
    detector = start()
    capture = write_pcap(tmp_path / "scan.pcap", list(scan()))
    by_form = analyse(detector, capture, params={"job": "j-1"})[-1]
    raw = requests.post(detector.url + "/api/analyze-pcap?file=named.pcap&job=j-2", data=capture.read_bytes(),
                        headers={"Content-Type": "application/vnd.tcpdump.pcap"}, timeout=30)
    by_body = json.loads(raw.text.splitlines()[-1])
    inside = tmp_path / "detector0" / "data" / "inside.pcap"
    inside.write_bytes(capture.read_bytes())
    by_path = json.loads(post(detector, "/api/analyze-pcap", {"file_path": "inside.pcap", "job": "j-3"}).text.splitlines()[-1])
    for result, name, job in ((by_form, "scan.pcap", "j-1"), (by_body, "named.pcap", "j-2"), (by_path, "inside.pcap", "j-3")):
        assert result["type"] == "result" and result["success"] is True
        assert (result["packets"], result["flowsAnalyzed"], result["threats"], result["endedShort"]) == (600, 300, 1, False)
        assert (result["file"], result["job"]) == (name, job)
    wait_for(lambda: receiver.heard)
    assert receiver.heard[0]["details"]["file"] == "scan.pcap" and receiver.heard[0]["details"]["job"] == "j-1"
    assert not list((tmp_path / "detector0" / "data" / "uploads").iterdir())
    assert inside.exists()


def test_nothing_found_is_said_plainly(idle, tmp_path):
    assert "Nothing found" in analyse(idle, write_pcap(tmp_path / "quiet.pcap", list(quiet())))[-1]["message"]


def test_a_file_that_ends_short_is_used_and_said(idle, tmp_path):
    capture = write_pcap(tmp_path / "scan.pcap", list(scan()))
    capture.write_bytes(capture.read_bytes()[:-5])
    result = analyse(idle, capture)[-1]
    assert result["endedShort"] is True and result["packets"] == 599 and result["message"]


def test_what_is_no_capture_is_refused_without_telling_where_it_lies(idle, tmp_path):
    answer = requests.post(idle.url + "/api/analyze-pcap", files={"pcap": ("a.pcap", b"hello")}, timeout=10)
    assert answer.status_code == 422 and answer.json()["code"] == "unreadable"
    assert "upload" not in answer.json()["message"] and str(tmp_path) not in answer.text


@pytest.mark.parametrize("path", ["/etc/hostname", "../../secret.pcap", "link.pcap", "missing.pcap", "", "uploads"])
def test_only_files_below_the_data_directory_are_read(idle, tmp_path, path):
    (tmp_path / "secret.pcap").write_bytes(b"secret")
    link = idle.folder / "data" / "link.pcap"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "secret.pcap")
    answer = post(idle, "/api/analyze-pcap", {"file_path": path})
    assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize("kwargs, statuses", [
    ({"files": {"other": ("a.pcap", b"x")}}, {400}),
    ({"data": {"a": "b"}}, {415}),
    ({"data": b"--x\r\nhalf", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, {400}),
    ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, {400}),
    ({"json": {"file": "x"}}, {400}),
    ({"params": {"job": "a b"}, "files": {"pcap": ("a.pcap", b"x")}}, {400}),
])
def test_uploads_that_make_no_sense_are_refused_and_leave_nothing(idle, kwargs, statuses):
    answer = requests.post(idle.url + "/api/analyze-pcap", timeout=10, **kwargs)
    assert answer.status_code in statuses, answer.text
    uploads = idle.folder / "data" / "uploads"
    assert not uploads.exists() or not list(uploads.iterdir())


def test_a_caller_who_leaves_cancels(start, tmp_path):
    detector = start()
    packets = [p for n in range(100) for p in scan(start=1_700_000_000 + 2 * n, ports=range(1, 1001), gap=0.002)]
    capture = write_pcap(tmp_path / "long.pcap", packets)
    big = tmp_path / "big.pcap"
    data = capture.read_bytes()
    with open(big, "wb") as out:
        out.write(data)
        for _ in range(12):
            out.write(data[24:])
    with open(big, "rb") as file, requests.post(detector.url + "/api/analyze-pcap", data=file, stream=True, timeout=60,
                                                headers={"Content-Type": "application/octet-stream"}) as answer:
        assert answer.status_code == 200
        next(answer.iter_lines())
    wait_for(lambda: "analysis.ended" in detector.log(), 15)
    small = write_pcap(tmp_path / "small.pcap", list(quiet()))
    wait_for(lambda: requests.post(detector.url + "/api/analyze-pcap", files={"pcap": open(small, "rb")}, timeout=30).status_code == 200, 10)


# --- who may

def test_browsers_are_kept_out(idle):
    detector = idle
    assert get(detector, "/health", headers={"Origin": "http://localhost:3000"}).status_code == 403
    assert get(detector, "/health", headers={"Host": "evil.example"}).status_code == 403
    assert post(detector, "/api/stop-capture", headers={"Origin": "null"}).status_code == 403


def test_with_a_key_every_call_but_health_and_metrics_needs_it(start, tmp_path):
    key = tmp_path / "key"
    key.write_text("s3cret-control-key\n")
    detector = Detector(tmp_path / "keyed", None, "none", ["--control-key-file", key, "--bind", "0.0.0.0"]).start(ready=False)
    try:
        def status(**headers):
            return get(detector, "/api/statistics", headers=headers).status_code

        wait_for(lambda: "detector.ready" in detector.log())
        assert status() == 401
        assert "WWW-Authenticate" in get(detector, "/api/statistics").headers
        assert get(detector, "/health").status_code == 200
        assert get(detector, "/metrics").status_code == 200
        assert status(**{"X-API-Key": "wrong"}) == 401
        assert status(**{"X-API-Key": "s3cret-control-key"}) == 200
        assert status(Authorization="Bearer s3cret-control-key") == 200
        assert "s3cret" not in detector.log()
    finally:
        detector.stop()


@pytest.mark.parametrize("method, path, status", [("GET", "/nothing", 404), ("DELETE", "/health", 405), ("GET", "/api/stop-capture", 405)])
def test_unknown_paths_and_methods(idle, method, path, status):
    answer = requests.request(method, idle.url + path, timeout=10)
    assert answer.status_code == status
    assert status != 405 or "Allow" in answer.headers


# --- the process

def test_check_says_what_is_wrong_and_starts_nothing(tmp_path):
    program = Detector(tmp_path / "check", None, "none", ["--check", "--webhook-secret-file", tmp_path / "missing"]).start(ready=False)
    assert program.process.wait(10) == 2
    assert not (tmp_path / "check" / "data").exists()


def test_a_stop_prints_the_figures_last(start):
    detector = start("simulator")
    wait_for(lambda: metric(detector, "packets_total") > 10, 15)
    assert detector.stop(2) == 0
    last = detector.log().strip().splitlines()[-1]
    figures = dict(pair.split("=") for pair in last.split())
    assert list(figures) == ["packets", "flows", "threats", "drops"] and int(figures["packets"]) > 10


def test_a_port_in_use_is_named_with_status_1(start, tmp_path):
    first = start()
    second = Detector(tmp_path / "second", None, "none", port=first.port).start(ready=False)
    assert second.process.wait(10) == 1
    assert str(first.port) in second.log()


def test_a_spool_of_a_newer_version_is_refused(tmp_path):
    import sqlite3

    folder = tmp_path / "newer" / "data"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "spool.db") as db:
        db.execute("PRAGMA application_id = 1953264496")
        db.execute("CREATE TABLE threat(a)")
        db.execute("PRAGMA user_version = 99")
    program = Detector(tmp_path / "newer", None).start(ready=False)
    assert program.process.wait(10) == 1
    assert "made by a newer detector" in program.log()



def test_a_broken_secret_file_is_told_after_sighup_and_changes_nothing(start, receiver, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    detector = start("none", ["--webhook-secret-file", secret])
    secret.write_text("broken\n")
    detector.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "sender.secret" in detector.log())
    analyse(detector, write_pcap(tmp_path / "scan.pcap", list(scan())))
    wait_for(lambda: metric(detector, "sent_total") >= 2)
    assert all("webhook-signature" in {k.lower() for k in h} for h in receiver.headers)


# --- confinement

def seccomp_modes(program):
    """Of every thread, as the kernel tells them."""
    tasks = pathlib.Path(f"/proc/{program.process.pid}/task").iterdir()
    return {line.split()[1] for task in tasks for line in (task / "status").read_text().splitlines() if line.startswith("Seccomp:")}


def test_every_thread_is_confined_unless_told_otherwise(start, receiver):
    confined = start("simulator", ["--workers", "2"])
    wait_for(lambda: receiver.heard, 15, why="no threat")
    assert seccomp_modes(confined) == {"2"}
    assert "unconfined" not in confined.log()
    free = start("none", ["--no-seccomp"])
    assert seccomp_modes(free) == {"0"}
