"""The server of a test, seen from outside, with what a test does to it: the real program, or the stand-in."""
import contextlib
import json
import os
import pathlib
import sys
import time
import urllib.request

import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from programs import PASSWORD, Backend, Detector, free_port, wait_for  # noqa: E402

import standin  # noqa: E402



def mongo_uri():
    """The server of MONGODB_URI, with a database that nobody else has."""
    head, _, options = os.environ["MONGODB_URI"].partition("?")
    scheme, _, host = head.partition("://")
    return f"{scheme}://{host.split('/')[0]}/browser{os.getpid()}_{time.time_ns()}" + (f"?{options}" if options else "")


ROLES = ("viewer", "analyst")


class RealSite:
    """threatline-backend on SQLite or MongoDB, with one user a role; a user's password is PASSWORD."""

    def __init__(self, folder, store="sqlite", arguments=()):
        self.backend = Backend(folder, store, arguments).start()
        self.url = self.backend.page
        self.tokens = {}
        for role in ROLES:
            answer = self.api("POST", "/api/users", {"username": role, "email": "", "role": role, "password": PASSWORD})
            assert answer.status_code == 201, answer.text

    def api(self, method, path, body=None, user="admin"):
        if user not in self.tokens:
            answer = requests.post(f"{self.backend.url}/api/auth/login", json={"username": user, "password": PASSWORD}, timeout=60)
            assert answer.status_code == 200, answer.text
            self.tokens[user] = answer.json()["token"]
        headers = {"Authorization": f"Bearer {self.tokens[user]}"}
        return requests.request(method, self.backend.url + path, json=body, headers=headers, timeout=60)

    def send(self, *threats):
        for start in range(0, len(threats), 1000):
            answer = self.backend.post(*threats[start:start + 1000])
            assert answer.status_code == 200, answer.text

    def record(self, ident):
        return self.api("GET", f"/api/network/threats/{ident}").json()["threat"]

    def states(self):
        states, cursor = {}, None
        while True:
            answer = self.api("GET", "/api/network/threats?limit=1000" + (f"&cursor={cursor}" if cursor else "")).json()
            states |= {t["threat_id"]: t["triage"]["status"] for t in answer["threats"]}
            cursor = answer.get("next")
            if not cursor:
                return states

    def change(self, ident, change, user):
        if "comment" in change:
            answer = self.api("POST", f"/api/network/threats/{ident}/comments", {"text": change["comment"]}, user)
        else:
            answer = self.api("PATCH", f"/api/network/threats/{ident}", change, user)
        assert answer.status_code in (200, 201), answer.text

    def shelf(self, name):
        return self.api("GET", f"/api/{name}").json()[name]

    def end_sessions(self, user):
        """A new password ends every session of a user."""
        users = self.api("GET", "/api/users").json()["users"]
        ident = next(u["id"] for u in users if u["username"] == user)
        answer = self.api("PATCH", f"/api/users/{ident}", {"password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.tokens.clear()
        self.backend.token = None

    def empty(self):
        wait_for(lambda: self.api("POST", "/api/network/clear-threats").status_code == 200, 60, 0.5)  # a store that is busy says 503
        for name in ("suppressions", "blocklist", "keys", "notifications"):
            for entry in self.shelf(name):
                assert self.api("DELETE", f"/api/{name}/{entry['id']}").status_code == 200

    def streams(self):
        return self.api("GET", "/api/network/status").json()["stream"]["open"]

    def away(self):
        self.backend.stop()

    def back(self):
        self.backend.start()

    def close(self):
        self.backend.stop()


@contextlib.contextmanager
def site_with_detector(folder, source="none", sensor="edge-1", arguments=(), starts=True):
    """A RealSite and the detector that it knows as sensor; who says starts=False starts it when it is wanted."""
    port = free_port()
    site = RealSite(folder / "site", arguments=["--detector", f"{sensor}=http://127.0.0.1:{port}"])
    try:
        detector = Detector(folder / "detector", site.backend, source, ["--sensor", sensor, *arguments], port)
        if starts:
            detector.start()
        try:
            yield site, detector
        finally:
            detector.stop()
    finally:
        site.close()


class StandIn:
    def __init__(self):
        self.server = standin.start()
        self.url, self.world = self.server.url, self.server.world

    def call(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def send(self, *threats):
        self.call("/api/network/webhook", list(threats))

    def states(self):
        return {ident: record["triage"]["status"] for ident, record in self.world.threats.items()}

    def test(self, what, **body):
        return self.call(f"/_test/{what}", body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


__all__ = ["PASSWORD", "RealSite", "StandIn", "site_with_detector", "wait_for"]
