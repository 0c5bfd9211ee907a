"""What Lighthouse (desktop preset) says of the page behind nginx, as the compose file serves it; run by bench.py. Prints one JSON object:
{view: {performance, accessibility, best-practices, transferred, complaints}}, scores from 0 to 100."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

import requests  # noqa: E402

from browser import ARGS, CHROMIUM, threat  # noqa: E402
from programs import PASSWORD, free_port, wait_for  # noqa: E402
from sites import site_with_detector  # noqa: E402

VERSION = "12.8.2"
SCORES = ("performance", "accessibility", "best-practices")
VIEWS = {"sign in": None, "live": "live", "inbox": "inbox", "history": "history?q=type:port_scan", "sensors": "sensors"}


@contextlib.contextmanager
def nginx(folder, backend):
    """The project's own nginx.conf and backends.conf, with this machine's ports and folder in place of the container's."""
    port = free_port()
    text = (ROOT / "frontend-static" / "nginx.conf").read_text()
    backends = (ROOT / "frontend-static" / "backends.conf").read_text()
    assert "backend:5000" in backends, backends
    (folder / "backends.conf").write_text(backends.replace("backend:5000", f"127.0.0.1:{backend.port}"))
    for old, new in {"/etc/nginx/backends.conf": str(folder / "backends.conf"), "listen 3000": f"listen 127.0.0.1:{port}", "/srv/threatline": str(ROOT / "build" / "www"),
                     "/tmp/nginx": str(folder / "nginx"), "/dev/stdout": str(folder / "access.log"), "/dev/stderr": str(folder / "error.log")}.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-g", "daemon off;"])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(url), 30, why="nginx does not answer")
        yield url
    finally:
        process.terminate()
        process.wait(15)


def answers(url):
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def judge(lighthouse, url, cookie, out):
    subprocess.run([lighthouse, url, "--quiet", "--preset=desktop", "--output=json", f"--output-path={out}", f"--only-categories={','.join(SCORES)}",
                    f"--chrome-flags={' '.join(['--headless=new', *ARGS])}", *([f"--extra-headers={json.dumps({'Cookie': cookie})}"] if cookie else [])],
                   check=True, timeout=240, stdout=subprocess.DEVNULL, env={**os.environ, "CHROME_PATH": CHROMIUM})
    report = json.loads(out.read_text())
    audits = report["audits"]
    low = [a["title"] for a in audits.values() if a["score"] is not None and a["score"] < 0.9 and a["scoreDisplayMode"] in ("binary", "numeric", "metricSavings")]
    return {**{name: round(100 * report["categories"][name]["score"]) for name in SCORES},
            "transferred": audits["total-byte-weight"]["numericValue"], "paint_ms": audits["first-contentful-paint"]["numericValue"],
            "interactive_ms": audits["interactive"]["numericValue"], "complaints": low, "warnings": report["runWarnings"]}


def main():
    tool = subprocess.run([ROOT / "scripts" / "node.sh", "build/node-lighthouse", f"lighthouse@{VERSION}"], check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="lighthouse-") as name:
        folder = pathlib.Path(name)
        with site_with_detector(folder) as (site, _):
            site.send(*(threat(n) for n in range(1, 101)))
            with nginx(folder, site.backend) as url:
                answer = requests.post(f"{url}/api/auth/login", json={"username": "admin", "password": PASSWORD}, timeout=10)
                cookie = re.match(r"[^;]+", answer.headers["Set-Cookie"]).group()
                got = {view: judge(f"{tool}/node_modules/.bin/lighthouse", f"{url}/#/{where or 'live'}", cookie if where else None, folder / "report.json")
                       for view, where in VIEWS.items() if not sys.argv[1:] or view in sys.argv[1:]}
    print(json.dumps(got))


main()
