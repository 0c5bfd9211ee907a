#!/usr/bin/env python3
"""Rows of honest traffic that the lab's wires are too small for: offices behind one address, resolvers, mail servers, relays, collectors.

    models/lab/drawn.py [--detector build/bin/threatline-detector] [--rows models/lab/drawn.csv.gz] [--labels models/lab/drawn_labels.csv]

The behaviour is tests/drawn.py's with other dice than the tests use. Each is a group of its own, so that the thresholds come from
forests that never saw it. The same program gives the same bytes.
"""
import argparse
import pathlib
import random
import sys
import tempfile

import rows as lab

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
from crafted import write_pcap  # noqa: E402  the path comes first
from drawn import HONEST, Draw  # noqa: E402

DRAWS, CAP = 4, 150


def files_of(detector):
    with tempfile.TemporaryDirectory() as work:
        for behaviour in HONEST:
            for draw in range(DRAWS):
                file = f"drawn-{behaviour.__name__}-{draw}"
                packets = sorted(behaviour(Draw(f"training {file}")), key=lambda one: one[0])
                about = {"name": file, "label": "benign", "honest": [], "attackers": [], "spoofed": False}
                files, names = lab.rows_of(about, detector, write_pcap(pathlib.Path(work) / "drawn.pcap", packets))
                rows = files.get(file, [])
                if len(rows) > CAP:
                    rows = [rows[n] for n in sorted(random.Random(file).sample(range(len(rows)), CAP))]
                yield file, names, rows, ("benign", "", f"drawn {behaviour.__name__}")


def main():
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", default="build/bin/threatline-detector")
    parser.add_argument("--rows", type=pathlib.Path, default=here / "drawn.csv.gz")
    parser.add_argument("--labels", type=pathlib.Path, default=here / "drawn_labels.csv")
    arguments = parser.parse_args()
    lab.write(arguments.rows, arguments.labels, files_of(arguments.detector))


if __name__ == "__main__":
    main()
