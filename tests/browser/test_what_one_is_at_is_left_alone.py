"""What arrives while one presses, writes or waits: it takes no click, no focus and no word, and nothing goes out twice."""
from browser import expect, sign_in, threat, visit
from sites import wait_for


def test_what_is_pressed_twice_is_sent_once(site, signed_in):
    site.send(threat(1))
    page = signed_in("settings/keys")
    sent = []
    page.on("request", lambda request: sent.append(request.url.rpartition("/")[2]) if request.method in ("POST", "PUT", "PATCH") else None)
    twice = "(button) => { button.click(); button.click(); }"
    page.locator("form.add").get_by_label("Name").fill("firewall")
    page.locator("form.add").get_by_role("button", name="Add").evaluate(twice)
    expect(page.locator(".secret")).to_contain_text("tlk_")
    visit(page, site, "live?t=threat_000001")
    page.get_by_role("button", name="Acknowledge").evaluate(twice)
    expect(page.get_by_text("1 threat acknowledged")).to_be_visible()
    page.get_by_role("button", name="Suppress…").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("twice")
    page.get_by_role("dialog").get_by_role("button", name="Suppress").evaluate(twice)
    expect(page.get_by_role("dialog")).to_have_count(0)
    visit(page, site, "settings/you")
    page.get_by_label("Present password").fill("wrong")
    page.get_by_label("New password").fill("twice as long as it was")
    page.get_by_role("button", name="Change password").evaluate(twice)
    expect(page.locator("form .wrong").first).to_be_visible()
    assert [sent.count(name) for name in ("keys", "threat_000001", "suppressions", "password")] == [1, 1, 1, 1]


def press_while(page, button, meanwhile):
    """The pointer goes down on a button, something happens, and it goes up."""
    button.hover()
    page.mouse.down()
    meanwhile()
    page.mouse.up()


def test_a_click_that_has_begun_finds_its_button_though_more_comes_in(site, signed_in):
    site.send(threat(1, severity="high", threat_type="malware"))
    page = signed_in()
    bar = page.locator(".charts .bar-row", has_text="High")
    expect(bar.locator(".num")).to_have_text("1")

    def more():
        site.send(threat(2, severity="high", threat_type="malware"))
        expect(bar.locator(".num")).to_have_text("2")

    press_while(page, bar, more)
    expect(page.locator("#query")).to_have_value("severity:high")

    def changed():
        site.change("threat_000001", {"status": "closed"}, "analyst")
        expect(page.locator("tr[data-id=threat_000001]")).to_contain_text("Closed")

    visit(page, site, "history")
    expect(page.locator("tbody tr[data-id]")).to_have_count(2)
    site.send(threat(3, threat_type="port_scan"))
    page.get_by_role("button", name="1 arrived since this search").click()
    press_while(page, page.locator(".facet", has_text="PORT_SCAN"), changed)
    expect(page.locator("#query")).to_have_value("type:port_scan")


def test_a_growing_threat_leaves_what_one_is_at_alone(site, signed_in):
    site.send(threat(1))
    page = signed_in("live?t=threat_000001")
    panel = page.get_by_role("complementary", name="Threat")

    def grows(revision):
        site.send(threat(1, revision=revision, details={"flow_count": 10 * revision}))
        expect(panel).to_contain_text(f"{10 * revision} flows")

    panel.get_by_text("Flow features (").click()
    panel.get_by_role("button", name="Copy link").focus()
    grows(7)
    expect(panel.get_by_role("button", name="Copy link")).to_be_focused()
    expect(panel.get_by_role("table").first.locator("tr").first).to_be_visible()
    press_while(page, panel.get_by_role("button", name="Block source…"), lambda: grows(8))
    expect(page.get_by_role("dialog")).to_be_visible()


def test_what_others_decide_leaves_a_comment_alone_and_is_what_one_decides_on(site, signed_in):
    """The choice that is made then goes along with the version that is shown."""
    site.send(threat(1))
    page = signed_in("live?t=threat_000001")
    panel = page.get_by_role("complementary", name="Threat")
    panel.get_by_label("Comment").press_sequentially("half a ")
    site.change("threat_000001", {"assignee": "viewer"}, "analyst")
    expect(panel.get_by_label("Assignee")).to_have_value("viewer")
    expect(panel.get_by_label("Comment")).to_be_focused()
    page.keyboard.type("thought")
    expect(panel.get_by_label("Comment")).to_have_value("half a thought")
    panel.get_by_label("Verdict").select_option("false_positive")
    expect(panel.locator(".chip", has_text="False positive")).to_be_visible()
    expect(panel.get_by_label("Verdict")).to_have_value("false_positive")
    assert site.record("threat_000001")["triage"]["verdict"] == "false_positive"


def test_the_names_of_the_others_come_without_taking_the_focus(site, tab):
    site.send(threat(1))
    held = []
    tab.route("**/api/assignees", lambda route: held.append(route))
    page = sign_in(tab, site, "live?t=threat_000001")
    menu = page.get_by_role("complementary", name="Threat").get_by_label("Assignee")
    menu.focus()
    expect(menu.locator("option", has_text="viewer")).to_have_count(0)
    wait_for(lambda: page.evaluate("1") and held)
    held[0].continue_()
    expect(menu.locator("option", has_text="analyst")).to_have_count(1)
    expect(menu).to_be_focused()


def test_a_preview_takes_neither_the_focus_nor_the_place_of_a_later_one(site, signed_in):
    site.send(threat(1, source_ip="198.51.100.9"), threat(2, source_ip="198.51.100.9", threat_type="malware"))
    page = signed_in("live?t=threat_000001")
    page.get_by_role("complementary", name="Threat").get_by_role("button", name="Suppress…").click()
    dialog = page.get_by_role("dialog")
    said = dialog.get_by_role("status")
    expect(said).to_contain_text("Would have hidden 1 ")
    held = []
    page.route("**/suppressions/preview", lambda route: held.append(route))

    def asks(many):
        wait_for(lambda: page.evaluate("1") and len(held) == many)

    dialog.get_by_role("textbox", name="Source").fill("not an address")
    asks(1)
    dialog.get_by_label("Reason").focus()
    held[0].continue_()
    expect(dialog.locator(".match-row .wrong")).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Suppress").click()
    expect(dialog.get_by_text("Say why.")).to_be_visible()
    dialog.get_by_role("textbox", name="Source").fill("198.51.100.9")
    asks(2)
    dialog.locator("#match-type").uncheck()
    asks(3)
    held[2].continue_()
    expect(said).to_contain_text("Would have hidden 2 ")
    with page.expect_response("**/suppressions/preview"):
        held[1].continue_()
    page.evaluate("fetch('/api/auth/me').then((answer) => answer.text())")
    expect(said).to_contain_text("Would have hidden 2 ")
    expect(dialog.get_by_text("Say why.")).to_be_visible()


def test_a_search_that_is_being_named_is_not_lost_when_the_list_comes(site, signed_in):
    page = signed_in("history", user="viewer")
    menu = page.locator("summary", has_text="Saved searches")
    menu.click()
    expect(page.get_by_label("Name")).to_be_visible()
    menu.click()
    held = []
    page.route("**/api/searches", lambda route: held.append((route, route.fetch())))
    menu.click()
    page.get_by_label("Name").fill("half a na")
    wait_for(lambda: page.evaluate("1") and held)
    with page.expect_response("**/api/searches"):
        held[0][0].fulfill(response=held[0][1])
    page.evaluate("fetch('/api/auth/me').then((answer) => answer.text())")
    expect(page.get_by_label("Name")).to_have_value("half a na")


def test_a_removed_upload_is_not_brought_back_by_an_answer_of_before(tab, fake):
    fake.world.docs["uploads"]["u1"] = {"id": "u1", "fileName": "slow.pcap", "state": "running", "bytes": 1, "packets": 0, "flows": 0, "threats": 0, "sha256": "", "createdAt": "2026-01-01T10:00:00Z"}
    page = sign_in(tab, fake, "uploads")
    row = page.locator("tr", has_text="slow.pcap")
    expect(row).to_be_visible()
    held = []
    page.route("**/api/network/uploads", lambda route: route.continue_() if held else held.append((route, route.fetch())))
    wait_for(lambda: page.evaluate("1") and held)
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(0)
    with page.expect_response("**/api/network/uploads"):
        held[0][0].fulfill(response=held[0][1])
    page.evaluate("fetch('/api/auth/me').then((answer) => answer.text())")
    assert row.count() == 0  # at no time: the next look at a job that runs would take it away again
