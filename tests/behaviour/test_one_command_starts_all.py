"""scripts/run.sh, which make run ends in: all of it comes up, works and ends; what is in the way is named."""
import os
import re
import socket
import subprocess

import pytest
import requests

from programs import ROOT, free_port, wait_for


CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("BACKEND_", "DETECTOR_", "MONGODB_", "THREATLINE_"))}


class Run:
    def __init__(self, folder, **env):
        self.ports = {name: free_port() for name in ("BACKEND_PORT", "DASHBOARD_PORT", "DETECTOR_PORT")}
        self.log_path = folder / "run.log"
        settings = {name: str(port) for name, port in self.ports.items()} | {"THREATLINE_DATA": str(folder / "data")} | env
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([ROOT / "scripts/run.sh"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=CLEAN | settings)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def up(self):
        wait_for(lambda: "Threatline is up" in self.log() or self.process.poll() is not None, 60, why=self.log())
        assert self.process.poll() is None, self.log()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2"])
def test_it_comes_up_shows_threats_to_the_first_user_and_ends(tmp_path, bind):
    run = Run(tmp_path, THREATLINE_BIND=bind)
    try:
        run.up()
        page = re.search(r"Threatline is up:  (\S+)", run.log())[1]
        assert page == f"http://{'localhost' if bind == '127.0.0.1' else bind}:{run.ports['DASHBOARD_PORT']}"
        password = re.search(r"First password of user admin: (\S+)", run.log())[1]
        me = requests.Session()
        login = me.post(f"{page}/api/auth/login", json={"username": "admin", "password": password}, headers={"Origin": page}, timeout=20)
        assert login.status_code == 200, login.text
        wait_for(lambda: me.get(f"{page}/api/network/threats/history", timeout=20).json()["threats"], 60, why="no simulated threat")
    finally:
        status = run.end()
    assert status == 0 and "Threatline has stopped." in run.log()
    assert not any(listens(port) for port in run.ports.values())
    again = Run(tmp_path, THREATLINE_BIND=bind)
    try:
        again.up()
        command = re.search(r"a new password: (\S+) (.*)\)", again.log())
        assert "First password" not in again.log()
        done = subprocess.run([ROOT / command[1], *command[2].split()], input="another password\n", env=CLEAN, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        body = {"username": "admin", "password": "another password"}
        page = re.search(r"Threatline is up:  (\S+)", again.log())[1]
        wait_for(lambda: requests.post(f"{page}/api/auth/login", json=body, timeout=20).status_code == 200, 30, why="the new password does not count")
    finally:
        again.end()


@pytest.mark.parametrize("name", ["BACKEND_PORT", "DASHBOARD_PORT", "DETECTOR_PORT"])
def test_a_port_in_use_is_named_with_its_setting_and_nothing_is_started(tmp_path, name):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        run = Run(tmp_path, **{name: port})
        assert run.process.wait(60) == 1
    assert f"Port {port} is in use; choose another by {name}=" in run.log()
    assert "event=" not in run.log()


@pytest.mark.parametrize("wrong", [{"THREATLINE_SOURCE": "live:none0"}, {"BACKEND_SESSION_HOURS": "abc"}])
def test_what_does_not_start_takes_the_rest_with_it(tmp_path, wrong):
    run = Run(tmp_path, **wrong)
    try:
        assert run.process.wait(60) == 1
    finally:
        run.end()
    assert "did not start; see the lines above." in run.log() and "Threatline is up" not in run.log()
    assert not any(listens(port) for name, port in run.ports.items())
