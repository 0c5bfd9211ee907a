"""The page in a real Chromium. Each test has a server of its own: `site` is the real backend; `fake` is the stand-in, for
states that the real one cannot be brought into at will."""
import os

import pytest
from playwright.sync_api import sync_playwright

from browser import ARGS, CHROMIUM, sign_in
from notice_receiver import Receiver
from sites import RealSite, StandIn, mongo_uri


def store():
    """BROWSER_STORE: sqlite, or mongodb, which is the server that MONGODB_URI names, with a database of its own."""
    wanted = os.environ.get("BROWSER_STORE", "sqlite")
    return mongo_uri() if wanted == "mongodb" else wanted


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    running = RealSite(tmp_path_factory.mktemp("site"), store(), ["--allow-private-targets"])
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
def receiver():
    running = Receiver()
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


@pytest.fixture
def signed_in(tab, site):
    """Signs in and gives the page; before it, a test may fill the server."""
    return lambda view="live", user="admin": sign_in(tab, site, view, user)

