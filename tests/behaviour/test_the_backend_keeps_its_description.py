"""schemathesis makes requests from openapi.yaml, right ones and wrong ones, and holds every answer to it: all checks, for each role."""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

from backend_fixture import ROOT, Backend, free_port, threat
from programs import Detector

ROLES = ("nobody", "viewer", "analyst", "admin")
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "2"))  # of an operation, beside those of the limits of each of its members
PASSWORD = "a good long password"


def test_every_answer_to_every_role_is_as_described(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(len(ROLES)) as pool:  # each waits for the other most of the time
        wrong = [text for text in pool.map(lambda role: run(role, tmp_path / role), ROLES) if text]
    assert not wrong, "\n\n".join(wrong)


def run(role, folder):
    """"" when all is as described, else what was not."""
    folder.mkdir()
    secret = folder / "webhook.secret"
    secret.write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    secret.chmod(0o600)
    port = free_port()
    backend = Backend("--detector", f"local=http://127.0.0.1:{port}", "--webhook-secret-file", str(secret),
                      "--trusted-networks", "none" if role == "nobody" else "127.0.0.0/8").start()
    detector = Detector(folder / "detector", port=port).start(seconds=60)
    try:
        headers, own = [], ""
        if role != "nobody":
            backend.deliver([threat() for _ in range(20)])
            own = backend.post("/api/users", json={"username": "somebody", "role": role, "password": PASSWORD}).json()["user"]["id"]
            headers = ["--header", f"Authorization: Bearer {backend.login('somebody', PASSWORD)}"]
        done = subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(ROOT / "tests/schemathesis.toml"), "run",
             str(ROOT / "backend/openapi.yaml"), "--url", backend.url(""), *headers, "--checks", "all", "--max-examples", str(EXAMPLES),
             "--seed", "7", "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--request-timeout", "60", "--no-color",
             # A stream has no end, and who logs out or takes another password cannot go on.
             "--exclude-path", "/api/network/stream", "--exclude-path", "/api/auth/logout", "--exclude-path", "/api/auth/password"],
            cwd=folder, capture_output=True, text=True, timeout=900,
            env=os.environ | {"OWN_ID": own, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(ROOT / "tests"),
                              "PYTHONDONTWRITEBYTECODE": "1"})
        tested = re.search(r"Tested: (\d+)", done.stdout)
        fine = done.returncode == 0 and tested and int(tested[1]) >= 60
        fine = fine and backend.process.poll() is None and detector.alive() and " 500 " not in done.stdout
        watched = set(re.findall(r"event=monitor.started .*?source=(\S+)", detector.log()))
        assert watched == ({"simulator"} if role == "admin" else set()), f"{role} had {watched} watched"
        return "" if fine else f"{role}:\n{done.stdout[-20000:]}{done.stderr[-2000:]}"
    finally:
        detector.stop()
        backend.close()
