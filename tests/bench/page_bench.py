"""The dashboard in Chromium, run by bench.py: POST to painted row, frames and memory under a flood. Prints one JSON object.

PAGE_BENCH_THREATS (100,000) and PAGE_BENCH_SECONDS (10) bound the load.
"""
import json
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

from playwright.sync_api import sync_playwright  # noqa: E402

from browser import ARGS, CHROMIUM, expect, sign_in, threat  # noqa: E402
from sites import RealSite, wait_for  # noqa: E402

THREATS = int(os.environ.get("PAGE_BENCH_THREATS", "100000"))
SECONDS = int(os.environ.get("PAGE_BENCH_SECONDS", "10"))
ROWS = 200
PAINTS = """() => {
  window.painted = {};
  new MutationObserver((list) => {
    const ids = list.flatMap((m) => [...m.addedNodes]).map((n) => n.dataset?.id).filter(Boolean);
    // Rows are made within a frame's callback: a task posted now runs after that frame is painted.
    const channel = new MessageChannel();
    channel.port1.onmessage = () => { for (const id of ids) window.painted[id] = Date.now(); };
    channel.port2.postMessage(0);
  }).observe(document.querySelector(".threats tbody"), {childList: true});
}"""
FRAMES = """() => {
  window.gaps = [];
  let last = performance.now();
  const tick = (now) => { window.gaps.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def plain(number):
    return threat(number, details={"features": {}, "explanation": []})


def part(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def heap(cdp):
    cdp.send("HeapProfiler.collectGarbage")
    return cdp.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def delays(page, site):
    page.evaluate(PAINTS)
    posted, answered = {}, []
    for n in range(ROWS):
        record = plain(n + 1)
        posted[record["threat_id"]] = time.time() * 1000
        site.send(record)
        answered.append(time.time() * 1000 - posted[record["threat_id"]])
        time.sleep(0.04)
    painted = wait_for(lambda: (seen := page.evaluate("window.painted")) and len(seen) >= ROWS and seen, 30)
    return [painted[ident] - at for ident, at in posted.items()], answered


def flood(page, site, first):
    """1,000 a second for SECONDS; gives how many came and the times between frames."""
    records = [plain(first + n) for n in range(1000 * SECONDS)]
    page.evaluate(FRAMES)
    sent, begun = 0, time.monotonic()
    while sent < len(records):
        due = min(len(records), int((time.monotonic() - begun) * 1000) + 1)
        if due - sent >= 20 or due == len(records):
            site.send(*records[sent:due])
            sent = due
        time.sleep(0.005)
    took = time.monotonic() - begun
    return sent / took, page.evaluate("window.gaps")


def main():
    with tempfile.TemporaryDirectory(prefix="page-") as folder, sync_playwright() as playwright:
        site = RealSite(pathlib.Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB").new_page()
            sign_in(page, site)
            cdp = page.context.new_cdp_session(page)
            site.send(plain(900_000))
            expect(page.locator("tbody tr[data-id]")).to_have_count(1)
            painted, answered = delays(page, site)
            before = heap(cdp)
            rate, gaps = flood(page, site, 1_000_000)
            sent = ROWS + 1 + 1000 * SECONDS
            while sent < THREATS:
                many = min(1000, THREATS - sent)
                site.send(*(plain(2_000_000 + sent + n) for n in range(many)))
                sent += many
            expect(page.locator("[data-stat=total]")).to_have_text(f"{sent:,}", timeout=120_000)
            after = heap(cdp)
            drawn = page.locator("tbody tr[data-id]").count()
        finally:
            browser.close()
            site.close()
    print(json.dumps({"rows": ROWS, "p50": part(painted, 0.5), "p99": part(painted, 0.99), "answer_p50": part(answered, 0.5), "answer_p99": part(answered, 0.99),
                      "rate": rate, "frame_p50": part(gaps, 0.5), "frame_p99": part(gaps, 0.99), "frame_max": max(gaps), "threats": sent,
                      "heap_before": before, "heap_after": after, "drawn": drawn}))


main()
