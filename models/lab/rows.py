#!/usr/bin/env python3
"""Turns a folder of lab captures into the committed rows: numbers only, no address, no port, no time.

    models/lab/rows.py --captures FOLDER [--detector build/bin/threatline-detector] [--rows models/lab/rows.csv.gz]
                       [--labels models/lab/labels.csv]

The rows are what the detector's --features says of each flow: the 25 features and the window counts (ctx_*). An attack run gives
two files: NAME holds the attacker's flows, NAME.honest what its neighbours did beside it. The same captures and the same
detector give the same bytes.
"""
import argparse
import csv
import gzip
import io
import json
import os
import pathlib
import random
import subprocess
import sys

CAP = 2000  # distinct rows a file: a flood must not outweigh everything else


def flows(detector, capture):
    """Each flow's line as the detector prints it, without the forests: they play no part in features."""
    done = subprocess.run([detector, "--read", str(capture), "--features", "--quiet"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env={**os.environ, "DETECTOR_LOG_LEVEL": "error"}, check=False)
    if done.returncode != 0:
        sys.exit(f"rows.py: {capture}: {done.stderr.strip()}")
    return csv.DictReader(io.StringIO(done.stdout))


def is_attack(about, flow):
    """By address: the attackers' ends; in spoofed runs whatever goes to the target and is no honest neighbour's. None: what the target
    answers to invented addresses, which is neither."""
    ends = {flow["source_ip"], flow["destination_ip"]}
    if about["label"] == "benign" or ends & set(about["honest"]):
        return False
    if ends & set(about["attackers"]):
        return True
    target = f"{about['net']}.1"
    if about["spoofed"] and flow["source_ip"] == target:
        return None
    return about["spoofed"] and target in ends


def number(text):
    """As exact as the float32 that the forests see."""
    return f"{float(text):.9g}"


def rows_of(about, detector, capture):
    """{file: its distinct rows in their order}, and the names of the columns."""
    out, names = {}, []
    for flow in flows(detector, capture):
        if not names:
            names = list(flow)
            names = names[names.index("duration"):]
        attack = is_attack(about, flow)
        if attack is None:
            continue
        file = about["name"] if attack or about["label"] == "benign" else f"{about['name']}.honest"
        out.setdefault(file, {})[tuple(number(flow[name]) for name in names)] = None
    return {file: list(rows) for file, rows in out.items()}, names


def thin(file, rows):
    if len(rows) <= CAP:
        return rows
    chosen = sorted(random.Random(f"rows {file}").sample(range(len(rows)), CAP))
    return [rows[n] for n in chosen]


def label_of(about, file):
    """label, type and group: the tool of an attack, the kind of a flood or an honest run; forests are tested on groups they never saw."""
    if about["label"] == "benign":
        return "benign", "", about["name"].rsplit("-", 1)[0]
    if file.endswith(".honest"):
        return "benign", "", "neighbours"
    flood = about["label"] in ("ddos", "udp_flood")
    return "attack", about["label"], about["name"].split("-")[0] + "-flood" if flood else about["tool"]


def files_of(captures, detector):
    """What write() takes, of each run of the folder."""
    for note in sorted(captures.glob("*.json")):
        about = json.loads(note.read_text())
        files, names = rows_of(about, detector, note.with_suffix(".pcap"))
        if about["name"] not in files:  # an ARP sweep has none: the windows alone see it
            print(f"rows.py: {about['name']} holds no flow of its own", file=sys.stderr)
        for file in sorted(files):
            yield file, names, thin(file, files[file]), label_of(about, file)


def write(rows_path, labels_path, files):
    """files: (name, names of the columns, rows, (label, type, group)) of each. The same files give the same bytes."""
    text, labels, count = io.StringIO(), [], 0
    writer = csv.writer(text, lineterminator="\n")
    for file, names, rows, label in files:
        if not labels:
            writer.writerow(["file", *names])
        count += len(rows)
        writer.writerows([file, *row] for row in rows)
        labels.append((file, *label))
    with open(rows_path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(text.getvalue().encode())
    with open(labels_path, "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("file", "label", "type", "group"))
        writer.writerows(labels)
    print(f"{rows_path}: {count} rows of {len(labels)} files, {rows_path.stat().st_size} bytes")


def main():
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=pathlib.Path, required=True)
    parser.add_argument("--detector", default="build/bin/threatline-detector")
    parser.add_argument("--rows", type=pathlib.Path, default=here / "rows.csv.gz")
    parser.add_argument("--labels", type=pathlib.Path, default=here / "labels.csv")
    arguments = parser.parse_args()
    write(arguments.rows, arguments.labels, files_of(arguments.captures, arguments.detector))


if __name__ == "__main__":
    main()
