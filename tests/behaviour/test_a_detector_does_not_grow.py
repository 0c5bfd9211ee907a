"""A detector that analyses the same captures over and over takes no more memory, files or threads with time.

Nothing is watched beside it: the tables of a long run are taken at its start, but count as resident only page by page, as they are
touched for the first time."""
import os
import time

import requests
from crafted import scan, write_pcap
from detector_helpers import Receiver, page, quiet
from programs import Detector, taken, wait_for

SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
WARM_UP = min(SECONDS / 3, 300)
# Over the whole run: what the allocator keeps of the last analysis, some 5 MiB or nothing, and the heap's own steps. What
# each round leaves behind adds up to more: there are 200 to 700 of them, and fifteen thousand in the long checks.
MAY_GROW_KIB = 8192


def taken_at_rest(program):
    """An analysis is answered before its tables are given back, so each is the least of a while."""
    def now():
        time.sleep(0.3)
        return taken(program)

    return tuple(map(min, zip(*(now() for _ in range(10)))))


def captures(folder):
    """Honest traffic, one scan, and many small scans by as many sources."""
    start = 1_700_000_000.0
    many = [p for n in range(40) for p in scan(source=f"10.7.0.{n + 1}", target=f"10.9.0.{n % 9 + 1}", ports=range(1, 81), start=start + n * 0.4)]
    yield write_pcap(folder / "quiet.pcap", sorted([*quiet(), *page()], key=lambda p: p[0]))
    yield write_pcap(folder / "scan.pcap", scan(ports=range(1, 3001)))
    yield write_pcap(folder / "many.pcap", sorted(many, key=lambda p: p[0]))


def test_memory_files_and_threads_stay_as_they_are_over_many_captures(tmp_path):
    receiver = Receiver()
    detector = Detector(tmp_path / "detector", receiver, "none", ["--workers", "2"]).start()
    begin, rounds, early = time.monotonic(), 0, None
    try:
        files = list(captures(tmp_path))
        while time.monotonic() - begin < SECONDS:
            for file in files:
                with open(file, "rb") as body:
                    answer = requests.post(detector.url + "/api/analyze-pcap", files={"pcap": (file.name, body)}, timeout=60)
                assert answer.status_code == 200, answer.text
            rounds += 1
            wait_for(lambda: receiver.heard, seconds=60, why="nothing was delivered in this round")
            with receiver.lock:
                receiver.heard, receiver.headers, receiver.packets = [], [], []
            if early is None and time.monotonic() - begin >= WARM_UP:
                early = taken_at_rest(detector)
        late = taken_at_rest(detector)
        assert rounds >= 10
        assert late[0] <= early[0] + MAY_GROW_KIB, f"{early[0]} KiB became {late[0]} KiB in {rounds} rounds"
        assert late[1] <= early[1] + 2 and late[2] <= early[2] + 1, (early, late)
    finally:
        detector.stop()
        receiver.close()
