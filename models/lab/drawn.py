#!/usr/bin/env python3
"""Rows of honest traffic that the lab's wires are too small for: offices behind one address, resolvers, mail servers, relays, collectors.

    models/lab/drawn.py [--detector build/bin/threatline-detector] [--rows models/lab/drawn.csv.gz] [--labels models/lab/drawn_labels.csv]

The behaviour is tests/drawn.py's with other dice than the tests use. Each is a group of its own, so that the thresholds come from
forests that never saw it. The same program gives the same bytes.
"""
import argparse
import csv
import gzip
import io
import pathlib
import random
import sys
import tempfile

import rows as lab

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
from crafted import write_pcap  # noqa: E402  the path comes first
from drawn import HONEST, Draw  # noqa: E402

DRAWS, CAP = 4, 150


def main():
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", default="build/bin/threatline-detector")
    parser.add_argument("--rows", type=pathlib.Path, default=here / "drawn.csv.gz")
    parser.add_argument("--labels", type=pathlib.Path, default=here / "drawn_labels.csv")
    arguments = parser.parse_args()
    text, labels, columns, count = io.StringIO(), [], None, 0
    writer = csv.writer(text, lineterminator="\n")
    with tempfile.TemporaryDirectory() as work:
        for behaviour in HONEST:
            for draw in range(DRAWS):
                file = f"drawn-{behaviour.__name__}-{draw}"
                packets = sorted(behaviour(Draw(f"training {file}")), key=lambda one: one[0])
                about = {"name": file, "label": "benign", "honest": [], "attackers": [], "spoofed": False}
                files, names = lab.rows_of(about, arguments.detector, write_pcap(pathlib.Path(work) / "drawn.pcap", packets))
                if columns is None:
                    columns = names
                    writer.writerow(["file", *columns])
                rows = files.get(file, [])
                if len(rows) > CAP:
                    rows = [rows[n] for n in sorted(random.Random(file).sample(range(len(rows)), CAP))]
                count += len(rows)
                writer.writerows([file, *row] for row in rows)
                labels.append((file, "benign", "", f"drawn {behaviour.__name__}"))
    with open(arguments.rows, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(text.getvalue().encode())
    with open(arguments.labels, "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("file", "label", "type", "group"))
        writer.writerows(labels)
    print(f"{arguments.rows}: {count} rows of {len(labels)} files, {arguments.rows.stat().st_size} bytes")


if __name__ == "__main__":
    main()
