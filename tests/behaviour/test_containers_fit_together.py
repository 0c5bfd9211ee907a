"""backend/entrypoint.sh: what the containers of docker-compose.yml sign with is made once, for each of them, and fits both programs.
And what the compose files let each of them do."""
import base64
import os
import re
import subprocess

import pytest
import yaml

from programs import BIN, ROOT


@pytest.fixture
def container(tmp_path):
    """Starts the entrypoint beside a program that only says how it was called."""
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin/threatline-backend"
    stub.write_text('#!/bin/sh\necho "$@"\n')
    stub.chmod(0o755)
    secrets = tmp_path / "secrets"
    secrets.mkdir()

    def start():
        return subprocess.Popen(["sh", ROOT / "backend/entrypoint.sh", "--port", "5000"], stdout=subprocess.PIPE, text=True,
                                env=os.environ | {"SECRETS_DIR": str(secrets), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    return secrets, start


def end(process):
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    return said


def test_each_detector_has_a_name_and_a_secret_of_its_own(container):
    secrets, start = container
    assert end(start()) == f"--webhook-secret-file {secrets}/webhook.secret --detector-key-file {secrets}/control.key --port 5000\n"
    lines = dict(line.split() for line in (secrets / "webhook.secret").read_text().splitlines())
    sensors = re.findall(r'"--sensor", "([^"]+)"', (ROOT / "docker-compose.yml").read_text())
    assert len(sensors) == len(set(sensors)) == 2 and set(lines) == set(sensors)
    assert len({base64.b64decode(secret.removeprefix("whsec_")) for secret in lines.values()}) == 2
    assert {path.name for path in secrets.iterdir()} == {"webhook.secret", "control.key"}
    for path in secrets.iterdir():
        assert path.stat().st_mode & 0o777 == 0o640
    for sensor in sensors:
        done = subprocess.run([BIN / "threatline-detector", "--check", "--model", ROOT / "models", "--data-dir", secrets / "data", "--sensor", sensor,
                               "--bind", "0.0.0.0", "--webhook-secret-file", secrets / "webhook.secret", "--control-key-file", secrets / "control.key"],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
    done = subprocess.run([BIN / "threatline-backend", "--check", "--data-dir", secrets / "data", "--dashboard-port", "-1", "--webhook-secret-file",
                           secrets / "webhook.secret", "--detector-key-file", secrets / "control.key"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_a_second_start_and_many_at_once_keep_what_is_there(container):
    secrets, start = container
    together = [start() for _ in range(8)]
    for one in together:
        end(one)
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    assert set(before) == {"webhook.secret", "control.key"}
    end(start())
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before


def test_a_volume_of_before_gets_the_line_that_it_lacks(container):
    secrets, start = container
    (secrets / "webhook.secret").write_text("local whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    end(start())
    lines = (secrets / "webhook.secret").read_text().splitlines()
    assert lines[0] == "local whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" and lines[1].startswith("live whsec_") and len(lines) == 2


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.scale.yml"])
def test_who_captures_keeps_the_right_that_its_file_bears(name):
    """A plain user's program has it from its file, and no-new-privileges makes execve pass that over."""
    services = yaml.safe_load((ROOT / name).read_text())["services"]
    detectors = [name for name, service in services.items() if service["image"] == "threatline-detector"]
    assert detectors
    for service in detectors:
        assert services[service]["cap_add"] == ["NET_RAW"] and services[service]["cap_drop"] == ["ALL"]
        assert services[service]["security_opt"] == ["no-new-privileges:false"]
    for service in set(services) - set(detectors) - {"mongo"}:
        assert services[service]["security_opt"] == ["no-new-privileges:true"] and "cap_add" not in services[service]
