"""Killing the backend during a replay and starting it again loses no threat and doubles none."""
import os
import random
import time

import pytest

from crafted import scan, write_pcap
from programs import Detector, read, threat, wait_for

CRASHES = int(os.environ.get("CRASHES", "20"))


def scans(count):
    """Many short scans by as many sources: as many incidents."""
    packets = []
    for n in range(count):
        packets += scan(source=f"10.7.{n // 200}.{n % 200 + 1}", target=f"10.9.0.{n % 50 + 1}", ports=range(1, 81), start=1_700_000_000 + n * 0.4)
    return sorted(packets, key=lambda p: p[0])


def test_a_replay_survives_a_kill_of_the_backend(tmp_path, start_backend):
    capture = write_pcap(tmp_path / "scans.pcap", scans(60))
    expected = {line.split('"threat_id":"')[1].split('"')[0] for line in read(capture).stdout.splitlines()}
    assert len(expected) >= 60
    backend = start_backend("sqlite")
    sender = Detector(tmp_path / "detector", backend, arguments=["--read", capture, "--send"]).start(ready=False)
    rng = random.Random(3)
    for _ in range(3):
        time.sleep(rng.uniform(0.02, 0.2))
        backend.kill()
        backend.start()
    assert sender.process.wait(60) == 0, sender.log()
    ids = backend.every_id()
    assert len(ids) == len(set(ids))
    assert set(ids) == expected


@pytest.mark.parametrize("store", ["sqlite", "mongodb"])
def test_crashes_during_ingest_lose_no_acknowledged_threat(store, start_backend):
    """Every threat that was answered 2xx is there after each kill -9, once; a stream client that resumes misses none."""
    import threading

    import requests

    backend = start_backend(store)
    acknowledged, stopping, lock = set(), threading.Event(), threading.Lock()

    def send(worker):
        n = 0
        session = requests.Session()
        while not stopping.is_set():
            body = threat(f"w{worker}-{n}", source_ip=f"10.{worker}.{n // 250 % 250}.{n % 250}")
            try:
                if session.post(f"{backend.url}/api/network/webhook", json=body, timeout=5).status_code == 200:
                    with lock:
                        acknowledged.add(body["threat_id"])
                    n += 1
            except requests.RequestException:
                time.sleep(0.02)

    heard, last_id = set(), None
    workers = [threading.Thread(target=send, args=(w,), daemon=True) for w in range(4)]
    stream = backend.stream()
    for worker in workers:
        worker.start()
    rng = random.Random(7)
    for _ in range(CRASHES):
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before, 30, why="nothing is acknowledged any more")
        time.sleep(rng.uniform(0.02, 0.3))
        backend.kill()
        stream.thread.join(5)
        heard |= {e["data"]["threat_id"] for _, e in list(stream.events.queue) if e and e["type"].startswith("threat_")}
        last_id = stream.last_id
        backend.start(seconds=30)
        stream = backend.stream(last_id)
    stopping.set()
    for worker in workers:
        worker.join(10)
    ids = backend.every_id()
    assert len(ids) == len(set(ids)), "a threat is there twice"
    assert acknowledged <= set(ids), f"lost: {sorted(acknowledged - set(ids))[:5]}"

    def all_heard():
        heard.update(e["data"]["threat_id"] for _, e in list(stream.events.queue) if e and e["type"].startswith("threat_"))
        return set(ids) <= heard

    wait_for(all_heard, 15, why=f"the stream missed {len(set(ids) - heard)} of {len(ids)}")
    assert len(ids) >= CRASHES
