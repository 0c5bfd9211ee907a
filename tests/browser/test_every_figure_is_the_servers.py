import re

import pytest

from browser import expect, sign_in, threat

CARDS = ("total", "critical", "high", "medium", "low")
BARS = {"By severity": "severity", "By type": "type", "Top sources": "source", "Top destinations": "destination"}


def number(text):
    return int(text.replace(",", ""))


def shown(page):
    """What stands on Live: the cards, and each chart's names and numbers."""
    cards = {name: number(page.locator(f"[data-stat={name}]").text_content()) for name in CARDS}
    charts = {}
    for title in BARS:
        rows = page.locator(".chart", has=page.get_by_role("heading", name=title, exact=True)).locator(".bar-row")
        charts[title] = {row.locator(".bar-name").text_content().lower(): number(row.locator(".num").text_content()) for row in rows.all()}
    return cards, charts


def told(site):
    s = site.api("GET", "/api/network/statistics").json()["statistics"]
    return s, ({name: s[name] for name in CARDS}, {"By severity": {name: s[name] for name in CARDS[1:]}, "By type": s["byType"]})


@pytest.fixture
def thousands(site):
    """Suppressed and simulated ones among them; what the figures are of is the rest."""
    site.send(*(threat(n) for n in range(1, 3001)))
    made = site.api("POST", "/api/suppressions", {"match": {"type": "malware"}, "reason": "lab"})
    assert made.status_code == 201, made.text
    site.send(*(threat(n) for n in range(3001, 3501)), *(threat(n, details={"source": "simulator"}) for n in range(4001, 4041)))
    return site


def test_after_a_reload_and_while_threats_come(thousands, tab):
    page = sign_in(tab, thousands)
    for step in range(2):
        statistics, (cards, charts) = told(thousands)
        assert statistics["suppressed"] > 0 and statistics["uncounted"] > 0
        for name in CARDS:
            expect(page.locator(f"[data-stat={name}]")).to_have_text(f"{cards[name]:,}")
        assert shown(page)[0] == cards
        assert {title: shown(page)[1][title] for title in charts} == charts
        expect(page.get_by_text(f"{statistics['uncounted']} simulated threats are listed but not counted")).to_be_visible()
        if step:
            break
        thousands.send(*(threat(n) for n in range(5001, 5101)), *(threat(n, details={"source": "simulator"}) for n in range(6001, 6006)))
        with page.expect_response(lambda answer: answer.url.endswith("/statistics")):
            pass  # what was counted on is asked of the server a little later
        page.reload()
    tops = {name: {o["address"]: o["count"] for o in statistics[key][:5]} for name, key in (("Top sources", "topSources"), ("Top destinations", "topDestinations"))}
    # The tops are of a day, and all of this came today; they come in an answer of their own.
    expect(page.locator(".charts")).to_be_visible()
    assert {name: sorted(found.values()) for name, found in shown(page)[1].items() if name in tops} == {name: sorted(found.values()) for name, found in tops.items()}


@pytest.mark.parametrize("title", BARS)
def test_a_bar_leads_to_as_many_threats_as_it_told(thousands, tab, title):
    thousands.send(threat(9001, timestamp="2025-12-30T10:00:00Z", source_ip="198.51.100.2", destination_ip="192.0.2.14"))  # older than the day of the tops
    page = sign_in(tab, thousands)
    row = page.locator(".chart", has=page.get_by_role("heading", name=title, exact=True)).locator(".bar-row").first
    told_here = row.locator(".num").text_content()
    row.click()
    expect(page.locator(".view-history .list .panel-head p")).to_have_text(re.compile(rf"^{told_here} threats"))


def test_a_span_of_the_timeline_leads_to_as_many_threats_as_it_told(site, tab):
    site.send(*(threat(n) for n in range(1, 41)), *(threat(n, details={"source": "simulator"}) for n in range(51, 61)))
    page = sign_in(tab, site)
    chart = page.locator(".chart.wide")
    chart.get_by_role("button", name="Table").click()
    row = chart.locator("tbody tr").last
    many = sum(number(cell.text_content()) for cell in row.locator("td").all())
    assert many > 0
    row.get_by_role("button").click()
    expect(page.locator(".view-history .list .panel-head p")).to_have_text(re.compile(rf"^{many:,} threats"))


def test_old_threats_alone_leave_the_day_empty_and_say_so(site, tab):
    site.send(threat(1, timestamp="2025-12-30T10:00:00Z"))
    page = sign_in(tab, site)
    expect(page.locator("[data-stat=total]")).to_have_text("1")
    for title in ("Threats over time", "Top sources", "Top destinations"):
        chart = page.locator(".chart", has=page.get_by_role("heading", name=title, exact=True))
        expect(chart).to_contain_text("24 hours")
        expect(chart).to_contain_text("None in the last 24 hours.")


def test_the_counts_of_the_inbox_move_with_the_decision(site, tab):
    """Not seconds later: the server's own count is held back here."""
    site.send(*(threat(n) for n in range(1, 4)))
    page = sign_in(tab, site, "inbox")
    tabs = page.locator(".tabs a")
    expect(tabs.nth(0)).to_have_text("New 3")
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)
    page.route("**/api/network/statistics", lambda route: route.abort())
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(tabs.nth(0)).to_have_text("New 2")
    expect(tabs.nth(1)).to_have_text("Acknowledged 1")
    expect(page.locator(".rail-count:not([hidden])")).to_have_text("2")
    page.keyboard.press("u")
    expect(tabs.nth(0)).to_have_text("New 3")
    expect(tabs.nth(1)).to_have_text("Acknowledged 0")
    site.change("threat_000002", {"status": "escalated"}, "analyst")
    expect(tabs.nth(0)).to_have_text("New 2")
    expect(tabs.nth(2)).to_have_text("Escalated 1")
    expect(tabs.nth(4)).to_have_text("All 3")


def test_the_inbox_says_why_it_lists_more_than_it_counts(site, tab):
    site.send(threat(1), threat(2, details={"source": "simulator"}))
    page = sign_in(tab, site, "inbox")
    expect(page.locator("tbody tr[data-id]")).to_have_count(2)
    expect(page.locator(".tabs a").first).to_have_text("New 1")
    expect(page.get_by_text("1 simulated threat is listed but not counted, because a real source has reported.")).to_be_visible()
