"""axe-core, fetched once into build/node at a pinned version; the tests inject it, the product never has it."""
import pathlib
import subprocess

VERSION = "4.11.0"
ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "build" / "node" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def source():
    subprocess.run([ROOT / "scripts" / "node.sh", "build/node", f"axe-core@{VERSION}"], check=True, timeout=180, stdout=subprocess.DEVNULL)
    return SOURCE.read_text()


def violations(page, within="html"):
    """What axe complains of, one line a fault with the elements it means."""
    page.evaluate(source())
    found = page.evaluate("([within, rules]) => axe.run(within, {runOnly: rules, resultTypes: ['violations']})", [within, RULES])
    return [f"{v['id']} ({v['impact']}): {v['help']}: {[n['target'][0] for n in v['nodes']][:4]}" for v in found["violations"]]
