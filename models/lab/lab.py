#!/usr/bin/env python3
"""Makes labelled traffic: every run of scenarios.py between two network namespaces, captured at the server's end.

    sudo models/lab/lab.py --out FOLDER [--only WORD] [--seconds N] [--jobs 2]

Each run writes NAME.pcap and NAME.json: label, tool, who attacked, when. Nothing leaves the machine: the namespaces have no
uplink, every rate and every time is bounded. Needs root and the tools of models/lab/deps.txt.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time

import services
from net import Wire
from scenarios import all_runs


def start_servers(wire, run, folder):
    given = {"words": services.wordlist(folder), "paths": services.pathlist(folder), "ssh": "false"}
    for server in run.servers:
        kind, *arguments = server.split()
        if kind == "endpoints":
            services.helper(wire, *arguments)
        elif kind == "sshd":
            given["ssh"] = services.sshd(wire, folder)
        else:
            getattr(services, kind)(wire, folder, *arguments)
    if "server" in run.extra:
        wire.on_server(*run.extra["server"])
        time.sleep(0.5)
    return given


def play(wire, run, folder, given, seconds):
    """The run's lines at the client's end; none goes on for longer than the seconds."""
    end, beside = time.time() + seconds, []
    for line in run.lines:
        text = line.lstrip("&").format(s=f"{wire.net}.1", net=wire.net, dir=folder, server=wire.server, **given)
        if line.startswith("&"):
            beside.append(wire.start(wire.client, "bash", "-c", text))
        elif end > time.time():
            wire.on_client(text, end - time.time(), cwd=str(folder))
    for process in beside:
        wire.stop(process)


def make(run, number, out, seconds):
    rng = random.Random(f"lab {run.name}")
    net = f"10.{rng.randrange(20, 200)}.{rng.randrange(1, 250)}"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-"))
    os.chmod(folder, 0o755)
    capture = out / f"{run.name}.pcap"
    try:
        with Wire(f"lab{os.getpid()}-{number}", net, run.shape, run.ttl) as wire:
            given = start_servers(wire, run, folder)
            tap = wire.on_server("tcpdump", "-i", "wire", "-n", "-s", "256", "-U", "-Z", "root", "-w", str(capture), "ip or ip6 or arp")
            time.sleep(0.6)
            began = time.time()
            play(wire, run, folder, given, min(run.seconds, seconds))
            time.sleep(1.3)  # the tap hands over a block a second
            ended = time.time()
            wire.stop(tap)
        attackers = [] if run.label == "benign" else [f"{net}.{n}" for n in range(60, 80)] + ["fd66::60"]
        about = {"name": run.name, "label": run.label, "tool": run.tool, "net": net, "attackers": attackers, "honest": [f"{net}.{n}" for n in range(80, 100)],
                 "spoofed": "rand-source" in " ".join(run.lines), "from": began, "to": ended, "shape": run.shape}
        (out / f"{run.name}.json").write_text(json.dumps(about, indent=1) + "\n")
        return run.name, capture.stat().st_size
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def needed(runs):
    """The programs that these runs are nothing without."""
    text = " ".join(part for run in runs for part in (*run.lines, *run.servers))
    tools = ("nmap", "masscan", "hydra", "medusa", "ncrack", "hping3", "slowhttptest", "gobuster", "ffuf", "dirb", "sqlmap", "iodine", "ptunnel",
             "sshd", "vsftpd", "nginx", "ab", "curl", "dig", "redis-cli", "mosquitto_pub", "rsync", "git", "iperf3", "traceroute", "nc", "snmpwalk")
    return ["tcpdump", "ip", "ethtool", *(tool for tool in tools if re.search(rf"(?<![\w-]){tool}(?![\w-])", text))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="runs whose name holds one of these words, comma-separated, or whose label is one")
    parser.add_argument("--seconds", type=int, default=30, help="ceiling for one run")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("lab.py: needs root, for network namespaces")
    arguments.out.mkdir(parents=True, exist_ok=True)
    words = arguments.only.split(",")
    runs = [r for r in all_runs() if r.label in words or any(word in r.name for word in words)]
    missing = [tool for tool in needed(runs) if not shutil.which(tool)]
    if missing:
        sys.exit(f"lab.py: not installed: {' '.join(missing)} (see models/lab/deps.txt)")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = {pool.submit(make, run, n, arguments.out, arguments.seconds): run for n, run in enumerate(runs)}
        for done in concurrent.futures.as_completed(jobs):
            try:
                name, size = done.result()
                print(f"{name}: {size} bytes", flush=True)
            except Exception as error:  # one run that fails must not end the others; it is counted and told
                failed += 1
                print(f"{jobs[done].name}: FAILED: {error}", file=sys.stderr, flush=True)
    print(f"{len(runs) - failed} runs made, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
