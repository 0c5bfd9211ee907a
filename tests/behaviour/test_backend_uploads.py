"""Captures handed in by people, and monitoring asked for, with a real detector behind."""

import gzip
import hashlib
import os
import signal

import pytest
import requests

from crafted import scan, tcp, write_pcap
from programs import wait_for

from backend_fixture import Backend, Stream, backend_with_detector


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with backend_with_detector(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    return write_pcap(tmp_path_factory.mktemp("captures") / "scan.pcap", scan())


def upload(backend, name, content, wait=True, token=True, field="pcap"):
    return backend.call("POST", "/api/network/upload-pcap" + ("?wait=1" if wait else ""), token=token,
                        files={field: (name, content)})


def test_a_scan_in_a_capture_becomes_threats_in_answer_history_and_stream(pair, capture):
    backend, _ = pair
    stream = Stream(backend)
    stream.next("connection")
    content = capture.read_bytes()
    answer = upload(backend, "a scan/../of «ports».pcap", content)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["flowsAnalyzed"] > 0 and body["threats"], body
    assert body["fileName"] == "of «ports».pcap"
    mine = body["threats"][0]
    assert mine["details"]["source"] == "pcap" and mine["details"]["job"] == body["job"]
    told = {}
    while {"threat_detected", "monitoring_event"} - set(told):  # either may come first: the detector delivers by itself
        _, one = stream.next()
        told.setdefault(one["type"], one["data"])
    assert told["threat_detected"]["details"]["job"] == body["job"]
    event = told["monitoring_event"]
    assert event["type"] == "pcap_file_analyzed" and event["data"]["id"] == body["job"]
    assert mine["threat_id"] in [t["threat_id"] for t in backend.history()]
    job = backend.get(f"/api/network/uploads/{body['job']}").json()["upload"]
    assert job["state"] == "done" and job["bytes"] == len(content)
    assert job["sha256"] == hashlib.sha256(content).hexdigest()
    assert job["packets"] == 600
    assert os.listdir(backend.data_dir / "uploads") == []
    stream.close()


def test_the_same_capture_again_has_threats_of_its_own(pair, tmp_path):
    backend, _ = pair
    content = write_pcap(tmp_path / "again.pcap", scan(source="10.3.3.3")).read_bytes()
    first, second = (upload(backend, "again.pcap", content).json() for _ in range(2))
    assert first["threatsFound"] == second["threatsFound"] == 1
    ids = [[t["threat_id"] for t in answer["threats"]] for answer in (first, second)]
    assert len(ids[0]) == len(ids[1]) == 1 and ids[0] != ids[1], ids
    assert backend.get(f"/api/network/threats?q=job:{second['job']}").json()["threats"][0]["threat_id"] == ids[1][0]


def test_without_waiting_there_is_a_job_to_ask(pair, capture):
    backend, _ = pair
    answer = upload(backend, "scan.pcap.gz", gzip.compress(capture.read_bytes()), wait=False)
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    wait_for(lambda: backend.get(f"/api/network/uploads/{job}").json()["upload"]["state"] == "done", 20)
    assert job in [u["id"] for u in backend.get("/api/network/uploads").json()["uploads"]]
    assert backend.call("DELETE", f"/api/network/uploads/{job}").status_code == 200
    assert backend.get(f"/api/network/uploads/{job}").status_code == 404


def test_a_quiet_capture_says_that_nothing_was_found(pair, tmp_path):
    backend, _ = pair
    quiet = write_pcap(tmp_path / "quiet.pcap", [(1.7e9, tcp("10.0.0.1", "10.0.0.2", 40000, 443, "S"))])
    answer = upload(backend, "quiet.pcap", quiet.read_bytes())
    assert answer.status_code == 200, answer.text
    job = backend.get(f"/api/network/uploads/{answer.json()['job']}").json()["upload"]
    assert answer.json()["threats"] == [] and "othing found" in job["message"]


@pytest.mark.parametrize("content", [b"", b"\xd4\xc3", b"PK\x03\x04 this is a zip", b"\x7fELF" + bytes(4000)])
def test_what_is_no_capture_is_415(pair, content):
    backend, _ = pair
    assert upload(backend, "x.pcap", content).status_code == 415


def test_a_broken_capture_is_refused_with_a_reason(pair):
    backend, _ = pair
    answer = upload(backend, "x.pcap", b"\xd4\xc3\xb2\xa1" + b"\xff" * 100)
    assert answer.status_code == 422, answer.text
    assert answer.json()["message"]


def test_another_form_is_refused(pair, capture):
    backend, _ = pair
    assert upload(backend, "x.pcap", capture.read_bytes(), field="other").status_code == 400
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        answer = backend.call("POST", "/api/network/upload-pcap", data=b"a=1\x00", headers={"Content-Type": kind})
        assert answer.status_code == 415, kind


def test_the_role_is_looked_at_before_the_body(pair):
    backend, _ = pair
    answer = requests.post(backend.url("/api/network/upload-pcap"), data=iter([b"x" * 1000]), timeout=10,
                           headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 401


def test_too_large_a_file_is_413(pair):
    backend, _ = pair
    answer = requests.post(backend.url("/api/network/upload-pcap"), timeout=10, data=b"--b\r\n",
                           headers={"Content-Type": "multipart/form-data; boundary=b",
                                    "Authorization": "Bearer " + backend.token()})
    assert answer.status_code == 400  # cut short
    import socket
    with socket.create_connection(("127.0.0.1", backend.port)) as s:
        s.sendall(f"POST /api/network/upload-pcap HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {backend.token()}\r\n"
                  "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 600000000\r\n\r\n".encode())
        assert b" 413 " in s.recv(4096).split(b"\r\n")[0]


def test_a_large_upload_takes_little_memory(pair, tmp_path):
    backend, _ = pair
    before = backend.resident_bytes()
    content = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(12) + b"\x01\x00\x00\x00" + bytes(60_000_000)
    path = tmp_path / "big.pcap"
    path.write_bytes(content)
    with open(path, "rb") as file:
        answer = upload(backend, "big.pcap", file, wait=False)
    assert answer.status_code == 202, answer.text
    assert backend.resident_bytes() - before < 16_000_000


def test_monitoring_is_asked_of_the_detector(pair):
    backend, detector = pair
    status = backend.get("/api/network/status").json()
    assert status["detector"]["healthy"] is True and status["monitoring"]["active"] is False
    assert backend.get("/api/network/health").status_code == 200
    assert backend.post("/api/network/test-connection").json()["ms"] >= 0
    names = [i["name"] for i in backend.get("/api/network/interfaces").json()["interfaces"]]
    assert "lo" in names
    assert backend.post("/api/network/stop-monitoring").status_code == 409
    for wrong in ({"duration": 5}, {"duration": 3601}, {"duration": "300"}, {"interface": 7}):
        assert backend.post("/api/network/start-monitoring", json=wrong).status_code == 400, wrong
    assert backend.post("/api/network/start-monitoring", json={"sensor": "nobody"}).status_code == 404
    if os.geteuid() != 0:
        pytest.skip("captures need root")
    stream = Stream(backend)
    stream.next("connection")
    answer = backend.post("/api/network/start-monitoring", json={"interface": "lo", "duration": 60})
    assert answer.status_code == 200, answer.text
    try:
        event = stream.next("monitoring_event")[1]["data"]
        while event["type"] == "pcap_file_analyzed":
            event = stream.next("monitoring_event")[1]["data"]
        assert event["type"] == "network_monitoring_started" and event["data"]["interface"] == "lo"
        assert backend.get("/api/network/status").json()["monitoring"]["active"] is True
        assert backend.post("/api/network/start-monitoring", json={"interface": "lo"}).status_code == 409
    finally:
        assert backend.post("/api/network/stop-monitoring").status_code == 200
    while stream.next("monitoring_event")[1]["data"]["type"] != "network_monitoring_stopped":
        pass
    stream.close()


def test_a_detector_that_is_gone_is_503_at_once(pair):
    backend, detector = pair
    detector.stop()
    answer = backend.get("/api/network/health")
    assert answer.status_code == 503 and "Retry-After" in answer.headers
    assert answer.json()["message"] == "Detector local does not answer", "where it listens is for the log alone"
    assert backend.get("/api/network/status").json()["detector"] == {"healthy": False, "message": "Detector local does not answer", "sensor": "local"}
    assert "event=detector.silent detector=local" in backend.log()
    assert backend.get("/api/network/statistics").status_code == 200


def test_a_job_that_fails_at_once_is_failed_in_the_list_for_good(pair, capture):
    """What is written of it when it is queued must not come after what its end wrote."""
    backend, detector = pair
    detector.stop()
    jobs = [upload(backend, "scan.pcap", capture.read_bytes(), wait=False).json()["job"] for _ in range(8)]
    wait_for(lambda: os.listdir(backend.data_dir / "uploads") == [], 30)
    for job in jobs:
        wait_for(lambda job=job: backend.get(f"/api/network/uploads/{job}").json()["upload"]["state"] == "failed", 30)
        assert backend.get(f"/api/network/uploads/{job}").json()["upload"]["message"] == "Detector local does not answer"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_that_the_backends_end_left_behind_is_failed_and_its_file_gone(tmp_path, capture, how):
    """It was told as waiting for good, and each such capture stayed on the disk."""
    with backend_with_detector(tmp_path) as (backend, detector):
        os.kill(detector.process.pid, signal.SIGSTOP)
        try:
            jobs = [upload(backend, "scan.pcap", capture.read_bytes(), wait=False).json()["job"] for _ in range(3)]
            wait_for(lambda: backend.get(f"/api/network/uploads/{jobs[0]}").json()["upload"]["state"] == "analysing", 30)
            backend.process.send_signal(how)
            if how == signal.SIGTERM:
                wait_for(lambda: "event=backend.stopping" in backend.log(), 30)
        finally:
            os.kill(detector.process.pid, signal.SIGCONT)
        backend.process.wait(60)
        backend.start()
        left = [backend.get(f"/api/network/uploads/{job}", token=backend.login()).json()["upload"] for job in jobs]
        assert {job["state"] for job in left} <= ({"failed"} if how == signal.SIGKILL else {"failed", "done"}), left
        assert {job["message"] for job in left if job["state"] == "failed"} <= {"The server was stopped before the capture was read"}
        assert os.listdir(backend.data_dir / "uploads") == []


def test_a_start_leaves_what_is_not_its_own_in_the_folder(tmp_path):
    """Both programs keep uploads in their data folder, and by default that is the same."""
    folder = tmp_path / "backend" / "uploads"
    folder.mkdir(parents=True)
    for name in ("upload-Ab12Cd", "my.pcap", "01M8KX1CCD385NDRSKD2WWSNK5"):
        (folder / name).write_bytes(b"packets")
    backend = Backend(data_dir=tmp_path / "backend").start()
    try:
        assert sorted(os.listdir(folder)) == ["my.pcap", "upload-Ab12Cd"]
    finally:
        backend.close()


def test_a_job_of_a_detector_that_hangs_can_be_cancelled(tmp_path, capture):
    with backend_with_detector(tmp_path) as (backend, detector):
        os.kill(detector.process.pid, signal.SIGSTOP)
        try:
            job = upload(backend, "hangs.pcap", capture.read_bytes(), wait=False).json()["job"]
            wait_for(lambda: backend.get(f"/api/network/uploads/{job}").json()["upload"]["state"] == "analysing", 30)
            assert backend.call("DELETE", f"/api/network/uploads/{job}").status_code == 200
            wait_for(lambda: backend.get(f"/api/network/uploads/{job}").json()["upload"]["state"] == "cancelled", 20)
        finally:
            os.kill(detector.process.pid, signal.SIGCONT)
