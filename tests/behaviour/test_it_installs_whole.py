"""make install: what is copied is whole, runs from any folder, and the units start what was installed."""
import os
import re
import shutil
import subprocess

import pytest
import requests

from crafted import scan, write_pcap
from programs import ROOT, Backend


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    for _ in range(2):  # the second time over the first
        done = subprocess.run(["make", "-s", "install", f"PREFIX={folder}"], cwd=ROOT, capture_output=True, text=True, timeout=600,
                              env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")})
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


def test_both_programs_manuals_descriptions_and_units_are_there(prefix):
    for name in ("detector", "backend"):
        assert os.access(prefix / f"bin/threatline-{name}", os.X_OK)
        assert (prefix / f"share/man/man8/threatline-{name}.8").read_text() == (ROOT / f"{name}/{name}.8").read_text()
        assert (prefix / f"share/threatline/{name}.openapi.yaml").read_text() == (ROOT / f"{name}/openapi.yaml").read_text()
    assert (prefix / "share/threatline/models/threatline.model").is_file()
    assert (prefix / "share/threatline/frontend-static/index.html").is_file()


@pytest.mark.parametrize("name", ["detector", "backend"])
def test_a_unit_starts_what_was_installed(prefix, name):
    unit = prefix / f"lib/systemd/system/threatline-{name}.service"
    start = re.search(r"^ExecStart=(.*)$", unit.read_text(), re.M)[1].split()
    assert start[0] == str(prefix / f"bin/threatline-{name}")
    for path in (word for word in start if word.startswith(str(prefix))):
        assert os.path.exists(path), path
    if shutil.which("systemd-analyze"):  # what the unit itself says is tested above
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_an_installed_detector_finds_its_model_from_any_folder(prefix, tmp_path):
    capture = write_pcap(tmp_path / "scan.pcap", scan())
    done = subprocess.run([prefix / "bin/threatline-detector", "--read", capture], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and '"port_scan"' in done.stdout
    assert "event=model.loaded" in done.stderr and "model.missing" not in done.stderr


def test_an_installed_backend_finds_its_dashboard_from_any_folder(prefix, tmp_path):
    backend = Backend(tmp_path)
    at = backend.command.index("--static-dir")
    backend.command = [str(prefix / "bin/threatline-backend"), *backend.command[1:at], *backend.command[at + 2:]]
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        backend.start()
        page = requests.get(backend.page + "/", timeout=20)
        assert page.status_code == 200 and "<title>" in page.text
    finally:
        os.chdir(here)
        backend.stop()
