"""assess.py: the figures of the card that come from labelled captures, with the command of each.

    assess.py --captures DIR --reader build/release/tests/tools/verdict_read [--card models/README.md] [--only PART,...] [--jobs N]

Whole captures, judged by the detector: the shipped model, windows alone, forests alone, models of other seeds and with fewer features,
and models that learned from the lab and from all captures but those of the source they are judged on. Single flows, judged by
forests alone (flows.py). --only makes some parts and prints them. The card keeps everything above its line "# On captures".
"""
import argparse
import collections
import concurrent.futures
import csv
import functools
import gzip
import os
import pathlib
import sys
import tempfile

import numpy as np

import evaluate
import flows
import train
from flows import LABELS, SEEDS, captures_hit, table
from model_file import write_model

MARK = "# On captures"
# Trees of models made here (the shipped one has 100), of forests that only say where thresholds are, and of those that judge single
# flows: few, to save time.
TREES, LIMIT_TREES, FLOW_TREES = 50, 20, 20


# --- whole captures, by the detector ---

def by_label(rows, found):
    cells = evaluate.summary(rows, found)
    return table(("label", "captures", "found", "right type", "any threat", "threats", "flows"),
                 [(label, c["captures"], c["found"], "-" if label == "benign" else c["right"], c["some"], c["threats"], c["flows"])
                  for label, c in ((l, cells[l]) for l in LABELS if l in cells)])


def in_a_line(name, rows, found):
    cells = evaluate.summary(rows, found)
    return (name, *(f"{c['found']} of {c['captures']}" for c in (cells[label] for label in LABELS)), sum(c["threats"] for c in cells.values()))


def by_capture(rows, found):
    lines = []
    for row in rows:
        threats = found.get(row["file"], {}).values()
        if row["label"] == "benign" and not threats:
            continue
        told = collections.Counter(f"{t['threat_type']} ({(t['details']['explanation'] or [{}])[0].get('counter', 'forests')})" for t in threats)
        lines.append((f"`{row['file']}`", ", ".join(f"{n} x {what}" if n > 1 else what for what, n in sorted(told.items())) or "-"))
    return table(("capture", "threats"), lines)


def rates(rows, found):
    """Alerts on benign traffic, threats a scan, and how far an alert can be trusted."""
    benign = [row for row in rows if row["label"] == "benign"]
    hostile = [row for row in rows if row["label"] not in ("benign", "exploit")]
    scans = [len(found.get(row["file"], {})) for row in rows if row["label"] == "port_scan"]
    alerts = sum(len(found.get(row["file"], {})) for row in benign)
    alarmed = sum(bool(found.get(row["file"])) for row in benign)
    hours = sum(min(float(row["duration_s"] or 0), 86400) for row in benign) / 3600  # some clocks jump by years: a day at most each
    count = sum(int(row["flows"] or 0) for row in benign)
    recall = sum(any(evaluate.is_hostile(t, row) for t in found.get(row["file"], {}).values()) for row in hostile) / len(hostile)
    false = max(alarmed, 3) / len(benign)  # none seen: the 95 % bound, three in so many
    lines = [("alerts on benign captures", f"{alerts} in {len(benign)} captures, {hours:.1f} hours, {count} flows"),
             ("alerts an hour", f"{alerts / hours:.4f}" + (f" (95 %: below {3 / hours:.4f})" if not alerts else "")),
             ("alerts in 1,000 benign flows", f"{alerts / count * 1000:.3f}" + (f" (95 %: below {3 / count * 1000:.2f})" if not alerts else "")),
             ("threats for a scan capture", f"{np.mean(scans):.2f} on average, {max(scans)} at most")]
    for one_in in (10, 100, 1000):
        base = 1 / one_in
        trust = base * recall / (base * recall + (1 - base) * false)
        lines.append((f"P(attack given an alert), one capture in {one_in} hostile", f"{trust:.2f}" + (" at least" if alarmed < 3 else "")))
    return table(("figure", "value"), lines)


# --- models made here ---

def fit_model(path, x, y, groups, names, seed):
    """A model as `make model` makes it, but of fewer trees, and its thresholds come from smaller forests in three parts."""
    parts = train.parts_of(groups, 3)
    rf_score, iso_score = train.held_out(x, y, parts, seed, trees=LIMIT_TREES)
    benign = y == 0
    counted = train.curve(rf_score[benign], iso_score[benign], parts[benign])
    _, rf_from, iso_below, _ = counted[1][train.BUDGETS.index(train.BUDGET)]
    numbers = {"rf-threshold": rf_from, "iso-threshold": iso_below, "rf-sure": 2.0, "iso-sure": -2.0}
    rf, iso = train.forests(seed, TREES)
    train.fit(rf, iso, x, y)
    write_model(path, rf, iso, names, x[benign], numbers,
                train.calibrate(rf_score, y), np.quantile(iso_score[benign], np.linspace(0, 1, 101)), counted, train.EXTRACTOR, "0" * 64,
                "assess")


def found_by(what, x, y, groups, names, seed, reader, folder, rows, modes):
    """Threats in the captures by a model that learned from these rows, for each mode of the reader."""
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "threatline.model")
        fit_model(path, x, y, groups, names, seed)
        found = [evaluate.run(reader, path, folder, rows, mode=mode) for mode in modes]
    print(f"assess.py: {what}: {len(rows)} captures", file=sys.stderr, flush=True)
    return found


def lab_rows(lab):
    with gzip.open(lab / "rows.csv.gz", "rt", newline="") as lines:
        names = train.FEATURES + [c for c in next(csv.reader(lines)) if c.startswith("ctx_")]
    labels = {}
    for part in ("labels.csv", "drawn_labels.csv"):
        with open(lab / part, newline="") as lines:
            labels.update({row["file"]: row for row in csv.DictReader(lines)})
    return names, train.read_rows([str(lab / part) for part in ("rows.csv.gz", "drawn.csv.gz")], labels, names)


def numbers_of(model):
    """Thresholds and calibration of a model file."""
    numbers = {}
    with open(model, "rb") as lines:
        for text in lines:
            key, *values = text.decode("latin-1").split()
            if key in ("rf-threshold", "iso-threshold"):
                numbers[key] = float(values[0])
            elif key == "calibration":
                numbers[key] = [float(value) for value in values]
            elif key == "body":
                return numbers
    raise SystemExit(f"{model}: no model file")


class Assessment:
    """The parts of the card: each method named part_* gives a title and a text."""

    def __init__(self, args):
        self.args = args
        self.rows = [row for row in evaluate.read_manifest(args.captures, set()) if row["label"] in LABELS]

    def run(self, model, mode="threats"):
        return evaluate.run(self.args.reader, model, self.args.captures, self.rows, mode=mode)

    def total(self, found):
        return sum(cell["found"] for label, cell in evaluate.summary(self.rows, found).items() if label != "benign")

    def each(self, tasks):
        """Results of found_by for each task, in their order."""
        given = [(*task[:6], self.args.reader, self.args.captures, *task[6:]) for task in tasks]
        if self.args.jobs == 1:
            return [found_by(*task) for task in given]
        with concurrent.futures.ProcessPoolExecutor(self.args.jobs) as pool:
            return [job.result() for job in [pool.submit(found_by, *task) for task in given]]

    shipped = functools.cached_property(lambda self: self.run(self.args.model))
    windows = functools.cached_property(lambda self: self.run("-"))
    forests = functools.cached_property(lambda self: self.run(self.args.model, "forests"))
    lab = functools.cached_property(lambda self: lab_rows(self.args.lab))
    numbers = functools.cached_property(lambda self: numbers_of(os.path.join(self.args.model, "threatline.model")))

    @functools.cached_property
    def flows(self):
        return flows.read(self.args.reader, self.args.captures, self.rows, self.lab[0])

    @functools.cached_property
    def shipped_forests(self):
        """What `make model` puts into the shipped file."""
        made = train.forests(train.SEED)
        train.fit(*made, *self.lab[1][:2])
        return made

    @functools.cached_property
    def flags(self):
        return flows.by_other_sources(self.flows, self.rows, self.lab[0], FLOW_TREES)

    def part_shipped(self):
        return "The shipped model", f"It learned from the lab alone: each source here is one it never saw.\n\n{by_label(self.rows, self.shipped)}"

    def part_sources(self):
        names, (x, y, groups, _) = self.lab
        known = flows.learnable(self.flows, self.rows)
        source = np.array([self.rows[i]["source_repo"] for i in known.capture])
        tasks = []
        for left_out in sorted({row["source_repo"] for row in self.rows}):
            keep = source != left_out
            tasks.append((left_out, np.vstack([x, known.x[keep]]), np.concatenate([y, known.hostile[keep].astype(int)]),
                          np.concatenate([groups, source[keep]]), names, train.SEED, [r for r in self.rows if r["source_repo"] == left_out],
                          ("threats",)))
        found = {}
        for (threats,) in self.each(tasks):
            found.update(threats)
        return ("Learned from captures, too, but never from the source it is judged on",
                f"{len(tasks)} models, one for each source: the lab's rows and those of the {len(tasks) - 1} other sources "
                f"({len(known.x)} flows in all). "
                f"The shipped model, above, does without captures. To save time these have {TREES} trees for its 100, and thresholds come "
                f"from forests of {LIMIT_TREES} trees, held out in three parts for its ten.\n\n{by_label(self.rows, found)}\n\n"
                + rates(self.rows, found))

    def part_rates(self):
        return ("False alarms, grouping, trust",
                "Of the shipped model; an alert is a grouped threat. Where fewer than three benign captures raised an alarm, "
                f"three are reckoned (95 % bound when none did).\n\n{rates(self.rows, self.shipped)}")

    def part_windows(self):
        return ("Baseline: the windows alone",
                f"`evaluate.py --reader verdict_read --windows-only` gives the same.\n\n{by_label(self.rows, self.windows)}")

    def part_forests(self):
        return ("Baseline: the forests alone",
                "The shipped forests; window counts are features, but what windows find is no evidence. "
                f"`evaluate.py --reader verdict_read --forests-only` gives the same.\n\n{by_label(self.rows, self.forests)}")

    def part_seeds(self):
        names, (x, y, groups, _) = self.lab
        window = np.array([name.startswith("ctx_") for name in names])
        length = np.array([any(word in name for word in flows.LENGTHS) for name in names])
        kinds = [(f"all features, seed {seed}", np.full(len(names), True), seed) for seed in SEEDS]
        kinds += [("no windows", ~window, SEEDS[0]), ("windows only", window, SEEDS[0]), ("no lengths", ~length, SEEDS[0])]
        both, alone, totals = [], [], []
        for (kind, *_), (threats, forests) in zip(kinds, self.each(
                [(kind, x[:, columns], y, groups, [name for name, c in zip(names, columns) if c], seed, self.rows, ("threats", "forests"))
                 for kind, columns, seed in kinds])):
            both.append(in_a_line(kind, self.rows, threats))
            totals.append(self.total(threats))
            alone.append(in_a_line(kind, self.rows, forests))
        head = ("forests with", *LABELS, "threats")
        return ("Other seeds, fewer features: whole captures",
                f"Models of the lab's rows with other seeds and features; to save time of {TREES} trees, with thresholds from forests of "
                f"{LIMIT_TREES} trees held out in three parts. Captures found (benign: with an alarm).\n\n"
                f"Forests alone:\n\n{table(head, alone)}\n\nForests and windows:\n\n{table(head, both)}\n\n"
                f"Hostile captures found in all by the windows alone: {self.total(self.windows)}; by the shipped model: "
                f"{self.total(self.shipped)}; with the seeds: {', '.join(map(str, totals[:len(SEEDS)]))}.")

    def part_flows(self):
        of, flags = self.flags
        return ("Single flows, baselines and ablations",
                "By flow, without the detector: captures with at least one flagged flow. Each flow is scored by a forest of "
                f"{FLOW_TREES} trees that learned from captures of all other sources; the threshold is what {flows.PER_MILLION} "
                "in a million of the other "
                f"sources' held-out benign flows allow, {flows.PER_MILLION / 1000:g} in 1,000; the last column shows what comes of it elsewhere.\n\n"
                f"{table(flows.HEAD, [flows.line(name, hit, of, self.rows) for name, hit in flags.items()])}")

    def part_baselines(self):
        cells = {name: {label: cell["found"] for label, cell in evaluate.summary(self.rows, found).items()}
                 for name, found in (("windows alone", self.windows), ("forests alone", self.forests), ("shipped", self.shipped))}
        of, flags = self.flags
        for name, hit in flags.items():
            if name.startswith(("stump", "port rule")):
                cells[name] = {label: n for label, (n, _) in captures_hit(hit, of, self.rows).items()}
        shipped, lines = cells.pop("shipped"), []
        for name, base in cells.items():
            text = [", ".join(f"{label} ({shipped[label]} against {base[label]})" if test(0, 1) or test(1, 0) else f"{label} ({base[label]})"
                              for label in LABELS[:-1] if test(shipped[label], base[label])) or "-"
                    for test in (int.__gt__, int.__eq__, int.__lt__)]
            lines.append((name, *text, f"{base['benign']} ({shipped['benign']})"))
        return ("The shipped model against each baseline",
                "In brackets captures found, the shipped model's first. A baseline that flags single flows finds a capture when it "
                "flags one flow of it. The shipped model does not beat a baseline where a label stands under *as many* or *fewer*.\n\n"
                + table(("baseline", "the shipped model finds more", "as many", "fewer", "benign captures with an alarm"), lines))

    def part_classes(self):
        return ("Classes held out",
                f"Forests of {FLOW_TREES} trees that learned from two thirds of the lab's groups, with and without one class of "
                "attacks; thresholds from the other third, whose flows are counted, too (-: it holds none of the class). By flow, by "
                f"forests alone.\n\n{flows.classes_table(self.lab[1], self.flows, self.rows, FLOW_TREES)}")

    def part_partial(self):
        return ("Partial flows",
                "What the shipped forests flag, by flow and without the detector, when they see a flow's beginning only. The "
                "detector asks them at each of these steps but the first packet.\n\n"
                + flows.partial_table(self.shipped_forests, self.numbers, self.flows, self.rows))

    def part_reliability(self):
        return ("Reliability on captures",
                "The shipped forests' confidence for single flows of these captures, and how many of them are hostile.\n\n"
                f"{flows.reliability_table(self.shipped_forests, self.numbers, self.flows, self.rows)}")

    def part_captures(self):
        return "By capture", f"By the shipped model. Benign captures without a threat are left out.\n\n{by_capture(self.rows, self.shipped)}"


PARTS = ("shipped", "rates", "sources", "baselines", "windows", "forests", "seeds", "flows", "classes", "partial", "reliability", "captures")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", required=True)
    parser.add_argument("--reader", required=True)
    parser.add_argument("--model", default="models")
    parser.add_argument("--lab", type=pathlib.Path, default=pathlib.Path("models/lab"))
    parser.add_argument("--card", type=pathlib.Path)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="models made at a time; figures are the same")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    assessment = Assessment(args)
    texts = [f"{MARK}\n\nMade by `THREATLINE_CAPTURES=DIR make evaluate`; below each title is the command that makes its part alone "
             "(models/train/assess.py, to which `--captures DIR --reader build/release/tests/tools/verdict_read` has to be "
             "added). Counted by capture; a hostile one is found when a threat has a hostile address at an end. Of a capture at most "
             f"{flows.CAP} different single flows are learned from and, where its flows are judged alone, counted. No capture is part of the "
             "project."]
    for part in (part for part in PARTS if part in wanted):
        title, text = getattr(assessment, f"part_{part}")()
        texts.append(f"## {title}\n\n`assess.py --only {part}`\n\n{text}")
        print(f"assess.py: {part}", file=sys.stderr, flush=True)
    text = "\n\n".join(texts) + "\n"
    if args.card:
        above = args.card.read_text().split(MARK)[0].rstrip()
        args.card.write_text(f"{above}\n\n{text}")
    else:
        print(text)


if __name__ == "__main__":
    main()
