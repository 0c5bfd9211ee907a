"""What people decide about threats: triage, suppressions, the blocklist, names and kept searches."""

import datetime
import time

import pytest
import requests

from backend_fixture import Backend, stream_of_now, threat, wait_until


@pytest.fixture(scope="module")
def backend(on_each_store):
    b = on_each_store()
    yield b
    b.close()


def stored(backend, **changes):
    one = threat(**changes)
    assert backend.send(one).status_code == 200
    return one["threat_id"]


def in_future(**delta):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)).isoformat()


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def test_a_triage_change_is_stored_told_and_kept_in_the_history(backend):
    identity = stored(backend)
    stream = stream_of_now(backend)
    answer = backend.call("PATCH", f"/api/network/threats/{identity}",
                          json={"status": "escalated", "verdict": "true_positive", "assignee": "admin"})
    assert answer.status_code == 200, answer.text
    triage = answer.json()["threat"]["triage"]
    assert (triage["status"], triage["verdict"], triage["assignee"]) == ("escalated", "true_positive", "admin")
    assert triage["history"][-1]["by"] == "admin" and answer.headers["ETag"] == f'"{triage["version"]}"'
    _, event = stream.next("threat_updated")
    assert event["data"]["threat_id"] == identity and event["data"]["triage"]["status"] == "escalated"
    answer = backend.call("PATCH", f"/api/network/threats/{identity}", json={"verdict": None, "assignee": None})
    triage = answer.json()["threat"]["triage"]
    assert (triage["status"], triage["verdict"], triage["assignee"]) == ("escalated", None, None)
    stream.close()


def test_the_second_of_two_racing_changes_is_told(backend):
    identity = stored(backend)
    tag = backend.get(f"/api/network/threats/{identity}").headers["ETag"]
    path = f"/api/network/threats/{identity}"
    assert backend.call("PATCH", path, json={"status": "closed"}, headers={"If-Match": tag}).status_code == 200
    assert backend.call("PATCH", path, json={"status": "new"}, headers={"If-Match": tag}).status_code == 412
    assert backend.call("PATCH", path, json={"status": "new"}, headers={"If-Match": "*"}).status_code == 200
    assert backend.call("PATCH", path, json={"status": "new"}, headers={"If-Match": "seven"}).status_code == 400


@pytest.mark.parametrize("body,status", [
    ({}, 400), ({"status": "open"}, 400), ({"status": None}, 400), ({"verdict": "maybe"}, 400), ({"status": 1}, 400),
    ({"assignee": "nobody-here"}, 422), ({"assignee": 5}, 400), ([], 400)])
def test_a_change_that_makes_no_sense_is_refused(backend, body, status):
    identity = stored(backend)
    assert backend.call("PATCH", f"/api/network/threats/{identity}", json=body).status_code == status
    assert backend.call("PATCH", "/api/network/threats/no-such", json={"status": "closed"}).status_code == 404


def test_comments_are_kept(backend):
    identity = stored(backend)
    path = f"/api/network/threats/{identity}/comments"
    answer = backend.post(path, json={"text": "Looked at it: <b>ours</b>, a scanner."})
    assert answer.status_code == 201
    assert answer.json()["threat"]["triage"]["history"][-1]["comment"] == "Looked at it: <b>ours</b>, a scanner."
    for text in ("", "x" * 4001, 7, None):
        assert backend.post(path, json={"text": text}).status_code == 400
    assert backend.post("/api/network/threats/none/comments", json={"text": "x"}).status_code == 404


def test_many_are_changed_by_ids_or_by_a_query(backend):
    backend.clear()
    ids = [stored(backend, threat_type="port_scan" if i % 2 else "web_attack") for i in range(10)]
    answer = backend.post("/api/network/threats/bulk", json={"ids": ids[:3] + ["gone"], "set": {"status": "acknowledged"}})
    assert answer.json()["changed"] == 3 and answer.json()["missing"] == ["gone"]
    answer = backend.post("/api/network/threats/bulk",
                          json={"q": "type:port_scan", "set": {"status": "closed", "assignee": "admin"}})
    assert answer.json() == {"success": True, "changed": 5, "missing": [], "more": False}
    again = backend.post("/api/network/threats/bulk",
                         json={"q": "type:port_scan", "set": {"status": "closed", "assignee": "admin"}})
    assert again.json()["changed"] == 0
    closed = backend.get("/api/network/threats?q=status:closed").json()
    assert closed["count"] == 5
    for body in ({"set": {"status": "closed"}}, {"ids": ids, "q": "x", "set": {"status": "closed"}}, {"ids": []},
                 {"ids": ids}, {"ids": ids, "set": {}}, {"ids": [1], "set": {"status": "closed"}},
                 {"q": "port:(", "set": {"status": "closed"}}):
        assert backend.post("/api/network/threats/bulk", json=body).status_code == 400, body


def make_rule(backend, match, **more):
    answer = backend.post("/api/suppressions", json={"match": match, "reason": "known", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_suppressed_threat_is_stored_but_not_shown(backend):
    rule = make_rule(backend, {"source": "10.77.0.0/16", "type": "port_scan"})["suppression"]
    stream = stream_of_now(backend)
    hidden = stored(backend, source_ip="10.77.3.4", threat_type="port_scan")
    shown = stored(backend, source_ip="10.78.3.4", threat_type="port_scan")
    _, event = stream.next("threat_detected")
    assert event["data"]["threat_id"] == shown
    stream.close()
    assert hidden not in [t["threat_id"] for t in backend.history()]
    found = backend.get("/api/network/threats?q=is:suppressed source:10.77.0.0/16").json()["threats"]
    assert [t["threat_id"] for t in found] == [hidden] and found[0]["suppressedBy"] == rule["id"]
    listed = next(r for r in backend.get("/api/suppressions").json()["suppressions"] if r["id"] == rule["id"])
    assert listed["hits"] == 1 and listed["author"] == "admin" and listed["lastHitAt"]
    assert backend.call("DELETE", f"/api/suppressions/{rule['id']}").status_code == 200
    again = stored(backend, source_ip="10.77.3.5", threat_type="port_scan")
    assert again in [t["threat_id"] for t in backend.history()]


def test_a_rule_can_be_tried_before_and_warns_when_it_hides_much(backend):
    backend.clear()
    for i in range(10):
        stored(backend, source_ip=f"10.5.0.{i + 1}", timestamp=now(), destination_port=443 if i < 2 else 80)
    few = backend.post("/api/suppressions/preview", json={"match": {"port": 443}}).json()
    assert (few["count"], few["total"]) == (2, 10) and "warning" not in few and len(few["sample"]) == 2
    many = backend.post("/api/suppressions/preview", json={"match": {"source": "10.5.0.0/24"}}).json()
    assert many["count"] == 10 and "half" in many["warning"]
    for match in ({}, {"port": "80"}, {"port": 70000}, {"source": "10.0.0.0/33"}, {"max_confidence": 2}, {"type": 5}, [],
                  None):
        assert backend.post("/api/suppressions/preview", json={"match": match}).status_code == 400, match


def test_each_part_of_a_match_counts(backend):
    base = {"source_ip": "10.9.0.1", "destination_ip": "10.9.9.9", "destination_port": 8443, "sensor": "edge-9",
            "threat_type": "beacon", "confidence": 0.5}
    match = {"source": "10.9.0.0/24", "destination": "10.9.9.9", "port": 8443, "type": "beacon", "sensor": "edge-9",
             "max_confidence": 0.5}
    rule = make_rule(backend, match)["suppression"]
    assert rule["match"] == match
    hidden = stored(backend, **base)
    others = [stored(backend, **{**base, **change}) for change in (
        {"source_ip": "10.9.1.1"}, {"destination_ip": "10.9.9.8"}, {"destination_port": 8444}, {"sensor": "edge-8"},
        {"threat_type": "scan"}, {"confidence": 0.51})]
    shown = [t["threat_id"] for t in backend.history()]
    assert hidden not in shown and all(o in shown for o in others)
    backend.call("DELETE", f"/api/suppressions/{rule['id']}")


def test_a_rule_ends_when_it_expires_and_can_be_changed(backend):
    rule = make_rule(backend, {"source": "10.66.0.1"}, expiresAt=in_future(seconds=2))["suppression"]
    hidden = stored(backend, source_ip="10.66.0.1")
    assert hidden not in [t["threat_id"] for t in backend.history()]
    time.sleep(2.1)
    shown = stored(backend, source_ip="10.66.0.1")
    assert shown in [t["threat_id"] for t in backend.history()]
    rule = make_rule(backend, {"source": "10.66.0.2"})["suppression"]
    path = f"/api/suppressions/{rule['id']}"
    assert backend.call("PATCH", path, json={"match": {"source": "10.66.0.3"}, "reason": "moved"}).status_code == 200
    assert backend.call("PATCH", path, json={"reason": "late"}, headers={"If-Match": '"1"'}).status_code == 412
    assert stored(backend, source_ip="10.66.0.2") in [t["threat_id"] for t in backend.history()]
    assert stored(backend, source_ip="10.66.0.3") not in [t["threat_id"] for t in backend.history()]
    backend.call("DELETE", path)
    assert backend.call("DELETE", path).status_code == 404
    past = {"match": {"source": "10.0.0.1"}, "reason": "x", "expiresAt": "2020-01-01T00:00:00Z"}
    assert backend.post("/api/suppressions", json=past).status_code == 400


def test_the_blocklist_is_a_feed_in_three_shapes(backend):
    made = []
    for address in ("203.0.113.9", "198.51.100.77/24", "2001:DB8::1", "2001:db8:5::/48"):
        answer = backend.post("/api/blocklist", json={"address": address, "reason": "scans"})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["block"])
    assert [b["address"] for b in made] == ["203.0.113.9", "198.51.100.0/24", "2001:db8::1", "2001:db8:5::/48"]
    key = backend.post("/api/keys", json={"name": "firewall", "scopes": ["feed"]}).json()["key"]
    def feed(shape):
        return requests.get(backend.url(f"/api/blocklist?format={shape}"), headers={"X-API-Key": key}, timeout=5)

    text = feed("txt")
    assert text.headers["Content-Type"].startswith("text/plain")
    assert set(text.text.split()) == {b["address"] for b in made}
    nft = feed("nft").text
    assert nft.startswith("#!/usr/sbin/nft -f\nadd table inet threatline\n") and "2001:db8:5::/48" in nft
    assert {b["address"] for b in feed("json").json()["blocklist"]} == {b["address"] for b in made}
    assert feed("xml").status_code == 400
    again = backend.post("/api/blocklist", json={"address": "198.51.100.1/24", "reason": "again"})
    assert again.status_code == 409
    for block in made:
        assert backend.call("DELETE", f"/api/blocklist/{block['id']}").status_code == 200
    assert feed("txt").text == ""


@pytest.mark.parametrize("address", ["", "x", "0.0.0.0/0", "10.0.0.0/7", "::/0", "1.2.3.4/33", "1.2.3.4.5", 5])
def test_what_is_no_address_or_everybody_is_not_listed(backend, address):
    assert backend.post("/api/blocklist", json={"address": address, "reason": "x"}).status_code == 400


def test_nobody_locks_an_admin_out(backend):
    for address in ("127.0.0.1", "127.0.0.0/8"):
        assert backend.post("/api/blocklist", json={"address": address, "reason": "oops"}).status_code == 409


def test_a_listed_client_is_refused_but_not_where_an_admin_is_logged_in():
    backend = Backend("--trusted-proxies", "127.0.0.1", "--trusted-networks", "none").start()
    try:
        def ask(address, path="/healthz"):
            return requests.get(backend.url(path), headers={"X-Forwarded-For": address}, timeout=5).status_code

        assert ask("198.51.100.7") == 200
        assert backend.post("/api/blocklist", json={"address": "198.51.100.0/24", "reason": "scans",
                                                    "expiresAt": in_future(seconds=3)}).status_code == 201
        assert ask("198.51.100.7") == 403 and ask("198.51.101.7") == 200
        wait_until(lambda: ask("198.51.100.7") == 200, 6)
        backend.post("/api/blocklist", json={"address": "203.0.113.5", "reason": "scans"})
        assert ask("203.0.113.5") == 403
        login = requests.post(backend.url("/api/auth/login"), json={"username": "admin", "password": "x"},
                              headers={"X-Forwarded-For": "203.0.113.5"}, timeout=5)
        assert login.status_code == 403
    finally:
        backend.close()


def test_addresses_have_names(backend):
    answer = backend.call("PUT", "/api/assets/10.0.0.5", json={"name": "printer", "note": "2nd floor"})
    assert answer.status_code == 200
    assert backend.call("PUT", "/api/assets/2001:DB8:0::5", json={"name": "six"}).json()["asset"]["address"] == "2001:db8::5"
    assert {a["address"] for a in backend.get("/api/assets").json()["assets"]} == {"10.0.0.5", "2001:db8::5"}
    names = backend.post("/api/names", json={"addresses": ["10.0.0.5", "8.8.8.8", "nonsense"]}).json()["names"]
    assert names["10.0.0.5"] == {"name": "printer", "note": "2nd floor"} and names["8.8.8.8"] == {}
    assert "nonsense" not in names
    assert backend.call("DELETE", "/api/assets/10.0.0.5").status_code == 200
    assert backend.call("DELETE", "/api/assets/10.0.0.5").status_code == 404
    assert backend.call("PUT", "/api/assets/x", json={"name": "y"}).status_code == 400
    assert backend.post("/api/names", json={"addresses": ["1.1.1.1"] * 201}).status_code == 400


def test_everybody_keeps_searches_of_their_own(backend):
    backend.post("/api/users", json={"username": "sam", "password": "a good password", "role": "viewer"})
    sam = backend.login("sam", "a good password")
    made = backend.post("/api/searches", token=sam, json={"name": "scans", "q": "type:port_scan -status:closed"})
    assert made.status_code == 201
    assert [s["name"] for s in backend.get("/api/searches", token=sam).json()["searches"]] == ["scans"]
    assert "scans" not in [s["name"] for s in backend.get("/api/searches").json()["searches"]]
    identity = made.json()["search"]["id"]
    assert backend.call("DELETE", f"/api/searches/{identity}").status_code == 404
    assert backend.post("/api/searches", token=sam, json={"name": "bad", "q": "port:("}).status_code == 400
    assert backend.call("DELETE", f"/api/searches/{identity}", token=sam).status_code == 200
