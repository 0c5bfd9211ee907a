import gzip
import pathlib
import re

from browser import expect, fill_in

STATIC = pathlib.Path(__file__).resolve().parents[2] / "frontend-static"
LATER = {"js/theme.js", "js/stream-worker.js", "js/app.js"}  # in the head by itself, in the worker, the entry


def modules():
    return {p.relative_to(STATIC).as_posix() for p in STATIC.glob("js/**/*.js")}


def test_every_module_is_preloaded():
    listed = set(re.findall(r'rel="modulepreload" href="([^"]+)"', (STATIC / "index.html").read_text()))
    assert listed == modules() - LATER


def test_the_first_load_is_at_most_150_kilobytes_compressed():
    files = [STATIC / "index.html", STATIC / "app.css", STATIC / "icon.svg", *(STATIC / m for m in modules())]
    assert sum(len(gzip.compress(p.read_bytes(), 9)) for p in files) < 150_000


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
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|cssText", text), name
