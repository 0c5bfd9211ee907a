"""People: logins, sessions, roles, users, keys and the audit log, on the real program and on each store."""

import concurrent.futures
import os
import subprocess

import pytest
import requests

from backend_fixture import PASSWORD, PROGRAM, Backend, Stream, threat, wait_until


@pytest.fixture(scope="module")
def backend(on_each_store):
    b = on_each_store()
    yield b
    b.close()


@pytest.fixture()
def fresh():
    """One whose limits on logins no other test has touched."""
    b = Backend().start()
    yield b
    b.close()


def login(backend, name, password, **headers):
    return requests.post(backend.url("/api/auth/login"), json={"username": name, "password": password},
                         headers=headers, timeout=20)


def make_user(backend, name, role, password="a good password"):
    answer = backend.post("/api/users", json={"username": name, "password": password, "role": role})
    assert answer.status_code == 201, answer.text
    return answer.json()["user"]


def test_a_login_answers_as_the_contract_says(backend):
    answer = login(backend, "admin", PASSWORD)
    body = answer.json()
    assert answer.status_code == 200 and body["success"] is True and body["message"] == "Login successful"
    assert set(body["user"]) == {"id", "username", "email", "role"} and body["user"]["role"] == "admin"
    assert body["token"].count(".") == 2 and body["expiresAt"].endswith("Z")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("threatline_session=") and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert answer.headers["Cache-Control"] == "no-store"


def test_wrong_bodies_are_named(backend):
    answer = requests.post(backend.url("/api/auth/login"), json={"username": 7}, timeout=5)
    assert answer.status_code == 400
    assert {d["field"] for d in answer.json()["details"]} == {"username", "password"}
    for body in ("", "{", "[]", "null", '"x"'):
        answer = requests.post(backend.url("/api/auth/login"), data=body, timeout=5,
                               headers={"Content-Type": "application/json"})
        assert answer.status_code == 400 and answer.json()["success"] is False


def checks(backend):
    text = requests.get(backend.url("/metrics"), timeout=20).text
    return int(next(line for line in text.splitlines() if line.startswith("threatline_password_checks_total ")).split()[1])


def test_a_wrong_password_and_an_unknown_name_look_the_same_and_cost_the_same(fresh):
    make_user(fresh, "gone", "viewer")
    user = next(u for u in fresh.get("/api/users").json()["users"] if u["username"] == "gone")
    assert fresh.call("PATCH", f"/api/users/{user['id']}", json={"disabled": True}).status_code == 200
    answers = []
    for name in ("admin", "nobody", "gone", "n" * 128):
        before = checks(fresh)
        answer = login(fresh, name, "wrong password")
        assert checks(fresh) == before + 1, f"{name}: Argon2id has to run once, as for everybody"
        answers.append((answer.status_code, {k: v for k, v in answer.json().items()}, sorted(answer.headers)))
    assert all(a == answers[0] for a in answers) and answers[0][0] == 401
    assert answers[0][1]["message"] == "Invalid credentials"


def test_the_sixth_failure_is_told_to_wait_and_the_right_password_too(fresh):
    for _ in range(5):
        assert login(fresh, "admin", "wrong").status_code == 401
    answer = login(fresh, "admin", PASSWORD)
    assert answer.status_code == 429 and 0 < int(answer.headers["Retry-After"]) <= 900
    assert login(fresh, "ADMIN", PASSWORD).status_code == 429
    assert login(fresh, "somebody", "wrong").status_code == 401  # names are counted apart


def test_a_success_forgets_the_failures_before_it(fresh):
    for _ in range(3):
        for _ in range(4):
            assert login(fresh, "admin", "wrong").status_code == 401
        assert login(fresh, "admin", PASSWORD).status_code == 200


def test_many_guesses_at_once_do_not_slip_through(fresh):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        codes = [f.result().status_code for f in [pool.submit(login, fresh, "admin", "wrong") for _ in range(12)]]
    assert codes.count(401) <= 5 and set(codes) <= {401, 429, 503}


def test_a_refresh_gives_another_token_for_the_same_session(backend):
    first = backend.login()
    answer = backend.post("/api/auth/refresh", token=first)
    assert answer.status_code == 200
    second = answer.json()["token"]
    assert backend.get("/api/auth/me", token=second).json()["user"]["username"] == "admin"
    assert backend.post("/api/auth/logout", token=second).status_code == 200
    assert backend.get("/api/auth/me", token=first).status_code == 401


def test_a_logout_ends_tokens_cookie_and_streams(backend):
    session = requests.Session()
    answer = session.post(backend.url("/api/auth/login"), json={"username": "admin", "password": PASSWORD}, timeout=10)
    token = answer.json()["token"]
    stream = Stream(backend, token=token)
    stream.next("connection")
    other = Stream(backend)
    other.next("connection")
    assert session.get(backend.url("/api/auth/me"), timeout=5).status_code == 200
    answer = session.post(backend.url("/api/auth/logout"), timeout=5,
                          headers={"Origin": f"http://127.0.0.1:{backend.dashboard_port}"})
    assert answer.status_code == 200
    assert stream.ended.wait(2), "the stream lived on"
    assert not other.ended.is_set()
    assert backend.get("/api/auth/me", token=token).status_code == 401
    assert session.get(backend.url("/api/auth/me"), timeout=5).status_code == 401
    other.close()


def test_a_write_by_cookie_needs_our_origin(backend):
    session = requests.Session()
    session.post(backend.url("/api/auth/login"), json={"username": "admin", "password": PASSWORD}, timeout=10)
    url = backend.url("/api/searches")
    for origin, status in ((None, 403), ("http://evil.example", 403), ("null", 403),
                           (f"http://127.0.0.1:{backend.dashboard_port}", 201),
                           (f"http://127.0.0.1:{backend.port}", 201)):
        answer = session.post(url, json={"name": "mine", "q": "type:port_scan"}, timeout=5,
                              headers={"Origin": origin} if origin else {})
        assert answer.status_code == status, (origin, answer.text)
    assert login(backend, "admin", PASSWORD, Origin="http://evil.example").status_code == 403


def test_a_forged_token_opens_nothing(backend):
    head, body, signature = backend.login().split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    for token in (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}.", f"{head}.{body}.{'A' * 43}",
                  f"{head}.{body}", "x", "..", "a" * 5000, "W1tb" * 100 + ".W1tb.AA"):
        answer = backend.get("/api/auth/me", token=token)
        assert answer.status_code in (400, 401), (token, answer.status_code)
        if answer.status_code == 401:
            assert "invalid_token" in answer.headers["WWW-Authenticate"]
    assert backend.get("/api/auth/me", token=False).headers["WWW-Authenticate"] == 'Bearer realm="threatline"'


def test_the_token_in_the_query_opens_the_stream_alone(backend):
    token = backend.login()
    assert backend.get(f"/api/network/threats/history?token={token}", token=False).status_code == 401
    stream = Stream(backend, token=token)
    assert stream.status == 200
    stream.close()


def test_each_role_may_do_what_the_table_says(backend):
    make_user(backend, "vera", "viewer")
    make_user(backend, "ana", "analyst")
    tokens = {"viewer": backend.login("vera", "a good password"), "analyst": backend.login("ana", "a good password"),
              "admin": backend.token(), "nobody": False}
    rows = [("GET", "/api/auth/me", "viewer"), ("GET", "/api/network/threats/history", "viewer"),
            ("GET", "/api/assignees", "analyst"), ("GET", "/api/suppressions", "analyst"),
            ("GET", "/api/blocklist", "analyst"), ("POST", "/api/suppressions/preview", "analyst"),
            ("PATCH", "/api/network/threats/x", "analyst"), ("POST", "/api/network/threats/bulk", "analyst"),
            ("GET", "/api/users", "admin"), ("POST", "/api/users", "admin"), ("GET", "/api/keys", "admin"),
            ("GET", "/api/audit", "admin"), ("GET", "/api/notifications", "admin"),
            ("POST", "/api/network/clear-threats", "admin")]
    order = ["nobody", "viewer", "analyst", "admin"]
    for method, path, least in rows:
        for role, token in tokens.items():
            answer = backend.call(method, path, token=token, json={} if method != "GET" else None)
            if role == "nobody":
                assert answer.status_code == 401, (method, path)
            elif order.index(role) < order.index(least):
                assert answer.status_code == 403, (method, path, role)
            else:
                assert answer.status_code not in (401, 403, 500), (method, path, role, answer.text)


def test_a_disabled_user_loses_sessions_and_streams_at_once(backend):
    user = make_user(backend, "dora", "viewer")
    token = backend.login("dora", "a good password")
    stream = Stream(backend, token=token)
    stream.next("connection")
    answer = backend.call("PATCH", f"/api/users/{user['id']}", json={"disabled": True})
    assert answer.status_code == 200 and answer.json()["user"]["disabled"] is True
    assert stream.ended.wait(2)
    assert backend.get("/api/auth/me", token=token).status_code == 401
    assert login(backend, "dora", "a good password").status_code == 401
    backend.call("PATCH", f"/api/users/{user['id']}", json={"disabled": False})
    assert login(backend, "dora", "a good password").status_code == 200


def test_a_changed_password_ends_the_other_sessions(backend):
    make_user(backend, "paul", "viewer")
    here, there = backend.login("paul", "a good password"), backend.login("paul", "a good password")
    change = {"currentPassword": "wrong", "newPassword": "a better password"}
    assert backend.call("PUT", "/api/auth/password", token=here, json=change).status_code == 403
    change["currentPassword"] = "a good password"
    assert backend.call("PUT", "/api/auth/password", token=here, json={**change, "newPassword": "short"}).status_code == 400
    assert backend.call("PUT", "/api/auth/password", token=here, json=change).status_code == 200
    assert backend.get("/api/auth/me", token=here).status_code == 200
    assert backend.get("/api/auth/me", token=there).status_code == 401
    assert login(backend, "paul", "a good password").status_code == 401
    assert login(backend, "paul", "a better password").status_code == 200


def test_there_is_always_an_admin(backend):
    me = backend.get("/api/auth/me").json()["user"]["id"]
    for change in ({"role": "viewer"}, {"disabled": True}):
        assert backend.call("PATCH", f"/api/users/{me}", json=change).status_code == 409
    assert backend.call("DELETE", f"/api/users/{me}").status_code == 409
    other = make_user(backend, "second", "admin")
    assert backend.call("PATCH", f"/api/users/{other['id']}", json={"role": "viewer"}).status_code == 200
    assert backend.call("DELETE", f"/api/users/{other['id']}").status_code == 200
    assert backend.call("DELETE", f"/api/users/{other['id']}").status_code == 404


def test_names_are_unique_whatever_their_case_and_rows_are_checked(backend):
    make_user(backend, "Zoe", "viewer")
    again = {"username": "zOE", "password": "a good password", "role": "viewer"}
    assert backend.post("/api/users", json=again).status_code == 409
    for wrong in ({"username": "a b"}, {"role": "root"}, {"password": "short"}, {"email": "nowhere"}, {"username": 5}):
        answer = backend.post("/api/users", json={**again, "username": "fine", **wrong})
        assert answer.status_code == 400 and answer.json()["details"][0]["field"] == next(iter(wrong))
    listed = backend.get("/api/users").json()["users"]
    assert "password" not in str(listed) and "argon2" not in str(listed)


def test_keys_do_what_their_scopes_say_and_are_shown_once(backend):
    made = {}
    for scope in ("webhook", "read", "feed", "control"):
        answer = backend.post("/api/keys", json={"name": f"for {scope}", "scopes": [scope]})
        assert answer.status_code == 201
        made[scope] = answer.json()
    listed = backend.get("/api/keys").json()["keys"]
    assert not any(made[scope]["key"] in str(listed) for scope in made)
    rows = [("GET", "/api/network/threats/history", {"read"}), ("GET", "/api/network/threats/export?format=csv", {"read"}),
            ("GET", "/api/blocklist?format=txt", {"feed"}), ("POST", "/api/network/stop-monitoring", {"control"}),
            ("GET", "/api/network/status", {"control", "read"}), ("GET", "/api/users", set()), ("GET", "/api/audit", set()),
            ("POST", "/api/keys", set()), ("GET", "/api/suppressions", set())]
    for method, path, scopes in rows:
        for scope, key in made.items():
            answer = backend.call(method, path, token=False, headers={"X-API-Key": key["key"]})
            if scope in scopes:
                assert answer.status_code not in (401, 403), (method, path, scope, answer.text)
            else:
                assert answer.status_code == 403, (method, path, scope, answer.text)
    assert requests.post(backend.url("/api/network/webhook"), json=threat(), timeout=5,
                         headers={"X-API-Key": made["webhook"]["key"]}).status_code == 200
    assert backend.call("DELETE", f"/api/keys/{made['read']['record']['id']}").status_code == 200
    assert backend.call("GET", "/api/network/threats/history", token=False,
                        headers={"X-API-Key": made["read"]["key"]}).status_code == 401
    assert backend.call("GET", "/api/network/threats/history", token=False,
                        headers={"X-API-Key": "tlk_" + "x" * 40}).status_code == 401


def test_the_audit_log_tells_who_did_what_from_where(backend):
    make_user(backend, "audited", "viewer")
    login(backend, "audited", "wrong password")
    rows = backend.get("/api/audit?limit=200").json()["audit"]
    made = next(r for r in rows if r["action"] == "user_created" and r["details"]["username"] == "audited")
    assert made["user"] == "admin" and made["address"] == "127.0.0.1" and made["status"] == "success"
    failed = backend.get("/api/audit?action=login&status=failed&user=audited").json()["audit"]
    assert len(failed) == 1
    assert "wrong password" not in str(rows) and "a good password" not in str(rows)
    first = backend.get("/api/audit?limit=2").json()
    second = backend.get(f"/api/audit?limit=2&cursor={first['next']}").json()
    assert [r["id"] for r in first["audit"] + second["audit"]] == [r["id"] for r in rows[:4]] \
        or len(set(r["id"] for r in first["audit"] + second["audit"])) == 4
    assert backend.get("/api/audit?from=yesterday").status_code == 400
    assert backend.get("/api/audit?limit=0").status_code == 400


@pytest.mark.parametrize("on_each_store", ["mongodb"], indirect=True)  # SQLite serves one backend
def test_what_one_backend_ends_ends_on_the_other(backend):
    other = Backend(mongodb_uri=backend.uri).start()
    try:
        user = make_user(backend, "wanda", "viewer")
        token = backend.login("wanda", "a good password")
        assert other.get("/api/auth/me", token=token).status_code == 200  # a login counts at once
        stream = Stream(other, token=token)
        stream.next("connection")
        backend.call("PATCH", f"/api/users/{user['id']}", json={"disabled": True})
        wait_until(lambda: other.get("/api/auth/me", token=token).status_code == 401, 30)
        assert stream.ended.wait(30)
    finally:
        other.close()


def test_the_console_adds_lists_and_mends_users(fresh):
    def console(*arguments, text=""):
        return subprocess.run([PROGRAM, "user", *arguments, "--data-dir", str(fresh.data_dir)], input=text, text=True,
                              env={k: v for k, v in os.environ.items() if k != "MONGODB_URI"}, capture_output=True, timeout=20)

    added = console("add", "carla", "analyst", text="a good password\n")
    assert added.returncode == 0, added.stderr
    wait_until(lambda: login(fresh, "carla", "a good password").status_code == 200, 10)
    assert console("add", "carla", "analyst", text="a good password\n").returncode == 1
    assert console("add", "x y", "analyst", text="a good password\n").returncode == 2
    assert console("add", "dan", "root", text="a good password\n").returncode == 2
    token = fresh.login("carla", "a good password")
    assert console("passwd", "carla", text="another password\n").returncode == 0
    wait_until(lambda: fresh.get("/api/auth/me", token=token).status_code == 401, 10)
    assert "carla" in console("list").stdout and "password" not in console("list").stdout
    assert console("fly").returncode == 2


def test_no_secret_gets_into_the_log(fresh):
    token = fresh.login()
    Stream(fresh, token=token).close()
    login(fresh, "admin", "guess-me-not-please")
    key = fresh.post("/api/keys", json={"name": "k", "scopes": ["read"]}).json()["key"]
    fresh.call("GET", "/api/network/threats/history", token=False, headers={"X-API-Key": key})
    fresh.stop()
    log = fresh.log()
    for secret in (token, token.split(".")[2], PASSWORD, "guess-me-not-please", key):
        assert secret not in log


def test_the_first_password_is_printed_once_and_works(tmp_path):
    program = Backend(data_dir=tmp_path)
    i = program.command.index("--admin-password-file")
    del program.command[i:i + 2]
    program.start()
    try:
        line = next(text for text in program.log().splitlines() if text.startswith("First password of user admin: "))
        password = line.rpartition(" ")[2]
        assert len(password) == 20
        assert login(program, "admin", password).status_code == 200
        program.stop()
        program.start()
        assert program.log().count("First password") == 1
    finally:
        program.close()
