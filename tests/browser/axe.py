"""axe-core, fetched once into build/node at a pinned version; the tests inject it, the product never has it."""
import pathlib
import subprocess

VERSION = "4.11.0"
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "build" / "node"
SOURCE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def source():
    if not SOURCE.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--no-save", "--no-package-lock", "--ignore-scripts", "--silent", f"axe-core@{VERSION}"],
                       cwd=FOLDER, check=True, timeout=180)
    return SOURCE.read_text()


def violations(page):
    """What axe complains of, one line a fault with the elements it means."""
    page.evaluate(source())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [f"{v['id']} ({v['impact']}): {v['help']}: {[n['target'][0] for n in v['nodes']][:4]}" for v in found["violations"]]
