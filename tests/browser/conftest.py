"""The page in a real Chromium. Each test has a server of its own and signs in as it likes."""
import json
import os
import urllib.request

import pytest
from playwright.sync_api import expect, sync_playwright

import standin
from records import threat

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]
expect.set_options(timeout=8000)


class Site:
    """The server of a test, seen from outside, with what a test does to it."""

    def __init__(self, server):
        self.server, self.url, self.world = server, server.url, server.world

    def send(self, *threats):
        self.call("/api/network/webhook", list(threats))

    def call(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def test(self, what, **body):
        return self.call(f"/_test/{what}", body)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def site():
    server = standin.start()
    yield Site(server)
    server.shutdown()
    server.server_close()


@pytest.fixture
def tab(chromium, site):
    """A page that must not have complained when the test ends."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
    yield page
    context.close()
    assert not faults, faults


def sign_in(page, site, view="live", user="admin", password="correct horse"):
    page.goto(f"{site.url}/#/{view}")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".connection")).to_have_attribute("data-phase", "live")


@pytest.fixture
def signed_in(tab, site):
    """Signs in and gives the page; before it, a test may fill the server."""
    def go(view="live", user="admin"):
        sign_in(tab, site, view, user)
        return tab
    return go


__all__ = ["threat", "sign_in", "expect"]
