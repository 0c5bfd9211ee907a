"""--false-alarms, --learn and --shadow: what they change, what they show, and what they never do."""
import json
import struct

import pytest
import requests
from crafted import ip4, scan, udp, write_pcap
from detector_helpers import quiet, receiver, start  # noqa: F401  two are fixtures
from programs import ROOT, read, wait_for

START = 1_700_000_000.0
MONITOR = "10.1.1.9"


def echoes(hosts, start, source=MONITOR):
    """A monitor's round: each host is asked once and answers."""
    for n in range(hosts):
        at, host = start + n * 0.015, f"192.168.{n // 250 + 2}.{n % 250 + 1}"
        body = struct.pack("!HH", 7, n) + b"a" * 48
        yield at, ip4(source, host, 1, struct.pack("!BBH", 8, 0, 0) + body)
        yield at + 0.001, ip4(host, source, 1, struct.pack("!BBH", 0, 0, 0) + body)


def minutes(count, start):
    """A look-up every half minute: time goes on."""
    yield from ((start + n * 30, udp("10.0.0.5", "10.0.0.1", 50000 + n, 53, b"\0" * 30)) for n in range(2 * count))


def capture(folder, name, *parts):
    return write_pcap(folder / name, sorted((packet for part in parts for packet in part), key=lambda one: one[0]))


def kinds(done):
    return {(t["threat_type"], t["source_ip"]): t["details"]["explanation"][0] for t in map(json.loads, done.stdout.splitlines())}


# --- learning

def learn(folder, *files, time="1h", **kwargs):
    return read("--learn", time, "--data-dir", folder / "data", *files, **kwargs)


@pytest.fixture
def rounds(tmp_path):
    """In parts of whatever the limit is."""
    limit = kinds(read(capture(tmp_path, "many.pcap", echoes(600, START))))[("port_scan", MONITOR)]["limit"]

    def hosts(part):
        return round(limit * part)

    return {"usual": capture(tmp_path, "usual.pcap", echoes(hosts(0.75), START + 60), minutes(70, START)),
            "more": capture(tmp_path, "more.pcap", echoes(hosts(1.2), START + 9000)),
            "far more": capture(tmp_path, "far.pcap", echoes(hosts(2.5), START + 9000)),
            "hostile": capture(tmp_path, "hostile.pcap", echoes(hosts(2.5), START + 60), minutes(70, START))}


def test_what_is_usual_here_is_no_threat_once_it_is_learned(tmp_path, rounds):
    before = kinds(read(rounds["more"]))[("port_scan", MONITOR)]
    assert before["counter"] == "pinged_hosts"
    assert kinds(learn(tmp_path, rounds["usual"])) == {}
    assert kinds(learn(tmp_path, rounds["more"])) == {}  # another start: it was kept
    after = kinds(learn(tmp_path, rounds["far more"]))[("port_scan", MONITOR)]
    assert before["limit"] < after["limit"] <= 2 * before["limit"]
    assert after["benign_max"] > before["benign_max"]
    assert kinds(read(rounds["more"])) != {}  # without the option all is as it was


def test_while_it_learns_and_of_an_attacker_it_stays_strict(tmp_path, rounds):
    assert kinds(learn(tmp_path, rounds["hostile"]))[("port_scan", MONITOR)]["counter"] == "pinged_hosts"
    assert kinds(learn(tmp_path, rounds["more"])) != {}


def test_a_damaged_file_is_refused_by_name_and_learning_begins_anew(tmp_path, rounds):
    learn(tmp_path, rounds["usual"])
    kept = tmp_path / "data" / "learned"
    text = kept.read_bytes()
    kept.write_bytes(text.replace(b"counter", b"counted", 1))
    done = learn(tmp_path, rounds["more"])
    assert "learn.refused" in done.stderr and "checksum" in done.stderr
    assert kinds(done) != {}


def test_one_worker_or_two_learn_the_same(tmp_path, rounds):
    for workers in ("1", "2"):
        (tmp_path / workers).mkdir()
        done = learn(tmp_path / workers, rounds["usual"], rounds["more"], "--workers", workers)
        assert done.stdout == ""
    assert (tmp_path / "1" / "data" / "learned").read_bytes() == (tmp_path / "2" / "data" / "learned").read_bytes()


# --- the budget

@pytest.mark.parametrize("option, value, why", [("--false-alarms", "5", "N/day"), ("--false-alarms", "-1/day", "N/day"),
                                                ("--false-alarms", "nan/day", "N/day"), ("--learn", "24", "24h"),
                                                ("--learn", "5s", "60s"), ("--learn", "infd", "60s")])
def test_a_wish_that_makes_no_sense_is_named(option, value, why):
    done = read(__file__, option, value, check=False)
    assert done.returncode == 2 and option[2:] in done.stderr and why in done.stderr


def stats(detector):
    return requests.get(f"{detector.url}/api/model-stats", timeout=10).json()


def metrics(detector):
    lines = requests.get(f"{detector.url}/metrics", timeout=10).text.splitlines()
    return {line.rsplit(" ", 1)[0].removeprefix("threatline_detector_"): float(line.rsplit(" ", 1)[1]) for line in lines if line[:1] != "#"}


def test_more_false_alarms_a_day_are_looser_thresholds_and_the_price_is_shown(start, receiver):
    own = start()
    cost = stats(own)["false_alarms"]["expected"]
    few, many = round(cost * 1.01, 2), min(round(cost * 1000), 1000000)  # the most that may be asked for
    strict, loose = (start(arguments=["--false-alarms", f"{wish}/day"]) for wish in (few, many))
    seen = [stats(one) for one in (strict, loose, own)]
    assert [s["false_alarms"]["wanted"] for s in seen] == [few, many, None]
    for s in seen[:2]:
        assert s["false_alarms"]["within"] and 0 < s["false_alarms"]["expected"] <= s["false_alarms"]["wanted"]
        assert s["false_alarms"]["reached"] is None and s["false_alarms"]["hours"] == 0  # nothing was watched yet
    rf, iso = ([s["models"][i]["threshold"] for s in seen] for i in (0, 1))
    assert rf[0] > rf[1] and iso[0] < iso[1]
    assert metrics(loose)["false_alarms_wanted"] == many
    assert metrics(loose)["false_alarms_expected"] == seen[1]["false_alarms"]["expected"]
    assert "false_alarms_wanted" not in metrics(own) and metrics(own)["false_alarms_expected"] > 0
    wait_for(lambda: any(beat.get("false_alarms_wanted") == many for _, beat in receiver.beats), 60)
    beat = next(beat for _, beat in receiver.beats if beat.get("false_alarms_wanted") == many)
    assert beat["false_alarms_expected"] == seen[1]["false_alarms"]["expected"] and beat["false_alarms_reached"] is None


def test_a_budget_too_small_for_the_curve_says_so(start):
    assert stats(start(arguments=["--false-alarms", "0.001/day"]))["false_alarms"]["within"] is False


def test_the_budget_changes_what_is_flagged(tmp_path):
    """The lab's own rows are not at hand as packets; whatever the looser thresholds find, the stricter find no more."""
    path = capture(tmp_path, "scan.pcap", scan(ports=range(1, 14)), quiet())
    assert kinds(read(path, "--false-alarms", "0.001/day")).keys() <= kinds(read(path, "--false-alarms", "1000000/day")).keys()


# --- drift

def test_drift_is_unknown_until_flows_are_enough(start):
    detector = start("simulator")
    wait_for(lambda: stats(detector)["drift"]["flows"] > 0, 60)
    told = stats(detector)
    assert set(told["drift"]["index"]) == set(told["models"][0]["features"])
    assert set(told["drift"]["index"].values()) == {None} and told["drift"]["greatest"] is None
    assert not any(name.startswith("drift{") for name in metrics(detector))  # no number is better than a wrong one


# --- the shadow

@pytest.fixture
def other_model(tmp_path):
    """The same forests with a threshold of their own: it flags every flow."""
    import hashlib
    head, rest = (ROOT / "models" / "threatline.model").read_bytes().split(b"\n", 1)
    at = rest.index(b"rf-threshold ")
    end = rest.index(b"\n", at)
    rest = rest[:at] + b"rf-threshold 0.0" + rest[end:]
    path = tmp_path / "other.model"
    path.write_bytes(b"threatline-model 2 " + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    return path


def test_a_shadow_is_silent_and_its_differences_are_counted(start, receiver, other_model):
    detector = start("simulator", ["--shadow", other_model, "--simulator-seed", "7"])
    wait_for(lambda: stats(detector)["shadow"]["only_shadow"] >= 40, 120)
    shadow = stats(detector)["shadow"]
    assert shadow["model"] != stats(detector)["model"]
    assert shadow["neither"] == shadow["only_model"] == 0  # it flags every flow
    assert len(shadow["last"]) == 32 and {d["flagged_by"] for d in shadow["last"]} == {"shadow"}
    assert all(0 <= d["shadow_rf"] <= 1 and d["source_ip"] and d["time"] for d in shadow["last"])
    counted = metrics(detector)
    assert counted['shadow_flows_total{flagged_by="shadow"}'] >= 40


def test_with_a_shadow_the_threats_are_the_same(tmp_path, other_model):
    path = capture(tmp_path, "scan.pcap", scan(), quiet())
    plain, shadowed = read(path).stdout, read(path, "--shadow", other_model).stdout
    assert plain == shadowed != ""


def test_a_shadow_that_cannot_be_read_stops_the_start(tmp_path):
    damaged = tmp_path / "damaged.model"
    damaged.write_bytes((ROOT / "models" / "threatline.model").read_bytes()[:-1] + b"x")
    done = read(capture(tmp_path, "scan.pcap", scan()), "--shadow", damaged, check=False)
    assert done.returncode == 1 and "damaged" in done.stderr and str(damaged) in done.stderr
    done = read(__file__, "--shadow", tmp_path / "none.model", "--check", check=False)
    assert done.returncode == 2 and "none.model" in done.stderr
