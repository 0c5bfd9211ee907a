"""The detector on a real interface: what it sees, what it leaves out, what it survives, and what it may."""
import pathlib
import pwd
import shutil
import time

import pytest
import requests
from detector_helpers import Receiver
from namespaces import ATTACKER, TARGET, Namespaces, connect_to, inside, ip
from programs import Detector, wait_for


@pytest.fixture
def net():
    spaces = Namespaces().up()
    yield spaces
    spaces.down()


@pytest.fixture
def receiver(net):
    one = inside(net.target, Receiver)
    yield one
    one.close()


class Watcher(Detector):
    """A detector inside the target's namespace; so is every call to it."""

    def __init__(self, folder, net, receiver, source, arguments=()):
        self.namespace = net.target
        super().__init__(folder, receiver, source, ["--sensor", "unit", *arguments], prefix=net.prefix(net.target))

    def call(self, method, path, body=None):
        return inside(self.namespace, lambda: requests.request(method, self.url + path, json=body, timeout=10))

    def ready(self):
        try:
            return self.call("GET", "/health").status_code == 200
        except requests.RequestException:
            return False

    def state(self):
        return self.call("GET", "/health").json()["monitoring"]["state"]

    def counter(self, name):
        return self.call("GET", "/api/statistics").json()["statistics"]["counters"][name]


@pytest.fixture
def watch(tmp_path, net, receiver):
    running = []

    def go(source=None, arguments=(), folder=None):
        program = Watcher(folder or tmp_path / f"detector{len(running)}", net, receiver, source or f"live:{net.device}", arguments).start()
        running.append(program)
        return program

    yield go
    for program in running:
        program.stop()


def attack(net, ports=range(2000, 2060)):
    inside(net.attacker, lambda: connect_to(TARGET, ports))


def test_a_scan_is_delivered_within_two_seconds_of_its_last_packet(net, watch, receiver):
    watch()
    attack(net)
    begin = time.monotonic()
    wait_for(lambda: receiver.heard, 5, why="the scan was not seen")
    assert time.monotonic() - begin < 2
    found = receiver.heard[0]
    assert (found["threat_type"], found["source_ip"], found["destination_ip"]) == ("port_scan", ATTACKER, TARGET)
    assert found["details"]["source"] == "live" and "file" not in found["details"]


def test_every_packet_is_counted_and_none_is_lost(net, watch):
    detector = watch(arguments=["--filter", f"tcp and host {TARGET}"])
    attack(net, range(3000, 3100))
    wait_for(lambda: detector.counter("packets") == 200, 5, why=f"{detector.counter('packets')} packets, not 200")
    assert detector.counter("drops") == 0 and detector.counter("flows") == 100


def test_the_traffic_to_the_webhook_is_left_out(net, watch, receiver):
    port = receiver.server.server_port
    detector = watch(f"live:lo,{net.device}", ["--filter", f"tcp and (port {port} or host {ATTACKER})"])
    attack(net)
    wait_for(lambda: receiver.heard and receiver.beats, 5)
    attack(net, [4000])
    wait_for(lambda: detector.counter("packets") >= 122, 5)
    time.sleep(0.5)
    assert detector.counter("packets") == 122


def test_an_interface_that_goes_away_is_told_and_watched_again_when_it_is_back(net, watch, receiver):
    detector = watch()
    assert detector.state() == "live"
    net.cut()
    wait_for(lambda: detector.state() == "lost", 5, why="its loss was not noticed")
    health = detector.call("GET", "/health").json()
    assert health["status"] == "degraded" and health["monitoring"]["trouble"]
    net.join()
    wait_for(lambda: detector.state() == "live", 6, why="it was not opened again")
    attack(net)
    wait_for(lambda: receiver.heard, 5, why="the scan was not seen")


def test_it_runs_as_a_plain_user_and_opens_devices_all_the_same(net, watch, receiver, tmp_path):
    user = pwd.getpwnam("nobody")
    # a place that the user can get to: the test's own folder is closed
    folder = pathlib.Path("/var/tmp") / f"{net.target}-detector"
    (folder / "data").mkdir(parents=True)
    shutil.chown(folder / "data", user.pw_uid, user.pw_gid)
    try:
        detector = watch("none", ["--user", "nobody"], folder)
        children = pathlib.Path(f"/proc/{detector.process.pid}/status").read_text()
        fields = {line.split(":")[0]: line.split(":")[1].split() for line in children.splitlines()}
        assert set(fields["Uid"]) == {str(user.pw_uid)} and fields["Groups"] == []
        assert int(fields["CapEff"][0], 16) == 0 and int(fields["CapPrm"][0], 16) == 1 << 13
        assert fields["NoNewPrivs"] == ["1"] and fields["Seccomp"] == ["2"]
        assert detector.call("POST", "/api/start-capture", {"interface": net.device, "duration": 0}).status_code == 200
        net.cut()
        wait_for(lambda: detector.state() == "lost", 5)
        net.join()
        wait_for(lambda: detector.state() == "live", 6, why="the plain user could not open it again")
        attack(net)
        wait_for(lambda: receiver.heard, 5)
        assert detector.stop() == 0
    finally:
        shutil.rmtree(folder)


def test_auto_takes_the_first_interface_that_is_up_and_no_loopback(net, watch):
    detector = watch("live:auto")
    assert detector.call("GET", "/health").json()["monitoring"]["interface"] == net.device


def test_an_interface_that_is_down_is_refused(net, watch):
    detector = watch("none")
    ip("link", "set", net.device, "down", namespace=net.target)
    answer = detector.call("POST", "/api/start-capture", {"interface": net.device})
    assert answer.status_code >= 400 and net.device in answer.json()["message"]


def test_a_capture_ends_when_its_duration_is_over(net, watch):
    detector = watch("none")
    assert detector.call("POST", "/api/start-capture", {"interface": net.device, "duration": 1}).status_code == 200
    assert detector.state() == "live"
    wait_for(lambda: detector.state() == "idle", 4)
