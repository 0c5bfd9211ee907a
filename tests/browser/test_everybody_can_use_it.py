from datetime import datetime, timedelta, timezone

import pytest

import axe
from browser import expect, fill_in, measured, settled, sign_in, threat, visit
from sites import wait_for

VIEWS = ["live", "live?t=threat_000003", "inbox", "history?q=type:port_scan", "history?q=colour:red", "threat/threat_000003", "sensors", "uploads",
         "settings", "settings/users", "settings/keys", "settings/suppressions", "settings/blocklist", "settings/notifications", "settings/letters", "settings/audit",
         "settings/clear", "settings/nowhere", "history?q=source:9.9.9.9&range=1h", "threat/threat_none", "nowhere"]


@pytest.fixture
def filled(site):
    site.send(*(threat(n) for n in range(1, 25)))
    site.send(threat(30, details={"source": "simulator"}), threat(31, revision=4, details={"flow_count": 1000}))
    made = site.api("POST", "/api/notifications", {"name": "on call", "type": "webhook", "url": "http://127.0.0.1:9/hook", "filter": "severity:critical"})
    assert made.status_code == 201, made.text
    site.change("threat_000003", {"comment": "seen before"}, "analyst")
    site.change("threat_000003", {"status": "escalated"}, "analyst")
    return site


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_on_any_view(chromium, filled, theme):
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme=theme, bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(filled.url)
    expect(page.get_by_label("Username")).to_be_visible()
    found = {"login": axe.violations(page)}
    fill_in(page)
    expect(page.locator(".connection")).to_have_attribute("data-phase", "live")
    for view in VIEWS:
        visit(page, filled, view)
        settled(page)
        found[view] = axe.violations(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    found["keys"] = axe.violations(page)
    for name, view, button in (("a rule", "inbox?t=threat_000004", "Suppress…"), ("a block", "inbox?t=threat_000004", "Block source…"), ("an account", "live", "Account"), ("searches", "history", "Saved searches")):
        page.goto("about:blank")
        page.goto(f"{filled.url}/#/{view}")
        page.locator("button, summary").filter(has_text=button).or_(page.locator(f"summary[aria-label='{button}']")).click()
        expect(page.locator("dialog input, .menu[open] select, .menu[open] input").first).to_be_visible()
        found[name] = axe.violations(page, "dialog, .menu[open]")  # what it covers is not looked at
    context.close()
    assert not [f"{view}: {fault}" for view, faults in found.items() for fault in faults]


@pytest.mark.parametrize("width", [320, 768, 3840])
def test_no_view_scrolls_sideways(chromium, filled, width):
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = sign_in(context.new_page(), filled)
    for view in VIEWS:
        visit(page, filled, view)
        settled(page)
        wide = page.evaluate("""() => {
          const main = document.querySelector("main");
          return [document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth];
        }""")
        assert max(wide) <= 0, (view, wide)
    context.close()


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_no_date_is_cut_at_any_width(chromium, site, locale):
    days_ago = (datetime.now(timezone.utc) - timedelta(days=2)).strftime("%Y-%m-%dT23:58:59Z")
    site.send(threat(1), threat(2, timestamp="2025-12-30T23:58:59Z"), threat(3, timestamp=days_ago))
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale=locale)
    page = sign_in(context.new_page(), site)
    for width in (320, 700, 800, 900, 1024, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for view in ("live", "inbox", "inbox?status=all&t=threat_000002", "history?t=threat_000001"):
            visit(page, site, view)
            cut = measured(page, 3, """() => [...document.querySelectorAll("tbody .c-time")].filter((c) => {
              const [cell, text] = [c.getBoundingClientRect(), c.querySelector("time").getBoundingClientRect()];
              return c.scrollWidth > c.clientWidth || text.left < cell.left || text.right > cell.right || text.height > 40;
            }).map((c) => c.textContent)""")
            assert not cut, (width, view, cut)
    context.close()


def test_a_time_of_today_takes_one_line_on_a_desk(chromium, site):
    site.send(threat(1), threat(2, timestamp=(datetime.now(timezone.utc) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")))
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = sign_in(context.new_page(), site)
    for width in (900, 1024, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for view in ("live", "inbox", "history"):
            visit(page, site, view)
            tall = measured(page, 2, "() => [...document.querySelectorAll('tbody .c-time time')].map((o) => o.getBoundingClientRect().height)")
            assert max(tall) < 24, (width, view, tall)
    context.close()


def test_everything_is_reached_by_the_keyboard_alone(filled, tab):
    tab.goto(filled.url)
    expect(tab.get_by_label("Username")).to_be_focused()
    tab.keyboard.type("admin")
    tab.keyboard.press("Tab")
    tab.keyboard.type("correct horse battery")
    tab.keyboard.press("Enter")
    expect(tab.locator(".connection")).to_have_attribute("data-phase", "live")
    expect(tab.get_by_role("main")).to_be_focused()
    tab.reload()
    expect(tab.locator("tbody tr[data-id]").first).to_be_visible()
    tab.keyboard.press("Tab")
    expect(tab.locator(".skip")).to_be_focused()
    seen = set()
    for _ in range(40):
        tab.keyboard.press("Tab")
        seen.add(tab.evaluate("document.activeElement.textContent || document.activeElement.ariaLabel || document.activeElement.name"))
    assert {"Settings", "Pause"} <= {text.strip() for text in seen if text}
    row = tab.locator("tbody .row-open").first
    row.focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("complementary", name="Threat")).to_be_visible()
    expect(row).to_be_focused()


def test_the_theme_is_the_systems_until_one_is_chosen(chromium, filled):
    context = chromium.new_context(color_scheme="light")
    page = sign_in(context.new_page(), filled)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_label("Account").click()
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate(background)
    assert light != dark
    page.reload()
    expect(page.locator(".connection")).to_have_attribute("data-phase", "live")
    assert page.evaluate(background) == dark
    context.close()


@pytest.mark.parametrize("panel", ["", "t=threat_000001"])
def test_the_type_of_a_threat_is_readable_at_any_width(chromium, site, panel):
    site.send(*(threat(n, threat_type=kind, revision=2, details={"source": "simulator", "flow_count": 1000})
                for n, kind in enumerate(("data_exfiltration", "brute_force", "suspicious_tcp", "x" * 64), 1)))
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = sign_in(context.new_page(), site)
    for width in (320, 480, 720, 768, 800, 859, 900, 1024, 1100, 1280, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        for view in ("live", "inbox", "history"):
            visit(page, site, f"{view}?{panel}")
            cut = measured(page, 4, """() => [...document.querySelectorAll("tbody .row-open")].filter((o) => {
              const cell = o.closest("th").getBoundingClientRect();
              const text = document.createRange();
              text.selectNodeContents(o);
              const box = text.getBoundingClientRect();
              const next = o.closest("th").nextElementSibling.getBoundingClientRect();
              return o.scrollWidth > o.clientWidth || box.right > cell.right + 1 || box.bottom > cell.bottom + 1 || box.width < 40
                || (next.top < box.bottom && next.bottom > box.top && next.left < box.right && next.right > box.left);
            }).map((o) => o.textContent)""")
            assert not cut, (width, view, cut)
    context.close()


@pytest.mark.parametrize("width", [720, 768, 859, 900, 1024, 1440])
def test_the_panel_opens_beside_the_list_and_hides_none_of_it(chromium, filled, width):
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = sign_in(context.new_page(), filled, "inbox?t=threat_000004")
    expect(page.locator("tr[aria-current=true]")).to_be_visible()
    expect(page.locator(".detail-title h2")).to_be_visible()
    boxes = page.evaluate("[...document.querySelectorAll('.detail, .threats td, .threats th')].map((o) => o.getBoundingClientRect()).filter((b) => b.width).map((b) => [b.left, b.right])")
    assert max(right for _, right in boxes[:-1]) <= boxes[-1][0] < width
    context.close()


def test_numbers_and_times_are_the_readers(chromium, site):
    site.send(threat(1, revision=2, timestamp="2025-10-21T12:24:37Z", details={"flow_count": 1234}))
    context = chromium.new_context(locale="de-DE", timezone_id="Europe/Berlin", viewport={"width": 1440, "height": 900})
    page = sign_in(context.new_page(), site, "threat/threat_000001")
    expect(page.get_by_role("main")).to_contain_text("1.234")
    expect(page.get_by_role("main")).to_contain_text("21.10.2025, 14:24:37")
    expect(page.locator("time[title='2025-10-21 12:24:37 UTC']").first).to_be_attached()
    context.close()


def test_a_critical_threat_is_told_on_the_desktop_if_one_asks_for_it(chromium, site):
    context = chromium.new_context()
    context.add_init_script("""window.told = [];
      window.Notification = class { static permission = "granted"; static async requestPermission() { return "granted"; }
        constructor(title, more) { window.told.push(`${title}: ${more.body}`); } };
      Object.defineProperty(document, "hidden", { get: () => window.away ?? false });""")
    page = sign_in(context.new_page(), site, "settings")
    page.get_by_label("Desktop notice for critical threats").check()
    page.evaluate("window.away = true")
    site.send(threat(1, severity="high"), threat(2, severity="critical", threat_type="malware", source_ip="198.51.100.9", source_port=4, destination_ip="192.0.2.8", destination_port=5))
    assert wait_for(lambda: page.evaluate("window.told")) == ["Critical: MALWARE: 198.51.100.9:4 → 192.0.2.8:5"]
    context.close()


def test_nothing_moves_for_whom_it_should_not(chromium, filled):
    context = chromium.new_context(reduced_motion="reduce")
    page = sign_in(context.new_page(), filled)
    expect(page.locator("tbody tr[data-id]").first).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    context.close()


@pytest.mark.parametrize("width", [320, 1440])
def test_a_menu_opens_within_the_page(chromium, filled, width):
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = sign_in(context.new_page(), filled, "history")
    for name in ("Saved searches", "Columns"):
        page.locator("summary", has_text=name).click()
        body = page.locator(".menu[open] .menu-body")
        expect(body.locator("input").first).to_be_visible()
        box = body.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, (name, box)
        page.keyboard.press("Escape")
    context.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_button_stays_legible_under_the_pointer(chromium, site, theme):
    context = chromium.new_context(color_scheme=theme, bypass_csp=True, reduced_motion="reduce")  # a colour that is changing is none of the two
    page = sign_in(context.new_page(), site, "settings/users")
    for name in ("Add", "Disable"):
        page.get_by_role("button", name=name, exact=True).first.hover()
        assert not axe.violations(page, ".add, .shelf"), name
    context.close()


def test_a_search_from_anywhere_leads_into_what_it_found(filled, tab):
    page = sign_in(tab, filled)
    page.keyboard.press("/")
    page.keyboard.type("type:port_scan")
    page.keyboard.press("Enter")
    expect(page.locator(".view-history tbody tr[data-id]").first).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.get_by_role("complementary", name="Threat")).to_contain_text("PORT_SCAN")


@pytest.mark.parametrize("width", [320, 390, 480, 719, 720, 768, 1099])
def test_a_phone_shows_every_number_whole_and_a_sensor_that_is_ill(chromium, fake, width):
    fake.test("set", sensors=[{"name": "edge-1", "state": "blind", "lastHeard": "2026-01-01T10:00:00Z", "report": {}}])
    context = chromium.new_context(viewport={"width": width, "height": 640})
    page = context.new_page()

    def many(route):
        answer = route.fetch().json()
        answer["statistics"] |= {name: 123456 for name in ("total", "critical", "high", "medium", "low")} | {"byStatus": {"new": 9876}}
        route.fulfill(json=answer)

    page.route("**/api/network/statistics", many)
    sign_in(page, fake)
    expect(page.locator("[data-stat=low]")).to_have_text("123,456")
    cut = page.evaluate("""() => [...document.querySelectorAll(".card")].filter((card) => {
      const all = document.createRange();
      all.selectNodeContents(card.querySelector("dd"));
      return all.getBoundingClientRect().right > card.getBoundingClientRect().right;
    }).length""")
    assert cut == 0
    covered = page.evaluate("""() => {
      const count = document.querySelector(".rail-count:not([hidden])").getBoundingClientRect();
      return [...document.querySelectorAll(".rail li .icon")].map((o) => o.getBoundingClientRect()).filter((o) => o.width
        && Math.min(o.right, count.right) - Math.max(o.left, count.left) > 6 && Math.min(o.bottom, count.bottom) > Math.max(o.top, count.top)).length;
    }""")
    assert covered == 0
    expect(page.locator(".top-sensors")).to_be_in_viewport()
    expect(page.locator(".top-sensors")).to_contain_text("edge-1 blind since")
    context.close()
