"""The switch of the page, in Chromium, moves a real capture: backend, detector and an interface that carries what the test sends."""
import os
import re
import socket
import sys
import uuid

import pytest
from playwright.sync_api import sync_playwright

from crafted import ethernet, udp
from namespaces import ip
from programs import ROOT

sys.path.insert(0, str(ROOT / "tests" / "browser"))

from browser import ARGS, CHROMIUM, expect, sign_in  # noqa: E402
from sites import site_with_detector  # noqa: E402

HEARD_MS = 90000  # the sensor reports every 10 s, and a page asks for the reports every 30 s


class Wire:
    """A veth pair with no address, so that nobody but the test sends anything on it."""

    def __init__(self):
        mark = uuid.uuid4().hex[:6]
        self.near, self.watched = f"tln{mark}", f"tlw{mark}"
        ip("link", "add", self.near, "type", "veth", "peer", "name", self.watched)
        for end in (self.near, self.watched):
            ip("link", "set", end, "addrgenmode", "none", "up")

    def send(self, many):
        """Datagrams between two hosts that do not exist."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((self.near, 0))
            for n in range(many):
                sender.send(ethernet(udp("192.0.2.1", "192.0.2.2", 40000 + n, 9, b"x" * 20)))

    def cut(self):
        ip("link", "del", self.near, check=False)


@pytest.fixture
def wire():
    if os.geteuid() != 0:
        pytest.fail("test-live needs root, for an interface of its own")
    made = Wire()
    yield made
    made.cut()


@pytest.fixture
def site(tmp_path):
    with site_with_detector(tmp_path) as (running, _):
        yield running


FAST = "const real = Date.now; Date.now = () => real() + 3 * 3600e3;"  # a computer whose clock is three hours fast


@pytest.fixture
def tabs():
    """Two browsers that share nothing; the second one's clock is wrong."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        pages = [chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB").new_page() for _ in range(2)]
        pages[1].add_init_script(FAST)
        yield pages
        chromium.close()


def start(page, interface, duration):
    page.get_by_label("Interface").select_option(interface)
    page.get_by_label("Duration").select_option(label=duration)
    page.get_by_role("button", name="Start monitoring").click()


def expect_packets(page, many):
    """Looks it up where a person would, and comes back."""
    page.get_by_role("link", name="Sensors").click()
    row = page.get_by_role("region", name="edge-1").locator("dl > div", has=page.get_by_text("Packets", exact=True))
    expect(row.locator("dd")).to_have_text(str(many), timeout=HEARD_MS)
    page.get_by_role("link", name="Live").first.click()


def test_it_counts_what_passes_and_ends_with_its_time(wire, site, tabs):
    for page in tabs:
        sign_in(page, site)
    start(tabs[0], wire.watched, "1 minute")
    for page in tabs:
        expect(page.get_by_text(f"Monitoring {wire.watched}")).to_be_visible()
        expect(page.locator(".monitor-clock")).to_have_text(re.compile(r"^0:[0-5]\d of 1:00$"))
    wire.send(40)
    expect_packets(tabs[0], 40)
    for page in tabs:  # nobody stops it
        expect(page.get_by_text("Not monitoring")).to_be_visible(timeout=HEARD_MS)
        expect(page.locator(".monitor-clock")).to_be_empty()
        expect(page.get_by_role("button", name="Start monitoring")).to_be_enabled()
    assert site.api("GET", "/api/network/status").json()["monitoring"]["active"] is False


def test_another_stops_it_and_nothing_is_counted_any_more(wire, site, tabs):
    mine, other = [sign_in(page, site) for page in tabs]
    start(mine, wire.watched, "Until stopped")
    expect(mine.locator(".monitor-clock")).to_have_text(re.compile(r"^for 0:\d\d$"))
    wire.send(10)
    expect_packets(mine, 10)
    other.get_by_role("button", name="Stop monitoring").click()
    for page in tabs:
        expect(page.get_by_text("Not monitoring")).to_be_visible()
    wire.send(10)
    start(other, wire.watched, "Until stopped")
    expect(mine.get_by_text(f"Monitoring {wire.watched}")).to_be_visible()
    wire.send(7)
    expect_packets(mine, 17)


def test_an_interface_that_is_gone_is_refused_in_words(wire, site, tabs):
    page = sign_in(tabs[0], site)
    expect(page.get_by_label("Interface").locator(f"option[value={wire.watched}]")).to_have_count(1)
    wire.cut()
    start(page, wire.watched, "Until stopped")
    expect(page.get_by_role("alert")).to_contain_text(wire.watched)
    expect(page.get_by_text("Not monitoring")).to_be_visible()
