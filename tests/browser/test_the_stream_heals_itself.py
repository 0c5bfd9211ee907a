import re

import pytest

from browser import expect, fill_in, sign_in, threat, visit
from sites import wait_for

PHASE = ".connection"


def test_what_came_while_the_stream_was_cut_is_not_lost(site, signed_in):
    page = signed_in()
    site.send(threat(1))
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    site.away()
    expect(page.locator(PHASE)).to_contain_text("Retrying in")
    expect(page.get_by_text("What you see may be out of date")).to_be_visible()
    site.back()
    site.send(threat(2), threat(3))
    expect(page.locator(PHASE)).to_have_attribute("data-phase", "live")
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)
    expect(page.locator("[data-stat=total]")).to_have_text("3")


def test_a_gap_reloads_the_history(tab, fake):
    page = sign_in(tab, fake)
    fake.send(threat(1))
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    fake.test("cut")
    fake.send(threat(2), threat(3))
    fake.test("forget")
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)
    expect(page.locator("[data-stat=total]")).to_have_text("3")


def test_two_tabs_share_one_connection(tab, site):
    sign_in(tab, site)
    other = tab.context.new_page()
    other.goto(site.url)
    expect(other.locator(PHASE)).to_have_attribute("data-phase", "live")
    wait_for(lambda: site.streams() == 1)  # those of pages that were closed just before go, too
    site.send(threat(1))
    for page in (tab, other):
        expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    tab.close()
    site.send(threat(2))
    expect(other.locator("tbody tr[data-id]")).to_have_count(2)


def test_a_failed_history_can_be_tried_again(tab, fake):
    fake.send(threat(1))
    fake.test("set", broken=["/api/network/threats/history"])
    sign_in(tab, fake)
    expect(tab.get_by_text("The latest threats could not be loaded.")).to_be_visible()
    # The page tries again by itself, too, so that the button may be gone any moment once the server answers.
    with tab.expect_request("**/threats/history*"):
        tab.get_by_role("button", name="Try again").click()
    fake.test("set", broken=[])
    tab.evaluate("document.querySelector('.retry')?.click()")
    expect(tab.locator("tbody tr[data-id]")).to_have_count(1)


@pytest.mark.parametrize("view", ["inbox", "history"])
def test_a_gap_reloads_the_list_that_is_open(tab, fake, view):
    fake.send(threat(1))
    page = sign_in(tab, fake, view)
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    fake.test("cut")
    fake.send(threat(2), threat(3))
    fake.test("forget")
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)


def test_what_others_remove_leaves_the_lists_and_the_panel(site, signed_in):
    site.send(threat(1), threat(2))
    page = signed_in("inbox?t=threat_000001")
    expect(page.locator("tbody tr[data-id]")).to_have_count(2)
    assert site.api("POST", "/api/network/clear-threats").status_code == 200
    expect(page.get_by_text("Inbox is empty. Well done.")).to_be_visible()
    expect(page.get_by_role("complementary", name="Threat")).to_contain_text("This threat")
    expect(page.get_by_role("heading", name="Why it fired")).to_have_count(0)


@pytest.mark.parametrize("view, there", [("settings/users", "enabled"), ("history", "threat_000001"), ("inbox", "threat_000001"), ("threat/threat_000001", "Why it fired")])
def test_what_could_not_be_loaded_comes_once_the_server_is_back(site, signed_in, view, there):
    site.send(threat(1))
    page = signed_in("uploads")
    site.away()
    visit(page, site, view)
    expect(page.locator(".nothing.bad")).to_contain_text("The server cannot be reached.")
    site.back()
    expect(page.locator(PHASE)).to_have_attribute("data-phase", "live")
    expect(page.locator(".nothing.bad")).to_have_count(0)
    shown = page.get_by_label(f"Select {there}") if view == "inbox" else page.locator(f"tr[data-id={there}]") if view == "history" else page.get_by_text(there).first
    expect(shown).to_be_visible()


def test_a_server_that_is_away_at_the_start_is_not_taken_for_an_ended_session(tab, fake):
    sign_in(tab, fake)
    fake.test("set", broken=["/api/auth/me"])
    tab.reload()
    expect(tab.get_by_text("The server cannot be reached. Try again.")).to_be_visible()
    expect(tab.get_by_label("Username")).to_have_count(0)
    fake.test("set", broken=[])
    expect(tab.locator(PHASE)).to_have_attribute("data-phase", "live")


def test_without_a_shared_worker_silence_is_told_and_no_network_too(tab, fake):
    """Each tab then has a stream of its own; its clock is the page's, so the test can turn it."""
    tab.add_init_script("delete window.SharedWorker")
    tab.clock.install()
    tab.goto(fake.url)
    fill_in(tab)
    expect(tab.locator(PHASE)).to_have_attribute("data-phase", "live")
    fake.test("set", silent=True)
    tab.clock.fast_forward(40000)
    expect(tab.locator(PHASE)).to_have_attribute("data-phase", "stale")
    expect(tab.locator(PHASE)).to_contain_text(re.compile(r"Stale: last heard \d+ s"))
    fake.test("set", silent=False)
    fake.send(threat(1))
    expect(tab.locator("tbody tr[data-id]")).to_have_count(1)
    expect(tab.locator(PHASE)).to_have_attribute("data-phase", "live")
    tab.context.set_offline(True)
    expect(tab.locator(PHASE)).to_contain_text("Offline")
    expect(tab.get_by_text("What you see may be out of date")).to_be_visible()
    tab.context.set_offline(False)
    expect(tab.locator(PHASE)).to_have_attribute("data-phase", "live")


@pytest.mark.parametrize("view", ["live", "inbox"])
def test_what_is_stored_between_the_list_and_the_stream_is_shown(tab, site, view):
    site.send(threat(1))
    held = []
    tab.add_init_script("delete window.SharedWorker")
    tab.route("**/api/network/stream*", lambda route: held.append(route))
    tab.goto(f"{site.url}/#/{view}")
    fill_in(tab)
    expect(tab.locator("tbody tr[data-id]")).to_have_count(1)
    wait_for(lambda: tab.evaluate("1") and held)
    site.send(threat(2))
    for route in held:
        route.continue_()
    expect(tab.locator(PHASE)).to_have_attribute("data-phase", "live")
    expect(tab.locator("tbody tr[data-id]")).to_have_count(2)
