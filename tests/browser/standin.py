"""A small server that speaks the contract, for the states that are hard to bring about with the real one.

A test fixture: it keeps everything in memory and is never shipped. It also answers under /_test for the tests
themselves: push an event, forget the events, close the streams, go silent.
"""
import http.cookies
import http.server
import json
import mimetypes
import pathlib
import queue
import secrets
import threading
import time
import urllib.parse
from datetime import datetime, timezone

STATIC = pathlib.Path(__file__).resolve().parents[2] / "frontend-static"
SEVERITIES = ("critical", "high", "medium", "low")
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
ROLES = {"viewer": 0, "analyst": 1, "admin": 2}


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Failure(Exception):
    def __init__(self, status, code, message, **more):
        super().__init__(message)
        self.status, self.body = status, {"success": False, "code": code, "message": message, **more}


class World:
    """What the server knows. One lock for all of it: tests are small."""

    def __init__(self):
        self.lock = threading.RLock()
        self.store = "standin"
        self.users = {name: {"id": name, "username": name, "email": "", "role": name, "password": "correct horse battery"}
                      for name in ROLES}
        self.sessions = {}
        self.threats = {}
        self.events = []
        self.floor = 0
        self.seq = 0
        self.streams = {}
        self.silent = False
        self.broken = set()
        self.monitoring = {"active": False, "interface": None, "startedAt": None, "endsAt": None}
        self.detector = {"healthy": True}
        self.sensors = []
        self.interfaces = [{"name": "eth0", "addresses": ["192.0.2.10"], "up": True},
                           {"name": "lo", "addresses": ["127.0.0.1"], "up": True},
                           {"name": "wlan0", "addresses": [], "up": False}]
        self.docs = {"suppressions": {}, "blocklist": {}, "keys": {}, "notifications": {}, "uploads": {}}
        self.audit = []

    def publish(self, kind, durable=True, **body):
        with self.lock:
            if durable:
                self.seq += 1
            event = {"type": kind, **body, "timestamp": now()}
            frame = f"data: {json.dumps(event)}\n\n"
            if durable:
                frame = f"id: {self.store}.{self.seq}\n{frame}"
                self.events.append((self.seq, frame))
            for waiting in self.streams.values():
                waiting.put(frame)
            return self.seq

    def receive(self, threat):
        with self.lock:
            known = self.threats.get(threat["threat_id"])
            if known and threat.get("revision", 1) <= known.get("revision", 1):
                return "duplicate"
            record = {**threat, "receivedAt": now(), "triage": known["triage"] if known else
                      {"status": "new", "verdict": "", "assignee": "", "version": 1, "history": []}}
            record["seq"] = self.seq + 1
            self.threats[threat["threat_id"]] = record
            self.publish("threat_updated" if known else "threat_detected", data=record)
            return "stored"

    def change(self, ident, change, actor, version=None):
        with self.lock:
            record = self.find(ident)
            triage = record["triage"]
            if version is not None and version != triage["version"]:
                raise Failure(412, "conflict", "someone else changed this threat meanwhile")
            if change.get("assignee") and change["assignee"] not in self.users:
                raise Failure(422, "unknown_user", "assignee: no such user",
                              details=[{"field": "assignee", "expected": "the name of a user"}])
            entry = {"at": now(), "by": actor}
            for name, value in change.items():
                entry[name] = value if name == "comment" else {"from": triage[name], "to": value}
            triage = {**triage, **{k: v or "" for k, v in change.items() if k != "comment"},
                      "version": triage["version"] + 1, "history": [*triage["history"], entry]}
            record = {**record, "triage": triage}
            self.threats[ident] = record
            self.publish("threat_updated", data=record)
            return record

    def find(self, ident):
        if ident not in self.threats:
            raise Failure(404, "not_found", "no such threat")
        return self.threats[ident]

    def listed(self):
        return sorted(self.threats.values(), key=lambda t: -t["seq"])

    def statistics(self, query):
        threats = self.listed()
        for end, keep in (("from", lambda t, v: t["timestamp"] >= v), ("to", lambda t, v: t["timestamp"] < v)):
            if end in query:
                threats = [t for t in threats if keep(t, query[end])]

        def tally(key):
            out = {}
            for t in threats:
                out[key(t)] = out.get(key(t), 0) + 1
            return out

        def top(key):
            return [{"value": v, "count": n} for v, n in sorted(tally(key).items(), key=lambda p: -p[1])[:10]]

        hours = {}
        for t in threats:
            slot = hours.setdefault(t["timestamp"][:16] + ":00Z", dict.fromkeys(SEVERITIES, 0))
            slot[t["severity"]] += 1
        severities = tally(lambda t: t["severity"])
        return {"total": len(threats), **{s: severities.get(s, 0) for s in SEVERITIES}, "suppressed": 0,
                "byType": tally(lambda t: t["threat_type"]), "byStatus": tally(lambda t: t["triage"]["status"]),
                "bySensor": tally(lambda t: t.get("sensor", "")), "topSources": top(lambda t: t["source_ip"]),
                "topDestinations": top(lambda t: t["destination_ip"]),
                "timeline": [{"t": t, **slot} for t, slot in sorted(hours.items())]}

    def search(self, query):
        """Just enough of the query language for the page's own tests."""
        text = query.get("q", "")
        terms = []
        for start, word in ((text.find(w), w) for w in text.split()):
            away, word = word.startswith("-"), word.lstrip("-")
            name, colon, value = word.partition(":")
            keys = {"type": "threat_type", "severity": "severity", "source": "source_ip",
                    "destination": "destination_ip", "sensor": "sensor"}
            if colon and name == "status":
                terms.append((away, lambda t, v=value: t["triage"]["status"] == v))
            elif colon and name == "job":
                terms.append((away, lambda t, v=value: t.get("details", {}).get("job") == v))
            elif colon and name == "is":
                terms.append((away, lambda t: t.get("details", {}).get("source") == "simulator"))
            elif colon and name in keys:
                terms.append((away, lambda t, k=keys[name], v=value: t.get(k) == v))
            elif colon:
                raise Failure(400, "invalid_query", f"{name}: no such field", at=start)
            else:
                terms.append((away, lambda t, v=word: v in json.dumps(t)))
        for name in ("status", "severity"):
            if query.get(name):
                terms.append((False, lambda t, n=name: (t["triage"] if n == "status" else t)[n] == query[n]))
        found = [t for t in self.listed() if all(test(t) != away for away, test in terms)]
        found = [t for t in found if query.get("from", "") <= t["timestamp"] <= query.get("to", "~")]
        if query.get("cursor"):
            found = [t for t in found if t["seq"] < int(query["cursor"])]
        return found


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve()

    do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = do_GET

    def serve(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        try:
            length = int(self.headers.get("Content-Length") or 0)
            self.raw = self.rfile.read(length) if length else b""
            if url.path == "/api/network/stream":
                return self.stream()
            if not url.path.startswith(("/api/", "/_test/")):
                return self.file(url.path)
            kind = self.headers.get("Content-Type") or ""
            self.body = json.loads(self.raw) if self.raw and "json" in kind else {}
            if url.path in self.world.broken:
                raise Failure(503, "unavailable", "the store is away")
            status, answer, headers = self.route(url.path)
        except Failure as failure:
            status, answer, headers = failure.status, failure.body, {}
        except (BrokenPipeError, ConnectionResetError):
            return None
        return self.send(status, json.dumps(answer).encode(), "application/json", headers)

    def send(self, status, body, kind, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def file(self, path):
        wanted = (STATIC / (path.lstrip("/") or "index.html")).resolve()
        if not wanted.is_file() or STATIC not in wanted.parents:
            return self.send(404, b"not found", "text/plain")
        kind = "text/javascript" if wanted.suffix == ".js" else mimetypes.guess_type(wanted.name)[0]
        return self.send(200, wanted.read_bytes(), kind or "application/octet-stream")

    def user(self, role="viewer"):
        jar = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        token = jar["session"].value if "session" in jar else ""
        user = self.world.users.get(self.world.sessions.get(token))
        if not user:
            raise Failure(401, "unauthorized", "sign in first")
        if ROLES[user["role"]] < ROLES[role]:
            raise Failure(403, "forbidden", f"this needs the role {role}")
        return user

    def route(self, path):
        world, method = self.world, self.command
        parts = path.strip("/").split("/")
        with world.lock:
            if parts[0] == "_test":
                return self.test(parts[1])
            if path == "/api/auth/login":
                return self.login()
            if path == "/api/network/webhook":
                items = self.body if isinstance(self.body, list) else [self.body]
                results = [{"threat_id": t["threat_id"], "status": world.receive(t)} for t in items]
                return 200, {"success": True, "threat_id": results[-1]["threat_id"], "results": results}, {}
            user = self.user()
            if parts[:2] == ["api", "auth"]:
                return self.auth(parts[2], user)
            if parts[:2] == ["api", "network"]:
                return self.network(parts[2:], user)
            if parts[1] == "users":
                self.user("admin")
                people = [{k: v for k, v in u.items() if k != "password"} for u in world.users.values()]
                return 200, {"success": True, "users": people}, {}
            if parts[1] == "assignees":
                return 200, {"success": True, "assignees": sorted(world.users)}, {}
            if parts[1] == "audit":
                self.user("admin")
                return 200, {"success": True, "audit": world.audit}, {}
            if parts[1:] == ["suppressions", "preview"]:
                match = self.body.get("match", {})
                keys = {"source": "source_ip", "destination": "destination_ip", "type": "threat_type"}
                hidden = [t for t in world.listed() if all(t.get(keys.get(k, k)) == v for k, v in match.items())]
                return 200, {"success": True, "count": len(hidden)}, {}
            if parts[1] in world.docs:
                return self.docs(parts[1], parts[2:], user)
        raise Failure(404, "not_found", f"{method} {path}: no such thing")

    def login(self):
        user = self.world.users.get(self.body.get("username"))
        if not user or user["password"] != self.body.get("password"):
            raise Failure(401, "unauthorized", "Invalid credentials")
        token = secrets.token_hex(16)
        self.world.sessions[token] = user["username"]
        public = {k: v for k, v in user.items() if k != "password"}
        cookie = f"session={token}; Path=/; HttpOnly; SameSite=Strict"
        return 200, {"success": True, "message": "Login successful", "token": token, "user": public}, {"Set-Cookie": cookie}

    def auth(self, what, user):
        if what == "logout":
            self.end(user["username"])
        return 200, {"success": True, "user": {k: v for k, v in user.items() if k != "password"}}, {}

    def end(self, name):
        world = self.world
        world.sessions = {t: n for t, n in world.sessions.items() if n != name}
        for (owner, _), waiting in world.streams.items():
            if owner == name:
                waiting.put(None)

    def network(self, parts, user):
        world, method = self.world, self.command
        if parts == ["threats", "history"]:
            found = world.listed()[:int(self.query.get("limit", 50))]
            return 200, {"success": True, "threats": found, "count": len(found)}, {}
        if parts == ["threats", "bulk"]:
            self.user("analyst")
            for ident in self.body["ids"]:
                world.change(ident, self.body["set"], user["username"])
            return 200, {"success": True, "changed": len(self.body["ids"])}, {}
        if parts == ["threats"]:
            limit = int(self.query.get("limit", 50))
            found = world.search(self.query)
            more = {"next": str(found[limit - 1]["seq"])} if len(found) > limit else {}
            return 200, {"success": True, "threats": found[:limit], "count": len(found[:limit]), "total": len(found), **more}, {}
        if parts[0] == "threats" and len(parts) == 3 and parts[2] == "comments":
            self.user("analyst")
            return 200, {"success": True, "threat": world.change(urllib.parse.unquote(parts[1]), {"comment": self.body["text"]}, user["username"])}, {}
        if parts[0] == "threats" and len(parts) == 2:
            ident = urllib.parse.unquote(parts[1])
            if method == "PATCH":
                self.user("analyst")
                version = self.headers.get("If-Match")
                record = world.change(ident, self.body, user["username"], int(version.strip('"')) if version else None)
                return 200, {"success": True, "threat": record}, {"ETag": f'"{record["triage"]["version"]}"'}
            return 200, {"success": True, "threat": world.find(ident)}, {}
        if parts == ["statistics"]:
            return 200, {"success": True, "statistics": world.statistics(self.query)}, {}
        if parts == ["clear-threats"]:
            self.user("admin")
            ids = list(world.threats)
            world.threats.clear()
            world.publish("threats_removed", data={"ids": ids})
            return 200, {"success": True, "count": len(ids)}, {}
        if parts == ["status"]:
            return 200, {"success": True, "monitoring": world.monitoring, "detector": world.detector}, {}
        if parts == ["interfaces"]:
            self.user("analyst")
            return 200, {"success": True, "interfaces": world.interfaces}, {}
        if parts == ["sensors"]:
            return 200, {"success": True, "sensors": world.sensors}, {}
        if parts in (["start-monitoring"], ["stop-monitoring"]):
            return self.monitor(parts[0] == "start-monitoring")
        if parts == ["upload-pcap"]:
            self.user("analyst")
            ident = secrets.token_hex(4)
            name = self.raw.split(b'filename="', 1)[1].split(b'"', 1)[0].decode()
            world.docs["uploads"][ident] = {"id": ident, "fileName": name, "state": "done", "bytes": len(self.raw),
                                            "packets": 0, "flows": 0, "threats": 0, "sha256": "0" * 64, "createdAt": now()}
            return 202, {"success": True, "job": ident}, {}
        if parts[0] == "uploads":
            return self.docs("uploads", parts[1:], user)
        raise Failure(404, "not_found", "no such thing")

    def monitor(self, start):
        self.user("admin")
        world = self.world
        if start == world.monitoring["active"]:
            raise Failure(409, "conflict", "Monitoring is already active" if start else "Monitoring is not active")
        seconds = self.body.get("duration", 0)
        ends = datetime.fromtimestamp(time.time() + seconds, timezone.utc).isoformat() if seconds else None
        world.monitoring = ({"active": True, "interface": self.body["interface"], "startedAt": now(), "endsAt": ends}
                            if start else {"active": False, "interface": None, "startedAt": None, "endsAt": None})
        kind = f"network_monitoring_{'started' if start else 'stopped'}"
        world.publish("monitoring_event", data={"type": kind, "data": world.monitoring, "timestamp": now()})
        return 200, {"success": True}, {}

    def docs(self, kind, parts, user):
        shelf = self.world.docs[kind]
        if self.command == "GET" and not parts:
            return 200, {"success": True, kind: list(shelf.values())}, {}
        if self.command == "GET":
            return 200, {"success": True, kind.rstrip("s"): shelf[parts[0]]}, {}
        self.user("analyst")
        if self.command == "POST" and not parts:
            ident = secrets.token_hex(4)
            shelf[ident] = {"id": ident, **self.body, "author": user["username"], "createdAt": now()}
            return 201, {"success": True, kind.rstrip("s"): shelf[ident]}, {}
        if self.command == "DELETE" and parts[0] in shelf:
            del shelf[parts[0]]
            return 200, {"success": True}, {}
        raise Failure(404, "not_found", "no such thing")

    def test(self, what):
        world = self.world
        if what == "set":
            for name, value in self.body.items():
                setattr(world, name, set(value) if name == "broken" else value)
        elif what == "forget":
            world.floor = world.seq
            world.events.clear()
        elif what == "cut":
            for waiting in world.streams.values():
                waiting.put(None)
        elif what == "event":
            world.publish(self.body.pop("type"), durable=self.body.pop("durable", False), **self.body)
        elif what == "end":
            self.end(self.body["user"])
        elif what == "change":
            world.change(self.body["id"], self.body["set"], self.body.get("actor", "someone"))
        return 200, {"success": True, "streams": len(world.streams)}, {}

    def stream(self):
        try:
            user = self.user()
        except Failure as failure:
            return self.send(failure.status, json.dumps(failure.body).encode(), "application/json")
        world = self.world
        self.close_connection = True
        waiting = queue.Queue()
        key = (user["username"], id(waiting))
        last = self.headers.get("Last-Event-ID") or self.query.get("last_event_id") or ""
        with world.lock:
            hello = {"type": "connection", "message": "Connected to real-time threat stream", "timestamp": now(), "user": user["username"]}
            first = f"retry: 2000\n\nid: {world.store}.{world.seq}\ndata: {json.dumps(hello)}\n\n"
            if last:
                name, _, seq = last.rpartition(".")
                if name != world.store or int(seq) < world.floor:
                    first += f"id: {world.store}.{world.seq}\ndata: {json.dumps({'type': 'gap', 'from': last, 'to': world.seq})}\n\n"
                else:
                    replay = "".join(frame for n, frame in world.events if n > int(seq))
                    first = f"retry: 2000\n\n{replay}id: {world.store}.{world.seq}\ndata: {json.dumps(hello)}\n\n"
            world.streams[key] = waiting
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Accel-Buffering", "no")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(first.encode())
            while True:
                try:
                    frame = waiting.get(timeout=15)
                except queue.Empty:
                    frame = f"data: {json.dumps({'type': 'heartbeat', 'timestamp': now()})}\n\n"
                if frame is None:
                    break
                if not world.silent:
                    self.wfile.write(frame.encode())
                    self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with world.lock:
                world.streams.pop(key, None)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def start(world=None, port=0):
    """A running server; its address is server.url, what it knows is server.world."""
    world = world or World()
    server = Server(("127.0.0.1", port), type("Bound", (Handler,), {"world": world}))
    server.world = world
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    import sys
    running = start(port=int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
    print(running.url, flush=True)
    threading.Event().wait()
