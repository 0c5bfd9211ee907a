"""End-to-end latency, run inside a namespace by bench.py: packet on the wire → event at a stream's client.

Prints one JSON object: how long after the packet that proved it (the threat's timestamp, the kernel's clock at capture) each event
was read by a Server-Sent Events client, in milliseconds.
"""
import json
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from programs import Backend, Detector  # noqa: E402


def main():
    client, count = sys.argv[1], int(sys.argv[2])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="latency-"))
    backend = Backend(folder / "backend").start()
    detector = Detector(folder / "detector", backend, "live:wire").start()
    stream = backend.stream()
    stream.next("connection")
    time.sleep(1)
    sender = subprocess.Popen(["ip", "netns", "exec", client, sys.executable, str(pathlib.Path(__file__).with_name("scanners.py")), "wire", str(count)])
    delays, end = [], time.time() + 60
    while len(delays) < count and time.time() < end:
        try:
            _, event = stream.events.get(timeout=1)
        except queue.Empty:
            if sender.poll() is not None and time.time() > end - 40:
                break
            continue
        if event is None:
            break
        if event["type"] == "threat_detected":
            proved = datetime.fromisoformat(event["data"]["timestamp"].replace("Z", "+00:00")).timestamp()
            delays.append((event["heard"] - proved) * 1e3)
    sender.wait(30)
    detector.stop(signal.SIGINT)
    backend.stop()
    delays.sort()
    print(json.dumps({"asked": count, "events": len(delays), "p50_ms": delays[len(delays) // 2] if delays else None,
                      "p99_ms": delays[int(len(delays) * 0.99)] if delays else None, "max_ms": delays[-1] if delays else None}))


main()
