"""2,000 threats of 12 incidents arrive while one analyst decides by keyboard and another browser looks on."""
import threading
import time

from browser import expect, sign_in, threat
from sites import wait_for

THREATS, INCIDENTS, BATCH = 2000, 12, 25
KEYS = {"acknowledged": "a", "escalated": "e", "closed": "c"}
TYPES = ["port_scan", "brute_force", "web_attack", "dos"]
# What the analyst sees at a glance: the row under the cursor, and whether there is one.
GLANCE = """() => {
  const row = document.querySelector(".view-inbox tr.cursor");
  return {rows: document.querySelectorAll(".view-inbox tbody tr[data-id]").length, id: row?.dataset.id ?? null};
}"""


def incident(ident):
    return int(ident.split("_")[1]) % INCIDENTS


def right_state(ident):
    return list(KEYS)[incident(ident) % len(KEYS)]


def arrive(site, done):
    for start in range(0, THREATS, BATCH):
        site.send(*(threat(n, threat_type=TYPES[n % INCIDENTS % len(TYPES)], source_ip=f"203.0.113.{n % INCIDENTS}", details={"features": {}})
                    for n in range(start, start + BATCH)))
        time.sleep(0.1)
    done.set()


def work(page, site, done, seconds=240):
    """j to the next, X for all like it, then the decision; now and then one alone, and one mistake that is taken back."""
    pressed, mistaken = 0, False
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = page.evaluate(GLANCE)
        if seen["rows"] == 0 and done.is_set():
            if "new" not in site.states().values():
                return pressed
            page.wait_for_timeout(200)  # what is decided is on its way to the server, or the last ones to the page
            continue
        if seen["id"] is None:
            page.keyboard.press("j")
            pressed += 1
            page.wait_for_timeout(40)
            continue
        if not mistaken and pressed > 20:
            page.keyboard.press("c" if right_state(seen["id"]) != "closed" else "a")
            page.keyboard.press("u")
            # A key that met no row did nothing; then what was decided before is taken back, and decided once more.
            for _ in range(100):
                if mistaken := page.get_by_text("Undone.").count() > 0:
                    break
                page.wait_for_timeout(50)
            pressed += 2
            continue
        if pressed % 5:
            page.keyboard.press("X")
        page.keyboard.press(KEYS[right_state(seen["id"])])
        pressed += 2
        for _ in range(200):  # the row leaves once the server has it
            if page.evaluate(GLANCE)["id"] != seen["id"]:
                break
            page.wait_for_timeout(20)
    raise AssertionError(f"not done after {seconds} s: {page.evaluate(GLANCE)}")


def test_all_threats_of_a_shift_end_in_the_right_state_and_another_browser_sees_the_same(tab, site, chromium):
    page = sign_in(tab, site, "inbox", user="analyst")
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    other = sign_in(context.new_page(), site, "inbox")
    done = threading.Event()
    sender = threading.Thread(target=arrive, args=(site, done))
    begun = time.monotonic()
    sender.start()
    pressed = work(page, site, done)
    sender.join()
    print(f"\n{THREATS} threats, {pressed} keys, {time.monotonic() - begun:.0f} s")
    # The page shows a decision at once; the last ones are still on their way to the server.
    wait_for(lambda: not [ident for ident, state in site.states().items() if state != right_state(ident)], 60, 0.5, "a threat is not in the right state")
    states = site.states()
    assert len(states) == THREATS
    wanted = {"new": "0"} | {name: f"{sum(s == name for s in states.values()):,}" for name in KEYS}
    for browser in (page, other):
        expect(browser.get_by_text("Inbox is empty. Well done.")).to_be_visible()
        for name, many in wanted.items():
            expect(browser.locator(".tabs a", has_text=name.capitalize()).locator(".num")).to_have_text(many, timeout=60000)
    context.close()
