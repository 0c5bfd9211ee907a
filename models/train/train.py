"""train.py: flows' features and labels in, model file and card out.

    train.py --features rows.csv[.gz] --labels labels.csv --out models/threatline.model --card models/README.md

rows.csv is what the detector's --features prints (columns file, source_ip, ..., the 25 features, then window counts ctx_*).
labels.csv has the columns file, label (attack or benign), type, group. A group is a source of traffic; each group's flows
are scored by forests that never saw the group, and the thresholds come from those scores alone. The same rows give
the same file, bit for bit.
"""
import argparse
import csv
import gzip
import hashlib
import json
import os
import sys

import numpy as np
import scipy
import sklearn
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.isotonic import IsotonicRegression

from model_file import write_model

EXTRACTOR = "1"
FEATURES = """duration total_fwd_packets total_bwd_packets flow_bytes_s flow_packets_s fwd_packet_length_mean
bwd_packet_length_mean flow_iat_mean fwd_iat_mean bwd_iat_mean fwd_psh_flags bwd_psh_flags fwd_urg_flags bwd_urg_flags
fwd_header_length bwd_header_length fwd_packets_s bwd_packets_s packet_length_mean packet_length_std
packet_length_variance syn_flag_count rst_flag_count psh_flag_count ack_flag_count""".split()
BUDGETS = (10, 30, 100, 300, 1000, 3000, 10000)  # benign flows in a million that may be flagged
BUDGET = 100
SEED = 20261123


def open_text(path):
    return gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")


def read_rows(paths, labels, names):
    """x (float32, as the detector scores), y, groups and types, in the order of the files; exact duplicates of a
    file's vector are kept once, so that one flood does not outweigh everything else."""
    x, y, groups, types, seen = [], [], [], [], set()
    for path in paths:
        with open_text(path) as lines:
            for row in csv.DictReader(lines):
                label = labels.get(os.path.basename(row["file"]))
                if label is None:
                    continue
                values = tuple(np.float32(row[name]) for name in names)
                if (row["file"], values) in seen:
                    continue
                seen.add((row["file"], values))
                x.append(values)
                y.append(label["label"] == "attack")
                groups.append(label["group"])
                types.append(label["type"] or "benign")
    return np.array(x, np.float32), np.array(y, np.int64), np.array(groups), np.array(types)


def read_verdicts(path, names):
    """What the backend exports with format=verdicts: rows that analysts judged, each sensor a group. Those of another
    extractor, or without one of the features, are left out; how many is the last thing returned."""
    x, y, groups, types, left_out = [], [], [], [], 0
    with open_text(path) as lines:
        for line in lines:
            row = json.loads(line)
            if row["verdict"] not in ("true_positive", "false_positive"):
                raise SystemExit(f"{path}: verdict {row['verdict']!r}: expected true_positive or false_positive")
            if row["extractor"] != EXTRACTOR or any(name not in row["features"] for name in names):
                left_out += 1
                continue
            attack = row["verdict"] == "true_positive"
            x.append([np.float32(row["features"][name]) for name in names])
            y.append(attack)
            groups.append(f"sensor {row['sensor']}")
            types.append(row["threat_type"] if attack else "benign")
    return np.array(x, np.float32).reshape(-1, len(names)), np.array(y, np.int64), np.array(groups), np.array(types), left_out


def forests(seed, trees=100):
    return (RandomForestClassifier(n_estimators=trees, max_depth=16, min_samples_leaf=3, max_features="sqrt",
                                   class_weight="balanced", random_state=seed, n_jobs=1),
            IsolationForest(n_estimators=trees, max_samples=256, random_state=seed, n_jobs=1))


def parts_of(groups, parts):
    """Each row's part: groups stay whole, and a part is of the same groups whatever the order of the rows."""
    names = sorted(set(groups), key=lambda name: hashlib.sha256(name.encode()).digest())
    part = {name: n % parts if parts else n for n, name in enumerate(names)}
    return np.array([part[name] for name in groups])


def fit(rf, iso, x, y, weights=None):
    """weights: how many rows each row counts as; None: one."""
    rf.fit(x, y, sample_weight=weights)
    iso.fit(x[y == 0], sample_weight=None if weights is None else weights[y == 0])


def held_out(x, y, groups, seed, weights=None, trees=100):
    """Scores of each row by forests trained without its group."""
    rf_score, iso_score = np.zeros(len(x)), np.zeros(len(x))
    for group in sorted(set(groups)):
        out = groups == group
        rf, iso = forests(seed, trees)
        fit(rf, iso, x[~out], y[~out], None if weights is None else weights[~out])
        rf_score[out] = rf.predict_proba(x[out])[:, 1]
        iso_score[out] = iso.decision_function(x[out])
    return rf_score, iso_score


def thresholds(benign_rf, benign_iso, per_million):
    """The lowest thresholds that flag at most that share of held-out benign rows, with a margin: a held-out group can
    miss its budget many times over."""
    rf = np.quantile(benign_rf, 1 - per_million / 1e6, method="higher")
    iso = np.quantile(benign_iso, per_million / 1e6, method="lower")
    return min(0.999, max(0.5, rf + (1 - rf) * 0.25)), min(-1e-6, iso - abs(iso) * 0.25 - 0.01)


def curve(rf_score, iso_score, parts):
    """How many benign rows were scored, and for each budget its thresholds and how many of the rows are flagged when each
    part is judged by thresholds that come from the other parts: what a budget costs on traffic from elsewhere."""
    rows = []
    for budget in BUDGETS:
        flagged = 0
        for part in sorted(set(parts)):
            out = parts == part
            if out.all():
                continue
            rf, iso = thresholds(rf_score[~out], iso_score[~out], budget)
            flagged += int(((rf_score[out] >= rf) | (iso_score[out] < iso)).sum())
        rows.append((budget, *thresholds(rf_score, iso_score, budget), flagged))
    return len(rf_score), rows


def calibrate(score, y):
    """Score to share of attacks, growing (isotonic), as at most 32 points."""
    fit = IsotonicRegression(y_min=0.001, y_max=0.999, out_of_bounds="clip").fit(score, y)
    at = np.linspace(0, 1, 32)
    return list(zip(at, fit.predict(at)))


def recall_table(types, rf_score, iso_score, numbers):
    found = (rf_score >= numbers["rf-threshold"]) | (iso_score < numbers["iso-threshold"])
    lines = ["| type | rows | flagged |", "| --- | ---: | ---: |"]
    for kind in sorted(set(types)):
        lines.append(f"| {kind} | {(types == kind).sum()} | {found[types == kind].mean():.4f} |")
    return "\n".join(lines)


def reliability(confidence, y):
    lines = ["| confidence | rows | attacks |", "| --- | ---: | ---: |"]
    for low in np.arange(0, 1, 0.2):
        inside = (confidence >= low) & (confidence < low + 0.2 + (low > 0.7))
        if inside.any():
            lines.append(f"| {low:.1f} to {low + 0.2:.1f} | {inside.sum()} | {y[inside].mean():.3f} |")
    return "\n".join(lines)


def manifest_hash(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open_text(path) as lines:
            digest.update(lines.read().encode())
    return digest.hexdigest()


def write_card(path, text):
    """What assess.py measured stays below, until it measures again."""
    below = ""
    if os.path.exists(path):
        with open(path) as old:
            below = old.read().partition("\n# On captures")[2]
    with open(path, "w") as out:
        out.write(text + (f"\n# On captures{below}" if below else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", required=True, action="append", help="rows; may be given several times")
    parser.add_argument("--labels", required=True, action="append", help="their labels; may be given several times")
    parser.add_argument("--out", required=True)
    parser.add_argument("--card")
    parser.add_argument("--verdicts", help="rows that analysts judged, as the backend exports them with format=verdicts")
    parser.add_argument("--verdict-weight", type=float, default=10, help="how many rows a judged one counts as (10)")
    parser.add_argument("--note", default="", help="a sentence for the card: where the rows come from")
    parser.add_argument("--no-lone", action="store_true", help="no flow is sure alone: several have to agree")
    parser.add_argument("--windows", action="store_true", help="also learn from the window counts (ctx_*)")
    parser.add_argument("--parts", type=int, default=0, help="hold groups out in so many parts (each group whole); 0: one by one")
    args = parser.parse_args()
    with open_text(args.features[0]) as lines:
        names = FEATURES + [c for c in next(csv.reader(lines)) if c.startswith("ctx_") and args.windows]
    labels = {}
    for path in args.labels:
        with open(path, newline="") as lines:
            labels.update({row["file"]: row for row in csv.DictReader(lines)})
    x, y, groups, types = read_rows(args.features, labels, names)
    weights, note = None, args.note
    if args.verdicts:
        *judged, left_out = read_verdicts(args.verdicts, names)
        weights = np.concatenate([np.ones(len(x)), np.full(len(judged[0]), args.verdict_weight)])
        x, y, groups, types = (np.concatenate(pair) for pair in zip((x, y, groups, types), judged))
        note = f"{note} {len(judged[0])} rows are analysts' verdicts and count {args.verdict_weight:g} times each; {left_out} did not fit.".strip()
        print(f"{args.verdicts}: {len(judged[0])} rows, {left_out} left out (another extractor, or not all features)")
    parts = parts_of(groups, args.parts)
    rf_score, iso_score = held_out(x, y, parts, SEED, weights)
    benign = y == 0
    counted = curve(rf_score[benign], iso_score[benign], parts[benign])
    _, rf_threshold, iso_threshold, _ = counted[1][BUDGETS.index(BUDGET)]
    numbers = {"rf-threshold": rf_threshold, "iso-threshold": iso_threshold,
               "rf-sure": 2.0 if args.no_lone else rf_threshold + (1 - rf_threshold) * 0.5,
               "iso-sure": -2.0 if args.no_lone else iso_threshold * 2}
    rf, iso = forests(SEED)
    fit(rf, iso, x, y, weights)
    trained = manifest_hash(args.features + args.labels + ([args.verdicts] if args.verdicts else []))
    made = f"scikit-learn {sklearn.__version__} numpy {np.__version__} scipy {scipy.__version__}"
    calibration = calibrate(rf_score, y)
    name = write_model(args.out, rf, iso, names, x[benign], numbers,
                       calibration, np.quantile(iso_score[benign], np.linspace(0, 1, 101)), counted, EXTRACTOR, trained, made)
    confidence = np.interp(rf_score, *zip(*calibration))
    if args.card:
        text = CARD.format(name=name, extractor=EXTRACTOR, note=note + "\n\n" if note else "", trained=trained, made=made, rows=len(x), attacks=int(y.sum()),
                           groups=len(set(groups)), features=", ".join(f"`{n}`" for n in names), budget=BUDGET,
                           recall=recall_table(types, rf_score, iso_score, numbers), reliability=reliability(confidence, y),
                           rf=rf_threshold, iso=iso_threshold, command=" ".join(["train.py", *(a if a.startswith("-") else os.path.basename(a)
                                                                    for a in sys.argv[1:])]),
                           counted=counted[0], budgets="\n".join(f"| {b[0]} | {b[1]:.4f} | {b[2]:.4f} | {b[3]} |" for b in counted[1]))
        write_card(args.card, text)
    print(f"{args.out}: model {name}, {len(x)} rows, rf from {rf_threshold:.3f}, iso below {iso_threshold:.3f}")


CARD = """# The model in this folder

`threatline.model`, model `{name}`, extractor {extractor}, trained on rows `{trained}` with {made}.

{note}{rows} different rows ({attacks} of attacks) in {groups} groups. Every figure here is of rows scored by forests that
had not seen their group. Flows alone tell little about traffic from elsewhere; what whole captures show stands
below.

Features: {features}. No port, address or absolute time.

## What the forests flag at the shipped thresholds

RandomForest from {rf:.4f}, IsolationForest below {iso:.4f} (budget: {budget} in a million benign flows, with margin).

{recall}

## Thresholds by budget

The last column counts the benign rows that are flagged, of {counted}, when thresholds come from the other groups alone.

| benign flows in a million | P(attack) from | isolation below | flagged |
| ---: | ---: | ---: | ---: |
{budgets}

## Reliability of the confidence

{reliability}

Made by `{command}`.
"""

if __name__ == "__main__":
    main()
