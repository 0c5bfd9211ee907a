"""How the tests drive Chromium, and how one signs in."""
import os

from playwright.sync_api import expect

from records import threat
from sites import PASSWORD

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


__all__ = ["ARGS", "CHROMIUM", "PASSWORD", "expect", "fill_in", "sign_in", "threat"]
