"""What the tests of notices share: targets and how they fare."""


def make_target(backend, **body):
    answer = backend.post("/api/notifications", json={"name": "here", **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def state_of(backend, identity):
    return next(n for n in backend.get("/api/notifications").json()["notifications"] if n["id"] == identity)["state"]
