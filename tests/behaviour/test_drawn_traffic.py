"""Attacks are found and named whatever their pace, ports and addresses; honest traffic is silent however busy."""
import json
import os

import pytest
from crafted import write_pcap
from drawn import ATTACKS, HONEST, UNLEARNED, Draw
from drawn_twins import TWINS
from programs import read

SEEDS = range(int(os.environ.get("THREATLINE_DRAWS", "3")))


def threats(tmp_path, behaviour, seed, *arguments):
    packets = sorted(behaviour(Draw(f"{behaviour.__name__} {seed}")), key=lambda one: one[0])
    last = {}
    for line in read(write_pcap(tmp_path / "drawn.pcap", packets), *arguments).stdout.splitlines():
        threat = json.loads(line)
        last[threat["threat_id"]] = threat
    return list(last.values())


def told(found):
    return [(threat["threat_type"], threat["details"]["explanation"][:1]) for threat in found]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("behaviour", ATTACKS, ids=lambda b: b.__name__)
def test_an_attack_is_one_threat_of_its_type(tmp_path, behaviour, seed):
    found = threats(tmp_path, behaviour, seed)
    assert {threat["threat_type"] for threat in found} <= ATTACKS[behaviour], told(found)
    assert 1 <= len(found) <= (5 if behaviour.__name__ in ("bot_requests", "remote_control") else 2), told(found)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("behaviour", HONEST + UNLEARNED, ids=lambda b: b.__name__)
def test_honest_traffic_is_silent(tmp_path, behaviour, seed):
    found = threats(tmp_path, behaviour, seed)
    assert found == [], told(found)


@pytest.mark.parametrize("seed", SEEDS[1:])
@pytest.mark.parametrize("behaviour", TWINS, ids=lambda b: b.__name__)
def test_what_has_one_sign_of_an_attack_is_silent(tmp_path, behaviour, seed):
    found = threats(tmp_path, behaviour, seed, "--workers", 1 + seed % 2)
    assert found == [], told(found)
