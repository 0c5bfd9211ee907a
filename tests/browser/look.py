"""Pictures of the page as it stands, to be looked at while working on it: look.py OUT [view ...]"""
import pathlib
import sys
import time

from playwright.sync_api import sync_playwright

import conftest
import sites
from records import threat

SIZES = {"dark": (1440, 900, "dark"), "light": (1440, 900, "light"), "phone": (390, 844, "dark")}


def fill(site):
    rng = __import__("random").Random(4)
    from datetime import datetime, timedelta, timezone
    old = []
    for n in range(1, 400):
        at = datetime.now(timezone.utc) - timedelta(hours=24 * rng.random() ** 1.6)
        extra = {"timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        if rng.random() < 0.15:
            extra["details"] = {"source": "simulator"}
        if rng.random() < 0.3:
            extra["revision"] = rng.randint(2, 5)
            extra.setdefault("details", {})["flow_count"] = rng.choice([10, 100, 1000, 12874])
        old.append(threat(n, **extra))
    old.sort(key=lambda t: t["timestamp"])
    site.send(*old)
    site.test("set", sensors=[
        {"name": "edge-1", "state": "ok", "lastHeard": datetime.now(timezone.utc).isoformat(), "report": {"version": "0.1.0", "source": "live:eth0",
         "packets": 18234871, "drops": 0, "flows": 91823, "evictions": 0, "waiting": 0, "model": "lab-1"}},
        {"name": "dc-2", "state": "late", "lastHeard": (datetime.now(timezone.utc) - timedelta(seconds=48)).isoformat(), "report": {
         "version": "0.1.0", "source": "live:eth1", "packets": 8234871, "drops": 120, "flows": 41823, "evictions": 3, "waiting": 12, "model": "lab-1"}}])


def main():
    out = pathlib.Path(sys.argv[1])
    views = sys.argv[2:] or ["live"]
    out.mkdir(parents=True, exist_ok=True)
    site = sites.StandIn()
    fill(site)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=conftest.CHROMIUM, args=conftest.ARGS)
        for name, (width, height, theme) in SIZES.items():
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB")
            page = context.new_page()
            page.on("pageerror", lambda e: print("page error:", e))
            page.on("console", lambda m: print("console:", m.text) if m.type == "error" else None)
            page.goto(site.url)
            if name == "dark" or name == "light":
                page.screenshot(path=out / f"login-{name}.png")
            conftest.sign_in(page, site)
            for view in views:
                page.goto(f"{site.url}/#/{view}")
                time.sleep(1.2)
                page.screenshot(path=out / f"{view.split('?')[0].replace('/', '-')}-{name}{'-detail' if 't=' in view else ''}.png")
            context.close()
        browser.close()


main()
