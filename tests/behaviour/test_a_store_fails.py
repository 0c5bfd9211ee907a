"""A store that goes away and comes back: refused meanwhile, then it goes on by itself, and nothing that was acknowledged is lost."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest
import requests

from backend_fixture import MongoServer
from programs import Backend, threat, wait_for


class Load:
    """Workers that send threats, each until it is taken, and note what was acknowledged and every other answer."""

    def __init__(self, backend, workers=4, padding=0):
        self.backend, self.padding = backend, padding
        self.acknowledged, self.refused, self.statuses = [], [], set()
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.send, args=(w,), daemon=True) for w in range(workers)]
        for thread in self.threads:
            thread.start()

    def send(self, worker):
        n, session = 0, requests.Session()
        while not self.stopping.is_set():
            body = threat(f"w{worker}-{n}", source_ip=f"10.{worker}.{n // 250 % 250}.{n % 250}")
            body["details"] = {**body["details"], "padding": "x" * self.padding}
            try:
                answer = session.post(f"{self.backend.url}/api/network/webhook", json=body, timeout=30)
            except requests.RequestException:
                time.sleep(0.05)
                continue
            with self.lock:
                self.statuses.add(answer.status_code)
                if answer.status_code == 200:
                    self.acknowledged.append(body["threat_id"])
                elif answer.status_code == 503:
                    self.refused.append(answer)
            n += answer.status_code == 200
            if answer.status_code != 200:
                time.sleep(0.05)

    def wait_for_more(self, seconds=40, why="nothing is acknowledged any more"):
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) > before + 5, seconds, why=why)

    def wait_for_refusal(self, seconds=40):
        before = len(self.refused)
        wait_for(lambda: len(self.refused) > before, seconds, why="nothing is refused")
        return self.refused[-1]

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)


def check_all_there(backend, load):
    ids = backend.every_id()
    assert len(ids) == len(set(ids)), "a threat is there twice"
    assert set(load.acknowledged) <= set(ids), "an acknowledged threat is lost"
    assert load.statuses <= {200, 503}, load.statuses
    statistics = backend.get("/api/network/statistics").json()
    statistics = statistics.get("statistics", statistics)
    assert statistics["total"] == len(ids), "the counts are not those of what is stored"


# Without --sync-on-commit this server does not sync the commit of a transaction, though it is asked to (j: true).
@pytest.mark.parametrize("options", [("--sync-on-commit",), ("--sync-on-commit", "--standalone")], ids=["replica set", "standalone"])
def test_a_mongodb_that_is_killed_under_load_is_used_again_when_it_is_back(tmp_path, options):
    alone = "--standalone" in options
    server = MongoServer(tmp_path / "mongo", own=True, options=options).start()
    backend = Backend(tmp_path / "backend", server.uri("threatline"))
    try:
        backend.start()
        ready = requests.get(f"{backend.url}/readyz", timeout=10).json()
        assert ready["store"] == "mongodb" and ready["backends"] == ("one" if alone else "many")
        assert backend.log().count("event=store.standalone") == (1 if alone else 0)
        backend.login()
        stream = backend.stream()
        load = Load(backend)
        for _ in range(3):
            load.wait_for_more()
            server.kill()
            refusal = load.wait_for_refusal()
            assert refusal.headers.get("Retry-After") and not refusal.json()["success"]
            assert requests.get(f"{backend.url}/readyz", timeout=20).status_code == 503
            assert requests.get(f"{backend.url}/healthz", timeout=5).status_code == 200
            server.start()
            load.wait_for_more(60)
        load.stop()
        wait_for(backend.ready, 20)
        check_all_there(backend, load)
        heard = set()

        def all_heard():
            while not stream.events.empty():
                _, event = stream.events.get()
                if event and event["type"].startswith("threat_"):
                    heard.add(event["data"]["threat_id"])
            return set(load.acknowledged) <= heard

        wait_for(all_heard, 20, why="the stream missed some")
    finally:
        backend.kill()
        server.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB in a mount namespace of its own: (path, prefix of commands that see it, path as seen from outside)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    script = f"mount -t tmpfs -o size=24m none '{folder}' && echo mounted && exec sleep 600"
    holder = subprocess.Popen([*unshare, "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if holder.stdout.readline() != b"mounted\n":
        holder.wait()
        if os.environ.get("CI"):
            pytest.fail("no small file system can be made")
        pytest.skip("no small file system can be made here")
    enter = ["nsenter", f"--target={holder.pid}", "--mount"] + ([] if os.geteuid() == 0 else ["--user", "--preserve-credentials"])
    yield folder, enter, pathlib.Path(f"/proc/{holder.pid}/root") / str(folder).lstrip("/")
    holder.kill()
    holder.wait()


def test_a_full_disk_is_said_and_heals(small_disk):
    folder, enter, outside = small_disk
    ballast = outside / "ballast"
    ballast.write_bytes(bytes(8 * 1024 * 1024))
    backend = Backend(folder, prefix=enter)
    # The folder is made outside of the namespace, too; what the program reads at its start must be inside.
    shutil.copy(folder / "admin.password", outside / "admin.password")
    backend.log_path = folder.parent / "backend.log"
    backend.start()
    try:
        load = Load(backend, workers=2, padding=8000)
        load.wait_for_more()
        refusal = load.wait_for_refusal(90)
        assert refusal.headers.get("Retry-After"), refusal.headers
        assert json.loads(refusal.text)["success"] is False
        wait_for(lambda: "full" in backend.log(), 5, why="the log does not say why")
        assert requests.get(f"{backend.url}/healthz", timeout=5).status_code == 200
        full = len(load.acknowledged)
        ballast.unlink()
        load.wait_for_more(20)
        load.stop()
        assert len(load.acknowledged) > full
        check_all_there(backend, load)
        backend.kill()
        backend.start()
        check_all_there(backend, load)
        backend.stop()
        for file in (outside / "data").glob("threatline.db*"):
            shutil.copy(file, folder.parent)
        database = sqlite3.connect(folder.parent / "threatline.db")
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()
    finally:
        backend.kill()
