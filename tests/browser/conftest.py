"""The page in a real Chromium. Each test has a server of its own: `site` is the real backend; `fake` is the stand-in, for
states that the real one cannot be brought into at will."""
import os

import pytest
from playwright.sync_api import expect, sync_playwright

from records import threat
from sites import PASSWORD, RealSite, StandIn

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]
expect.set_options(timeout=8000)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    running = RealSite(tmp_path_factory.mktemp("site"), os.environ.get("BROWSER_STORE", "sqlite"))
    yield running
    running.close()


@pytest.fixture
def site(program):
    program.empty()
    return program


@pytest.fixture
def fake():
    running = StandIn()
    yield running
    running.close()


@pytest.fixture
def tab(chromium):
    """A page that must not have complained when the test ends."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
    yield page
    context.close()
    assert not faults, faults


def fill_in(page, user="admin", password=PASSWORD):
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_in(page, site, view="live", user="admin"):
    page.goto(f"{site.url}/#/{view}")
    fill_in(page, user)
    expect(page.locator(".connection")).to_have_attribute("data-phase", "live")
    return page


@pytest.fixture
def signed_in(tab, site):
    """Signs in and gives the page; before it, a test may fill the server."""
    return lambda view="live", user="admin": sign_in(tab, site, view, user)


__all__ = ["expect", "fill_in", "sign_in", "threat"]
