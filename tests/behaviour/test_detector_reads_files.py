"""--read is a filter: captures in, lines out, the same each time; its exit status tells what became of the input."""
import csv
import gzip
import io
import json
import os
import pty
import re
import signal
import subprocess

import pytest
from crafted import scan, udp, write_pcap
from detector_helpers import page, quiet, receiver  # noqa: F401  one is a fixture
from programs import BIN, Detector, read


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def last_line(done):
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def scan_file(tmp_path):
    return write_pcap(tmp_path / "scan.pcap", list(scan()))


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


# Names as in the CSV files of CICIDS2017, which CICFlowMeter made; "Fwd Header Length" stands there twice.
CIC_NAMES = """Flow Duration,Total Fwd Packets,Total Backward Packets,Flow Bytes/s,Flow Packets/s,Fwd Packet Length Mean,Bwd Packet Length Mean,
Flow IAT Mean,Fwd IAT Mean,Bwd IAT Mean,Fwd PSH Flags,Bwd PSH Flags,Fwd URG Flags,Bwd URG Flags,Fwd Header Length,Bwd Header Length,
Fwd Packets/s,Bwd Packets/s,Packet Length Mean,Packet Length Std,Packet Length Variance,SYN Flag Count,RST Flag Count,PSH Flag Count,
ACK Flag Count""".replace("\n", "").split(",")


def test_the_columns_can_have_cicflowmeters_names(tmp_path):
    capture = write_pcap(tmp_path / "page.pcap", list(page()))
    own, cic = (list(csv.reader(io.StringIO(read(capture, "--features", *more).stdout))) for more in ([], ["--cic-names"]))
    begin = cic[0].index("Flow Duration")
    assert cic[0][begin:begin + 25] == CIC_NAMES
    assert cic[0][:5] == ["Source IP", "Destination IP", "Source Port", "Destination Port", "Protocol"]
    assert cic[1:] == own[1:] and len(cic[0]) == len(own[0])


# Of Suricata's etc/schema.json: every member that an alert of ours may have, and its kind. "threatline" is ours.
EVE = {"timestamp": str, "flow_id": int, "event_type": str, "src_ip": str, "src_port": int, "dest_ip": str, "dest_port": int, "proto": str,
       "community_id": str, "pcap_filename": str, "host": str, "alert": dict, "threatline": dict}
EVE_ALERT = {"action": str, "gid": int, "signature_id": int, "rev": int, "signature": str, "category": str, "severity": int}


def test_eve_lines_are_alerts(scan_file):
    found = lines(read(scan_file, "--format", "eve"))
    assert all(e["event_type"] == "alert" and e["src_ip"] == "10.1.1.9" and e["pcap_filename"] == "scan.pcap" for e in found)
    assert found[0]["alert"]["category"] == "port_scan" and 1 <= found[0]["alert"]["severity"] <= 3
    assert len({e["flow_id"] for e in found}) == 1


def test_every_eve_line_has_the_members_and_kinds_of_suricatas_schema(captures):
    found = lines(read(captures / "port_scan", captures / "dos_ddos", "--format", "eve", check=False))
    assert len(found) > 10
    for event in found:
        assert {name: type(value) for name, value in event.items()}.items() <= EVE.items()
        assert {name: type(value) for name, value in event["alert"].items()} == EVE_ALERT
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+[+-]\d+", event["timestamp"])
        assert event["alert"]["action"] in ("allowed", "blocked") and 0 < event["flow_id"] < 1 << 53
        assert re.fullmatch(r"TCP|UDP|ICMP|IPv6-ICMP|SCTP|IP-\d+", event["proto"])
        assert {"timestamp", "flow_id", "src_ip", "dest_ip", "proto", "pcap_filename", "alert"} <= event.keys()


def on_a_terminal(arguments, until):
    """Runs --read with a terminal as stderr till that says what `until` looks for; then it is told to stop. What it said."""
    own, other = pty.openpty()
    try:
        reader = subprocess.Popen([str(BIN / "threatline-detector"), "--model", "-", "--read", *map(str, arguments)], stdout=subprocess.DEVNULL,
                                  stderr=other, stdin=subprocess.DEVNULL)
        os.close(other)
        said = b""
        while not re.search(until, said):
            piece = os.read(own, 4096)
            assert piece, said
            said += piece
        reader.send_signal(signal.SIGINT)
        return said.decode(), reader.wait(30)
    finally:
        reader.kill()
        os.close(own)


def test_a_long_reading_shows_its_progress_on_a_terminal(tmp_path):
    """The file is one packet over and over, in members of gzip: long enough for any machine."""
    whole = write_pcap(tmp_path / "one.pcap", [(1_700_000_000.0, udp("10.0.0.5", "10.0.0.1", 5000, 53, b"x" * 30))]).read_bytes()
    member = gzip.compress(whole[24:] * 200_000, 1)
    long = tmp_path / "long.pcap.gz"
    long.write_bytes(gzip.compress(whole[:24]) + member * 200)
    said, status = on_a_terminal([long], rb"s left")
    assert re.search(r"\rlong\.pcap\.gz: \d+ %, \d+\.\d MB/s, \d+ packets, 1 flows, \d+ threats, \d+ s left", said), said
    assert status == 0


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
                                       ["--webhook", "ftp://x/y"], ["--sensor", "a b"], ["--log-level", "loud"], ["--own-traffic", "db"], ["--format", "xml", "--read", "a"],
                                       ["--read", "a", "--features", "--format", "eve"]])
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

@pytest.mark.parametrize("arguments", [[], ["--features"]], ids=["threats", "features"])
def test_every_capture_gives_the_same_bytes_twice_and_with_two_workers(captures, arguments):
    """All of them, the damaged ones too."""
    one, again, two = (read(captures, *arguments, "--workers", n, check=False, timeout=600) for n in (1, 1, 2))
    assert one.stdout.count("\n") > 100
    assert one.stdout == again.stdout and one.returncode == again.returncode
    assert one.stdout == two.stdout and one.returncode == two.returncode
    assert last_line(one) == last_line(two)
