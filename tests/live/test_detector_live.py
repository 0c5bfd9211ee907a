"""The detector on a real interface: what it sees, what it leaves out, what it survives, and what it may."""
import collections
import csv
import io
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
import requests
from detector_helpers import Receiver
from namespaces import ATTACKER, TARGET, Namespaces, connect_to, datagrams_to, frames_on, inside, ip
from programs import Detector, read, wait_for


@pytest.fixture
def net():
    if os.geteuid() != 0:
        pytest.fail("test-live needs root, for network namespaces")
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

    def counters(self):
        return self.call("GET", "/api/statistics").json()["statistics"]["counters"]

    def counter(self, name):
        return self.counters()[name]

    def metric(self, name):
        return float(re.search(rf"^threatline_detector_{name} (\S+)$", self.call("GET", "/metrics").text, re.M)[1])


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


def test_a_scan_is_delivered_though_nothing_follows_it(net, watch, receiver):
    watch()
    attack(net)
    wait_for(lambda: receiver.heard, 30, why="the scan was not seen")
    found = receiver.heard[0]
    assert (found["threat_type"], found["source_ip"], found["destination_ip"]) == ("port_scan", ATTACKER, TARGET)
    assert found["details"]["source"] == "live" and "file" not in found["details"]


def test_every_packet_is_counted_and_none_is_lost(net, watch):
    detector = watch(arguments=["--filter", f"tcp and host {TARGET}"])
    attack(net, range(3000, 3100))
    wait_for(lambda: detector.counter("packets") == 200, 30, why=f"{detector.counter('packets')} packets, not 200")
    assert detector.counter("drops") == 0 and detector.counter("flows") == 100


def test_the_products_own_traffic_is_left_out(net, watch, receiver):
    """To the webhook, and to a database that is named."""
    port, database = receiver.server.server_port, inside(net.target, lambda: socket.create_server(("127.0.0.1", 0)))
    with database:
        name, other = "localhost", database.getsockname()[1]
        detector = watch(f"live:lo,{net.device}", ["--filter", f"tcp and (port {port} or port {other} or host {ATTACKER})", "--own-traffic", f"{name}:{other}"])
        inside(net.target, lambda: socket.create_connection((name, other), 10).close())
        attack(net)
        wait_for(lambda: receiver.heard and receiver.beats, 30)
        attack(net, [4000])
        wait_for(lambda: detector.counter("packets") >= 122, 30)
        time.sleep(0.5)
        assert detector.counter("packets") == 122


def test_an_interface_that_goes_away_is_told_and_watched_again_when_it_is_back(net, watch, receiver):
    detector = watch()
    assert detector.state() == "live"
    net.cut()
    wait_for(lambda: detector.state() == "lost", 30, why="its loss was not noticed")
    health = detector.call("GET", "/health").json()
    assert health["status"] == "degraded" and health["monitoring"]["trouble"]
    net.join()
    wait_for(lambda: detector.state() == "live", 30, why="it was not opened again")
    attack(net)
    wait_for(lambda: receiver.heard, 30, why="the scan was not seen")


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
        wait_for(lambda: detector.state() == "lost", 30)
        net.join()
        wait_for(lambda: detector.state() == "live", 30, why="the plain user could not open it again")
        attack(net)
        wait_for(lambda: receiver.heard, 30)
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
    wait_for(lambda: detector.state() == "idle", 30)


def test_a_bulk_transfer_is_counted_byte_by_byte_and_is_no_threat(net, watch, receiver):
    detector, size = watch(), 20_000_000
    listener = inside(net.target, lambda: socket.create_server((TARGET, 7070)))

    def sink():
        peer, _ = listener.accept()
        with peer:
            while peer.recv(1 << 16):
                pass

    taker = threading.Thread(target=sink)
    taker.start()
    with listener, inside(net.attacker, lambda: socket.create_connection((TARGET, 7070), 10)) as sender:
        sender.sendall(bytes(size))
        sender.shutdown(socket.SHUT_WR)
        taker.join(60)
    wait_for(lambda: detector.counter("bytes") > size, 30, why="bytes are missing")
    wait_for(lambda: detector.counter("ended")["fin"] == 1, 30, why="its end was not seen")
    assert detector.counter("drops") == 0 and receiver.heard == []


def test_what_the_kernel_drops_is_told(net, watch, receiver):
    """The detector is stopped while its ring of 1 MiB runs over."""
    detector, sent = watch(arguments=["--ring-mib", "1", "--filter", "udp dst port 9999"]), 50_000
    program = int(subprocess.run(["ip", "netns", "pids", net.target], capture_output=True, text=True, check=True).stdout.split()[0])
    assert program == detector.process.pid  # ip(8) became the detector
    os.kill(program, signal.SIGSTOP)
    try:
        inside(net.attacker, lambda: datagrams_to(TARGET, [9999] * sent))
    finally:
        os.kill(program, signal.SIGCONT)
    wait_for(lambda: detector.counter("packets") + detector.counter("drops") >= sent, 30, why=f"{detector.counters()}")
    assert 0 < detector.counter("packets") < sent and detector.counter("packets") + detector.counter("drops") == sent
    assert detector.metric("drops_total") == detector.counter("drops")
    wait_for(lambda: any(body["drops"] == detector.counter("drops") for _, body in receiver.beats), 30, why="no heartbeat told it")


def test_a_full_table_gives_up_flows_and_says_so(net, watch):
    detector = watch(arguments=["--max-flows", "1024", "--filter", f"udp and src host {ATTACKER}"])
    inside(net.attacker, lambda: datagrams_to(TARGET, range(10_000, 13_000)))
    wait_for(lambda: detector.counter("flows") == 3000, 30, why=f"{detector.counters()}")
    assert detector.counter("evictions") == detector.counter("ended")["evicted"] == 3000 - 1024
    assert detector.counter("openFlows") == detector.counter("peakFlows") == 1024
    assert detector.metric("evictions_total") == 3000 - 1024
    assert 256 * 1024 < detector.metric("flow_table_bytes") < 320 * 1024 + 100_000  # the table alone, and its wheel


def test_flows_end_in_time_though_no_packet_comes(net, watch):
    detector = watch(arguments=["--idle-timeout", "1", "--filter", "udp dst port 9999"])
    inside(net.attacker, lambda: datagrams_to(TARGET, [9999]))
    wait_for(lambda: detector.counter("ended")["idle"] == 1, 30, why="the flow is still open")
    assert detector.counter("packets") == 1


def test_flows_end_in_time_though_only_frames_without_ip_come(net, watch):
    detector = watch(arguments=["--idle-timeout", "1", "--filter", "udp dst port 9999 or ether proto 0x88b5"])
    inside(net.attacker, lambda: datagrams_to(TARGET, [9999]))
    enough = threading.Event()
    chatter = threading.Thread(target=inside, args=(net.attacker, lambda: frames_on("wire0", 0x88b5, 0.01, enough)))
    chatter.start()
    try:
        wait_for(lambda: detector.counter("ended")["idle"] == 1, 30, why="the flow is still open")
        assert detector.counter("undecoded")["not_ip"] > 0 and chatter.is_alive()
    finally:
        enough.set()
        chatter.join()


def test_a_file_of_the_same_packets_gives_the_same_flows(net, watch, tmp_path):
    """What tcpdump wrote beside it."""
    detector, capture = watch(arguments=["--filter", f"host {ATTACKER}"]), tmp_path / "beside.pcap"
    beside = subprocess.Popen([*net.prefix(net.target), "tcpdump", "-i", net.device, "-U", "-s", "2048", "-B", "16384", "-Z", "root", "-w", str(capture), "--nano",
                               f"host {ATTACKER}"], stderr=subprocess.PIPE, text=True)
    try:
        assert "listening on" in beside.stderr.readline()
        server = inside(net.target, lambda: socket.create_server((TARGET, 7070)))
        with server:
            for _ in range(20):
                with inside(net.attacker, lambda: socket.create_connection((TARGET, 7070), 10)) as one:
                    peer, _ = server.accept()
                    one.sendall(b"x" * 3000)
                    assert len(peer.recv(3000, socket.MSG_WAITALL)) == 3000
                    peer.close()
        attack(net)
        inside(net.attacker, lambda: datagrams_to(TARGET, range(5000, 5040), 40_000))

        def written():
            done = read(capture, "--features", "--quiet", check=False)
            return int(re.search(r"packets=(\d+)", done.stderr.splitlines()[-1])[1])

        wait_for(lambda: written() == detector.counter("packets") > 250, 30, 0.5, why="another number of packets")
        assert detector.call("POST", "/api/stop-capture").status_code == 200
    finally:
        beside.send_signal(signal.SIGTERM)
        beside.communicate(timeout=10)
    counted = detector.counters()
    rows = list(csv.DictReader(io.StringIO(read(capture, "--features", "--quiet").stdout)))
    assert collections.Counter(row["end"] for row in rows) == {end: n for end, n in counted["ended"].items() if n > 0}
    assert sum(int(row["packets"]) for row in rows) == counted["packets"] - counted["latePackets"] - sum(counted["undecoded"].values())
    assert len(rows) == counted["flows"] > 100


def test_one_interface_that_goes_away_leaves_the_others_watched(net, watch, receiver):
    net.join("wire1", "watched1", "10.77.1")
    detector = watch(f"live:{net.device},watched1")
    ip("link", "del", "watched1", namespace=net.target)
    wait_for(lambda: detector.state() == "lost", 30, why="its loss was not noticed")
    before = detector.counter("packets")
    attack(net)
    wait_for(lambda: receiver.heard, 30, why="the scan on the other was not seen")
    wait_for(lambda: detector.counter("packets") >= before + 120, 30, why=f"{detector.counters()}")
    net.join("wire1", "watched1", "10.77.1")
    wait_for(lambda: detector.state() == "live", 30, why="it was not opened again")
    inside(net.attacker, lambda: connect_to("10.77.1.2", range(6000, 6060)))
    wait_for(lambda: any(t["destination_ip"] == "10.77.1.2" for t in receiver.heard), 30, why="the scan on the one that is back was not seen")


@pytest.mark.parametrize("arguments, promiscuous, ring", [([], 0, 64), (["--promiscuous", "--ring-mib", "4"], 1, 4)])
def test_it_is_promiscuous_and_has_another_ring_only_when_told(net, watch, arguments, promiscuous, ring):
    detector = watch(arguments=arguments)
    shown = json.loads(ip("-d", "-j", "link", "show", net.device, namespace=net.target).stdout)
    assert shown[0]["promiscuity"] == promiscuous
    spans = re.findall(r"^(\w+)-(\w+) .* socket:\[", pathlib.Path(f"/proc/{detector.process.pid}/maps").read_text(), re.M)
    assert [(int(end, 16) - int(start, 16)) >> 20 for start, end in spans] == [ring]
    shown = subprocess.run([*net.prefix(net.target), "ss", "-0", "-e"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"ring_rx\(.*,tmo:10,", shown), shown  # blocks that are handed over in time: only TPACKET_V3 has them


def test_one_sigint_prints_the_counts_last(net, watch):
    detector = watch()
    attack(net)
    wait_for(lambda: detector.counter("packets") >= 120, 30)
    assert detector.stop(signal.SIGINT) == 0
    assert re.fullmatch(r"packets=\d+ flows=\d+ threats=\d+ drops=0", detector.log().strip().splitlines()[-1])
