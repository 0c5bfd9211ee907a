"""check_scores.py: the detector's scores are scikit-learn's.

    check_scores.py --features rows.csv --labels labels.csv --scorer PROGRAM [--rows 10000]

Trains both forests on the rows, writes a model file, and scores rows with every column shuffled by itself (so that each branch
is taken) with scikit-learn and with PROGRAM (tests/tools/forest_score). P(attack) has to be equal to the last bit,
the isolation decision to 1e-12. Exit status 1 when it is not.
"""
import argparse
import csv
import os
import subprocess
import sys
import tempfile

import numpy as np

import train
from model_file import write_model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--scorer", required=True)
    parser.add_argument("--rows", type=int, default=10000)
    args = parser.parse_args()
    with open(args.labels, newline="") as lines:
        labels = {row["file"]: row for row in csv.DictReader(lines)}
    x, y, _, _ = train.read_rows([args.features], labels, train.FEATURES)
    rf, iso = train.forests(train.SEED)
    rf.fit(x, y)
    iso.fit(x[y == 0])
    rng = np.random.default_rng(1)
    rows = np.ascontiguousarray(rng.permuted(x[rng.choice(len(x), args.rows)], axis=0), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "threatline.model")
        numbers = {"rf-threshold": 0.5, "rf-sure": 0.9, "iso-threshold": -0.1, "iso-sure": -0.2}
        write_model(path, rf, iso, train.FEATURES, x, numbers,
                    [(0.0, 0.0), (1.0, 1.0)], np.linspace(-0.5, 0.5, 101), (len(x), [(100, 0.5, -0.1, 0)]), train.EXTRACTOR, "0" * 64,
                    "check")
        out = subprocess.run([args.scorer, path], input=rows.tobytes(), stdout=subprocess.PIPE, check=True, timeout=60).stdout
    got = np.frombuffer(out, np.float64).reshape(-1, 2)
    votes = int((got[:, 0] != rf.predict_proba(rows)[:, 1]).sum())
    distance = float(np.abs(got[:, 1] - iso.decision_function(rows)).max())
    print(f"{len(got)} rows: {votes} differ in P(attack), isolation differs by at most {distance:.2e}")
    return 0 if len(got) == args.rows and votes == 0 and distance <= 1e-12 else 1


if __name__ == "__main__":
    sys.exit(main())
