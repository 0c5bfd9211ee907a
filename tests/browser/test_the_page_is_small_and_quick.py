import gzip
import pathlib
import re
import subprocess
import time

import pytest

from browser import expect, fill_in
from sites import Backend

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATIC = ROOT / "frontend-static"
TRANSFERRED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .map((e) => [new URL(e.name).pathname, e.transferSize, e.decodedBodySize])"""
LATER = {"js/theme.js", "js/stream-worker.js", "js/app.js"}  # in the head by itself, in the worker, the entry


def modules():
    return {p.relative_to(STATIC).as_posix() for p in STATIC.glob("js/**/*.js")}


def test_every_module_is_preloaded():
    listed = set(re.findall(r'rel="modulepreload" href="([^"]+)"', (STATIC / "index.html").read_text()))
    assert listed == modules() - LATER


def test_the_first_load_transfers_at_most_150_kilobytes(tmp_path, chromium):
    """As the browser counts it, from the folder that make builds."""
    www = tmp_path / "www"
    subprocess.run([ROOT / "scripts" / "page.sh", www], check=True)
    backend = Backend(tmp_path / "backend", arguments=["--static-dir", www]).start()
    context = chromium.new_context()
    try:
        page = context.new_page()
        begun = time.monotonic()
        page.goto(f"{backend.page}/#/live")
        expect(page.get_by_label("Username")).to_be_visible()
        print(f"\ninteractive after {time.monotonic() - begun:.2f} s")
        files = page.evaluate(TRANSFERRED)
    finally:
        context.close()
        backend.stop()
    names = {name for name, _, _ in files}
    assert {"/", "/app.css"} <= names and {f"/{m}" for m in modules() - {"js/stream-worker.js"}} <= names
    assert all(sent < whole + 400 for _, sent, whole in files)
    assert sum(sent for _, sent, _ in files) <= 150_000
    assert sum(sent for _, sent, _ in files) < sum(whole for _, _, whole in files) * 0.6, "nothing was compressed"


def test_each_file_stands_beside_its_compressed_self(tmp_path):
    subprocess.run([ROOT / "scripts" / "page.sh", tmp_path / "www"], check=True)
    for path in (tmp_path / "www").rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            assert gzip.decompress(path.with_name(path.name + ".gz").read_bytes()) == path.read_bytes()
    assert not list((tmp_path / "www").rglob("Dockerfile*"))


def test_nothing_in_the_page_needs_more_than_its_own_origin(site, tab):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(site.url)
    fill_in(tab)
    expect(tab.locator(".connection")).to_have_attribute("data-phase", "live")
    assert all(url.startswith(site.url) for url in asked), asked
    policy = tab.request.get(site.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy


def test_no_text_becomes_markup():
    """No module uses a call that parses text as HTML, and the style attribute is never written from a string."""
    for name in modules():
        text = (STATIC / name).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\balert\(|\bconfirm\(|\bprompt\(|eval\(|new Function|cssText", text), name


@pytest.mark.parametrize(("lost", "times"), [("app.js", 1), ("views/login.js", 2)])  # one of the head's preloads is asked for again as a module
def test_a_module_that_does_not_come_is_asked_for_again(tab, site, lost, times):
    """The page was empty until someone thought of loading it again."""
    refused = []

    def refuse(route):
        refused.append(route.request.url)
        route.fulfill(status=503) if len(refused) <= times else route.continue_()

    tab.route(f"**/js/{lost}", refuse)
    tab.goto(site.url)
    expect(tab.get_by_text("Part of this page did not come.")).to_be_visible()
    expect(tab.get_by_label("Username")).to_be_visible()
    expect(tab.get_by_text("Part of this page did not come.")).to_be_hidden()
