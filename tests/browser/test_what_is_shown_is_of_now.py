"""The page does not wait for its half-minute's round to show what has changed; in these tests that round never comes."""
import pytest

import crafted
from browser import expect, sign_in, threat
from sites import RealSite, site_with_detector, wait_for

NO_ROUND = "const real = setInterval; window.setInterval = (call, ms, ...more) => (ms === 30000 ? 0 : real(call, ms, ...more));"
BARS = "svg.timeline rect[class^=fill-]"


@pytest.fixture
def page(tab):
    tab.add_init_script(NO_ROUND)
    return tab


@pytest.fixture
def place(tmp_path):
    """A backend that knows a detector, which the test starts when it wants."""
    with site_with_detector(tmp_path, starts=False) as pair:
        yield pair


def test_the_charts_follow_what_arrives(site, page):
    sign_in(page, site)
    expect(page.get_by_text("Nothing to draw yet.").first).to_be_visible()
    site.send(threat(1, source_ip="198.51.100.9"))
    expect(page.locator(BARS)).to_have_count(1)
    expect(page.locator(".charts .bar-row", has_text="198.51.100.9")).to_be_visible()


def test_the_charts_are_of_now_when_one_comes_back_to_them(site, page):
    sign_in(page, site)
    expect(page.get_by_text("Nothing to draw yet.").first).to_be_visible()
    page.get_by_role("link", name="Uploads").click()
    site.send(threat(1))
    expect(page.locator(".rail-count:visible")).to_have_text("1")
    page.get_by_role("link", name="Live").first.click()
    expect(page.locator(BARS)).to_have_count(1)


def test_a_detector_that_comes_is_there_with_its_interfaces(page, place):
    site, detector = place
    sign_in(page, site)
    expect(page.locator(".monitor")).to_contain_text("Detector does not answer")
    expect(page.locator(".view-live")).to_contain_text("The detector does not answer, so nothing can be found.")
    expect(page.get_by_role("link", name="Older threats in History")).to_have_count(0)
    expect(page.get_by_role("button", name="Start monitoring")).to_be_disabled()
    expect(page.get_by_label("Interface").locator("option")).to_have_text(["Automatic"])
    detector.start()
    expect(page.get_by_role("button", name="Start monitoring")).to_be_enabled()
    expect(page.get_by_label("Interface").locator("option[value=lo]")).to_have_count(1)
    expect(page.locator(".view-live")).to_contain_text("Start monitoring, or read a capture file under Uploads.")


def test_where_no_detector_is_to_be_controlled_nothing_is_told_to_be_wrong(page, tmp_path):
    """Sensors elsewhere send all the same."""
    site = RealSite(tmp_path, arguments=["--detector", "none"])
    try:
        sign_in(page, site)
        expect(page.locator(".monitor")).to_have_text("No detector to start or stop")
        expect(page.locator(".monitor")).to_have_attribute("data-state", "off")
        expect(page.locator(".view-live")).to_contain_text("Threats appear here the moment a sensor sends them.")
        expect(page.get_by_role("button", name="Start monitoring")).to_have_count(0)
    finally:
        site.close()


def test_the_reports_of_sensors_come_by_themselves(page, fake):
    def report(packets):
        fake.test("set", sensors=[{"name": "edge-1", "state": "ok", "lastHeard": "2026-01-01T10:00:00Z", "report": {"packets": packets}}])

    report(5)
    sign_in(page, fake, "sensors")
    card = page.get_by_role("region", name="edge-1")
    expect(card).to_contain_text("Packets5")
    report(6)
    expect(card).to_contain_text("Packets6")


def test_a_file_that_could_not_be_read_is_seen_to_have_failed(page, place, tmp_path):
    site, _ = place
    sign_in(page, site, "uploads")
    page.locator("#capture").set_input_files(crafted.write_pcap(tmp_path / "scan.pcap", crafted.scan()))
    failed = page.locator(".job-failed")
    expect(failed).to_be_visible()
    colour = "(node) => getComputedStyle(node).color"
    assert failed.evaluate(colour) != page.locator(".view-uploads thead th").first.evaluate(colour)
    lines = "(cells) => cells.map((c) => { const all = document.createRange(); all.selectNodeContents(c); return all.getClientRects().length; })"
    assert page.locator("tbody td.num").evaluate_all(lines) == [1, 1, 1, 1]


def test_a_search_that_failed_leaves_the_list_as_it_was(site, page):
    site.send(*(threat(n) for n in range(1, 131)))
    sign_in(page, site, "history")
    rows, facets = page.locator(".view-history tbody tr[data-id]"), page.locator(".facets")
    expect(rows).to_have_count(100)
    site.away()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("The search failed.")).to_be_attached()
    expect(facets).to_contain_text("Narrow by (counted in the 100 rows loaded)")
    held = []
    page.route("**/api/network/threats?*", lambda route: route.continue_() if held else held.append(route))
    site.back()
    expect(page.get_by_text("The search failed.")).to_have_count(0)  # it is asked for again
    rows.last.scroll_into_view_if_needed()  # the end is near before the answer is there, and still near afterwards
    wait_for(lambda: page.evaluate("1") and held)
    held[0].continue_()
    expect(rows).to_have_count(130)
