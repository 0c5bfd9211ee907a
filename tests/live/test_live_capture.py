"""The detector on a real interface: a wire between two network namespaces without an uplink. Needs root."""
import os
import re
import signal
import subprocess
import time

import pytest

from programs import Backend, Detector, wait_for

SERVER, CLIENT = "10.77.0.1", "10.77.0.2"


def ip(*arguments, check=True):
    subprocess.run(["ip", *arguments], check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)


class Wire:
    """Two namespaces; the programs run on the server's side, where their own loopback is up."""

    def __init__(self):
        self.server, self.client = f"tl{os.getpid()}s", f"tl{os.getpid()}c"

    def up(self):
        for space in (self.server, self.client):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        self.join()
        return self

    def join(self):
        ip("-n", self.client, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self.server)
        for space, address in ((self.server, SERVER), (self.client, CLIENT)):
            ip("-n", space, "address", "add", f"{address}/24", "dev", "wire")
            subprocess.run(["ip", "netns", "exec", space, "ethtool", "-K", "wire", "tx", "off", "tso", "off", "gso", "off", "gro", "off"],
                           check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
            ip("-n", space, "link", "set", "wire", "up")

    def down(self):
        for space in (self.server, self.client):
            ip("netns", "del", space, check=False)

    def on(self, space, *command, **kwargs):
        return subprocess.Popen(["ip", "netns", "exec", space, *command], stdin=subprocess.DEVNULL, **kwargs)

    def call(self, path, method="GET", url=None, body=None, token=None):
        """curl inside the server's namespace: its loopback is not ours."""
        command = ["ip", "netns", "exec", self.server, "curl", "-sS", "-m", "5", "-X", method, url + path]
        if token:
            command += ["-H", f"Authorization: Bearer {token}"]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", body]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout


@pytest.fixture
def wire():
    if os.geteuid() != 0:
        pytest.fail("test-live needs root, for network namespaces")
    made = Wire().up()
    yield made
    made.down()


@pytest.fixture
def sensor(wire, tmp_path):
    """sensor(...) → a detector that listens on the wire, in the server's namespace."""
    running = []

    def go(source="live:wire", arguments=(), **kwargs):
        program = Detector(tmp_path / "detector", None, source, [*arguments, "--webhook", "http://127.0.0.1:9/none", "--log-level", "info"],
                           prefix=("ip", "netns", "exec", wire.server), **kwargs)
        program.ready = lambda: '"' in wire.call("/health", url=program.url)
        program.start()
        running.append(program)
        return program

    yield go
    for program in running:
        program.stop(signal.SIGINT)


def threats_in(log):
    return re.findall(r"event=threat\.detected threat=(\S+) revision=1 type=(\S+)", log)


def counters(wire, program):
    text = wire.call("/metrics", url=program.url)
    return {name: float(value) for name, value in re.findall(r"^(threatline_\w+)(?:\{[^}]*\})? ([0-9.e+]+)$", text, re.M)}


def connect_scan(wire, first, last):
    script = ("import socket,sys\nfor p in range(%d, %d):\n s = socket.socket(); s.settimeout(0.2)\n try: s.connect(('%s', p))\n except OSError: pass\n s.close()" % (first, last, SERVER))
    return wire.on(wire.client, "python3", "-c", script)


def test_a_scan_is_seen_within_two_seconds_of_the_packet_that_proved_it(wire, sensor):
    program = sensor()
    began = time.time()
    connect_scan(wire, 1, 200).wait(30)
    wait_for(lambda: ("port_scan" in dict(map(reversed, threats_in(program.log())))), 10, why=program.log()[-2000:])
    assert time.time() - began < 12
    assert [kind for _, kind in threats_in(program.log())] == ["port_scan"]


def test_a_bulk_transfer_is_counted_packet_by_packet_and_is_no_threat(wire, sensor):
    program = sensor()
    sink = wire.on(wire.server, "python3", "-c", "import socket\ns=socket.create_server(('%s',7070))\nc,_=s.accept()\nwhile c.recv(1<<16): pass" % SERVER)
    time.sleep(0.5)
    size = 20_000_000
    wire.on(wire.client, "python3", "-c", "import socket\ns=socket.create_connection(('%s',7070))\ns.sendall(bytes(%d))\ns.close()" % (SERVER, size)).wait(30)
    sink.wait(10)
    wait_for(lambda: counters(wire, program).get("threatline_detector_bytes_total", 0) > size, 10, why="bytes are missing")
    assert counters(wire, program)["threatline_detector_drops_total"] == 0
    assert threats_in(program.log()) == []


def test_an_interface_that_goes_away_and_comes_back_is_watched_again(wire, sensor):
    program = sensor()
    ip("-n", wire.server, "link", "del", "wire")
    wait_for(lambda: "lost" in program.log(), 10, why=program.log()[-1500:])
    assert program.alive()
    wire.join()
    time.sleep(3)
    connect_scan(wire, 1, 200).wait(30)
    wait_for(lambda: threats_in(program.log()), 15, why=program.log()[-2000:])


def test_it_runs_with_no_effective_capability_once_the_device_is_open(wire, sensor):
    program = sensor()
    pid = program.process.pid
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    status = open(f"/proc/{(children or [pid])[0]}/status").read()
    assert int(re.search(r"^CapEff:\s+(\w+)", status, re.M).group(1), 16) == 0
    assert int(re.search(r"^CapPrm:\s+(\w+)", status, re.M).group(1), 16) & ~(1 << 13) == 0


def test_its_own_deliveries_are_not_captured(wire, tmp_path):
    backend = Backend(tmp_path / "backend", prefix=("ip", "netns", "exec", wire.server))
    backend.ready = lambda: '"' in wire.call("/readyz", url=backend.url) or "ok" in wire.call("/readyz", url=backend.url)
    backend.start()
    try:
        program = Detector(tmp_path / "detector", backend, "live:lo", prefix=("ip", "netns", "exec", wire.server))
        program.ready = lambda: '"' in wire.call("/health", url=program.url)
        program.start()
        before = counters(wire, program)["threatline_detector_packets_total"]
        time.sleep(12)  # at least one heartbeat to the backend
        grown = counters(wire, program)["threatline_detector_packets_total"] - before
        program.stop(signal.SIGINT)
        assert grown < 60, f"{grown} packets of its own"
    finally:
        backend.stop()


def test_one_sigint_prints_the_counts_last(wire, sensor):
    program = sensor()
    connect_scan(wire, 1, 50).wait(30)
    time.sleep(1.5)
    assert program.stop(signal.SIGINT) == 0
    assert re.fullmatch(r"packets=\d+ flows=\d+ threats=\d+ drops=0", program.log().strip().splitlines()[-1])


