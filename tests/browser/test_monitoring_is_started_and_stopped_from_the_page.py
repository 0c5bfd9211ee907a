import pytest

from browser import expect, sign_in
from sites import site_with_detector


@pytest.fixture
def watching(tmp_path):
    """A real detector that runs the simulator."""
    with site_with_detector(tmp_path, "simulator") as (site, _):
        yield site


def test_a_real_detector_says_what_it_does_and_stops(tab, watching):
    page = sign_in(tab, watching)
    expect(page.get_by_text("Monitoring the simulator")).to_be_visible()
    expect(page.locator(".monitor-clock")).to_contain_text("for 0:")
    page.get_by_role("button", name="Stop monitoring").click()
    expect(page.get_by_text("Not monitoring")).to_be_visible()
    expect(page.get_by_text("Monitoring stopped.")).to_be_visible()
    expect(page.get_by_label("Interface").locator("option", has_text="lo ")).to_have_count(1)
    assert not watching.api("GET", "/api/network/status").json()["monitoring"]["active"]


def test_the_interfaces_are_the_servers_and_the_clock_too(tab, fake):
    page = sign_in(tab, fake)
    expect(page.get_by_text("Not monitoring")).to_be_visible()
    expect(page.get_by_label("Interface").locator("option")).to_have_text(["Automatic", "eth0 192.0.2.10", "lo 127.0.0.1", "wlan0 (down)"])
    page.get_by_label("Interface").select_option("eth0")
    page.get_by_role("button", name="Start monitoring").click()
    expect(page.get_by_text("Monitoring eth0")).to_be_visible()
    expect(page.locator(".monitor-clock")).to_contain_text("of 5:00")
    page.reload()
    expect(page.get_by_text("Monitoring eth0")).to_be_visible()
    page.get_by_role("button", name="Stop monitoring").click()
    expect(page.get_by_text("Not monitoring")).to_be_visible()


def test_another_page_sees_it_at_once(tab, fake, chromium):
    sign_in(tab, fake)
    context = chromium.new_context()
    other = context.new_page()
    sign_in(other, fake, user="viewer")
    tab.get_by_role("button", name="Start monitoring").click()
    expect(other.get_by_text("Monitoring auto")).to_be_visible()
    expect(other.get_by_role("button", name="Stop monitoring")).to_have_count(0)
    context.close()


def test_a_refusal_is_told_as_text(tab, fake):
    page = sign_in(tab, fake)
    expect(page.get_by_role("button", name="Start monitoring")).to_be_visible()
    fake.test("set", monitoring={"active": True, "interface": "eth0", "startedAt": None, "endsAt": None})
    page.get_by_role("button", name="Start monitoring").click()
    expect(page.get_by_role("alert")).to_contain_text("Monitoring is already active")
    expect(page.get_by_role("button", name="Stop monitoring")).to_be_visible()
