"""Every flow of every capture, and of random traffic, has the features that the independent reference computes, and what makes no flow is
counted for the same reason."""

import csv
import io
import os
import re
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference import captures, flows, traffic

ROOT = Path(__file__).resolve().parents[2]
DETECTOR = os.environ.get("THREATLINE_DETECTOR", str(ROOT / "build/bin/threatline-detector"))
CAPTURES = os.environ.get("THREATLINE_CAPTURES")
LABELS = "benign ambiguous brute_force c2_botnet dos_ddos exfil_tunnel exploit port_scan web_attack".split()
KEY = "source_ip source_port destination_ip destination_port protocol first_seen last_seen end packets bytes community_id".split()


def nanoseconds(text):
    whole, fraction = text.rstrip("Z").split(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp())
    return seconds * 10**9 + int(fraction)


def detector_rows(path):
    """The flows, and how many frames were refused, by reason."""
    run = subprocess.run([DETECTOR, "--read", str(path), "--features"], capture_output=True, text=True, timeout=120)
    assert run.returncode in (0, 3), run.stderr
    rows = []
    for line in csv.DictReader(io.StringIO(run.stdout)):
        row = {name: line[name] for name in flows.COLUMNS}  # columns of windows follow the features
        row["first_seen"], row["last_seen"] = nanoseconds(line["first_seen"]), nanoseconds(line["last_seen"])
        for name in ("source_port", "destination_port", "packets", "bytes"):
            row[name] = int(line[name])
        rows.append(row | {name: float(line[name]) for name in flows.NAMES})
    said = re.search(r" event=read\.undecoded (.*)", run.stderr)
    refused = {reason: int(count) for reason, count in re.findall(r"(\w+)=(\d+)", said[1] if said else "")}
    return rows, refused


def in_order(rows):
    return sorted(rows, key=lambda row: [row[name] for name in KEY] + [row[name] for name in flows.NAMES])


def assert_alike(path):
    expected, refused = flows.flows_of(captures.read(path))
    found, said = detector_rows(path)
    assert said == refused, path
    assert len(found) == len(expected), f"{path}: {len(found)} flows, the reference has {len(expected)}"
    for ours, theirs in zip(in_order(found), in_order(expected)):
        for name in KEY:
            assert ours[name] == theirs[name], f"{path}: {name} of {theirs}"
        for name in flows.NAMES:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-9, abs=1e-12), f"{path}: {name} of {theirs}"
    return len(expected)


@pytest.mark.parametrize("label", LABELS)
def test_every_flow_of_the_captures_agrees(label):
    if not CAPTURES:
        assert not os.environ.get("CI"), "THREATLINE_CAPTURES names no folder, and CI must not go without"
        pytest.skip("THREATLINE_CAPTURES names no folder of captures")
    files = sorted(path for path in (Path(CAPTURES) / label).iterdir() if path.is_file())
    assert files, f"{CAPTURES}/{label} holds no captures"
    assert sum(assert_alike(path) for path in files) > 0


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(traffic.conversations(), st.sampled_from(traffic.LINKS))
def test_random_traffic_agrees(frames, link):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pcap"
        path.write_bytes(traffic.pcap(frames, link))
        assert_alike(path)
