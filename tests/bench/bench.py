"""`make bench`: figures of this machine, each beside the bare limit or a peer measured in the same run.

    bench.py [PART...]     parts: store mongo webhook streams flow forest live latency page lighthouse (default: all); --write puts the tables into docs/performance.md

Environment: LOADS (folder of the three captures, made when missing; about 3.4 GB), THREATLINE_CAPTURES (for the mixed load),
ROUNDS (3), STORED (threats in the store before the figures of the part store are taken: 1000000; 10000000 takes about half
an hour and 11 GB), MONGODB_URI (else a test server is started), LIVE_ROUNDS (5), LIVE_SECONDS (3), LIVE_LIMIT (300: seconds,
of which each load has its share; no round begins later), NFSTREAM_PYTHON (an interpreter that has the package nfstream:
python3; it takes 9 GiB for the scan load and is ended after 290 s). CPU time is user + system of the process and its
children; commands take turns within a round, the figure is the least of the rounds. Timings are told, not asserted.
"""
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "release" / "tests" / "bench"
BIN = ROOT / "build" / "bin"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
sys.path.insert(0, str(ROOT / "tests"))


def table(title, head, rows, note=""):
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    return "\n".join(lines + ([ "", note] if note else [])) + "\n"


def cpu(command, limit=290):
    """(CPU seconds, wall seconds, peak RSS in MiB, exit status) of one command."""
    with tempfile.NamedTemporaryFile("r") as out:
        subprocess.run([TOOLS / "cpu", str(limit), out.name, "sh", "-c", f"exec {command}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=False)
        user, system, rss, wall, status = out.read().split()
    return float(user) + float(system), float(wall), int(rss), int(status)


def loads():
    folder = pathlib.Path(os.environ.get("LOADS", ROOT / "build" / "loads"))
    folder.mkdir(parents=True, exist_ok=True)
    captures = os.environ.get("THREATLINE_CAPTURES")
    made = {"scan": ["scan", "5000000"], "bulk": ["bulk", "1500000"]}
    if captures:
        made["mixed"] = ["mixed", captures, "30", "6"]
    else:
        print("flow: no mixed load, THREATLINE_CAPTURES is not set")
    for name, arguments in made.items():
        if not (folder / f"{name}.pcap").exists():
            subprocess.run([TOOLS / "mkload", *arguments, folder / f"{name}.pcap.new"], check=True)
            (folder / f"{name}.pcap.new").rename(folder / f"{name}.pcap")
    return {name: folder / f"{name}.pcap" for name in sorted(made)}


def flow():
    empty = tempfile.mkdtemp(prefix="bench-")
    commands = {"bare libpcap loop": f"{TOOLS}/bare_pcap {{}}",
                "threatline-detector --read (flows, windows, both forests)": f"{BIN}/threatline-detector --model {ROOT}/models --max-flows 4000000 --read {{}}",
                "threatline-detector --read, two workers": f"{BIN}/threatline-detector --model {ROOT}/models --max-flows 4000000 --workers 2 --read {{}}"}
    if subprocess.run([BIN / "threatline-detector", "--workers", "2", "--check"], capture_output=True, check=False).returncode == 2:
        del commands["threatline-detector --read, two workers"]
    peers = {"softflowd": f"softflowd -r {{}} -d -a -m 4000000 -p {empty}/pid -c none", "nfpcapd": f"nfpcapd -r {{}} -w {empty}",
             "argus": "argus -X -r {} -w /dev/null", "tcpdump": "tcpdump -r {} -w /dev/null"}
    python = os.environ.get("NFSTREAM_PYTHON", "python3")
    peers["nfstream"] = f"{python} {ROOT}/tests/bench/nfstream_meter.py {{}}"
    for name, command in peers.items():
        found = shutil.which(name) if name != "nfstream" else subprocess.run([python, "-c", "import nfstream"], capture_output=True, check=False).returncode == 0
        if found:
            commands[name] = command
        else:
            print(f"flow: {name} is not installed")
    rows = []
    for load, path in loads().items():
        packets = int(re.search(r"packets=(\d+)", subprocess.run([TOOLS / "bare_pcap", path], capture_output=True, text=True, check=True).stdout).group(1))
        best = {}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                one = cpu(command.format(path))
                best[name] = min(best.get(name, one), one)
        unit = best["bare libpcap loop"][0]
        for name, (seconds, wall, rss, status) in best.items():
            rows.append([load, name, f"{seconds:.2f}", f"{wall:.2f}", f"{packets / seconds / 1e6:.2f}", f"**{seconds / unit:.1f}**", rss, status])
    shutil.rmtree(empty, ignore_errors=True)
    return table("File to verdict", ["load", "command", "CPU s", "wall s", "Mpkt/s a core", "x bare libpcap", "RSS MiB", "exit"], rows)


def forest():
    out = subprocess.run([TOOLS / "forest_bench", ROOT / "models"], capture_output=True, text=True, check=True).stdout
    got = dict(pair.split("=") for pair in out.split())
    return table("Both forests, CPU time a flow", ["walk", "µs"], [["one row", got["one_us"]], ["batches of 1,000", got["batch_us"]]],
                 f"{got['features']} features, columns drawn each by itself.")


def on_a_wire(script, *arguments, timeout):
    """Runs a script of this folder at one end of a wire between two namespaces, told the other end's name; gives its JSON."""
    server, client = f"tb{os.getpid()}s", f"tb{os.getpid()}c"

    def ip(*words, check=True):
        subprocess.run(["ip", *words], check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)

    try:
        for space in (server, client):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", client, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", server)
        for space in (server, client):
            subprocess.run(["ip", "netns", "exec", space, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/wire/disable_ipv6; ethtool -K wire tso off gso off gro off"],
                           check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
            ip("-n", space, "link", "set", "wire", "up")
        out = subprocess.run(["ip", "netns", "exec", server, sys.executable, str(ROOT / "tests/bench" / script), client, *map(str, arguments)],
                             stdout=subprocess.PIPE, text=True, timeout=timeout, check=True).stdout
    finally:
        for space in (server, client):
            ip("netns", "del", space, check=False)
    return json.loads(out.splitlines()[-1])


def live():
    if os.geteuid() != 0 or not shutil.which("tcpreplay") or not shutil.which("tcpdump"):
        return "### Live, lost packets\n\nNot measured: needs root, for a wire between two namespaces, tcpreplay and tcpdump.\n"
    rounds, seconds = int(os.environ.get("LIVE_ROUNDS", "5")), int(os.environ.get("LIVE_SECONDS", "3"))
    limit = int(os.environ.get("LIVE_LIMIT", "300"))
    folder, cuts = tempfile.mkdtemp(prefix="bench-live-"), []
    try:
        for name, path in loads().items():
            if name in ("mixed", "scan"):
                cuts.append(f"{name}={folder}/{name}.pcap")
                subprocess.run(["tcpdump", "-r", path, "-c", "1000000", "-w", f"{folder}/{name}.pcap"], check=True, stderr=subprocess.DEVNULL, timeout=60)
        got = on_a_wire("live.py", seconds, rounds, limit // len(cuts), *cuts, timeout=len(cuts) * rounds * (seconds + 60) * 5)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = [[one["load"], one["name"], f"{one['pps']:.0f}", f"**{one['lost'][len(one['lost']) // 2]:.2f}**", f"{one['lost'][0]:.2f} to {one['lost'][-1]:.2f}",
             f"{one['us']:.2f}", len(one["lost"])] for one in got]
    return table("Live, tcpreplay at top speed on a veth pair", ["load", "program", "packets/s", "lost %, median", "least to most", "CPU µs a packet", "rounds"], rows,
                 f"The first million packets of the load in a loop for {seconds} s, at most {rounds} rounds; the detector as it is shipped: it keeps evidence, too.")


def latency():
    if os.geteuid() != 0:
        return "### End-to-end latency\n\nNot measured: needs root, for a wire between two namespaces.\n"
    got = on_a_wire("latency.py", 200, timeout=180)
    rows = [["threats asked for / heard", f"{got['asked']} / {got['events']}"], ["p50", f"{got['p50_ms']:.1f} ms"], ["p99", f"{got['p99_ms']:.1f} ms"],
            ["largest", f"{got['max_ms']:.1f} ms"], ["the guide's total", "< 100 ms"]]
    return table("End-to-end latency: packet captured → event at a stream's client", ["", ""], rows,
                 "Live capture on a veth pair, 20 scanners a second; SQLite, every threat durable before it is streamed.")


def page():
    out = subprocess.run([sys.executable, ROOT / "tests/bench/page_bench.py"], capture_output=True, text=True, timeout=900, check=True).stdout
    got = json.loads(out.splitlines()[-1])
    rows = [["POST sent → answered (durable), p50 / p99", f"{got['answer_p50']:.0f} / {got['answer_p99']:.0f} ms"],
            ["POST sent → row painted, p50 / p99", f"**{got['p50']:.0f} / {got['p99']:.0f} ms** (goal: p99 ≤ 100 ms)"],
            [f"time between frames at {got['rate']:.0f} threats/s, p50 / p99 / largest", f"{got['frame_p50']:.0f} / {got['frame_p99']:.0f} / {got['frame_max']:.0f} ms"],
            [f"page memory before / after {got['threats']:,} threats", f"{got['heap_before']:.1f} / {got['heap_after']:.1f} MB, {got['drawn']} rows drawn"]]
    return table("The dashboard in Chromium", ["", ""], rows, f"{got['rows']} threats one by one for the delays; SQLite; browser, backend and sender share the machine; "
                 "software rendering.")


def lighthouse():
    if not shutil.which("nginx"):
        return table("Lighthouse", ["view"], [["not measured: nginx is not installed"]])
    out = subprocess.run([sys.executable, ROOT / "tests/bench/lighthouse.py"], capture_output=True, text=True, timeout=900, check=True).stdout
    rows = [[view, f"**{got['performance']}**", f"**{got['accessibility']}**", f"**{got['best-practices']}**", f"{got['paint_ms']:.0f}", f"{got['interactive_ms']:.0f}",
             f"{got['transferred'] / 1000:.0f}"] for view, got in json.loads(out.splitlines()[-1]).items()]
    return table("Lighthouse, desktop preset, through nginx (wanted: 95)", ["view", "performance", "accessibility", "best practices", "first paint ms", "interactive ms",
                                                                             "transferred kB"], rows, "With 100 threats stored, signed in but for the first.")


def pairs(*command, timeout=280):
    """The figures of a tool that prints "name value unit" a line."""
    out = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True).stdout
    return {line.split()[0]: float(line.split()[1]) for line in out.splitlines() if len(line.split()) > 1}


def store():
    folder = tempfile.mkdtemp(prefix="bench-store-")
    try:
        stored = int(os.environ.get("STORED", "1000000"))
        empty = pairs(TOOLS / "store_bench", folder, "3", "0")
        got = pairs(TOOLS / "store_bench", folder, "3", str(stored), timeout=600 + stored // 1000)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    def both(tell):
        return [tell(empty), tell(got)]

    rows = [["arrays of 1,000, CPU a threat", *both(lambda g: f"{g['array_cpu']:.1f} µs")],
            ["bare loop, the same rows, CPU a threat", *both(lambda g: f"{g['bare_cpu']:.1f} µs")],
            ["**bare CPU / ours** (wanted: 0.6)", *both(lambda g: f"**{g['bare_cpu'] / g['array_cpu']:.2f}**")],
            ["arrays of 1,000", *both(lambda g: f"{g['arrays_per_s']:.0f}/s")],
            ["64 threads, one each: commits together",
             *both(lambda g: f"{g['singles_64_per_s']:.0f}/s, p99 {g['singles_64_p99']:.1f} ms, {g['singles_64_batch']:.0f} a commit")],
            ["one thread", *both(lambda g: f"p50 {g['singles_1_p50']:.2f} ms")]]
    rows += [[name.removesuffix("_p50").replace("_", " "), *both(lambda g, n=name: f"p50 {g[n]:.2f} ms, p99 {g[n.replace('_p50', '_p99')]:.2f} ms")]
             for name in got if name.startswith(("query_", "statistics_")) and name.endswith("_p50")]
    return table("SQLite store", ["", "empty at first", f"{stored:,} stored"], rows,
                 "The bare loop binds finished rows into a copy of the file, the same tables with the same indexes; it makes no words, counts or JSON.")


def mongo():
    try:
        got = pairs(ROOT / "scripts" / "with_mongo.sh", TOOLS / "store_bench", "mongodb")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return f"### MongoDB store\n\nNot measured: the server did not keep up ({type(error).__name__}).\n"
    def rates(array):
        return {kind: float(got.get(f"mongo_{array}_{kind}_per_s", 0)) for kind in ("ours", "bare", "indexed", "transaction")}

    def cell(ours, other):
        return f"{other:.0f}/s ({ours / other:.2f})" if ours and other else f"{other:.0f}/s" if other else "not measured"

    rows = []
    for array in (50, 1000):
        got_now = rates(array)
        ours = got_now.pop("ours")
        rows.append([array, f"{ours:.0f}/s" if ours else "none: not taken in time", *(cell(ours, rate) for rate in got_now.values())])
    return table("MongoDB store", ["threats an array", "ours", "bare insert_many (**ours / bare**, wanted: 0.7)", "with the same indexes", "and in a transaction"], rows,
                 "Majority and journal everywhere, the same documents. Ours has the indexes and the transaction, takes the sequence numbers in it, and keeps the counts of the statistics: "
                 "from column to column one sees what each costs." + ("" if os.environ.get("MONGODB_URI") else " The server is the tests' own, an interpreted one: it reads the list of "
                 "indexes again for each document and writes each entry by itself."))


def with_backend(run):
    from programs import Backend

    with tempfile.TemporaryDirectory(prefix="bench-backend-") as folder:
        backend = Backend(pathlib.Path(folder) / "backend", arguments=["--streams-per-user", "12000"]).start()
        try:
            return run(backend)
        finally:
            backend.stop()


def load_of(tool, backend, *arguments):
    out = subprocess.run([TOOLS / tool, "--port", str(backend.port), *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False).stdout
    return json.loads(out.splitlines()[-1])


def webhook():
    def run(backend):
        def ticks():
            fields = pathlib.Path(f"/proc/{backend.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        rows = []
        for connections, array in ((64, 1), (1, 1), (1, 1000)):
            before = ticks()
            got = load_of("webhook_load", backend, "--connections", connections, "--array", array, "--seconds", 3)
            spent = (ticks() - before) / max(1, got["threats"]) * 1e6
            rows.append([connections, array, f"{got['threats'] / got['seconds']:.0f}", f"{got['p50_ms']:.2f}", f"{got['p99_ms']:.2f}", f"{spent:.1f}"])
        return rows

    return table("Webhook, durable (SQLite), bodies of 500 bytes", ["connections", "threats a request", "threats/s", "p50 ms", "p99 ms", "CPU µs a threat"],
                 with_backend(run), "CPU: user and system of the backend.")


def streams():
    rows = []
    for count in (1, 1000, 10000):
        def run(backend):
            backend.login()
            return load_of("stream_load", backend, "--token", backend.token, "--streams", count, "--rate", 10, "--seconds", 5, "--pid", backend.process.pid)

        got = with_backend(run)  # each count on a new backend: memory that an earlier one has left would be used again
        room = f"{got['kib_a_stream']:.2f}" if got["kib_a_stream"] >= 0 else ""
        rows.append([count, f"{got['open_s']:.2f}", f"{got['deliveries']}/{got['expected']}", got["median_ms"], got["last_ms"], got["post_ms"],
                     f"{got['server_cpu_percent']} + {got['own_cpu_percent']}", room])
    return table("Streams, 10 events/s", ["streams", "opened in s", "delivered", "median ms", "last ms", "POST ms", "CPU %, backend + subscribers", "KiB a stream"], rows,
                 "The subscribers share the machine; they read in rounds half a millisecond apart, which is in the figures. Memory: the backend's own, from the 500th "
                 "stream on.")


PARTS = {"store": store, "mongo": mongo, "webhook": webhook, "streams": streams, "flow": flow, "forest": forest, "live": live, "latency": latency, "page": page, "lighthouse": lighthouse}


def write(written):
    """Puts the tables, dated, into docs/performance.md; those of parts that were not asked for stay as they are."""
    page = ROOT / "docs" / "performance.md"
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    kept = {text.split("\n", 1)[0]: text for text in ("### " + part for part in page.read_text().split("### ")[1:])}
    for text in written:
        title, rest = text.split("\n", 1)
        kept[title] = f"{title}\n\nMeasured {datetime.date.today()}, {os.cpu_count()} cores, {model}, load {os.getloadavg()[0]:.1f} at the end.\n{rest}\n"
    page.write_text("# Performance\n\nWritten by `scripts/bench.sh --write`. Compare ratios of one run, never figures of two machines.\n\n" +
                    "\n".join(text.rstrip("\n") + "\n" for text in kept.values()))


def main():
    asked = [a for a in sys.argv[1:] if not a.startswith("--")] or os.environ.get("BENCH", "").split() or list(PARTS)
    written = []
    for part in asked:
        text = PARTS[part]()
        print("\n" + text, flush=True)
        written.append(text)
    if "--write" in sys.argv:
        write(written)


main()
