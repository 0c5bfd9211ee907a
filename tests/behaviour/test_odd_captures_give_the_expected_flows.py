"""One capture for each odd case: the lines that are expected stand in tests/data/flows, and the reference agrees."""

import subprocess
from pathlib import Path

import pytest

from tests.behaviour.test_features_agree_with_the_reference import DETECTOR, assert_alike
from tests.data import make_captures
from tests.reference import flows

EXPECTED = Path(__file__).resolve().parents[1] / "data" / "flows"
COLUMNS = len(flows.COLUMNS) + len(flows.NAMES)  # columns of windows follow
CASES = [name for name, _ in make_captures.cases()]


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    return {path.stem: path for path in make_captures.write(tmp_path_factory.mktemp("captures"))}


@pytest.mark.parametrize("name", CASES)
def test_the_flows_are_as_expected(captures, name):
    run = subprocess.run([DETECTOR, "--read", captures[name], "--features"], capture_output=True, text=True, timeout=30)
    assert run.returncode == (3 if name == "ends_inside_a_packet" else 0), run.stderr
    own = [",".join(line.split(",")[:COLUMNS]) for line in run.stdout.splitlines()]
    assert own == (EXPECTED / f"{name}.csv").read_text().splitlines()


@pytest.mark.parametrize("name", CASES)
def test_the_reference_agrees(captures, name):
    assert_alike(captures[name])


def test_every_expectation_has_its_capture():
    assert sorted(path.stem for path in EXPECTED.glob("*.csv")) == sorted(CASES)
