"""What `docker compose up` promises, seen from outside: published ports only."""
import json
import os
import re
import shlex
import subprocess
import threading

import pytest
import requests
from playwright.sync_api import sync_playwright

BACKEND = "http://127.0.0.1:5000"
PAGE = "http://127.0.0.1:3000"
SEED = {
    "threat_id": "threat_000001", "threat_type": "web_attack", "severity": "low", "source_ip": "192.168.1.144",
    "destination_ip": "192.168.1.4", "source_port": 59510, "destination_port": 80, "protocol": "TCP", "confidence": 0.13,
    "timestamp": "2025-10-21T12:24:37.482505",
    "details": {"rf_prediction": 0, "rf_confidence": 0.13, "iso_prediction": 1, "iso_score": 0.005, "flow_duration": 3.13,
                "packet_count": 534, "byte_count": 6031},
}


def compose(*arguments):
    command = ["docker", "compose", *shlex.split(os.environ["COMPOSE_FILES"]), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module")
def password():
    found = re.search(r"First password of user admin: (\S+)", compose("logs", "--no-log-prefix", "backend"))
    assert found, "the first admin's password stands in the backend's log"
    return found.group(1)


@pytest.fixture(scope="module")
def session(password):
    answer = requests.post(f"{BACKEND}/api/auth/login", json={"username": "admin", "password": password}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


def test_the_seeds_curl_reaches_history_stream_collection_and_page(session, password):
    bearer = {"Authorization": f"Bearer {session}"}
    stream = requests.get(f"{BACKEND}/api/network/stream", params={"token": session}, stream=True, timeout=30)
    assert stream.status_code == 200
    seen, opened, arrived = [], threading.Event(), threading.Event()

    def listen():
        for line in stream.iter_lines(decode_unicode=True):
            if line.startswith("data: "):
                opened.set()
                event = json.loads(line[6:])
                if event["type"] == "threat_detected" and event["data"]["threat_id"] == SEED["threat_id"]:
                    seen.append(event["data"])
                    arrived.set()
                    return

    threading.Thread(target=listen, daemon=True).start()
    assert opened.wait(10)

    curl = subprocess.run(["curl", "-sS", "-X", "POST", f"{BACKEND}/api/network/webhook", "-H", "Content-Type: application/json",
                           "-d", json.dumps(SEED)], check=True, capture_output=True, text=True, timeout=20)
    answer = json.loads(curl.stdout)
    assert answer["success"] is True and answer["threat_id"] == SEED["threat_id"]

    assert arrived.wait(10)
    assert seen[0]["threat_type"] == "web_attack"

    history = requests.get(f"{BACKEND}/api/network/threats/history?limit=100", headers=bearer, timeout=10).json()
    assert SEED["threat_id"] in [t["threat_id"] for t in history["threats"]]

    script = ("import pymongo, json; d = pymongo.MongoClient('127.0.0.1').threatline.securitylogs.find_one({'details.threatId': "
              "'threat_000001'}); print(json.dumps(d, default=str))")
    if "override.yml" in os.environ["COMPOSE_FILES"]:
        text = compose("exec", "-T", "mongo", "/venv/bin/python", "-c", script)
        document = json.loads(text)
    else:
        text = compose("exec", "-T", "mongo", "mongosh", "--quiet", "threatline", "--eval",
                       "print(EJSON.stringify(db.securitylogs.findOne({'details.threatId': 'threat_000001'})))")
        document = json.loads(text)
    assert document["action"] == "network_threat_detected" and document["status"] == "detected"
    assert document["details"]["threatData"]["destination_port"] in (80, {"$numberInt": "80"})

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=[
            "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"])
        page = browser.new_page()
        page.goto(PAGE)
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("192.168.1.144").first.wait_for(timeout=15000)
        browser.close()


def test_the_webhook_is_not_reachable_through_the_dashboards_port():
    assert requests.post(f"{PAGE}/api/network/webhook", json=SEED, timeout=10).status_code == 404


def test_simulated_threats_arrive_by_themselves_and_are_signed(session):
    bearer = {"Authorization": f"Bearer {session}"}
    sensors = requests.get(f"{BACKEND}/api/network/sensors", headers=bearer, timeout=10).json()["sensors"]
    assert [s["name"] for s in sensors if s["state"] == "ok"] == ["local"]


def test_programs_run_as_a_plain_user_with_no_capability_but_the_detectors_net_raw():
    for service, allowed in (("backend", 0), ("detector", 1 << 13), ("frontend", 0)):
        text = compose("exec", "-T", service, "cat", "/proc/1/status")
        assert re.search(r"^Uid:\s+10001\s", text, re.M), service
        assert int(re.search(r"^CapEff:\s+([0-9a-f]+)", text, re.M).group(1), 16) == 0, service
        assert int(re.search(r"^CapBnd:\s+([0-9a-f]+)", text, re.M).group(1), 16) & ~allowed == 0, service
        assert int(re.search(r"^CapPrm:\s+([0-9a-f]+)", text, re.M).group(1), 16) == allowed, service
        assert re.search(r"^NoNewPrivs:\s+1$", text, re.M), service


def test_a_stop_and_start_keeps_threats_and_the_password(session, password):
    compose("restart", "backend")
    compose("up", "--detach", "--wait", "--wait-timeout", "120")
    answer = requests.post(f"{BACKEND}/api/auth/login", json={"username": "admin", "password": password}, timeout=10)
    assert answer.status_code == 200
    token = answer.json()["token"]
    one = requests.get(f"{BACKEND}/api/network/threats/threat_000001", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert one.status_code == 200
