"""evaluate.py: what the detector finds in labelled captures, counted by capture.

    evaluate.py --captures DIR --reader PROGRAM [--model models] [--windows-only | --forests-only] [--list]

DIR holds manifest.csv (columns file, label, scope, attacker_ips) and the captures. PROGRAM is the reader tool
(make tools: verdict_read) that prints the threats of many files, one JSON line a notice. A hostile capture counts as found
when one threat has a hostile address at one of its ends, or any threat where the whole file is hostile. Incidents
are counted by threat_id, so an incident's updates are not counted again.
"""
import argparse
import collections
import csv
import ipaddress
import json
import os
import subprocess

RIGHT = {"port_scan": {"port_scan"}, "brute_force": {"brute_force"}, "web_attack": {"web_attack"},
         "dos_ddos": {"ddos", "dos", "udp_flood"}, "c2_botnet": {"malware"}, "exfil_tunnel": {"data_exfiltration"},
         "exploit": {"web_attack", "malware", "suspicious_tcp", "suspicious_udp"}}
NOT_SCORED = {"ambiguous", "malformed"}


def read_manifest(folder, labels):
    with open(os.path.join(folder, "manifest.csv"), newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["label"] in labels or not labels]


def run(program, model, folder, rows, batch=100, mode="threats"):
    """threats by file: {file: {threat_id: the last notice}}; mode forests: what windows find is no evidence"""
    found = collections.defaultdict(dict)
    for at in range(0, len(rows), batch):
        files = [os.path.join(folder, row["file"]) for row in rows[at:at + batch]]
        out = subprocess.run([program, mode, model, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=600)
        for line in out.stdout.decode(errors="replace").splitlines():
            notice = json.loads(line)
            found[os.path.relpath(notice["file"], folder)][notice["threat"]["threat_id"]] = notice["threat"]
    return found


def is_hostile(threat, row):
    if row["scope"] != "matched" or not row["attacker_ips"]:
        return True
    networks = [ipaddress.ip_network(text, strict=False) for text in row["attacker_ips"].split(";")]
    ends = (ipaddress.ip_address(threat["source_ip"]), ipaddress.ip_address(threat["destination_ip"]))
    return any(end.version == net.version and end in net for end in ends for net in networks)


def summary(rows, found):
    table = collections.OrderedDict()
    for row in rows:
        cell = table.setdefault(row["label"], dict(captures=0, found=0, some=0, right=0, threats=0, flows=0, missed=[]))
        threats = [t for t in found.get(row["file"], {}).values() if is_hostile(t, row)]
        cell["captures"] += 1
        cell["flows"] += int(row["flows"] or 0)
        cell["threats"] += len(found.get(row["file"], {}))
        cell["found"] += bool(threats)
        cell["some"] += bool(found.get(row["file"]))
        cell["right"] += any(t["threat_type"] in RIGHT.get(row["label"], ()) for t in threats)
        if not threats and row["label"] != "benign":
            cell["missed"].append(row["file"])
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", default=os.environ.get("THREATLINE_CAPTURES"), required=not os.environ.get("THREATLINE_CAPTURES"))
    parser.add_argument("--reader", required=True)
    parser.add_argument("--model", default="models")
    parser.add_argument("--windows-only", action="store_true", help="no forests")
    parser.add_argument("--forests-only", action="store_true", help="what windows find is no evidence")
    parser.add_argument("--list", action="store_true", help="each threat and each miss")
    parser.add_argument("--labels", default="", help="only these, comma-separated")
    args = parser.parse_args()
    rows = [r for r in read_manifest(args.captures, set(args.labels.split(",")) - {""}) if r["label"] not in NOT_SCORED]
    found = run(args.reader, "-" if args.windows_only else args.model, args.captures, rows,
                mode="forests" if args.forests_only else "threats")
    if args.list:
        for row in rows:
            for t in found.get(row["file"], {}).values():
                why = t["details"]["explanation"][:1]
                print(f"{row['file']}\t{t['threat_type']}\t{t['source_ip']}>{t['destination_ip']}:"
                      f"{t.get('destination_port', '')}\tflows {t['details']['flow_count']}\t{json.dumps(why)}")
    print("| label | captures | found | right type | any threat | threats | flows |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for label, cell in summary(rows, found).items():
        print(f"| {label} | {cell['captures']} | {cell['found']} | {cell['right'] if label != 'benign' else '-'} "
              f"| {cell['some']} | {cell['threats']} | {cell['flows']} |")
    if args.list:
        for label, cell in summary(rows, found).items():
            for name in cell["missed"]:
                print("missed:", name)


if __name__ == "__main__":
    main()
