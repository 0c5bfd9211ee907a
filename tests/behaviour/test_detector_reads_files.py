"""--read is a filter: captures in, lines out, the same each time; its exit status tells what became of the input."""
import csv
import gzip
import io
import json
import signal
import subprocess

import pytest
from crafted import scan, write_pcap
from detector_helpers import Receiver, page, quiet
from programs import BIN, Detector, read


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def last_line(done):
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def scan_file(tmp_path):
    return write_pcap(tmp_path / "scan.pcap", list(scan()))


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


def test_a_scan_is_one_threat_that_grows_and_nothing_else_is_on_stdout(scan_file):
    found = lines(read(scan_file))
    assert len({t["threat_id"] for t in found}) == 1
    assert [t["revision"] for t in found] == list(range(1, len(found) + 1))
    assert found[-1]["threat_type"] == "port_scan"
    assert found[-1]["source_ip"] == "10.1.1.9"
    assert found[-1]["details"]["source"] == "pcap"
    assert found[-1]["details"]["file"] == "scan.pcap"


def test_reading_twice_gives_the_same_bytes_and_another_file_other_ids(scan_file, tmp_path):
    assert read(scan_file).stdout == read(scan_file).stdout != ""
    other = write_pcap(tmp_path / "other.pcap", [*scan(), *quiet(1_700_001_000)])
    assert {t["threat_id"] for t in lines(read(other))}.isdisjoint({t["threat_id"] for t in lines(read(scan_file))})


def test_the_summary_is_the_last_line_on_stderr(scan_file):
    assert last_line(read(scan_file)) == "packets=600 flows=300 threats=1 drops=0"


def test_honest_traffic_gives_no_line(tmp_path):
    done = read(write_pcap(tmp_path / "quiet.pcap", [*quiet(), *page()]))
    assert done.stdout == ""
    assert last_line(done) == "packets=48 flows=21 threats=0 drops=0"


def test_several_files_and_folders_are_read_in_order_and_strangers_in_folders_passed_over(scan_file, tmp_path):
    folder = tmp_path / "folder" / "inner"
    folder.mkdir(parents=True)
    (folder / "a.pcap.gz").write_bytes(gzip.compress(scan_file.read_bytes()))
    (folder / "notes.txt").write_text("no capture")
    done = read(scan_file, tmp_path / "folder")
    assert {t["details"]["file"] for t in lines(done)} == {"scan.pcap", "a.pcap.gz"}
    assert last_line(done) == "packets=1200 flows=600 threats=2 drops=0"


def test_features_are_a_csv_row_a_flow_under_a_header(tmp_path):
    done = read(write_pcap(tmp_path / "page.pcap", list(page())), "--features")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 1
    assert rows[0]["source_ip"] == "10.0.0.5" and rows[0]["end"] == "fin"
    assert float(rows[0]["total_fwd_packets"]) == 5 and float(rows[0]["total_bwd_packets"]) == 3
    assert float(rows[0]["fwd_packet_length_mean"]) == pytest.approx(18 / 5)
    assert len(list(rows[0])) == len(set(rows[0])) >= 35


def test_eve_lines_are_alerts(scan_file):
    found = lines(read(scan_file, "--format", "eve"))
    assert all(e["event_type"] == "alert" and e["src_ip"] == "10.1.1.9" and e["pcap_filename"] == "scan.pcap" for e in found)
    assert found[0]["alert"]["category"] == "port_scan" and 1 <= found[0]["alert"]["severity"] <= 3
    assert len({e["flow_id"] for e in found}) == 1


@pytest.mark.parametrize("cut, status", [(0, 0), (7, 3)])
def test_a_file_that_ends_short_gives_what_it_held_and_status_3(scan_file, cut, status):
    data = scan_file.read_bytes()
    scan_file.write_bytes(data[: len(data) - cut])
    done = read(scan_file, check=False)
    assert done.returncode == status
    assert lines(done)[-1]["threat_type"] == "port_scan"
    assert ("read.short" in done.stderr) == (status == 3)


@pytest.mark.parametrize("content", [b"", b"no capture at all", b"\xd4\xc3\xb2\xa1"])
def test_what_is_no_capture_is_named_and_status_is_not_0(tmp_path, content):
    (tmp_path / "x.pcap").write_bytes(content)
    done = read(tmp_path / "x.pcap", check=False)
    assert done.returncode in (1, 3) and done.stdout == "" and "x.pcap" in done.stderr


def test_a_bad_file_does_not_hide_the_good_ones(scan_file, tmp_path):
    done = read(tmp_path / "missing.pcap", scan_file, check=False)
    assert done.returncode == 1 and "missing.pcap" in done.stderr and len(lines(done)) > 0


@pytest.mark.parametrize("arguments", [["--read"], ["--features"], ["--send"], ["stray.pcap"], ["--read", "a", "--send", "--features"],
                                       ["--port", "x"], ["--no-such-flag"], ["--source", "radio"], ["--bind", "0.0.0.0"],
                                       ["--webhook", "ftp://x/y"], ["--sensor", "a b"], ["--log-level", "loud"], ["--format", "xml", "--read", "a"]])
def test_wrong_usage_is_named_on_stderr_with_status_2(arguments):
    done = subprocess.run([str(BIN / "threatline-detector"), *arguments], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2, done.stderr
    assert done.stdout == "" and done.stderr.startswith("threatline-detector: ")


def test_help_and_version_go_to_stdout_with_status_0():
    for flag in ("--help", "--version"):
        done = subprocess.run([str(BIN / "threatline-detector"), flag], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and "threatline-detector" in done.stdout and done.stderr == ""


def test_a_full_disk_behind_stdout_is_status_1(scan_file):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BIN / "threatline-detector"), "--read", str(scan_file)], stdout=full, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 1


def test_send_delivers_every_notice_signed_by_nobody_when_there_is_no_secret(scan_file, tmp_path, receiver):
    done = read(scan_file, "--send", "--data-dir", tmp_path / "data", "--webhook", receiver.url + "/api/network/webhook")
    printed = {(t["threat_id"], t["revision"]) for t in lines(read(scan_file))}
    assert done.stdout == "" and receiver.ids() == printed
    assert all("webhook-signature" not in {k.lower() for k in h} for h in receiver.headers)


def test_what_could_not_be_sent_stays_in_the_spool_with_status_1_and_goes_later(scan_file, tmp_path, receiver):
    dead = "http://127.0.0.1:9/api/network/webhook"
    done = read(scan_file, "--send", "--data-dir", tmp_path / "data", "--send-wait", "0", "--webhook", dead, check=False)
    assert done.returncode == 1 and "send.incomplete" in done.stderr
    quiet_file = write_pcap(tmp_path / "quiet.pcap", list(quiet()))
    done = read(quiet_file, "--send", "--data-dir", tmp_path / "data", "--webhook", receiver.url + "/api/network/webhook")
    assert receiver.ids() == {(t["threat_id"], t["revision"]) for t in lines(read(scan_file))}


def test_a_refusal_is_status_1_and_a_dead_letter(scan_file, tmp_path, receiver):
    receiver.answer = lambda body: (422, {"success": False, "message": "impossible"})
    done = read(scan_file, "--send", "--data-dir", tmp_path / "data", "--webhook", receiver.url + "/api/network/webhook", check=False)
    assert done.returncode == 1 and "sender.dead_letter" in done.stderr


def test_one_sigint_ends_a_long_reading_in_order(tmp_path):
    long = write_pcap(tmp_path / "long.pcap", [p for n in range(60) for p in scan(start=1_700_000_000 + 2 * n, ports=range(1, 2001), gap=0.001)])
    program = Detector(tmp_path / "reader", arguments=["--read", *[long] * 40, "--features"]).start(ready=False)
    try:
        program.process.wait(0.5)
    except subprocess.TimeoutExpired:
        pass
    assert program.stop(signal.SIGINT, 10) == 0
    assert program.log().strip().splitlines()[-1].startswith("packets=")


def test_the_selftest_counts_what_passed():
    done = subprocess.run([str(BIN / "threatline-detector"), "selftest"], capture_output=True, text=True, timeout=60)
    passed, total = map(int, done.stdout.splitlines()[-1].split("/"))
    assert done.returncode == 0 and passed == total == len(done.stdout.splitlines()) - 1 >= 40, done.stdout


# --- workers

def test_one_and_two_workers_say_the_same_to_the_byte(captures):
    labels = sorted(p for p in captures.iterdir() if p.is_dir())
    for label in labels:
        one, two = (read(label, "--workers", n, check=False) for n in (1, 2))
        assert one.stdout == two.stdout and one.returncode == two.returncode, label.name
    one, two = (read(captures / "port_scan", captures / "benign", "--features", "--workers", n, check=False).stdout for n in (1, 2))
    assert one == two
