#!/usr/bin/env python3
"""The lab's runs live: a detector watches the server's end and a backend stores and streams what it tells.

    sudo "$(scripts/venv.sh)/bin/python" models/lab/live.py [--only WORD,WORD] [--seconds N]
    sudo "$(scripts/venv.sh)/bin/python" models/lab/live.py --honest MINUTES

The first prints for each attack run what was on the stream, and how many milliseconds after the packet that proved it (the threat's
timestamp, the kernel's clock at capture) a reader of the stream had it; each run has a detector of its own. The second plays honest
runs one after the other before one detector for so many minutes and prints each threat: there should be none. Exit status 1 when a
threat came later than two seconds, or honest traffic raised one. Needs root and the tools of models/lab/deps.txt; one run at a time, so
that the machine's other work is no part of the delay.
"""
import argparse
import itertools
import json
import os
import pathlib
import queue
import shutil
import signal
import sys
import tempfile
import time
from datetime import datetime

import lab
from check import RIGHT
from net import Wire
from scenarios import all_runs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
LATE_MS = 2000


def watch(folder):
    """Inside the server's end: a JSON line for each new threat on the stream, and the counts at the end."""
    from programs import Backend, Detector
    import requests

    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(1))
    backend = Backend(folder / "backend").start(seconds=60)
    detector = Detector(folder / "detector", backend, "live:wire").start(seconds=60)
    stream = backend.stream()
    stream.next("connection", 30)
    print(json.dumps({"ready": True}), flush=True)
    while not over:
        try:
            _, event = stream.events.get(timeout=0.2)
        except queue.Empty:
            continue
        if event is None:  # the stream was closed: go on where it ended
            stream = backend.stream(stream.last_id)
        elif event["type"] == "threat_detected":
            data = event["data"]
            proved = datetime.fromisoformat(data["timestamp"].replace("Z", "+00:00")).timestamp()
            print(json.dumps({"type": data["threat_type"], "source": data["source_ip"], "ms": round((event["heard"] - proved) * 1e3, 1)}), flush=True)
    counters = requests.get(f"{detector.url}/api/statistics", timeout=10).json()["statistics"]["counters"]
    print(json.dumps({"packets": counters["packets"], "flows": counters["flows"], "drops": counters["drops"]}), flush=True)
    detector.stop(signal.SIGINT)
    backend.stop()


class Watcher:
    def __init__(self, wire, folder):
        self.path = folder / "told"
        self.process = wire.on_server("bash", "-c", f'exec "{sys.executable}" "{__file__}" --watch "{folder}" >"{self.path}" 2>"{folder}/watch.log"')
        end = time.monotonic() + 90
        while not self.lines():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the detector does not watch: {(folder / 'watch.log').read_text()[-500:]}")
            time.sleep(0.1)

    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def threats(self):
        return [line for line in self.lines() if "type" in line]

    def end(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(seconds)
        return self.lines()[-1]


def fresh(run):
    return Wire(f"live{os.getpid()}", "10.66.0", run.shape, run.ttl), pathlib.Path(tempfile.mkdtemp(prefix="lab-"))


def attack(run, seconds):
    """(threats, counts) of one run."""
    wire, folder = fresh(run)
    os.chmod(folder, 0o755)
    try:
        with wire:
            given = lab.start_servers(wire, run, folder)
            watcher = Watcher(wire, folder)
            lab.play(wire, run, folder, given, min(run.seconds, seconds))
            time.sleep(LATE_MS / 1000)  # what comes later than that would be late
            counts = watcher.end()
            return watcher.threats(), counts
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def attacks(runs, seconds):
    found, delays = 0, []
    for run in runs:
        threats, counts = attack(run, seconds)
        right = RIGHT.get(run.label, {run.label}) & {t["type"] for t in threats}
        found += bool(right)
        delays += [t["ms"] for t in threats]
        told = ", ".join(f"{t['type']} after {t['ms']} ms" for t in threats) or "nothing"
        print(f"{run.name} ({run.label}): {told}; {counts['packets']} packets, {counts['drops']} lost", flush=True)
    delays.sort()
    late = sum(ms > LATE_MS for ms in delays)
    print(f"{len(runs)} runs, {found} told with their type; {len(delays)} threats", end="")
    print(f", half within {delays[len(delays) // 2]} ms, all within {delays[-1]} ms; {late} late" if delays else "")
    return late == 0


def honest(runs, minutes):
    wire, folder = fresh(runs[0])
    os.chmod(folder, 0o755)
    played, end, seen = 0, time.monotonic() + minutes * 60, 0
    try:
        with wire:
            watcher = Watcher(wire, folder)
            before = len(wire.running)
            for run in itertools.cycle(runs):
                left = end - time.monotonic()
                if left < 1:
                    break
                own = folder / "run"
                own.mkdir()
                given = lab.start_servers(wire, run, own)
                lab.play(wire, run, own, given, min(run.seconds, left))
                wire.stop_since(before)
                shutil.rmtree(own, ignore_errors=True)
                played += 1
                for threat in watcher.threats()[seen:]:
                    print(f"{run.name}: {threat['type']} of {threat['source']}", flush=True)
                seen = len(watcher.threats())
            time.sleep(LATE_MS / 1000)
            counts = watcher.end()
        seen = len(watcher.threats())
        print(f"{minutes} minutes, {played} honest runs: {counts['packets']} packets, {counts['flows']} flows, {counts['drops']} lost; {seen} threats")
        return seen == 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="runs whose name holds one of these words, comma-separated, or whose label is one")
    parser.add_argument("--seconds", type=int, default=30, help="ceiling for one attack run")
    parser.add_argument("--honest", type=float, metavar="MINUTES", help="play honest runs for so long")
    parser.add_argument("--watch", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        watch(arguments.watch)
        return
    if os.geteuid() != 0:
        sys.exit("live.py: needs root, for network namespaces")
    words = arguments.only.split(",")
    runs = [r for r in all_runs() if (r.label == "benign") == (arguments.honest is not None) and (r.label in words or any(word in r.name for word in words))]
    missing = [tool for tool in lab.needed(runs) if not shutil.which(tool)]
    if missing or not runs:
        sys.exit(f"live.py: not installed: {' '.join(missing)} (see models/lab/deps.txt)" if missing else "live.py: no run of that name")
    good = attacks(runs, arguments.seconds) if arguments.honest is None else honest(runs, arguments.honest)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
