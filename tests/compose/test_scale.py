"""What docker-compose.scale.yml promises: three backends behind nginx are one; who loses its backend misses nothing."""
import json
import os
import re
import shlex
import subprocess
import threading
import time

import pytest
import requests

PAGE = "http://127.0.0.1:3000"
WEBHOOK = "http://127.0.0.1:5000/api/network/webhook"
BACKENDS = [f"http://172.30.78.{n}:5000" for n in (11, 12, 13)]
SEED = {"threat_type": "web_attack", "severity": "low", "source_ip": "192.168.1.144", "destination_ip": "192.168.1.4", "source_port": 59510,
        "destination_port": 80, "protocol": "TCP", "confidence": 0.13, "timestamp": "2025-10-21T12:24:37.482505", "details": {}}


def compose(*arguments):
    command = ["docker", "compose", *shlex.split(os.environ["COMPOSE_FILES"]), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout


def wait_for(what, seconds, why):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.1)
    raise AssertionError(why)


@pytest.fixture(scope="module")
def token():
    found = re.findall(r"First password of user admin: (\S+)", compose("logs", "--no-log-prefix", "backend-1", "backend-2", "backend-3"))
    assert len(found) == 1, "one backend made the first admin, and said so"
    answer = requests.post(f"{PAGE}/api/auth/login", json={"username": "admin", "password": found[0]}, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


class Watcher:
    """A client as the page is one: reads its stream, and comes back with the last id when it ends."""

    def __init__(self, base, token):
        self.base, self.token, self.last, self.ids, self.gaps, self.connections = base, token, None, [], 0, 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.is_set():
            query = {"token": self.token} | ({"last_event_id": self.last} if self.last else {})
            try:
                with requests.get(f"{self.base}/api/network/stream", params=query, stream=True, timeout=(5, 40)) as answer:
                    if answer.status_code == 200:
                        self.connections += 1
                        self.read(answer)
            except requests.RequestException:
                pass
            time.sleep(0.2)

    def read(self, answer):
        identity = None
        for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
            if self.stopping.is_set():
                return
            if line.startswith("id:"):
                identity = line[3:].strip()
            elif line.startswith("data:"):
                event = json.loads(line[5:])
                if event["type"].startswith("threat_") and "data" in event:
                    self.ids.append((identity, event["data"]["threat_id"]))
                self.gaps += event["type"] == "gap"
                self.last = identity or self.last
                identity = None

    def mine(self, front):
        return [(i, t) for i, t in self.ids if t.startswith(front)]

    def stop(self):
        self.stopping.set()


def test_each_says_that_it_is_one_of_many():
    for base in BACKENDS:
        answer = requests.get(f"{base}/readyz", timeout=20)
        assert answer.status_code == 200 and answer.json()["backends"] == "many"


def test_a_login_on_one_counts_on_all(token):
    for base in BACKENDS:
        assert requests.get(f"{base}/api/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=20).status_code == 200


def test_the_webhook_has_a_port_of_its_own():
    assert requests.post(f"{PAGE}/api/network/webhook", json={**SEED, "threat_id": "wrong-door"}, timeout=20).status_code == 404
    assert requests.get(WEBHOOK.replace("webhook", "threats/history"), timeout=20).status_code == 404


def test_what_is_posted_to_one_is_seen_on_all_in_the_same_order(token):
    watchers = [Watcher(base, token) for base in BACKENDS]
    wait_for(lambda: all(w.last for w in watchers), 30, "a stream did not open")
    sent = [f"all-{n}" for n in range(20)]
    for name in sent:
        answer = requests.post(f"{BACKENDS[0]}/api/network/webhook", json={**SEED, "threat_id": name}, timeout=20)
        assert answer.status_code == 200, answer.text
    wait_for(lambda: all(len(w.mine("all-")) >= len(sent) for w in watchers), 30, "not seen on all")
    for watcher in watchers:
        assert [t for _, t in watcher.mine("all-")] == sent
        assert watcher.mine("all-") == watchers[0].mine("all-")
        watcher.stop()


def test_one_is_killed_and_comes_back_and_its_clients_miss_nothing(token):
    watchers = [Watcher(PAGE, token) for _ in range(9)]  # least_conn: three on each
    wait_for(lambda: all(w.last for w in watchers), 30, "a stream did not open")
    acknowledged, stopping = [], threading.Event()

    def load():
        n = 0
        while not stopping.is_set():
            name = f"kill-{n}"
            try:
                if requests.post(WEBHOOK, json={**SEED, "threat_id": name}, timeout=20).status_code == 200:
                    acknowledged.append(name)
                    n += 1
            except requests.RequestException:
                time.sleep(0.1)

    sender = threading.Thread(target=load, daemon=True)
    sender.start()
    for victim in ("backend-2", "backend-3"):
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before + 20, 60, "nothing is acknowledged")
        connections = sum(w.connections for w in watchers)
        compose("kill", "--signal", "KILL", victim)
        wait_for(lambda: sum(w.connections for w in watchers) > connections, 60, f"{victim} had no client")
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before + 20, 60, "nothing is acknowledged while one is away")
        compose("up", "--detach", "--wait", "--wait-timeout", "120", victim)
    before = len(acknowledged)
    wait_for(lambda: len(acknowledged) > before + 20, 60, "nothing is acknowledged")
    stopping.set()
    sender.join(30)
    for watcher in watchers:
        wait_for(lambda: set(acknowledged) <= {t for _, t in watcher.mine("kill-")}, 60, "a client missed some")
        assert watcher.gaps == 0
        watcher.stop()
    headers, kept, cursor = {"Authorization": f"Bearer {token}"}, [], ""
    while True:
        page = requests.get(f"{PAGE}/api/network/threats?limit=1000{cursor}", headers=headers, timeout=20)
        if page.status_code == 401:  # a token lives for 15 minutes
            headers = {"Authorization": "Bearer " + requests.post(f"{PAGE}/api/auth/refresh", headers=headers, timeout=20).json()["token"]}
            continue
        kept += [t["threat_id"] for t in page.json()["threats"]]
        if "next" not in page.json():
            break
        cursor = f"&cursor={page.json()['next']}"
    assert len(kept) == len(set(kept)), "one is there twice"
    assert set(acknowledged) <= set(kept), "an acknowledged one is lost"
