"""Real tools against real servers, between two namespaces: each attack is told once with its type, honest traffic not at all."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from programs import ROOT, read

LAB = ROOT / "models" / "lab" / "lab.py"
ATTACKS = {"nmap-syn": {"port_scan"}, "hydra-ftp": {"brute_force"}, "udp-flood": {"udp_flood", "dos"}, "syn-spoofed": {"ddos"}}
HONEST = ["browse-0", "cloud-away-0"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of six runs, made once."""
    if os.geteuid() != 0:
        pytest.fail("needs root") if os.environ.get("CI") else pytest.skip("needs root, for network namespaces")
    out = tmp_path_factory.mktemp("lab")
    made = subprocess.run([sys.executable, str(LAB), "--out", str(out), "--only", ",".join([*ATTACKS, *HONEST])], capture_output=True,
                          text=True, timeout=300)
    if "not installed" in made.stderr and not os.environ.get("CI"):
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stdout + made.stderr
    return pathlib.Path(out)


def threats_of(capture):
    """The last revision of each threat that the capture holds."""
    found = {}
    for line in read(capture, "--quiet").stdout.splitlines():
        threat = json.loads(line)
        found[threat["threat_id"]] = threat
    return list(found.values())


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_by_a_real_tool_is_found_with_its_type(runs, name):
    about = json.loads((runs / f"{name}.json").read_text())
    threats = threats_of(runs / f"{name}.pcap")
    right = [t for t in threats if t["threat_type"] in ATTACKS[name]]
    assert len(right) == 1, [(t["threat_type"], t["source_ip"]) for t in threats]
    assert about["spoofed"] or right[0]["source_ip"] in about["attackers"]
    assert right[0]["destination_ip"] == f"{about['net']}.1"


@pytest.mark.parametrize("name", ATTACKS)
def test_the_neighbours_of_an_attacker_are_left_alone(runs, name):
    about = json.loads((runs / f"{name}.json").read_text())
    blamed = [t for t in threats_of(runs / f"{name}.pcap") if t["source_ip"] in about["honest"]]
    assert blamed == []


@pytest.mark.parametrize("name", HONEST)
def test_honest_traffic_by_real_tools_raises_nothing(runs, name):
    assert (runs / f"{name}.pcap").stat().st_size > 5000
    assert threats_of(runs / f"{name}.pcap") == []
