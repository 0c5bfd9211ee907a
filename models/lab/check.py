#!/usr/bin/env python3
"""What the detector says of the lab's captures: an attack is one threat of the right type, honest traffic is none.

    models/lab/check.py --captures FOLDER [--detector build/bin/threatline-detector] [--model models]

Prints a line for each run that is not so, then the counts.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess

RIGHT = {"ddos": {"ddos", "dos", "udp_flood"}, "udp_flood": {"udp_flood", "ddos", "dos"}}


def threats_of(detector, model, capture):
    done = subprocess.run([detector, "--model", model, "--read", str(capture), "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env={**os.environ, "DETECTOR_LOG_LEVEL": "error"}, check=True)
    last = {}
    for line in done.stdout.splitlines():
        threat = json.loads(line)
        last[threat["threat_id"]] = threat
    return list(last.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=pathlib.Path, required=True)
    parser.add_argument("--detector", default="build/bin/threatline-detector")
    parser.add_argument("--model", default="models")
    arguments = parser.parse_args()
    counts = collections.Counter()
    for note in sorted(arguments.captures.glob("*.json")):
        about = json.loads(note.read_text())
        threats = threats_of(arguments.detector, arguments.model, note.with_suffix(".pcap"))
        kinds = [t["threat_type"] for t in threats]
        good = RIGHT.get(about["label"], {about["label"]})
        if about["label"] == "benign":
            outcome = "silent" if not threats else "FALSE ALARM"
        elif not threats:
            outcome = "MISSED"
        elif not good & set(kinds):
            outcome = "WRONG TYPE"
        else:
            outcome = "one threat" if len(threats) == 1 else "MORE THAN ONE"
        counts["benign" if about["label"] == "benign" else "attack", outcome] += 1
        if outcome.isupper():
            why = [f"{t['threat_type']} {t['details']['explanation'][0] if t['details'].get('explanation') else ''}" for t in threats]
            print(f"{outcome:14} {about['name']} ({about['label']}): {'; '.join(why)}")
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{kind} {outcome}: {count}")


if __name__ == "__main__":
    main()
