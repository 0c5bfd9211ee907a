import json

from browser import PASSWORD, expect, fill_in, sign_in, threat, visit
from sites import wait_for


def test_a_user_is_made_changed_and_removed(site, signed_in):
    page = signed_in("settings/users")
    form = page.locator("form.add")
    form.get_by_label("Username").fill("dana")
    form.get_by_label("Password").fill("short")
    form.get_by_role("button", name="Add").click()
    expect(form.locator(".wrong")).to_be_visible()
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_role("button", name="Add").click()
    row = page.locator("tr", has_text="dana")
    expect(row).to_be_visible()
    page.get_by_label("Role dana").select_option("viewer")
    wait_for(lambda: next(u["role"] for u in site.shelf("users") if u["username"] == "dana") == "viewer")
    row.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled")
    expect(page.get_by_label("Role dana")).to_have_value("viewer")
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes, remove").click()
    expect(row).to_have_count(0)


def test_a_disabled_user_is_out_at_once(site, signed_in, chromium):
    page = signed_in("settings/users")
    context = chromium.new_context()
    other = sign_in(context.new_page(), site, user="viewer")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="viewer", exact=True))
    row.get_by_role("button", name="Disable").click()
    expect(other.get_by_label("Username")).to_be_visible()
    row.get_by_role("button", name="Enable").click()
    expect(page.get_by_text("disabled", exact=True)).to_have_count(0)
    fill_in(other, "viewer")
    expect(other.locator(".connection")).to_have_attribute("data-phase", "live")
    context.close()


def test_a_key_is_shown_once(site, signed_in):
    page = signed_in("settings/keys")
    page.locator("form.add").get_by_label("Name").fill("firewall")
    page.locator("form.add").get_by_label("May").select_option("feed")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".secret")).to_contain_text("tlk_")
    page.reload()
    expect(page.locator("tr", has_text="firewall")).to_be_visible()
    expect(page.locator(".secret")).to_have_count(0)


def test_what_was_done_stands_in_the_audit_log(site, signed_in):
    page = signed_in("settings/audit")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.get_by_label("Action").fill("user_created")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr").filter(has_text="user_created").first).to_be_visible()
    expect(page.locator("tbody tr").filter(has_text="login")).to_have_count(0)


def test_an_analyst_sees_no_admin_rooms(site, signed_in):
    page = signed_in("settings", user="analyst")
    rooms = page.get_by_role("navigation", name="Settings")
    expect(rooms.get_by_role("link", name="Suppressions")).to_be_visible()
    for name in ("Users", "API keys", "Audit log", "Danger"):
        expect(rooms.get_by_role("link", name=name)).to_have_count(0)


def test_all_threats_are_removed_only_after_a_question(site, signed_in):
    site.send(threat(1), threat(2))
    page = signed_in("settings/clear")
    page.get_by_role("button", name="Remove all threats").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes, remove").click()
    expect(page.locator(".notice")).to_contain_text("2 threats removed.")
    visit(page, site, "live")
    expect(page.get_by_text("No threats yet")).to_be_visible()
    expect(page.locator("[data-stat=total]")).to_have_text("0")


def test_a_notice_goes_to_a_target_and_the_test_button_tries_it(site, signed_in, receiver):
    page = signed_in("settings/notifications")
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    form = page.locator("form.add")
    form.get_by_label("Name").fill("on call")
    form.get_by_label("Target").fill("nonsense")
    form.get_by_role("button", name="Add").click()
    expect(form.locator(".wrong")).to_be_visible()
    form.get_by_label("Target").fill(receiver.url)
    form.get_by_label("Only").fill("severity:critical")
    form.get_by_role("button", name="Add").click()
    expect(page.locator(".secret")).to_contain_text("whsec_")
    row = page.locator("tr", has_text="on call")
    row.get_by_role("button", name="Send test").click()
    expect(page.get_by_text("Test sent.")).to_be_visible()
    assert len(receiver.got) == 1
    site.send(threat(1, severity="low"), threat(2, severity="critical"))
    wait_for(lambda: len(receiver.got) == 2)
    assert json.loads(receiver.got[1][1])["data"]["threat_id"] == "threat_000002"
    page.reload()
    expect(row.locator("td.num")).not_to_have_text("0")
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes, remove").click()
    expect(row).to_have_count(0)


def test_what_was_not_delivered_says_why_and_is_sent_again(site, signed_in, receiver):
    receiver.status = 410
    answer = site.api("POST", "/api/notifications", {"name": "gone", "type": "webhook", "url": receiver.url})
    assert answer.status_code == 201, answer.text
    site.send(threat(1))
    wait_for(lambda: site.api("GET", "/api/dead-letters").json()["count"] == 1)
    page = signed_in("settings/letters")
    row = page.locator("tbody tr")
    expect(row).to_contain_text("threat_000001")
    expect(row).to_contain_text("410")
    receiver.status = 200
    row.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Sent again.")).to_be_visible()
    wait_for(lambda: len(receiver.got) == 2)
    wait_for(lambda: site.api("GET", "/api/dead-letters").json()["count"] == 0)
    page.reload()
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()


def test_who_may_send_is_told_to_administrators_alone(site, signed_in):
    page = signed_in("sensors")
    expect(page.get_by_text("trusted networks, signatures and keys")).to_be_visible()
    assert "webhook" not in site.api("GET", "/api/network/status", user="analyst").json()


def test_what_analysts_decided_is_the_measure_of_false_alarms(site, signed_in):
    site.send(*(threat(n) for n in range(1, 5)))
    page = signed_in("sensors")
    expect(page.get_by_text("No verdict has been given yet.")).to_be_visible()
    for n, verdict in enumerate(("true_positive", "true_positive", "true_positive", "false_positive"), 1):
        site.change(f"threat_{n:06d}", {"verdict": verdict}, "analyst")
    decided = page.locator("section", has=page.get_by_role("heading", name="What analysts decided"))
    expect(decided).to_contain_text("75%")
    expect(decided).to_contain_text("False alarms")


def test_no_word_of_the_audit_log_is_broken(site, signed_in):
    page = signed_in("settings/audit")
    expect(page.locator("tbody tr").first).to_be_visible()
    broken = page.evaluate("""() => [...document.querySelectorAll(".shelf tbody tr > :not(.text, .acts)")].filter((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return cell.textContent && new Set([...range.getClientRects()].map((r) => Math.round(r.top / 8))).size > 1;
    }).map((cell) => cell.textContent)""")
    assert not broken


def test_a_nul_is_told_at_the_field_that_holds_it(site, signed_in):
    page = signed_in("settings/users")
    form = page.locator("form.add")
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_label("Username").evaluate("(o) => { o.value = 'da\\0na'; }")
    form.get_by_role("button", name="Add").click()
    expect(form.locator(".field", has=page.get_by_label("Username")).locator(".wrong")).to_have_text("a text without NUL characters")
    assert len(site.shelf("users")) == 3


def test_an_answer_that_was_overtaken_does_not_bring_back_the_old_row(site, signed_in):
    page = signed_in("settings/users")
    row = page.locator("tr", has=page.get_by_label("Role viewer"))
    expect(row).to_contain_text("enabled")
    held = []
    page.route("**/api/users", lambda route: route.continue_() if held or route.request.method != "GET" else held.append((route, route.fetch())))
    row.get_by_role("button", name="Disable").click()
    wait_for(lambda: page.evaluate("1") and held, 30)
    row.get_by_role("button", name="Disable").click()  # the row stands as it was; said once more, the list is asked for again
    row.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("enabled")
    with page.expect_response("**/api/users"):
        held[0][0].fulfill(response=held[0][1])
    page.evaluate("fetch('/api/auth/me').then((answer) => answer.text())")  # by then the page has heard the other, too
    expect(row).to_contain_text("enabled")


def test_the_longest_names_leave_room_for_what_one_can_do(site, tab):
    made = site.api("POST", "/api/notifications", {"name": "n" * 64, "type": "webhook", "url": "http://127.0.0.1:9/" + "h" * 200, "filter": "severity:critical"})
    assert made.status_code == 201, made.text
    page = sign_in(tab, site, "settings/notifications")
    expect(page.get_by_role("button", name="Send test")).to_be_visible()
    region = page.get_by_role("region", name="Notifications")
    assert region.evaluate("(o) => o.scrollWidth - o.clientWidth") <= 0
