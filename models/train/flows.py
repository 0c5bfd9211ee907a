"""flows.py: single flows, judged by forests alone; for assess.py.

A table's cell is the number of captures with at least one flagged flow. Of a capture at most 500 different flows are
learned from and counted, so that one flood does not outweigh everything else.
"""
import collections
import csv
import os
import subprocess

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import captures
import evaluate
import train

LENGTHS = ("length", "bytes")
PORTS = {21, 22, 23, 80, 110, 143, 443, 445, 3389, 5900, 8080}
SEEDS = (1, 2, 3)
PER_MILLION = 100
CAP = 500
LABELS = ("port_scan", "brute_force", "dos_ddos", "web_attack", "exfil_tunnel", "c2_botnet", "exploit", "benign")
STAGES = (("its first packet", 0), ("8 packets or 10 s", 1), ("32 packets or 60 s", 2), ("128 packets or 600 s", 3), ("its end", 99))

# What is known of flows, a row each: features, responder's port, index of the capture, number of the flow, steps behind it (99: its
# end), whether the flow is judged as hostile (True), as benign (False) or, elsewhere in a hostile capture, not at all (None).
Flows = collections.namedtuple("Flows", "x port capture flow step hostile")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def read(reader, folder, rows, names):
    columns, numbers = Flows([], [], [], [], [], []), {}
    for at in range(0, len(rows), 100):
        by_path = {os.path.join(folder, row["file"]): at + n for n, row in enumerate(rows[at:at + 100])}
        out = subprocess.run([reader, "partial", *by_path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
        for flow in csv.DictReader(out.splitlines()):
            index = by_path[flow["file"]]
            row = rows[index]
            key = tuple(flow[name] for name in ("file", "source_ip", "destination_ip", "source_port", "destination_port", "protocol", "first_s"))
            ports = row["attack_ports"].split(";") if row["scope"] == "matched" and row["attack_ports"] else [flow["destination_port"]]
            hostile = row["label"] != "benign" and evaluate.is_hostile(flow, row) and flow["destination_port"] in ports
            known = hostile or "benign" in (row["label"], row["rest"])
            step = int(flow["step"])
            for column, value in zip(columns, (tuple(np.float32(flow[name]) for name in names), int(flow["destination_port"]), index,
                                               numbers.setdefault(key, len(numbers)), 99 if step < 0 else step, hostile if known else None)):
                column.append(value)
    return Flows(np.array(columns.x, np.float32), *(np.array(column) for column in columns[1:5]), np.array(columns.hostile, object))


def pick(flows, wanted):
    """The whole flows that are wanted, different ones, at most so many of a capture."""
    seen, kept = collections.defaultdict(set), []
    for i in np.flatnonzero(wanted & (flows.step == 99)):
        values = (flows.x[i].tobytes(), flows.port[i])
        of = seen[flows.capture[i], flows.hostile[i]]
        if values not in of and len(of) < CAP:
            of.add(values)
            kept.append(i)
    return Flows(*(column[kept] for column in flows))


def learnable(flows, rows):
    """Flows whose label is known one by one."""
    return pick(flows, np.array([captures.wanted(rows[i]) for i in flows.capture]) & (flows.hostile != None))  # noqa: E711


def judged(flows, rows):
    """Hostile flows of hostile captures, all flows of benign ones."""
    return pick(flows, np.array([rows[i]["label"] == "benign" for i in flows.capture]) | (flows.hostile == True))  # noqa: E712


def captures_hit(flags, flows, rows):
    hit = set(flows.capture[flags])
    return {label: (sum(rows[i]["label"] == label for i in hit), sum(row["label"] == label for row in rows)) for label in LABELS}


def share(flags):
    return f"{flags.mean() * 1000:.2f}" if len(flags) else "-"


def line(name, flags, flows, rows):
    benign = flows.hostile == False  # noqa: E712
    return (name, *(f"{n} of {of}" for n, of in captures_hit(flags, flows, rows).values()), share(flags[benign]))


HEAD = ("judge", *LABELS, "flagged in 1,000 benign flows")


# --- forests that learned from captures of other sources ---

def limit_of(score, benign, source, left_out):
    """The threshold that the other sources' held-out benign flows allow."""
    known = score[benign & (source != left_out)]
    return np.quantile(known, 1 - PER_MILLION / 1e6, method="higher") if len(known) else 1.0


def held_out_flags(x, y, source, make):
    score, flags = np.zeros(len(x)), np.zeros(len(x), bool)
    for left_out in sorted(set(source)):
        out = source == left_out
        score[out] = make().fit(x[~out], y[~out]).predict_proba(x[out])[:, 1]
    for left_out in sorted(set(source)):
        out = source == left_out
        flags[out] = score[out] > limit_of(score, y == 0, source, left_out)
    return flags


def judges(names, flows, trees):
    """Name, columns and maker of each judge of single flows."""
    window = np.array([name.startswith("ctx_") for name in names])
    length = np.array([any(word in name for word in LENGTHS) for name in names])

    def forest(seed):
        return lambda: RandomForestClassifier(n_estimators=trees, max_depth=16, min_samples_leaf=3, class_weight="balanced", random_state=seed,
                                              n_jobs=1)
    for seed in SEEDS:
        yield f"random forest, 25 features and windows, seed {seed}", flows.x, forest(seed)
    yield "no windows", flows.x[:, ~window], forest(SEEDS[0])
    yield "windows only", flows.x[:, window], forest(SEEDS[0])
    yield "no lengths", flows.x[:, ~length], forest(SEEDS[0])
    yield "with the port", np.column_stack([flows.x, flows.port.astype(np.float32)]), forest(SEEDS[0])
    yield "stump (best single feature)", flows.x, lambda: DecisionTreeClassifier(max_depth=1, class_weight="balanced", random_state=1)


def by_other_sources(flows, rows, names, trees):
    """Flags of each judge, and of the port rule, which learns nothing."""
    flows = judged(flows, rows)
    source = np.array([rows[i]["source_repo"] for i in flows.capture])
    flags = {name: held_out_flags(x, flows.hostile.astype(int), source, make) for name, x, make in judges(names, flows, trees)}
    flags["port rule (ports of the original)"] = np.isin(flows.port, list(PORTS))
    return flows, flags


# --- forests that learned from the lab alone ---

def flagged(forests, x, rf_from, iso_below):
    rf, iso = forests
    return (rf.predict_proba(x)[:, 1] >= rf_from) | (iso.decision_function(x) < iso_below)


def partial_table(forests, numbers, flows, rows):
    """What the shipped forests say of flows of which they have seen the beginning."""
    flows = Flows(*(column[(flows.hostile != None)] for column in flows))  # noqa: E711
    flags = flagged(forests, flows.x, numbers["rf-threshold"], numbers["iso-threshold"])
    lines = []
    for name, stage in STAGES:
        last = np.full(flows.flow.max() + 1, -1)
        at = np.flatnonzero(flows.step <= stage)
        np.maximum.at(last, flows.flow[at], at)  # a flow's rows are in order
        kept = last[last >= 0]
        part = Flows(*(column[kept] for column in flows))
        wanted = np.array([rows[i]["label"] == "benign" for i in part.capture]) | (part.hostile == True)  # noqa: E712
        part = Flows(*(column[wanted] for column in part))
        now = flags[kept][wanted]
        lines.append((*line(f"by {name}", now, part, rows), share(now[part.hostile == True])))  # noqa: E712
    return table((*HEAD, "flagged in 1,000 hostile flows"), lines)


def classes_table(lab, flows, rows, trees):
    """What forests say of a class of attacks that they never saw: two thirds of the lab's groups teach, the rest gives the
    thresholds."""
    x, y, groups, types = lab
    flows = judged(flows, rows)
    parts = train.parts_of(groups, 3)

    def judge(left_out):
        known = (parts != 0) & ~np.isin(types, list(left_out))
        forests = train.forests(train.SEED, trees)
        train.fit(*forests, x[known], y[known])
        benign = x[(parts == 0) & (y == 0)]
        limits = train.thresholds(forests[0].predict_proba(benign)[:, 1], forests[1].decision_function(benign), PER_MILLION)
        return flagged(forests, flows.x, *limits), flagged(forests, x, *limits)

    seen, seen_lab = judge(())
    lines = []
    for label in LABELS[:-2]:
        kinds = set(evaluate.RIGHT[label])
        never, never_lab = judge(kinds)
        of = (parts == 0) & np.isin(types, list(kinds))
        cell = [captures_hit(flags, flows, rows) for flags in (seen, never)]
        lines.append((label, ", ".join(sorted(kinds & set(types))), of.sum(), share(seen_lab[of]), share(never_lab[of]), cell[0][label][1],
                      cell[0][label][0], cell[1][label][0], cell[1]["benign"][0]))
    return table(("class", "types left out", "lab's flows held out", "in 1,000 flagged, class learned", "in 1,000 flagged, class never seen",
                  "captures", "with a flagged flow, class learned", "with a flagged flow, class never seen", "benign captures with one"), lines)


def reliability_table(forests, numbers, flows, rows):
    flows = judged(flows, rows)
    confidence = np.interp(forests[0].predict_proba(flows.x)[:, 1], numbers["calibration"][::2], numbers["calibration"][1::2])
    return train.reliability(confidence, flows.hostile.astype(int))
