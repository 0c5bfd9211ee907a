"""model_file.py: writes the forests in the format of docs/model-format.md."""
import hashlib
import struct

import numpy as np
from sklearn.ensemble._iforest import _average_path_length

FORMAT = 2
LEAF = 0xFFFFFFFF
FEATURE_BITS = 6


def rounded_down(threshold):
    """x <= t for the double t and every float x is x <= the greatest float not above t."""
    single = np.float32(threshold)
    return np.nextafter(single, np.float32(-np.inf)) if float(single) > threshold else single


def forest_bytes(estimators, columns, value_of):
    """Breadth first; a node is f32 threshold, u32 left child * 64 + feature (or LEAF), f64 value."""
    roots, nodes = [], []
    for number, estimator in enumerate(estimators):
        tree, queue, base = estimator.tree_, [0], len(nodes)
        roots.append(base)
        for node in queue:  # grows while it is read
            if tree.children_left[node] < 0:
                nodes.append((0.0, LEAF, value_of(number, node)))
            else:
                go = (base + len(queue)) << FEATURE_BITS | int(columns[number][tree.feature[node]])
                nodes.append((rounded_down(tree.threshold[node]), go, value_of(number, node)))
                queue += [tree.children_left[node], tree.children_right[node]]
    body = struct.pack(f"<{len(roots)}I", *roots) + b"".join(struct.pack("<fId", *node) for node in nodes)
    return len(roots), len(nodes), body


def line(key, *values):
    return " ".join([key, *(v if isinstance(v, str) else repr(float(v)) if isinstance(v, float) else str(v)
                            for v in values)]) + "\n"


QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def usual(rows):
    """Of each column: its quantiles, then the share of rows up to the first, between two of them, above the last."""
    rows = rows.astype(np.float64)
    marks = np.quantile(rows, QUANTILES, axis=0).T
    return [(*column, *(np.bincount(np.searchsorted(column, values, side="left"), minlength=len(column) + 1) / len(values)))
            for column, values in zip(marks, rows.T)]


def write_model(path, rf, iso, features, benign, numbers, calibration, percentiles, curve, extractor, trained, made):
    """benign: the rows that say what is usual. numbers: rf-threshold, rf-sure, iso-threshold, iso-sure. curve: how many
    rows it was counted on, then (flows in a million, rf, iso, rows flagged) from the strictest on. Returns the file's
    name for itself."""
    everything = [np.arange(len(features))] * len(rf.estimators_)
    rf_size = forest_bytes(rf.estimators_, everything,
                           lambda t, n: float(rf.estimators_[t].tree_.value[n, 0, 1]))  # a share since scikit-learn 1.3
    depth, average = iso._decision_path_lengths, iso._average_path_length_per_tree
    iso_size = forest_bytes(iso.estimators_, iso.estimators_features_,
                            lambda t, n: float(depth[t][n] + average[t][n] - 1.0))
    scale = len(iso.estimators_) * float(_average_path_length([iso._max_samples])[0])
    text = line("extractor", extractor) + line("trained", trained) + line("made-with", made)
    text += line("features", len(features))
    for feature, figures in zip(features, usual(benign)):
        text += line("feature", feature, *map(float, figures))
    for key in ("rf-threshold", "rf-sure", "iso-threshold", "iso-sure"):
        text += line(key, float(numbers[key]))
    text += line("iso-scale", scale) + line("iso-offset", float(iso.offset_))
    text += line("calibration-count", len(calibration)) + line("calibration", *(float(x) for row in calibration for x in row))
    text += line("percentiles", *map(float, percentiles))
    rows, budgets = curve
    text += line("budget-rows", rows)
    text += line("budgets-count", len(budgets)) + line("budgets", *(float(x) for row in budgets for x in row))
    text += line("rf", rf_size[0], rf_size[1]) + line("iso", iso_size[0], iso_size[1])
    text += line("body", len(rf_size[2]) + len(iso_size[2]))
    rest = text.encode() + rf_size[2] + iso_size[2]
    digest = hashlib.sha256(rest).hexdigest()
    with open(path, "wb") as out:
        out.write(f"threatline-model {FORMAT} {digest}\n".encode() + rest)
    return digest[:12]
