"""Lost packets on a wire, run inside a namespace by bench.py: what each program saw of what arrived on the device.

    live.py CLIENT SECONDS ROUNDS LIMIT LOAD=CAPTURE...

tcpreplay in the namespace CLIENT sends the capture in a loop at its top speed; the device's own counter says how much arrived.
Programs take turns within a round; no round begins after LIMIT seconds with a load. Prints one JSON list of {load, name, sent_pps, lost (% of each round), us}.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from programs import Detector, wait_for  # noqa: E402

DEVICE, QUIET_S, PAUSE_S = "wire", 1.5, 0.5


def arrived():
    return int(pathlib.Path(f"/sys/class/net/{DEVICE}/statistics/rx_packets").read_text())


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle(value, quiet=QUIET_S):
    """Waits until value() has stopped growing."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(0.1)
        if value() != last:
            last, since = value(), time.monotonic()
    return last


class Ours:
    def __init__(self, folder, workers):
        self.program = Detector(folder, None, f"live:{DEVICE}", ["--workers", workers, "--max-flows", 4000000, "--webhook", "http://127.0.0.1:9/none"])

    def start(self):
        self.program.start(seconds=60)
        wait_for(lambda: "packets_total" in self.metrics(), 60)
        return self.program.process.pid

    def metrics(self):
        with urllib.request.urlopen(f"{self.program.url}/metrics", timeout=30) as answer:
            return answer.read().decode()

    def seen(self):
        return int(re.search(r"^\S*_packets_total (\d+)", self.metrics(), re.M).group(1))

    def stop(self):
        seen = settle(self.seen)
        self.program.stop(signal.SIGINT, 60)
        return seen


class Tcpdump:
    def __init__(self, folder):
        self.log = folder / "tcpdump.log"

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["tcpdump", "-n", "-i", DEVICE, "-w", "/dev/null"], stdout=log, stderr=log)
        wait_for(lambda: b"listening" in self.log.read_bytes(), 30)
        return self.process.pid

    def stop(self):
        time.sleep(QUIET_S)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return int(re.search(r"(\d+) packets captured", self.log.read_text()).group(1))


class Softflowd:
    def __init__(self, folder):
        self.pid, self.control = folder / "sf.pid", folder / "sf.ctl"

    def start(self):
        self.process = subprocess.Popen(["softflowd", "-i", DEVICE, "-d", "-m", "4000000", "-p", self.pid, "-c", self.control],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.control.exists, 30)
        return self.process.pid

    def stop(self):
        time.sleep(QUIET_S)
        text = subprocess.run(["softflowctl", "-c", self.control, "statistics"], capture_output=True, text=True, timeout=30, check=True).stdout
        self.process.kill()  # told to end it may go on for minutes; its figures are known
        self.process.wait(60)
        received = int(re.search(r"received by libpcap: *(\d+)", text).group(1))
        return received - int(re.search(r"dropped by libpcap: *(\d+)", text).group(1))


def once(program, client, capture, seconds):
    pid = program.start()
    time.sleep(PAUSE_S)
    before, spent = arrived(), ticks(pid)
    sent = subprocess.run(["ip", "netns", "exec", client, "tcpreplay", "-q", "-K", "--loop=0", "--topspeed", f"--duration={seconds}", "-i", DEVICE, capture],
                          capture_output=True, text=True, timeout=seconds + 60, check=False).stdout
    settle(arrived, PAUSE_S)
    spent, came = ticks(pid) - spent, arrived() - before
    rate = re.search(r"([\d.]+) pps", sent)
    seen = program.stop()
    return {"pps": float(rate.group(1)) if rate else 0.0, "lost": 100 * max(0, came - seen) / max(1, came), "us": spent * 1e6 / max(1, came)}


def main():
    client, seconds, rounds, limit = sys.argv[1], *map(int, sys.argv[2:5])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="live-"))
    kinds = {"tcpdump -w /dev/null": lambda f: Tcpdump(f), "threatline-detector": lambda f: Ours(f, 1), "threatline-detector, two workers": lambda f: Ours(f, 2)}
    if shutil.which("softflowd"):
        kinds["softflowd"] = lambda f: Softflowd(f)
    out = []
    for load in sys.argv[5:]:
        name, capture = load.split("=", 1)
        got, until = {kind: [] for kind in kinds}, time.monotonic() + limit
        for number in range(rounds):
            if number > 0 and time.monotonic() > until:
                break
            for at, (kind, make) in enumerate(kinds.items()):
                own = folder / f"{name}-{number}-{at}"
                own.mkdir()
                got[kind].append(once(make(own), client, capture, seconds))
        for kind, runs in got.items():
            runs.sort(key=lambda run: run["lost"])
            out.append({"load": name, "name": kind, "pps": sorted(run["pps"] for run in runs)[len(runs) // 2], "lost": [run["lost"] for run in runs],
                        "us": min(run["us"] for run in runs)})
    shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(out))


main()
