"""Tokens that others made, requests that mean two things, names that lead elsewhere: refused, and nothing is learnt from it."""
import base64
import csv
import hashlib
import hmac
import io
import json
import socket
import time

import pytest
import requests

from backend_fixture import Backend, backend_with_detector, sign, threat, wait_until
from crafted import scan, write_pcap

KEY = "k" * 48
WEBHOOK = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    for name, text in (("jwt.key", KEY), ("webhook.secret", f"edge-1 {WEBHOOK}\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    b = Backend("--jwt-key-file", str(folder / "jwt.key"), "--webhook-secret-file", str(folder / "webhook.secret"),
                "--trusted-networks", "none").start()
    yield b
    b.close()


# --- tokens ---

def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(claims, key=KEY, algorithm="HS256", signs=hashlib.sha256):
    text = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}"
    mac = hmac.new(key.encode(), text.encode(), signs).digest()
    return text + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def claims_of(text):
    middle = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


def opens(backend, text):
    answers = [backend.get("/api/auth/me", token=text).status_code,
               requests.get(backend.url("/api/auth/me"), cookies={"threatline_session": text}, timeout=30).status_code]
    with requests.get(backend.url("/api/network/stream"), params={"token": text}, stream=True, timeout=30) as answer:
        answers.append(answer.status_code)
    return answers


def test_a_token_of_our_own_making_opens_when_all_of_it_is_right(backend):
    """Else the refusals below would prove nothing."""
    claims = claims_of(backend.login())
    assert opens(backend, token(claims))[0] == 200 and opens(backend, token(claims))[2] == 200


@pytest.mark.parametrize("spoil", ["expired", "not yet", "no end", "another key", "no key", "another issuer", "no issuer", "HS512", "HS384",
                                   "none", "none with a signature", "RS256", "another session", "no session"])
def test_a_token_that_is_not_ours_opens_nothing(backend, spoil):
    claims, now = claims_of(backend.login()), int(time.time())
    session = next(name for name in ("sid", "session", "jti") if name in claims)
    made = {
        "expired": lambda: token(claims | {"exp": now - 1, "iat": now - 1000, "nbf": now - 1000}),
        "not yet": lambda: token(claims | {"nbf": now + 600, "exp": now + 1200}),
        "no end": lambda: token({k: v for k, v in claims.items() if k != "exp"}),
        "another key": lambda: token(claims, key="x" * 48),
        "no key": lambda: token(claims, key=""),
        "another issuer": lambda: token(claims | {"iss": "somebody"}),
        "no issuer": lambda: token({k: v for k, v in claims.items() if k != "iss"}),
        "HS512": lambda: token(claims, algorithm="HS512", signs=hashlib.sha512),
        "HS384": lambda: token(claims, algorithm="HS384", signs=hashlib.sha384),
        "none": lambda: token(claims, algorithm="none").rpartition(".")[0] + ".",
        "none with a signature": lambda: token(claims, algorithm="none"),
        "RS256": lambda: token(claims, algorithm="RS256"),
        "another session": lambda: token(claims | {session: "x" * len(str(claims[session]))}),
        "no session": lambda: token({k: v for k, v in claims.items() if k != session}),
    }[spoil]()
    assert opens(backend, made) == [401, 401, 401], spoil


# --- signatures ---

def test_a_request_that_is_played_again_changes_nothing(backend):
    body = json.dumps(threat(sensor="edge-1")).encode()
    headers = sign(WEBHOOK, body, identity="msg_replayed")
    first = requests.post(backend.url("/api/network/webhook"), data=body, headers=headers, timeout=30)
    again = requests.post(backend.url("/api/network/webhook"), data=body, headers=headers, timeout=30)
    assert first.status_code == again.status_code == 200
    assert first.json().get("status") == "stored" and again.json()["status"] == "duplicate", (first.text, again.text)
    identity = json.loads(body)["threat_id"]
    assert [t["threat_id"] for t in backend.history()].count(identity) == 1
    late = sign(WEBHOOK, body, identity="msg_replayed", at=time.time() - 301)
    assert requests.post(backend.url("/api/network/webhook"), data=body, headers=late, timeout=30).status_code == 401
    moved = headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 100)}
    assert requests.post(backend.url("/api/network/webhook"), data=body, headers=moved, timeout=30).status_code == 401


# --- requests ---

def raw(backend, text, seconds=30):
    """All that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", backend.port), timeout=seconds) as s:
        s.sendall(text if isinstance(text, bytes) else text.encode())
        got = b""
        try:
            s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                got += piece
        except OSError:  # it closed before it had read all
            pass
        return got


SMUGGLED = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("headers,body", [
    ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
    ("Content-Length: 0\r\nContent-Length: 40\r\n", ""),
    ("Content-Length: 5\r\ncontent-length: 5\r\n", "hello"),
    ("Content-Length: 1, 40\r\n", "x"),
    ("Content-Length: +5\r\n", "hello"),
    ("Content-Length: -1\r\n", ""),
    ("Content-Length: 0x5\r\n", "hello"),
    ("Content-Length: 99999999999999999999\r\n", ""),
    ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    (" Content-Length: 40\r\n", ""),
    ("X: a\r\n b\r\n", ""),
], ids=lambda value: repr(value)[:40])
def test_a_request_that_means_two_things_is_refused_and_what_hides_behind_it_unheard(backend, headers, body):
    got = raw(backend, f"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n{body}{SMUGGLED}")
    assert got.startswith(b"HTTP/1.1 400") or got.startswith(b"HTTP/1.1 413") or got.startswith(b"HTTP/1.1 501"), got[:200]
    assert got.count(b"HTTP/1.1 ") == 1, "the second request was heard"


@pytest.mark.parametrize("head", [
    "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + "a" * 70000 + "\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: x\r\n" + "".join(f"X-{n}: a\r\n" for n in range(2000)) + "\r\n",
    "GET /" + "a" * 70000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /healthz?" + "a=b&" * 20000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=["one header", "many headers", "path", "query"])
def test_a_head_that_is_too_large_is_refused_and_others_go_on(backend, head):
    try:
        got = raw(backend, head)
    except ConnectionError:  # closed before all of it was read
        got = b""
    assert got == b"" or got.split()[1] in (b"400", b"413", b"414", b"431"), got[:200]
    assert requests.get(backend.url("/healthz"), timeout=30).status_code == 200


@pytest.mark.parametrize("path", ["/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/js/..%5c..%5cetc/passwd",
                                  "/js/%00/app.js", "//etc/passwd", "/js/./../../backend/main.c", "/.%2e/Makefile", "/js/....//....//Makefile"])
def test_no_path_leads_out_of_the_dashboards_folder(backend, path):
    with socket.create_connection(("127.0.0.1", backend.dashboard_port), timeout=30) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while piece := s.recv(65536):
            got += piece
    assert got.split()[1] in (b"400", b"403", b"404"), got[:200]
    assert b"root:" not in got and b"#include" not in got


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """A folder, and a backend whose uploads are read."""
    folder = tmp_path_factory.mktemp("reading")
    write_pcap(folder / "scan.pcap", scan())
    with backend_with_detector(folder / "detector") as (b, _):
        yield folder, b


@pytest.mark.parametrize("name", ["../../../../tmp/threatline-out.pcap", "/tmp/threatline-out.pcap", "..\\..\\out.pcap", "a/../../b.pcap",
                                  "x\x07.pcap", "n" * 300 + ".pcap", "..", "",
                                  "\xe4\xff.pcap", "\xc3\xa4" * 200])
def test_the_name_of_an_upload_leads_nowhere(reading, name):
    folder, b = reading

    def files():
        return {p for p in folder.rglob("*") if "detector" not in p.parts} | {p for p in b.data_dir.rglob("*") if "uploads" not in p.parts}

    outside, boundary = files(), "b" * 20
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="pcap"; filename="'.encode() + name.encode("latin-1")
            + b'"\r\nContent-Type: application/octet-stream\r\n\r\n' + (folder / "scan.pcap").read_bytes() + f"\r\n--{boundary}--\r\n".encode())
    answer = b.post("/api/network/upload-pcap?wait=1", data=body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code == 200:
        shown = answer.json()["fileName"]
        assert "/" not in shown and "\\" not in shown and "\x07" not in shown and shown not in ("..", "."), shown
    assert {p.name for p in files() - outside} <= {"threatline.db-wal", "threatline.db-shm"}
    uploads = b.data_dir / "uploads"
    wait_until(lambda: not any(p.is_file() for p in uploads.rglob("*")), 30)  # else the file stays behind


# --- exports ---

def test_no_cell_of_a_csv_is_a_formula(backend):
    headers = {"X-API-Key": backend.post("/api/keys", json={"name": "w", "scopes": ["webhook"]}).json()["key"]}
    nasty = ["=cmd|'/c calc'!A0", "+1+2", "-1+2", "@SUM(1)", "=HYPERLINK(\"http://x\")", "=1,2\"3"]
    for value in nasty:
        assert backend.send(threat(protocol=value[:32].replace(" ", "_"), community_id=value[:64].replace(" ", "_")), headers=headers).status_code in (200, 400)
    rows = list(csv.reader(io.StringIO(backend.get("/api/network/threats/export?format=csv").text)))
    assert len(rows) > 3
    for row in rows:
        assert len(row) == len(rows[0])
        for cell in row:
            assert cell[:1] not in ("=", "+", "@", "\t", "\r"), cell
            assert cell[:1] != "-" or cell[1:].replace(".", "").isdigit(), cell
