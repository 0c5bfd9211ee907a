#!/usr/bin/env python3
"""Makes the pictures of the README and the documents from the real programs: screenshots.py [FOLDER]

Starts backend and detector on free ports with data of their own, lets the simulator run, reads captures of attacks made packet
by packet, and photographs the page in Chromium (light, dark, phone).
"""
import pathlib
import sys
import tempfile
import time

from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

import crafted  # noqa: E402
import drawn  # noqa: E402
import programs  # noqa: E402
from browser import ARGS, CHROMIUM, expect, sign_in  # noqa: E402
from sites import RealSite  # noqa: E402

SIZES = {"dark": ((1360, 850), "dark"), "light": ((1360, 850), "light"), "phone": ((390, 844), "dark")}
VIEWS = {"live": "live", "inbox": "inbox?t={scan}", "threat": "live?t={scan}", "history": "history?q=type:port_scan", "sensors": "sensors", "uploads": "uploads",
         "settings": "settings/users"}
DARK_ENOUGH = {"uploads", "settings"}  # light pictures of these would show nothing new
SIMULATOR_S = 45
ATTACKS = [(21, drawn.port_scan), (19, drawn.ssh_guessing), (16, drawn.injection), (13, drawn.dns_tunnel), (12, drawn.port_scan), (9, drawn.datagram_flood), (7, drawn.path_list),
           (6, drawn.sweep), (5, drawn.remote_control), (3, drawn.smb_guessing), (2, drawn.injection), (1.5, drawn.slow_web), (1, drawn.spoofed_flood), (0.3, drawn.port_scan)]


def captures(folder):
    """An attack of each kind, in the last hours."""
    for n, (hours, attack) in enumerate(ATTACKS):
        draw = drawn.Draw(f"{attack.__name__} {n}")
        draw.now, draw.six, draw.net = time.time() - hours * 3600, False, n + 1
        yield crafted.write_pcap(folder / f"{attack.__name__}-{n}.pcap", sorted(attack(draw), key=lambda packet: packet[0]))


def fill(site, folder, port):
    """Threats of two kinds: the simulator's, and those of captures. Gives the detector, which keeps running."""
    detector = programs.Detector(folder / "watching", site.backend, "simulator", ["--sensor", "edge-1", "--simulator-seed", "7"], port).start()
    time.sleep(SIMULATOR_S)
    reading = programs.Program(folder / "reading", "threatline-detector", [
        "--data-dir", folder / "reading" / "data", "--sensor", "lab", "--model", ROOT / "models", "--webhook",
        f"{site.backend.url}/api/network/webhook", "--read", *captures(folder), "--send"]).start()
    status = reading.process.wait(120)
    assert status == 0, reading.log()
    return detector


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "screenshots")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = pathlib.Path(name)
        port = programs.free_port()
        site = RealSite(folder / "backend", arguments=["--detector", f"edge-1=http://127.0.0.1:{port}"])
        detector = None
        try:
            detector = fill(site, folder, port)
            threats = site.api("GET", "/api/network/threats/history?limit=100").json()["threats"]
            scan = next((t for t in threats if t["threat_type"] == "port_scan"), threats[0])["threat_id"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            for size, ((width, height), theme) in SIZES.items():
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB", reduced_motion="reduce")
                page = sign_in(context.new_page(), site)
                for view, where in VIEWS.items():
                    if size == "light" and view in DARK_ENOUGH:
                        continue
                    page.goto(f"{site.url}/#/{where.format(scan=scan)}")
                    expect(page.locator(".loading")).to_have_count(0)
                    page.wait_for_timeout(400)
                    page.screenshot(path=out / f"{view}-{size}.png")
                context.close()
            browser.close()
        finally:
            if detector:
                detector.stop()
            site.close()


if __name__ == "__main__":
    main()
