import pytest

from browser import expect, sign_in, threat


@pytest.mark.parametrize("where", ["nowhere", "Live", "liv", "history2?q=type:malware"])
def test_an_unknown_page(site, tab, where):
    page = sign_in(tab, site, where)
    expect(page.get_by_text("There is no such page.")).to_be_visible()
    expect(page).to_have_title("Not found · Threatline")
    expect(page.locator(".rail [aria-current]")).to_have_count(0)
    page.get_by_role("link", name="Go to Live").click()
    expect(page.get_by_role("heading", name="Live", exact=True)).to_be_visible()
    expect(page).to_have_title("Live · Threatline")
    page.go_back()
    expect(page.get_by_text("There is no such page.")).to_be_visible()


def test_no_page_at_all_is_live(site, tab):
    sign_in(tab, site, "inbox")
    for where in ("", "#", "#/"):
        tab.goto("about:blank")
        tab.goto(f"{site.url}/{where}")
        expect(tab.get_by_role("heading", name="Live", exact=True)).to_be_visible()


@pytest.mark.parametrize(("user", "section", "said"), [("admin", "nowhere", "There is no such section."), ("viewer", "users", "Your role does not see this."),
                                                       ("analyst", "clear", "Your role does not see this.")])
def test_a_section_of_the_settings_that_is_not_there(site, tab, user, section, said):
    page = sign_in(tab, site, f"settings/{section}", user)
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.locator(".side [aria-current]")).to_have_count(0)


def test_a_threat_that_is_not_there_leads_on(site, tab):
    page = sign_in(tab, site, "threat/threat_none")
    expect(page.get_by_text("This threat does not exist, or not any more.")).to_be_visible()
    page.get_by_role("link", name="Search in History").click()
    expect(page.get_by_role("heading", name="History", exact=True)).to_be_visible()


def test_the_skip_link_leads_to_the_content_and_nowhere_else(site, tab):
    site.send(threat(1))
    page = sign_in(tab, site, "inbox?t=threat_000001")
    expect(page.get_by_role("complementary", name="Threat")).to_be_visible()
    where = page.url
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    expect(page.get_by_role("heading", name="Inbox", exact=True)).to_be_visible()
    assert page.url == where
