import re

from browser import expect, sign_in, threat


def totals(page):
    return {name: page.locator(f"[data-stat={name}]").inner_text() for name in ("total", "critical", "high", "medium", "low")}


def test_the_row_says_type_severity_source_destination_confidence_and_time(site, signed_in):
    page = signed_in()
    expect(page.get_by_text("No threats yet")).to_be_visible()
    site.send(threat(1, threat_type="web_attack", severity="low", confidence=0.13, source_ip="192.168.1.144", source_port=59510,
                     destination_ip="192.168.1.4", destination_port=80, timestamp="2025-10-21T12:24:37.482505Z"))
    row = page.locator("tbody tr")
    for text in ("WEB_ATTACK", "LOW", "192.168.1.144:59510", "192.168.1.4:80", "13%"):
        expect(row).to_contain_text(text)
    expect(row.locator("time")).to_have_attribute("title", "2025-10-21 12:24:37 UTC")


def test_the_newest_is_on_top_and_at_most_fifty_are_drawn(site, signed_in):
    page = signed_in()
    for start in range(1, 61, 20):
        site.send(*(threat(n) for n in range(start, start + 20)))
    expect(page.locator("[data-stat=total]")).to_have_text("60")
    rows = page.locator(".view-live tbody tr[data-id]")
    expect(rows).to_have_count(50)
    expect(rows.first).to_have_attribute("data-id", "threat_000060")
    expect(rows.last).to_have_attribute("data-id", "threat_000011")
    page.goto("about:blank")
    page.goto(f"{site.url}/#/settings")
    expect(page.locator(".connection")).to_have_attribute("data-phase", "live")
    page.get_by_role("link", name="Live", exact=True).click()
    expect(rows).to_have_count(50)


def test_the_totals_agree_with_the_server_after_a_reload(site, signed_in):
    site.send(*(threat(n) for n in range(1, 31)))
    page = signed_in()
    site.send(*(threat(n) for n in range(31, 61)))
    expect(page.locator("[data-stat=total]")).to_have_text("60")
    before = totals(page)
    page.reload()
    expect(page.locator("[data-stat=total]")).to_have_text("60")
    assert totals(page) == before
    assert sum(int(before[name]) for name in ("critical", "high", "medium", "low")) == 60


def test_a_growing_incident_is_counted_once(site, signed_in):
    page = signed_in()
    site.send(threat(1, severity="medium"))
    expect(page.locator("[data-stat=medium]")).to_have_text("1")
    site.send(threat(1, severity="critical", revision=2, details={"flow_count": 1000}))
    expect(page.locator("[data-stat=critical]")).to_have_text("1")
    expect(page.locator("[data-stat=medium]")).to_have_text("0")
    expect(page.locator("[data-stat=total]")).to_have_text("1")
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    expect(page.locator("tbody tr[data-id]")).to_contain_text("×1,000")


def test_simulated_threats_are_marked(site, signed_in):
    page = signed_in()
    site.send(threat(1, details={"source": "simulator"}), threat(2))
    expect(page.locator("[data-id=threat_000001]")).to_contain_text("simulated")
    expect(page.locator("[data-id=threat_000002]")).not_to_contain_text("simulated")


def test_a_screen_reader_hears_one_sentence_not_a_list(site, signed_in):
    page = signed_in()
    site.send(threat(1, severity="high"), threat(2, severity="low"), threat(3, severity="critical"))
    expect(page.locator("#announce[role=status]")).to_have_text("3 new threats, 2 high or critical")


def test_pause_stops_the_list_but_not_the_count(site, signed_in):
    page = signed_in()
    site.send(threat(1))
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    site.send(threat(2), threat(3))
    expect(page.get_by_text("2 new", exact=True)).to_be_visible()
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    expect(page.locator("[data-stat=total]")).to_have_text("3")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)


def test_a_span_of_the_timeline_leads_to_its_threats_by_mouse_and_by_keyboard(site, signed_in):
    site.send(threat(1), threat(2))
    page = signed_in()
    plot = page.locator("svg.timeline")
    expect(plot.locator("rect[class^=fill-]").first).to_be_attached()
    expect(plot).to_be_visible()  # it is drawn while the charts are still hidden
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 40)
    expect(page.get_by_text(re.compile(r"\d\d:\d\d – \d\d:\d\d: 2"))).to_be_visible()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 80, box["y"] + 40)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"#/history\?from=.+&to=.+"))
    expect(page.locator("tbody tr[data-id]")).to_have_count(2)
    page.go_back()
    turn = page.get_by_role("button", name="Table")
    turn.focus()
    page.keyboard.press("Enter")
    slot = page.get_by_role("region", name="Threats over time").get_by_role("button").last
    slot.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"#/history\?from=.+&to=.+"))
    expect(page.locator("tbody tr[data-id]")).to_have_count(2)


def test_the_bars_count_what_the_cards_count_and_lead_to_it(site, signed_in):
    site.send(*(threat(n, threat_type="malware" if n < 4 else "port_scan", severity="high" if n < 3 else "low", source_ip=f"198.51.100.{1 + n % 2}",
                       destination_ip="192.0.2.5") for n in range(1, 8)))
    page = signed_in()
    bars = page.locator(".charts .bar-row")
    expect(bars.filter(has_text="High")).to_contain_text("2")
    expect(bars.filter(has_text="PORT_SCAN")).to_contain_text("4")
    expect(bars.filter(has_text="192.0.2.5")).to_contain_text("7")
    expect(page.locator("[data-stat=high]")).to_have_text("2")
    bars.filter(has_text="198.51.100.1").click()
    expect(page).to_have_url(re.compile(r"#/history\?q=source"))
    expect(page.locator("tbody tr[data-id]")).to_have_count(3)


def test_a_sensor_that_went_blind_is_told_beside_the_connection(tab, fake):
    at = "2026-01-01T10:00:00Z"
    fake.test("set", sensors=[{"name": "edge-1", "state": "ok", "lastHeard": at, "report": {}}, {"name": "edge-2", "state": "blind", "lastHeard": at, "report": {}}])
    page = sign_in(tab, fake)
    expect(page.locator(".top-sensors")).to_contain_text("edge-2 blind since 1 Jan")
    expect(page.locator(".top-sensors")).to_have_attribute("data-state", "bad")
