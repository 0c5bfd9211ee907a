"""What a threat says of its packets is what an analyst can fetch: the first packets of its flows, and no more than that."""
import hashlib
import io

import dpkt
import pytest
from crafted import scan, tcp, write_pcap
from detector_helpers import quiet
from programs import Detector, read, wait_for


@pytest.fixture
def backend(start_backend):
    return start_backend("sqlite")


def packets_of(pcap):
    return [(when, dpkt.ethernet.Ethernet(frame).data) for when, frame in dpkt.pcap.Reader(io.BytesIO(pcap))]


def sent(tmp_path, backend, packets, *arguments):
    capture = write_pcap(tmp_path / "all.pcap", sorted(packets, key=lambda p: p[0]))
    sender = Detector(tmp_path / "detector", backend, arguments=["--read", capture, "--send", *arguments]).start(ready=False)
    assert sender.process.wait(60) == 0, sender.log()
    return backend.history()


def test_a_scans_first_packets_can_be_fetched_and_are_those_told_of(tmp_path, backend):
    threats = sent(tmp_path, backend, [*quiet(), *scan(ports=range(1, 301))])
    threat = next(t for t in threats if t["threat_type"] == "port_scan")
    assert threat["revision"] > 1  # it grew, and still says so
    answer = backend.get(f"/api/network/threats/{threat['threat_id']}/evidence.pcap")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == threat["details"]["evidence"]["sha256"]
    packets = packets_of(answer.content)
    assert len(packets) == threat["details"]["evidence"]["packets"] > 10
    ends = {(dpkt.utils.inet_to_str(ip.src), dpkt.utils.inet_to_str(ip.dst)) for _, ip in packets}
    assert ends == {("10.1.1.9", "10.1.1.1"), ("10.1.1.1", "10.1.1.9")}
    assert {ip.data.dport for _, ip in packets} >= set(range(1, 8))
    assert [when for when, _ in packets] == sorted(when for when, _ in packets)


def test_payload_is_cut_and_flows_show_their_first_packets_only(tmp_path, backend):
    start = 1_700_000_000.0
    long_scan = []
    for n, (when, packet) in enumerate(scan(ports=range(1, 301))):
        long_scan.append((when, packet))
        if n % 2 == 0:  # each port gets a bundle of data behind its SYN, before it refuses
            long_scan += [(when + 1e-5 * i, tcp("10.1.1.9", "10.1.1.1", 40000 + n // 2, 1 + n // 2, "A", b"z" * 900)) for i in range(1, 6)]
    assert long_scan[0][0] == start
    threats = sent(tmp_path, backend, long_scan, "--evidence-packets", "3", "--evidence-bytes", "10")
    threat = next(t for t in threats if "evidence" in t["details"])
    pcap = backend.get(f"/api/network/threats/{threat['threat_id']}/evidence.pcap").content
    frames = [frame for _, frame in dpkt.pcap.Reader(io.BytesIO(pcap))]
    assert 1 <= len(frames) <= 6
    assert max(len(frame) for frame in frames) == 14 + 20 + 20 + 10


def test_none_is_kept_when_it_is_off_and_none_is_told_by_a_filter(tmp_path, backend):
    threats = sent(tmp_path, backend, scan(ports=range(1, 301)), "--evidence-packets", "0")
    assert threats and not any("evidence" in t["details"] for t in threats)
    assert backend.get(f"/api/network/threats/{threats[0]['threat_id']}/evidence.pcap").status_code == 404
    assert '"evidence"' not in read(tmp_path / "all.pcap").stdout


def test_live_threats_hand_theirs_over_too(tmp_path, backend):
    detector = Detector(tmp_path / "detector", backend, "simulator").start()
    try:
        threat = wait_for(lambda: next((t for t in backend.history() if "evidence" in t["details"]), None), 20, why="no threat with packets")
        url = f"/api/network/threats/{threat['threat_id']}/evidence.pcap"
        wait_for(lambda: backend.get(url).status_code == 200, 10, why="its packets did not come")
        assert hashlib.sha256(backend.get(url).content).hexdigest() == threat["details"]["evidence"]["sha256"]
    finally:
        detector.stop()
