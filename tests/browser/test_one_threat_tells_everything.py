import json
import pathlib
import re

import pytest

from browser import expect, settled, sign_in, threat, visit
from sites import wait_for

MARKUP = "<img src=x onerror=\"document.title='broken'\"><b>bold</b> \u202emirrored\u202c 🦊"


def panel(page):
    return page.get_by_role("complementary", name="Threat")


def test_why_it_fired_stands_against_the_usual_range(site, signed_in):
    site.send(threat(1, details={"explanation": [{"feature": "syn_flag_count", "value": 420, "usual": [1, 2], "share": 0.41}]}))
    page = signed_in("live?t=threat_000001")
    expect(panel(page)).to_contain_text("syn flag count")
    expect(panel(page)).to_contain_text("usual 1 – 2, outside the usual range")
    expect(panel(page)).to_contain_text("41%")
    page.get_by_text("Flow features (25)").click()
    expect(panel(page).get_by_role("table").locator("tr")).to_have_count(25)


def test_it_grows_while_it_is_open(site, signed_in):
    site.send(threat(1, severity="medium"))
    page = signed_in("live?t=threat_000001")
    expect(panel(page)).to_contain_text("MEDIUM")
    site.send(threat(1, severity="critical", revision=2, details={"flow_count": 1000}))
    expect(panel(page)).to_contain_text("CRITICAL")
    expect(panel(page)).to_contain_text("1,000")


def test_growth_is_a_curve_of_what_came_while_it_was_open(site, signed_in):
    def grown(revision, flows):
        site.send(threat(1, revision=revision, details={"flow_count": flows, "packet_count": 3 * flows, "first_seen": "2026-01-01T10:00:00Z",
                                                        "last_seen": f"2026-01-01T10:00:{10 * revision:02d}Z"}))
        expect(panel(page).get_by_text(f"{flows} flows, {3 * flows} packets, in {10 * revision} s")).to_be_visible()

    site.send(threat(1))
    page = signed_in("live?t=threat_000001")
    expect(panel(page).get_by_role("heading", name="Why it fired")).to_be_visible()
    expect(panel(page).get_by_role("heading", name="Growth")).to_have_count(0)
    for revision, flows in ((2, 20), (3, 60), (4, 61)):
        grown(revision, flows)
    expect(panel(page).get_by_role("img", name="Flows over the time this was open")).to_be_visible()
    points = page.locator(".growth polyline").get_attribute("points").split(" ")
    assert len(points) == 3 and points[0].startswith("0.00,") and points[-1] == "100.00,2.00"
    panel(page).locator("summary", has_text="Table").click()
    grown(5, 300)
    expect(panel(page).get_by_role("table", name="Flows over").locator("tbody tr")).to_have_count(4)


def test_every_counter_of_a_window_has_a_name():
    root = pathlib.Path(__file__).resolve().parents[2]
    counters = set(re.findall(r"=\s*\{\"(\w+)\"", (root / "detector" / "limits.c").read_text()))
    texts = (root / "frontend-static" / "js" / "texts.js").read_text()
    named = set(re.findall(r"(\w+): \"", texts[texts.index("counters: {"):texts.index("suppress: {")]))
    assert len(counters) > 20 and counters == named


def test_every_technique_of_the_detector_has_a_name():
    root = pathlib.Path(__file__).resolve().parents[2]
    named = (root / "frontend-static" / "js" / "texts.js").read_text()
    named = set(re.findall(r'"?(T\d{4}(?:\.\d{3})?)"?: "', named[named.index("techniques: {"):]))
    assert named == set(re.findall(r'\\"(T\d{4}(?:\.\d{3})?)\\"', (root / "detector" / "classify.c").read_text()))


def test_a_technique_leads_to_its_page_and_other_text_stays_text(site, signed_in):
    site.send(threat(1, mitre=["T1595.001", "T1046<b>", "javascript:alert(1)"]))
    page = signed_in("live?t=threat_000001")
    link = panel(page).get_by_role("link", name="T1595.001")
    expect(link).to_have_attribute("href", "https://attack.mitre.org/techniques/T1595/001/")
    expect(panel(page)).to_contain_text("Scanning IP Blocks")
    for text in ("T1046<b>", "javascript:alert(1)"):
        expect(panel(page).locator(".facts").get_by_text(text)).to_be_visible()
        expect(panel(page).get_by_role("link", name=text)).to_have_count(0)


def test_a_growing_threat_leaves_an_open_field_alone(site, signed_in):
    site.send(threat(1))
    page = signed_in("live?t=threat_000001", user="analyst")
    menu = panel(page).get_by_label("Assignee")
    menu.focus()
    site.send(threat(1, revision=2, details={"flow_count": 77}))
    expect(panel(page)).to_contain_text("77 flows")
    expect(menu).to_be_focused()


def test_comment_assignee_and_verdict_are_kept(site, signed_in):
    site.send(threat(1))
    page = signed_in("inbox?t=threat_000001")
    panel(page).get_by_label("Comment").fill("looks like the scanner of the audit")
    panel(page).get_by_role("button", name="Add comment").click()
    expect(panel(page).get_by_text("looks like the scanner of the audit").first).to_be_visible()
    panel(page).get_by_label("Assignee").select_option("analyst")
    panel(page).get_by_label("Verdict").select_option("false_positive")
    expect(panel(page).locator(".chip", has_text="False positive")).to_be_visible()
    triage = site.record("threat_000001")["triage"]
    assert triage["assignee"] == "analyst" and triage["verdict"] == "false_positive"


def test_foreign_text_stays_text(site, signed_in):
    long = MARKUP + "x" * 10000
    site.send(threat(1, asset=MARKUP, note=long, details={"note": long, "explanation": [MARKUP, {"feature": MARKUP, "value": 1}]}))
    site.change("threat_000001", {"comment": MARKUP + "x" * 3000}, "analyst")
    named = site.api("PUT", "/api/assets/" + site.record("threat_000001")["source_ip"], {"name": MARKUP[:100], "note": MARKUP + "y" * 800})
    assert named.status_code == 200, named.text
    page = signed_in("history?t=threat_000001")
    expect(panel(page).locator(".said").first).to_contain_text("<b>bold</b>")
    expect(panel(page).locator(".asset").first).to_contain_text("<img src=x")
    page.get_by_text("Whole record").click()
    expect(panel(page).locator("pre")).to_contain_text("onerror=")
    expect(panel(page).locator("pre")).to_contain_text("x" * 9999)
    for where in ("live", "inbox", "threat/threat_000001", "settings/audit"):
        visit(page, site, where)
        settled(page)
        assert page.locator("img, main b:not(.log b)").count() == 0 and "broken" not in page.title()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where


def test_a_long_word_stays_within_the_panel(site, signed_in):
    word = "W" * 10000
    site.send(threat(1, threat_type="w" * 64, sensor="s" * 64, mitre=[word[:64]], details={"explanation": word, "model": word, "features": {"f" * 200: 1}}),
              threat(2, details={"explanation": [word, {"feature": word, "value": 1, "usual": [0, 1]}, {"counter": word, "value": 2, "limit": 1, "benign_max": 1, "window_s": 60}]}))
    page = signed_in("history")
    for ident in ("threat_000001", "threat_000002"):
        for where in (f"live?t={ident}", f"inbox?t={ident}", f"threat/{ident}"):
            visit(page, site, where)
            expect(page.get_by_role("heading", name="Why it fired")).to_be_visible()
            page.locator("details.fold").evaluate_all("(folds) => { for (const fold of folds) fold.open = true; }")
            wide = page.evaluate("""[...document.querySelectorAll("main, .detail, .detail-body > section, tbody .row-open")]
              .filter((o) => o.offsetWidth && !o.matches(".row-open") && o.scrollWidth > o.clientWidth || o.getBoundingClientRect().right > innerWidth)
              .map((o) => `${o.className} ${o.textContent.slice(0, 40)}`)""")
            assert not wide, (where, wide)


def test_an_address_is_given_a_name_that_every_threat_of_it_shows(site, signed_in):
    site.send(threat(1, source_ip="198.51.100.9"), threat(2, source_ip="198.51.100.9"))
    page = signed_in("live?t=threat_000001")
    panel(page).get_by_role("button", name="Name…").first.click()
    dialog = page.get_by_role("dialog", name="Name 198.51.100.9")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".wrong")).to_contain_text("a text of 1 to 128 bytes")
    dialog.get_by_label("Name").fill("office printer")
    dialog.get_by_role("button", name="Save").click()
    expect(panel(page).locator(".names")).to_contain_text("office printer")
    visit(page, site, "live?t=threat_000002")
    expect(panel(page)).to_contain_text("threat_000002")
    expect(panel(page).locator(".names")).to_contain_text("office printer")
    site.api("DELETE", "/api/assets/198.51.100.9")


def test_what_is_refused_is_said_at_the_field_and_not_lost(site, signed_in):
    site.send(threat(1))
    page = signed_in("inbox?t=threat_000001")
    words = "🦊" * 3000
    panel(page).get_by_label("Comment").fill(words)
    panel(page).get_by_role("button", name="Add comment").click()
    expect(panel(page).locator(".comment .wrong")).to_contain_text("4000 bytes")
    expect(panel(page).get_by_label("Comment")).to_have_value(words)
    expect(panel(page).get_by_label("Comment")).to_have_attribute("aria-invalid", "true")
    panel(page).get_by_role("button", name="Suppress…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Source", exact=True).last.fill("not an address")
    dialog.get_by_label("Reason").fill("x")
    with page.expect_response("**/api/suppressions"):
        dialog.get_by_role("button", name="Suppress").click()
    expect(dialog.locator(".wrong").first).to_be_visible()
    assert not site.shelf("suppressions")


def test_the_permalink_shows_it_alone_and_a_wrong_one_says_so(tab, site):
    site.send(threat(1))
    sign_in(tab, site, "threat/threat_000001")
    expect(tab.get_by_role("main")).to_contain_text("threat_000001")
    tab.goto(f"{site.url}/#/threat/nosuch")
    expect(tab.get_by_text("This threat does not exist, or not any more.")).to_be_visible()


def test_the_record_is_copied_as_json(site, signed_in):
    site.send(threat(1))
    page = signed_in("live?t=threat_000001")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel(page).get_by_role("button", name="Copy as JSON").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["threat_id"] == "threat_000001"


def test_a_rule_is_previewed_before_it_is_made(site, signed_in):
    site.send(threat(1, source_ip="198.51.100.9"), threat(2, source_ip="198.51.100.9", threat_type="malware"), threat(3, source_ip="198.51.100.8"))
    page = signed_in("inbox?t=threat_000001")
    panel(page).get_by_role("button", name="Suppress…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_contain_text("Would have hidden 1 ")
    dialog.locator("#match-type").uncheck()
    expect(dialog.get_by_role("status")).to_contain_text("Would have hidden 2 ")
    dialog.get_by_role("button", name="Suppress").click()
    expect(dialog.get_by_text("Say why.")).to_be_visible()
    dialog.get_by_label("Reason").fill("our own scanner")
    dialog.get_by_role("button", name="Suppress").click()
    expect(dialog).to_have_count(0)
    rule, = site.shelf("suppressions")
    assert rule["match"] == {"source": "198.51.100.9"} and rule["reason"] == "our own scanner" and rule["expiresAt"]


def test_the_source_goes_on_the_blocklist(site, signed_in):
    site.send(threat(1, source_ip="198.51.100.9"))
    page = signed_in("live?t=threat_000001")
    panel(page).get_by_role("button", name="Block source…").click()
    page.get_by_role("dialog").get_by_role("button", name="Add to blocklist").click()
    expect(page.get_by_text("198.51.100.9 is on the blocklist.")).to_be_visible()
    entry, = site.shelf("blocklist")
    assert entry["address"] == "198.51.100.9" and entry["threat"] == "threat_000001"


def test_a_nul_is_told_at_its_field_and_a_type_that_cannot_be_too(site, signed_in):
    site.send(threat(1))
    page = signed_in("inbox?t=threat_000001")
    comment = panel(page).get_by_label("Comment")
    comment.evaluate("(o) => { o.value = 'seen\\0before'; o.dispatchEvent(new Event('input')); }")
    panel(page).get_by_role("button", name="Add comment").click()
    expect(panel(page).locator(".comment .wrong")).to_have_text("a text without NUL characters")
    expect(comment).to_have_attribute("aria-invalid", "true")
    assert comment.input_value() == "seen\0before"
    panel(page).get_by_role("button", name="Suppress…").click()
    dialog = page.get_by_role("dialog")
    kind = dialog.get_by_role("textbox", name="Type")
    kind.fill("no such type!")
    dialog.get_by_label("Reason").fill("x")
    with page.expect_response("**/api/suppressions"):
        dialog.get_by_role("button", name="Suppress").click()
    expect(dialog.locator(".match-row", has=page.get_by_role("textbox", name="Type")).locator(".wrong")).to_have_text("1 to 64 of a-z 0-9 _")
    assert not site.shelf("suppressions")
    kind.fill("PORT_SCAN")  # as it stands on the card
    dialog.get_by_role("button", name="Suppress").click()
    expect(dialog).to_have_count(0)
    assert site.shelf("suppressions")[0]["match"]["type"] == "port_scan"


def test_a_comment_that_was_begun_is_there_again(site, signed_in):
    site.send(threat(1), threat(2))
    page = signed_in("inbox?t=threat_000001")
    panel(page).get_by_label("Comment").fill("half a thou")
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_visible()
    expect(panel(page).get_by_label("Comment")).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    page.locator("tr[data-id=threat_000002] .row-open").click()
    expect(panel(page).get_by_label("Comment")).to_have_value("")
    page.locator("tr[data-id=threat_000001] .row-open").click()
    expect(panel(page)).to_contain_text("threat_000001")
    expect(panel(page).get_by_label("Comment")).to_have_value("half a thou")
    panel(page).get_by_role("button", name="Add comment").click()
    expect(panel(page).locator(".said")).to_have_text("half a thou")
    expect(panel(page).get_by_label("Comment")).to_have_value("")
    panel(page).get_by_role("button", name="Close details").click()
    expect(page.locator("tr[data-id=threat_000001] .row-open")).to_be_focused()


def test_the_keys_decide_on_the_permalink_too(site, signed_in):
    site.send(threat(1))
    page = signed_in("threat/threat_000001")
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
    page.keyboard.press("a")
    wait_for(lambda: site.states() == {"threat_000001": "acknowledged"}, 30)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("u")
    wait_for(lambda: site.states() == {"threat_000001": "new"}, 30)
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name="Suppress threats like this")).to_be_visible()


def test_others_of_the_same_source_and_target_are_a_click_away(site, signed_in):
    site.send(threat(1, source_ip="198.51.100.7", destination_ip="192.0.2.1"), threat(2, source_ip="198.51.100.7", destination_ip="192.0.2.2"),
              threat(3, source_ip="198.51.100.8", destination_ip="192.0.2.1"))
    page = signed_in("live?t=threat_000001")
    expect(panel(page).locator(".related a")).to_have_count(2)
    panel(page).locator(".related a").first.click()
    expect(panel(page).locator(".detail-id")).to_have_text("threat_000002")
    panel(page).get_by_role("link", name="Same source: 198.51.100.7").click()
    expect(page).to_have_url(re.compile(r"#/history\?q=source"))
    expect(page.locator("tbody tr[data-id]")).to_have_count(2)


def test_a_related_threat_says_whom_it_concerns(site, tab):
    site.send(threat(1, source_ip="198.51.100.9", destination_ip="192.0.2.7"), threat(2, source_ip="198.51.100.9", destination_ip="192.0.2.8"),
              threat(3, source_ip="198.51.100.10", destination_ip="192.0.2.7"))
    page = sign_in(tab, site, "threat/threat_000001")
    expect(page.locator(".related").nth(0)).to_contain_text("192.0.2.8")
    expect(page.locator(".related").nth(1)).to_contain_text("198.51.100.10")


def test_an_incident_is_not_told_to_last_as_long_as_one_of_its_flows(site, tab):
    site.send(threat(1, details={"flow_duration": 0, "flow_count": 1}), threat(2, revision=2, details={"flow_duration": 0, "flow_count": 100}))
    page = sign_in(tab, site, "threat/threat_000001")
    expect(page.locator(".facts dt", has_text="uration")).to_have_text("Duration")
    visit(page, site, "threat/threat_000002")
    expect(page.locator(".facts dt", has_text="uration")).to_have_text("Duration of the latest flow")


@pytest.mark.parametrize("secure", [True, False])
def test_link_and_record_are_copied_also_where_the_page_came_without_tls(chromium, site, secure):
    """Then browsers give a page no clipboard."""
    site.send(threat(1))
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    if not secure:
        context.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page = sign_in(context.new_page(), site, "threat/threat_000001")
    for name, held in (("Copy link", "/#/threat/threat_000001"), ("Copy as JSON", '"threat_id": "threat_000001"')):
        button = page.get_by_role("button", name=name)
        button.click()
        expect(page.locator(".notice").last).to_contain_text("Copied.")
        expect(button).to_be_focused()
        if secure:
            assert held in page.evaluate("navigator.clipboard.readText()")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.locator(".notice")).to_have_count(0)  # or it would be taken for the next one
    if not secure:
        page.locator("textarea").fill("")
        page.locator("textarea").focus()
        page.keyboard.press("Control+v")
        expect(page.locator("textarea")).to_have_value(re.compile('"threat_id": "threat_000001"'))
    context.close()


def test_on_a_phone_the_back_button_closes_what_covers_the_list(chromium, site):
    site.send(threat(1), threat(2))
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    page = sign_in(context.new_page(), site, "live")
    page.get_by_role("link", name="Inbox").click()
    page.locator(".view-inbox [data-id=threat_000001] .row-open").click()
    expect(panel(page)).to_be_visible()
    page.go_back()
    expect(panel(page)).to_be_hidden()
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
    context.close()


def test_no_incident_is_told_to_have_fewer_packets_than_flows(site, tab):
    site.send(threat(1, revision=2, details={"flow_count": 30, "packet_count": 2, "byte_count": 80}), threat(2, revision=2, details={"flow_count": 30, "packet_count": 170}))
    page = sign_in(tab, site, "threat/threat_000001")
    growth = page.locator(".part-head", has=page.get_by_role("heading", name="Growth"))
    expect(growth).to_contain_text("30 flows")
    expect(growth).not_to_contain_text("packets")
    expect(page.locator(".facts dt", has_text="Packets")).to_have_text("Packets counted so far")
    visit(page, site, "threat/threat_000002")
    expect(growth).to_contain_text("30 flows, 170 packets")
    expect(page.locator(".facts dt", has_text="Packets")).to_have_text("Packets")
