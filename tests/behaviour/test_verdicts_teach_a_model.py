"""What analysts mark goes out as rows, a model learns from them, and the detector uses it."""
import csv
import hashlib
import json
import re
import subprocess

import pytest
from crafted import scan, tcp, write_pcap
from detector_helpers import quiet
from programs import BIN, ROOT, Backend, read

HOSTS = range(1, 7)
SENSORS = ("office", "plant")
CONTEXT = 12


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    running = Backend(tmp_path_factory.mktemp("backend"), "sqlite").start()
    yield running
    running.stop()


def scans(folder, host):
    return write_pcap(folder / f"scan{host}.pcap", sorted(scan(target=f"10.1.2.{host}", ports=range(1, 40 + host)), key=lambda one: one[0]))


def eager(model, path):
    """The same forests, flagging every flow: whatever the model, a scan is proved by the same flow of it."""
    rest = re.sub(rb"(?m)^rf-threshold .*$", b"rf-threshold 0.0", model.read_bytes().split(b"\n", 1)[1], count=1)
    path.write_bytes(b"threatline-model 2 " + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    return path


@pytest.fixture(scope="module")
def exported(backend, tmp_path_factory):
    """Scans told by two sensors; all but one are marked, as a scanner of one's own is: no attack."""
    folder = tmp_path_factory.mktemp("captures")
    model = eager(ROOT / "models" / "threatline.model", folder / "eager.model")
    for host in HOSTS:
        subprocess.run([BIN / "threatline-detector", "--model", model, "--read", scans(folder, host), "--send", "--sensor", SENSORS[host % 2],
                        "--data-dir", folder / f"data{host}", "--webhook", f"{backend.url}/api/network/webhook"], capture_output=True, timeout=120, check=True)
    threats = [t for t in backend.get("/api/network/threats?limit=100").json()["threats"] if t["threat_type"] == "port_scan"]
    assert len(threats) == len(HOSTS)
    foreign = {"threat_id": "threat_foreign", "threat_type": "port_scan", "severity": "low", "confidence": 0.5, "source_ip": "10.1.1.1",
               "destination_ip": "10.1.1.2", "protocol": "TCP", "timestamp": "2026-11-23T00:00:00Z",
               "details": {"extractor": "0", "features": {"duration": 1, "odd": "=1+1"}}}
    assert backend.post(foreign).status_code == 200
    for threat, verdict in zip(threats, ["true_positive"] + ["false_positive"] * 4):
        assert backend.call("PATCH", f"/api/network/threats/{threat['threat_id']}", {"verdict": verdict}).status_code == 200
    assert backend.call("PATCH", "/api/network/threats/threat_foreign", {"verdict": "true_positive"}).status_code == 200
    answer = backend.get("/api/network/threats/export?format=verdicts")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("application/x-ndjson")
    path = folder / "verdicts.ndjson"
    path.write_text(answer.text)
    return path


@pytest.fixture(scope="module")
def python():
    """The interpreter with scikit-learn that make model uses."""
    venv = subprocess.run([ROOT / "scripts" / "venv.sh", "models/train/requirements.txt", "build/train-venv"], check=True, stdout=subprocess.PIPE, text=True)
    return f"{venv.stdout.strip()}/bin/python"


def visit(start, n):
    """A page of a web server, honest."""
    a, b = ("10.0.0.5", "10.0.0.2", 41000 + n, 80), ("10.0.0.2", "10.0.0.5", 80, 41000 + n)
    for step, (ends, flags, payload) in enumerate([(a, "S", b""), (b, "SA", b""), (a, "A", b""), (a, "PA", b"x" * (80 + n)), (b, "PA", b"y" * (900 + 7 * n)),
                                                   (a, "FA", b""), (b, "FA", b""), (a, "A", b"")]):
        yield start + step * 0.01, tcp(*ends, flags, payload)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    made = {"scan_a": ("attack", scan()), "scan_b": ("attack", scan(target="10.9.9.9")), "look_ups": ("benign", quiet(count=60)),
            "pages": ("benign", (packet for n in range(40) for packet in visit(1_700_000_000.0 + n * 3, n)))}
    with open(folder / "rows.csv", "w", newline="") as out, open(folder / "labels.csv", "w", newline="") as labels:
        labels.write("file,label,type,group\n")
        writer = None
        for name, (label, packets) in made.items():
            path = write_pcap(folder / f"{name}.pcap", sorted(packets, key=lambda one: one[0]))
            for row in csv.DictReader(read(path, "--features").stdout.splitlines()):
                if writer is None:
                    writer = csv.DictWriter(out, ["file", *(k for k in row if k != "file")])
                    writer.writeheader()
                writer.writerow({**row, "file": name})
            labels.write(f"{name},{label},{'port_scan' if label == 'attack' else ''},{name}\n")
    return folder


def train(python, rows, out, *arguments):
    done = subprocess.run([python, ROOT / "models/train/train.py", "--features", rows / "rows.csv", "--labels", rows / "labels.csv", "--windows", "--no-lone",
                           "--out", out, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def score(model, capture):
    """P(attack) of the flow that proved the scan, as the detector tells it."""
    done = subprocess.run([BIN / "threatline-detector", "--model", eager(model, model.with_suffix(".eager")), "--read", capture],
                          capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.splitlines()[0])["details"]["rf_confidence"]


def test_the_marks_go_out_as_rows_without_an_address(exported):
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    assert sorted(line["verdict"] for line in lines) == ["false_positive"] * 4 + ["true_positive"] * 2  # the sixth scan bears none
    assert {line["sensor"] for line in lines if line["extractor"] == "1"} == set(SENSORS)
    for line in lines:
        assert set(line) == {"threat_id", "verdict", "threat_type", "sensor", "model", "extractor", "features"}
        assert all(isinstance(value, (int, float)) for value in line["features"].values())
        assert line["extractor"] == "0" or sum(name.startswith("ctx_") for name in line["features"]) == CONTEXT
    assert "10.1." not in exported.read_text()


def test_only_analysts_get_them(backend, exported):
    made = backend.call("POST", "/api/users", {"username": "looks", "email": "", "role": "viewer", "password": "correct horse battery staple"})
    assert made.status_code == 201, made.text
    own, backend.token = backend.token, None
    try:
        backend.login("looks", "correct horse battery staple")
        assert backend.get("/api/network/threats/export?format=verdicts").status_code == 403
    finally:
        backend.token = own


def test_a_filter_narrows_them(backend, exported):
    lines = backend.get("/api/network/threats/export?format=verdicts&verdict=true_positive").text.splitlines()
    assert {json.loads(line)["verdict"] for line in lines} == {"true_positive"}
    assert backend.get("/api/network/threats/export?format=verdicts&sensor=nobody").text == ""


def test_a_model_learns_from_them_and_the_detector_uses_it(exported, rows, python, tmp_path):
    plain, taught = tmp_path / "plain.model", tmp_path / "taught.model"
    train(python, rows, plain)
    said = train(python, rows, taught, "--verdicts", exported, "--card", tmp_path / "card.md")
    assert "5 rows, 1 left out" in said
    assert "analysts' verdicts" in (tmp_path / "card.md").read_text()
    check = subprocess.run([BIN / "threatline-detector", "--model", taught, "--check"], capture_output=True, text=True, timeout=30, check=False)
    assert check.returncode == 0, check.stderr
    capture = scans(tmp_path, 9)
    assert score(taught, capture) < score(plain, capture) - 0.1  # nine in ten of what was marked like it is no attack
    again = tmp_path / "again.model"
    train(python, rows, again, "--verdicts", exported)
    assert again.read_bytes() == taught.read_bytes()


def test_a_sensor_s_rows_are_held_out_together(exported, rows, python):
    code = ("import sys; sys.path.insert(0, 'models/train'); import train; import numpy as np\n"
            f"x, y, groups, types, out = train.read_verdicts({str(exported)!r}, train.FEATURES)\n"
            "parts = train.parts_of(groups, 0)\n"
            "print(len(x), out, sorted(set(groups)), len(set(parts)), int(y.sum()), sorted(set(types)))")
    done = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "5 1 ['sensor office', 'sensor plant'] 2 1 ['benign', 'port_scan']", done.stderr


def test_a_mark_that_is_none_is_refused(rows, python, tmp_path):
    wrong = tmp_path / "wrong.ndjson"
    wrong.write_text('{"verdict":"perhaps","extractor":"1","features":{},"sensor":"a","threat_type":"dos"}\n')
    done = subprocess.run([python, ROOT / "models/train/train.py", "--features", rows / "rows.csv", "--labels", rows / "labels.csv", "--out", tmp_path / "m",
                           "--verdicts", wrong], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0 and "expected true_positive or false_positive" in done.stderr
