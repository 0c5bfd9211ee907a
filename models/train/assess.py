"""assess.py: the figures of the card that come from labelled captures, with the command of each.

    assess.py --captures DIR --reader build/release/tests/tools/verdict_read [--card models/README.md] [--quick]

Whole captures, judged by the detector: the shipped model, windows alone, and models that learned from the lab and from all
captures but those of the source they are judged on. Single flows, judged here: the random forest with and without groups of
features, a stump and a port rule, each flow scored by a forest that saw no capture of its source. --quick leaves out what is
trained here. The card keeps everything above its line "# On captures".
"""
import argparse
import collections
import csv
import gzip
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import evaluate
import train
from model_file import write_model

MARK = "# On captures"
LENGTHS = ("length", "bytes")
PORTS = {21, 22, 23, 80, 110, 143, 443, 445, 3389, 5900, 8080}
SEEDS = (1, 2, 3)
PER_MILLION = 100
LABELS = ("port_scan", "brute_force", "dos_ddos", "web_attack", "exfil_tunnel", "c2_botnet", "exploit", "benign")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


# --- whole captures, by the detector ---

def by_label(rows, found):
    cells = evaluate.summary(rows, found)
    return table(("label", "captures", "found", "right type", "any threat", "threats", "flows"),
                 [(label, c["captures"], c["found"], "-" if label == "benign" else c["right"], c["some"], c["threats"], c["flows"])
                  for label, c in ((l, cells[l]) for l in LABELS if l in cells)])


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
    flows = sum(int(row["flows"] or 0) for row in benign)
    recall = sum(any(evaluate.is_hostile(t, row) for t in found.get(row["file"], {}).values()) for row in hostile) / len(hostile)
    false = max(alarmed, 3) / len(benign)  # none seen: the 95 % bound, three in so many
    lines = [("alerts on benign captures", f"{alerts} in {len(benign)} captures, {hours:.1f} hours, {flows} flows"),
             ("alerts an hour", f"{alerts / hours:.3f}"), ("alerts in 1,000 benign flows", f"{alerts / flows * 1000:.3f}"),
             ("threats for a scan capture", f"{np.mean(scans):.2f} on average, {max(scans)} at most")]
    for one_in in (10, 100, 1000):
        base = 1 / one_in
        trust = base * recall / (base * recall + (1 - base) * false)
        lines.append((f"P(attack given an alert), one capture in {one_in} hostile", f"{trust:.2f}" + (" at least" if alarmed < 3 else "")))
    return table(("figure", "value"), lines)


# --- single flows, by forests trained here ---

def read_flows(reader, folder, rows):
    """Features, ports and capture of each flow that counts: attack flows of hostile captures, all flows of benign ones."""
    names, x, port, capture = None, [], [], []
    for at in range(0, len(rows), 100):
        batch = rows[at:at + 100]
        by_path = {os.path.join(folder, row["file"]): at + n for n, row in enumerate(batch)}
        out = subprocess.run([reader, "features", *by_path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
        seen = collections.defaultdict(set)
        for flow in csv.DictReader(out.splitlines()):
            names = names or [name for name in flow if name in train.FEATURES or name.startswith("ctx_")]
            index = by_path[flow["file"]]
            row = rows[index]
            if row["label"] != "benign" and not evaluate.is_hostile(flow, row):
                continue
            values = (*(np.float32(flow[name]) for name in names), int(flow["destination_port"]))
            if values in seen[index] or len(seen[index]) >= 2000:
                continue
            seen[index].add(values)
            x.append(values[:-1])
            port.append(values[-1])
            capture.append(index)
    return names, np.array(x, np.float32), np.array(port), np.array(capture)


def limit_of(score, benign, source, left_out):
    """The threshold that the other sources' held-out benign flows allow."""
    known = score[benign & (source != left_out)]
    return np.quantile(known, 1 - PER_MILLION / 1e6, method="higher") if len(known) else 1.0


def held_out_flags(x, y, source, make):
    score = np.zeros(len(x))
    for left_out in sorted(set(source)):
        out = source == left_out
        score[out] = make().fit(x[~out], y[~out]).predict_proba(x[out])[:, 1]
    flags = np.zeros(len(x), bool)
    for left_out in sorted(set(source)):
        out = source == left_out
        flags[out] = score[out] > limit_of(score, y == 0, source, left_out)
    return flags


def flow_line(name, flags, y, capture, rows):
    hit = {capture[i] for i in np.flatnonzero(flags)}
    cells = []
    for label in LABELS:
        of = [i for i, row in enumerate(rows) if row["label"] == label]
        cells.append(f"{sum(i in hit for i in of)} of {len(of)}")
    return (name, *cells, f"{flags[y == 0].mean() * 1000:.2f}")


def flow_tables(reader, folder, rows):
    names, x, port, capture = read_flows(reader, folder, rows)
    y = np.array([rows[i]["label"] != "benign" for i in capture], np.int64)
    source = np.array([rows[i]["source_repo"] for i in capture])
    flow_names = [n for n, name in enumerate(names) if not name.startswith("ctx_")]
    kinds = {"random forest, 25 features and windows": x, "no windows": x[:, flow_names],
             "windows only": x[:, [n for n in range(len(names)) if n not in flow_names]],
             "no lengths": x[:, [n for n, name in enumerate(names) if not any(word in name for word in LENGTHS)]],
             "with the port": np.column_stack([x, port.astype(np.float32)])}
    lines = []
    for name, values in kinds.items():
        for seed in SEEDS if values is x else SEEDS[:1]:
            flags = held_out_flags(values, y, source, lambda s=seed: RandomForestClassifier(
                n_estimators=60, max_depth=16, min_samples_leaf=3, class_weight="balanced", random_state=s, n_jobs=1))
            lines.append(flow_line(f"{name}, seed {seed}", flags, y, capture, rows))
    lines.append(flow_line("stump (best single feature)", held_out_flags(
        x, y, source, lambda: DecisionTreeClassifier(max_depth=1, class_weight="balanced", random_state=1)), y, capture, rows))
    lines.append(flow_line("port rule (ports of the original)", np.isin(port, list(PORTS)), y, capture, rows))
    return table(("judge", *LABELS, "flagged in 1,000 benign flows"), lines)


# --- models that learned from captures, too ---

def fit_model(path, x, y, groups, names):
    parts = train.parts_of(groups, 3)
    rf_score, iso_score = train.held_out(x, y, parts, train.SEED)
    benign = y == 0
    counted = train.curve(rf_score[benign], iso_score[benign], parts[benign])
    _, rf_from, iso_below, _ = counted[1][train.BUDGETS.index(train.BUDGET)]
    numbers = {"rf-threshold": rf_from, "iso-threshold": iso_below, "rf-sure": 2.0, "iso-sure": -2.0}
    rf, iso = train.forests(train.SEED)
    train.fit(rf, iso, x, y)
    write_model(path, rf, iso, names, x[benign], numbers,
                train.calibrate(rf_score, y), np.quantile(iso_score[benign], np.linspace(0, 1, 101)), counted, train.EXTRACTOR, "0" * 64,
                "leave-one-source-out")


def leave_one_source_out(reader, folder, rows, lab, extra):
    """Threats on each source's captures by a model that learned from the lab and every other source."""
    with gzip.open(lab / "rows.csv.gz", "rt", newline="") as lines:
        names = train.FEATURES + [c for c in next(csv.reader(lines)) if c.startswith("ctx_")]
    sets = []
    for place, parts in ((lab, (("rows.csv.gz", "labels.csv"), ("drawn.csv.gz", "drawn_labels.csv"))), (extra, (("rows.csv.gz", "labels.csv"),))):
        labels = {}
        for _, part in parts:
            with open(place / part, newline="") as lines:
                labels.update({row["file"]: row for row in csv.DictReader(lines)})
        sets.append(train.read_rows([str(place / part) for part, _ in parts], labels, names))
    found = {}
    with tempfile.TemporaryDirectory() as work:
        for source in sorted({row["source_repo"] for row in rows}):
            keep = sets[1][2] != source
            path = os.path.join(work, "threatline.model")
            fit_model(path, np.vstack([sets[0][0], sets[1][0][keep]]), np.concatenate([sets[0][1], sets[1][1][keep]]),
                      np.concatenate([sets[0][2], sets[1][2][keep]]), names)
            judged = [row for row in rows if row["source_repo"] == source]
            found.update(evaluate.run(reader, path, folder, judged))
            print(f"assess.py: {source}: {len(judged)} captures", file=sys.stderr, flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", required=True)
    parser.add_argument("--reader", required=True)
    parser.add_argument("--model", default="models")
    parser.add_argument("--lab", type=pathlib.Path, default=pathlib.Path("models/lab"))
    parser.add_argument("--rows", type=pathlib.Path, help="what captures.py made; made when not given")
    parser.add_argument("--detector", default="build/bin/threatline-detector")
    parser.add_argument("--card", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    rows = [row for row in evaluate.read_manifest(args.captures, set()) if row["label"] in LABELS]
    parts = [f"{MARK}\n\nMade by `THREATLINE_CAPTURES=DIR make evaluate`. Counted by capture; a hostile one is found when a threat has a "
             "hostile address at an end. No capture is part of the project, none was trained on by the model in this folder."]
    for title, model in (("The shipped model and the windows", args.model), ("The windows alone", "-")):
        found = evaluate.run(args.reader, model, args.captures, rows)
        parts.append(f"## {title}\n\n`evaluate.py --reader verdict_read{' --windows-only' if model == '-' else ''}`\n\n{by_label(rows, found)}")
        if model != "-":
            shipped = found
    if not args.quick:
        with tempfile.TemporaryDirectory() as work:
            extra = args.rows or pathlib.Path(work)
            if not args.rows:
                subprocess.run([sys.executable, str(pathlib.Path(__file__).parent / "captures.py"), "--captures", args.captures, "--out", work,
                                "--detector", args.detector], check=True, stdout=subprocess.DEVNULL)
            found = leave_one_source_out(args.reader, args.captures, rows, args.lab, extra)
        parts.append("## Learned from captures, too, but never from the source it is judged on\n\n"
                     f"`assess.py --captures DIR`: lab and all other sources.\n\n{by_label(rows, found)}")
    parts.append(f"## False alarms, grouping, trust\n\nOf the shipped model. Where fewer than three benign captures raised an alarm, three are "
                 f"reckoned (95 % bound when none did).\n\n{rates(rows, shipped)}")
    if not args.quick:
        parts.append("## Single flows, baselines and ablations\n\nBy flow, without the detector: captures with at least one flagged flow. Each flow is "
                     f"scored by a forest that saw no capture of its source; the threshold is what {PER_MILLION} in a million of the other "
                     f"sources' held-out benign flows allow.\n\n{flow_tables(args.reader, args.captures, rows)}")
    parts.append(f"## By capture\n\nBenign captures without a threat are left out.\n\n{by_capture(rows, shipped)}")
    text = "\n\n".join(parts) + "\n"
    if args.card:
        above = args.card.read_text().split(MARK)[0].rstrip()
        args.card.write_text(f"{above}\n\n{text}")
    else:
        print(text)


if __name__ == "__main__":
    main()
