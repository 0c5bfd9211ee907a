"""How the tests drive Chromium, and how one signs in."""
import os

from playwright.sync_api import expect

from records import threat
from sites import PASSWORD, wait_for

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]
expect.set_options(timeout=30000)  # a ceiling for a machine that others use, too


def fill_in(page, user="admin", password=PASSWORD):
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_in(page, site, view="live", user="admin"):
    page.goto(f"{site.url}/#/{view}")
    fill_in(page, user)
    expect(page.locator(".connection")).to_have_attribute("data-phase", "live")
    return page


def visit(page, site, where):
    """Goes to a view of a page that is open already, and waits until it has taken the place of the one before: until then
    the rows of the old one would be taken for those of the new one."""
    page.evaluate("document.querySelector('main > .view').classList.add('before')")
    there = (page.url.partition("#/")[2].split("?")[0] or "live") == where.split("?")[0]  # another query alone keeps the view
    page.goto(f"{site.url}/#/{where}")
    expect(page.locator("main > .view" if there else "main > .view:not(.before)")).to_have_count(1)
    expect(page.locator("aside.detail")).to_be_visible(visible="?t=" in where or "&t=" in where)


def settled(page):
    """Waits until what a view shows first has come: its list, its panel, and on Live the charts."""
    expect(page.locator(".loading")).to_have_count(0)
    if page.locator(".view-live").count():
        expect(page.locator(".charts")).to_be_visible()


def measured(page, rows, script):
    """What script finds where so many rows stand; both in one step, so that no redraw comes between."""
    return wait_for(lambda: page.evaluate(f"() => document.querySelectorAll('tbody tr[data-id]').length === {rows} ? {{ found: ({script})() }} : null"))["found"]


__all__ = ["ARGS", "CHROMIUM", "PASSWORD", "expect", "fill_in", "measured", "settled", "sign_in", "threat", "visit"]
