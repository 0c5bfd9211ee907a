import pytest

from browser import expect, sign_in, threat
from sites import wait_for


def rows(page):
    return page.locator(".view-inbox tbody tr[data-id]")


def test_j_k_a_e_c_decide_one_by_one_and_u_takes_it_back(site, signed_in):
    site.send(*(threat(n) for n in range(1, 6)))
    page = signed_in("inbox")
    expect(rows(page)).to_have_count(5)
    page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000005")
    page.keyboard.press("a")
    expect(rows(page)).to_have_count(4)
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000004")
    page.keyboard.press("e")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("c")
    expect(rows(page)).to_have_count(2)
    wait_for(lambda: site.states() == {"threat_000005": "acknowledged", "threat_000004": "escalated", "threat_000003": "closed",
                                       "threat_000002": "new", "threat_000001": "new"})
    page.keyboard.press("u")
    expect(rows(page)).to_have_count(3)
    wait_for(lambda: site.states()["threat_000003"] == "new")


def test_many_are_decided_at_once(site, signed_in):
    site.send(*(threat(n) for n in range(1, 21)))
    page = signed_in("inbox")
    expect(rows(page)).to_have_count(20)
    page.get_by_label("Select all that are shown").check()
    expect(page.get_by_text("20 selected")).to_be_visible()
    page.get_by_label("Select threat_000007").uncheck()
    page.get_by_role("toolbar").get_by_role("button", name="Acknowledge").click()
    expect(rows(page)).to_have_count(1)
    wait_for(lambda: sum(s == "acknowledged" for s in site.states().values()) == 19)
    page.get_by_role("button", name="Undo").click()
    expect(rows(page)).to_have_count(20)
    wait_for(lambda: set(site.states().values()) == {"new"})


def test_o_opens_the_detail_beside_the_list_and_escape_closes_it(site, signed_in):
    site.send(threat(1), threat(2))
    page = signed_in("inbox")
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("o")
    detail = page.get_by_role("complementary", name="Threat")
    expect(detail).to_contain_text("threat_000002")
    expect(rows(page).first).to_be_visible()
    page.keyboard.press("j")
    expect(detail).to_contain_text("threat_000001")
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()


def test_what_others_do_is_seen_at_once(tab, site, chromium):
    site.send(threat(1), threat(2))
    sign_in(tab, site, "inbox")
    context = chromium.new_context()
    other = context.new_page()
    sign_in(other, site, "inbox", user="analyst")
    for page in (tab, other):
        expect(rows(page)).to_have_count(2)
    other.keyboard.press("j")
    other.keyboard.press("a")
    expect(rows(tab)).to_have_count(1)
    context.close()


def test_a_lost_race_is_shown_and_nothing_is_overwritten(tab, fake):
    fake.send(threat(1))
    page = sign_in(tab, fake, "inbox?status=all")
    expect(rows(page)).to_have_count(1)
    # The other's change is made, but its event does not reach this page.
    fake.test("set", silent=True)
    fake.test("change", id="threat_000001", set={"status": "escalated"}, actor="analyst")
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.get_by_role("alert")).to_contain_text("analyst was faster")
    expect(rows(page)).to_contain_text("Escalated")
    assert fake.states() == {"threat_000001": "escalated"}


def test_a_key_never_decides_the_row_that_slid_under_it(site, signed_in):
    site.send(*(threat(n) for n in range(1, 4)))
    page = signed_in("inbox", user="analyst")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000002")
    site.change("threat_000002", {"status": "closed"}, "admin")
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text("has just left the list")
    assert site.states() == {"threat_000003": "new", "threat_000002": "closed", "threat_000001": "new"}
    page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000001")
    page.keyboard.press("a")
    wait_for(lambda: site.states()["threat_000001"] == "acknowledged")


def test_a_selection_that_others_decided_decides_nothing_else(site, signed_in):
    site.send(*(threat(n) for n in range(1, 4)))
    page = signed_in("inbox", user="analyst")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    expect(page.get_by_text("1 selected")).to_be_visible()
    site.change("threat_000003", {"status": "closed"}, "admin")
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text("has just left the list")
    assert site.states() == {"threat_000003": "closed", "threat_000002": "new", "threat_000001": "new"}


def test_a_full_list_keeps_the_row_under_the_cursor(site, signed_in):
    page = signed_in("inbox", user="analyst")
    expect(page.get_by_text("Inbox is empty")).to_be_visible()
    site.send(*(threat(n, details={"features": {}}) for n in range(1, 991)))
    expect(page.locator(".tabs a[aria-current] .num")).to_have_text("990", timeout=60000)
    page.keyboard.press("k")
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000001")
    site.send(*(threat(n, details={"features": {}}) for n in range(991, 1041)))
    expect(page.locator(".tabs a[aria-current] .num")).to_have_text("1,040", timeout=60000)
    wait_for(lambda: rows(page).count() <= 100)
    expect(page.locator("tr.cursor")).to_have_attribute("data-id", "threat_000001")
    page.keyboard.press("e")
    wait_for(lambda: site.record("threat_000001")["triage"]["status"] == "escalated", 30)


def test_an_answer_that_comes_late_does_not_bring_back_what_was_decided(site, signed_in):
    site.send(*(threat(n) for n in range(1, 4)))
    page = signed_in("live")
    held = []
    page.route("**/api/network/threats?*", lambda route: held.append((route, route.fetch())))
    page.evaluate("location.hash = '#/inbox'")
    wait_for(lambda: page.evaluate("1") and held, 30)
    site.change("threat_000002", {"status": "closed"}, "analyst")
    site.send(threat(4))
    expect(page.locator("#announce")).to_contain_text("1 new threat")  # the events have come, and the figures alone would not tell
    held[0][0].fulfill(response=held[0][1])
    expect(rows(page)).to_have_count(3)
    assert rows(page).evaluate_all("(rows) => rows.map((o) => o.dataset.id)") == ["threat_000004", "threat_000003", "threat_000001"]


def test_an_event_that_comes_late_does_not_bring_back_what_was_decided(tab, fake):
    fake.send(threat(1), threat(2))
    page = sign_in(tab, fake, "inbox", user="analyst")
    expect(rows(page)).to_have_count(2)
    as_it_came = fake.world.threats["threat_000002"]
    page.keyboard.press("j")
    page.keyboard.press("c")
    wait_for(lambda: fake.states()["threat_000002"] == "closed")
    fake.test("event", type="threat_detected", durable=True, data=as_it_came)
    fake.send(threat(3))
    expect(rows(page).first).to_have_attribute("data-id", "threat_000003")
    expect(rows(page)).to_have_count(2)


def test_new_threats_come_in_on_top(site, signed_in):
    site.send(threat(1))
    page = signed_in("inbox")
    expect(rows(page)).to_have_count(1)
    site.send(threat(2))
    expect(rows(page).first).to_have_attribute("data-id", "threat_000002")


def test_a_viewer_may_read_but_not_decide(site, signed_in):
    site.send(threat(1))
    page = signed_in("inbox", user="viewer")
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text("may read, but not decide")
    assert site.states() == {"threat_000001": "new"}


def test_the_keys_are_told_by_a_question_mark(signed_in):
    page = signed_in("inbox")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


# The event that a dialog has closed comes after it; the next key can be there before it.
CLOSED = """(next) => new Promise((done) => {
    const box = document.querySelector("dialog");
    box.addEventListener("close", () => setTimeout(() => done(document.activeElement.name || document.activeElement.id)));
    box.close();
    if (next) document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: next, bubbles: true}));
})"""


@pytest.mark.parametrize("following, focused", [("", "main"), ("/", "q")])
def test_a_closed_dialog_gives_focus_back_once(signed_in, following, focused):
    page = signed_in("inbox")
    page.locator("#main").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    assert page.evaluate(CLOSED, following) == focused


def test_a_page_is_not_left_unasked_before_the_server_has_the_decision(site, tab):
    site.send(threat(1), threat(2))
    page = sign_in(tab, site, "inbox")
    expect(page.locator("tbody tr[data-id]")).to_have_count(2)
    held, asked = [], []

    def answer(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", answer)
    page.route("**/api/network/threats/threat_*", lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_())
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator("tbody tr[data-id]")).to_have_count(1)  # it shows at once
    wait_for(lambda: page.evaluate("1") and held)
    page.close(run_before_unload=True)
    wait_for(lambda: page.wait_for_timeout(50) or asked == ["beforeunload"], 30)
    held[0].continue_()
    expect(page.locator(".notice")).to_contain_text("1 threat acknowledged")
    assert site.record("threat_000002")["triage"]["status"] == "acknowledged"
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert asked == ["beforeunload"], "with nothing on its way nobody is asked"
