import re

from browser import expect, fill_in, sign_in, threat


def test_a_wrong_password_is_told_as_text(tab, site):
    tab.goto(site.url)
    fill_in(tab, password="<b>wrong</b>")
    expect(tab.get_by_role("alert")).to_have_text("Invalid credentials")
    expect(tab.get_by_label("Password")).to_be_focused()


def test_an_ended_session_asks_for_the_password_and_comes_back(tab, site):
    site.send(threat(1))
    sign_in(tab, site, "live?t=threat_000001")
    site.end_sessions("admin")
    expect(tab.get_by_text("Your session has ended")).to_be_visible()
    fill_in(tab)
    expect(tab.locator(".connection")).to_have_attribute("data-phase", "live")
    assert tab.evaluate("location.hash") == "#/live?t=threat_000001"
    expect(tab.locator("tbody tr[data-id]")).to_have_count(1)


def test_signing_out_ends_every_tab(tab, site):
    sign_in(tab, site)
    other = tab.context.new_page()
    other.goto(site.url)
    expect(other.locator(".connection")).to_have_attribute("data-phase", "live")
    tab.get_by_label("Account").click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_label("Username")).to_be_visible()
    expect(other.get_by_label("Username")).to_be_visible()


def test_no_token_stays_where_a_script_could_read_it(tab, site):
    sign_in(tab, site)
    assert tab.evaluate("document.cookie") == ""
    assert "token" not in tab.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")


def test_signing_in_in_one_tab_signs_in_all(tab, site):
    sign_in(tab, site, "inbox")
    other = tab.context.new_page()
    other.goto(f"{site.url}/#/history?q=type:malware")
    expect(other.locator(".connection")).to_have_attribute("data-phase", "live")
    site.end_sessions("admin")
    for page in (tab, other):
        expect(page.get_by_text("Your session has ended")).to_be_visible()
    fill_in(tab)
    for page, view in ((tab, "Inbox"), (other, "History")):
        expect(page.get_by_role("heading", name=view, exact=True)).to_be_visible()
        expect(page.locator(".connection")).to_have_attribute("data-phase", "live")


def test_who_is_locked_out_is_told_for_how_long_in_minutes(tab, site):
    tab.goto(site.url)
    for _ in range(20):
        with tab.expect_response("**/api/auth/login") as answer:
            fill_in(tab, user="nobody", password="wrong")
        if answer.value.status == 429:
            break
    expect(tab.get_by_role("alert")).to_have_text(re.compile(r"^Too many attempts\. Try again in \d+ min\.$"))
