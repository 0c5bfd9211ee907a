"""The integration guide, step by step (1 to 13; step 9, the bus, is a unit test: tests/unit/backend/bus_test.c; steps 12 and 13,
what the page makes of it, are browser tests)."""
import json
import os
import subprocess

import pymongo
import requests

from crafted import scan, write_pcap
from programs import SEED, read, wait_for

FEATURES = ["duration", "total_fwd_packets", "total_bwd_packets", "flow_bytes_s", "flow_packets_s", "fwd_packet_length_mean",
            "bwd_packet_length_mean", "flow_iat_mean", "fwd_iat_mean", "bwd_iat_mean", "fwd_psh_flags", "bwd_psh_flags", "fwd_urg_flags",
            "bwd_urg_flags", "fwd_header_length", "bwd_header_length", "fwd_packets_s", "bwd_packets_s", "packet_length_mean",
            "packet_length_std", "packet_length_variance", "syn_flag_count", "rst_flag_count", "psh_flag_count", "ack_flag_count"]


def seed_curl(backend):
    done = subprocess.run(["curl", "-sS", "-X", "POST", f"{backend.url}/api/network/webhook", "-H", "Content-Type: application/json",
                           "-d", json.dumps(SEED)], check=True, capture_output=True, text=True, timeout=20)
    return json.loads(done.stdout)


def test_step_1_the_simulator_makes_flows_every_five_seconds_that_become_threats(start_backend, start_detector):
    backend = start_backend()
    start_detector(backend, source="simulator")
    found = wait_for(lambda: backend.history(), 25, why="no simulated threat")
    assert found[0]["details"]["source"] == "simulator"


def test_step_2_a_flow_becomes_the_25_features_in_order(tmp_path):
    table = read(write_pcap(tmp_path / "scan.pcap", scan(ports=range(1, 4))), "--features").stdout.splitlines()
    names = table[0].split(",")
    at = names.index("duration")
    assert names[at:at + 25] == FEATURES
    assert len(table) == 1 + 3


def test_steps_3_to_5_the_forests_and_windows_say_threat_and_the_object_has_the_seeds_keys(tmp_path):
    lines = read(write_pcap(tmp_path / "scan.pcap", scan())).stdout.splitlines()
    threats = [json.loads(line) for line in lines]
    assert {t["threat_type"] for t in threats} == {"port_scan"}
    assert set(SEED) <= set(threats[0])
    assert set(SEED["details"]) <= set(threats[0]["details"])
    details = threats[0]["details"]
    assert details["rf_prediction"] in (0, 1) and details["iso_prediction"] in (-1, 1) and 0 <= details["rf_confidence"] <= 1
    assert threats[0]["source_ip"] == "10.1.1.9" and threats[0]["destination_ip"] == "10.1.1.1"


def test_steps_6_and_7_the_seeds_curl_is_answered_as_the_guide_says(backend):
    answer = seed_curl(backend)
    assert {k: answer[k] for k in ("success", "message", "threat_id")} == {
        "success": True, "message": "Threat received and broadcasted", "threat_id": "threat_000001"}


def test_step_8_the_mongodb_document_is_the_seeds(start_backend):
    backend = start_backend("mongodb")
    seed_curl(backend)
    uri = backend.command[backend.command.index("--mongodb-uri") + 1]
    documents = list(pymongo.MongoClient(uri).get_default_database().securitylogs.find({"action": "network_threat_detected"}))
    assert len(documents) == 1
    document = documents[0]
    assert document["userId"] is None
    assert document["status"] == "detected"
    assert document["ipAddress"] == "127.0.0.1"
    assert document["userAgent"].startswith("curl/")
    assert document["timestamp"].isoformat() == "2025-10-21T12:24:37.482000"
    details = document["details"]
    assert details["threatId"] == "threat_000001" and details["threatType"] == "web_attack" and details["severity"] == "low"
    assert details["sourceIP"] == "192.168.1.144" and details["destinationIP"] == "192.168.1.4" and details["confidence"] == 0.13
    assert details["username"] == "system" and details["detectedBy"] == "ml_models" and details["source"] == "webhook"
    assert details["threatData"]["details"] == SEED["details"] and details["threatData"]["timestamp"].startswith("2025-10-21T12:24:37.482505")


def test_step_10_and_11_the_stream_tells_the_threat_without_an_event_line(backend):
    stream = backend.stream()
    stream.next("connection")
    seed_curl(backend)
    identity, event = stream.next("threat_detected")
    assert identity and set(event) >= {"type", "data", "timestamp"}
    assert {k: event["data"][k] for k in SEED if k not in ("timestamp", "details")} == {k: SEED[k] for k in SEED if k not in ("timestamp", "details")}
    assert event["data"]["details"] == SEED["details"]
    assert not [line for line in stream.raw if line.startswith("event:")]
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")


def test_step_11_the_streams_token_stands_in_the_query_as_the_seed_has_it(backend):
    assert requests.get(f"{backend.url}/api/network/stream", timeout=5).status_code == 401
    assert requests.get(f"{backend.url}/api/network/stream?token=wrong", timeout=5).status_code == 401


def test_the_history_call_of_a_page_reload(backend):
    seed_curl(backend)
    answer = backend.get("/api/network/threats/history?limit=50").json()
    assert answer["success"] is True and answer["count"] == 1
    assert answer["threats"][0]["threat_id"] == "threat_000001"


def test_what_the_guide_tests_by_hand_the_webhook_twice_is_one_document(backend):
    seed_curl(backend)
    seed_curl(backend)
    assert len(backend.history()) == 1
    assert os.environ["MONGODB_URI"]
