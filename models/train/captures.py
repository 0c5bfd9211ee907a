"""captures.py: the rows of labelled captures, to be trained on beside the lab's and never committed.

    captures.py --captures DIR --out FOLDER [--detector build/bin/threatline-detector] [--leave-out SOURCE]

DIR holds manifest.csv (columns file, label, subtype, scope, attacker_ips, attack_ports, rest, source_repo, sha256) and the captures. FOLDER gets
rows.csv.gz, labels.csv and hashes.txt. A capture's rows are FILE (its attack flows, or all of a benign one's) and FILE.rest (what
else is in a hostile one, where the manifest says that it is benign). A group is the repository a capture came from.
Left out: captures whose flows nobody labelled one by one (scope file), and those that count in neither rate.
"""
import argparse
import csv
import gzip
import hashlib
import io
import ipaddress
import os
import pathlib
import subprocess
import sys

TYPES = {"port_scan": "port_scan", "brute_force": "brute_force", "web_attack": "web_attack", "dos_ddos": "ddos",
         "c2_botnet": "malware", "exfil_tunnel": "data_exfiltration", "exploit": "web_attack"}
CAP = 2000


def flows(detector, capture):
    """None for a file that the detector cannot read to its end: it is told and left out."""
    done = subprocess.run([detector, "--read", str(capture), "--features", "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, "DETECTOR_LOG_LEVEL": "error"}, check=False)
    if done.returncode != 0:
        print(f"captures.py: {capture.name}: {done.stderr.strip()[:200]}", file=sys.stderr)
        return None
    return csv.DictReader(io.StringIO(done.stdout))


def is_hostile(row, flow):
    if row["scope"] == "all":
        return True
    networks = [ipaddress.ip_network(text, strict=False) for text in row["attacker_ips"].split(";") if text]
    ends = (ipaddress.ip_address(flow["source_ip"]), ipaddress.ip_address(flow["destination_ip"]))
    ports = set(filter(None, row["attack_ports"].split(";")))
    return any(end.version == net.version and end in net for end in ends for net in networks) \
        and (not ports or flow["destination_port"] in ports)


def file_of(row, flow):
    """Under which name a flow goes; None: nobody says what it is."""
    if row["label"] == "benign":
        return row["file"]
    if is_hostile(row, flow):
        return row["file"]
    return f"{row['file']}.rest" if row["rest"] == "benign" else None


def wanted(row):
    return row["label"] == "benign" or (row["label"] in TYPES and row["scope"] in ("all", "matched"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--detector", default="build/bin/threatline-detector")
    parser.add_argument("--leave-out", default="", help="a source_repo")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.captures / "manifest.csv", newline="") as lines:
        manifest = sorted((row for row in csv.DictReader(lines) if wanted(row)), key=lambda row: row["file"])
    text, labels, hashes, count = io.StringIO(), [], [], 0
    writer, columns = csv.writer(text, lineterminator="\n"), None
    for row in manifest:
        if row["source_repo"] == arguments.leave_out:
            continue
        path = arguments.captures / row["file"]
        hashes.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {row['file']}\n")
        files = {}
        for flow in flows(arguments.detector, path) or ():
            if columns is None:
                names = list(flow)
                columns = names[names.index("duration"):]
                writer.writerow(["file", *columns])
            if file := file_of(row, flow):
                files.setdefault(file.replace("/", "."), {})[tuple(f"{float(flow[name]):.9g}" for name in columns)] = None
        for file, rows in sorted(files.items()):
            step = max(1, -(-len(rows) // CAP))
            kept = list(rows)[::step]
            count += len(kept)
            writer.writerows([file, *values] for values in kept)
            benign = row["label"] == "benign" or file.endswith(".rest")
            labels.append((file, "benign" if benign else "attack", "" if benign else TYPES[row["label"]], row["source_repo"]))
    with open(arguments.out / "rows.csv.gz", "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
        out.write(text.getvalue().encode())
    with open(arguments.out / "labels.csv", "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("file", "label", "type", "group"))
        writer.writerows(labels)
    (arguments.out / "hashes.txt").write_text("".join(hashes))
    print(f"{arguments.out}: {count} rows of {len(labels)} files of {len(hashes)} captures")


if __name__ == "__main__":
    main()
