"""What --help, the manuals and README.md say, held against the programs."""
import json
import re
import subprocess

import pytest

from programs import BIN, PASSWORD, ROOT, SEED, Backend

PROGRAMS = ("backend", "detector")


def help_of(program):
    """Of each option: its default and its environment variable, None where there is none."""
    text = subprocess.run([BIN / f"threatline-{program}", "--help"], capture_output=True, text=True, timeout=20, check=True).stdout
    found = {}
    for entry in re.split(r"\n  (?=--)", text)[1:]:
        line = " ".join(entry.split())
        tail = re.search(r"\(([^()]*)\)$", line)
        tail = tail[1] if tail else ""
        fallback = re.search(r"(?:^|; )default ([^;]+)", tail)
        variable = re.search(r"(?:^|; )([A-Z][A-Z_]+)$", tail)
        found[line.split()[0].removeprefix("--")] = (fallback and fallback[1], variable and variable[1])
    return found


def manual_of(program):
    """Of each option: the text of its entry."""
    found = {}
    for entry in re.split(r"\n(?=\.It )", (ROOT / program / f"{program}.8").read_text())[1:]:
        head, _, body = entry.partition("\n")
        for name in re.findall(r"Fl -([a-z-]+)", head):
            found[name] = re.split(r"\n\.El", body)[0].replace("\\-", "-").replace("\\e", "\\")
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manual_has_every_option_and_no_other(program):
    assert set(manual_of(program)) == set(help_of(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manual_names_every_default(program):
    manual = manual_of(program)
    missing = {name: fallback for name, (fallback, _) in help_of(program).items()
               if fallback and not all(re.search(rf"(?<![\w.]){re.escape(part)}(?![\w])", manual[name]) for part in fallback.split(","))}
    assert not missing


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_variable_is_named_after_its_option(program):
    odd = {"mongodb-uri": "MONGODB_URI", "mongodb-uri-file": "MONGODB_URI_FILE", "detector": "BACKEND_DETECTORS", "geo-file": "BACKEND_GEO_FILES"}
    for name, (_, variable) in help_of(program).items():
        usual = f"{program.upper()}_{name.upper().replace('-', '_')}"
        assert variable in (odd.get(name, usual), None), name


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_and_variable_that_the_texts_name_is_there(program):
    """In units, compose files, scripts and documents."""
    helps = help_of("backend"), help_of("detector")
    variables = {variable for known in helps for _, variable in known.values()}
    files = [ROOT / program / f"{program}.service", ROOT / "docker-compose.yml", ROOT / "docker-compose.scale.yml", ROOT / "README.md",
             ROOT / "scripts/run.sh", ROOT / program / "Dockerfile", ROOT / program / f"{program}.8", *(ROOT / "docs").glob("*.md")]
    for file in files:
        text = file.read_text()
        for variable in re.findall(r"\b(?:BACKEND|DETECTOR|MONGODB)_[A-Z][A-Z_]+\b", text):
            assert variable in variables, f"{variable} in {file.name}"
        for option in re.findall(r"threatline-(?:backend|detector)`?[^\n]*? (--[a-z][a-z-]+)", text):
            assert any(option[2:] in known for known in helps), f"{option} in {file.name}"


def commands_of(path):
    return next(part for part in re.findall(r"^```\w*\n(.*?)^```", (ROOT / path).read_text(), re.S | re.M) if "curl" in part)


def test_the_commands_of_the_documents_do_what_they_say(tmp_path):
    secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    (tmp_path / "webhook.secret").write_text(f"local {secret}\n")
    (tmp_path / "webhook.secret").chmod(0o600)
    backend = Backend(tmp_path, arguments=["--detector", "none", "--webhook-secret-file", tmp_path / "webhook.secret"]).start()
    try:
        commands = commands_of("README.md") + "SECRET=" + secret + "\n" + commands_of("docs/api.md")
        commands = commands.replace("http://localhost:5000", backend.url).replace("FIRST-PASSWORD", PASSWORD)
        assert commands.count(backend.url) == 4 + 3
        commands = re.sub(r"(?m)^curl -N (.*)$", r"curl -N -m 5 -o stream.txt \1 || [ $? = 28 ]", commands)  # 28: the time is over
        (tmp_path / "docs").symlink_to(ROOT / "docs")
        done = subprocess.run(["bash", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    finally:
        backend.stop()
    answer, history, by_key, signed = (json.loads(text) for text in done.stdout.replace('}{"success"', '}\n{"success"').splitlines())
    assert answer["message"] == "Threat received and broadcasted"
    assert [t["threat_id"] for t in history["threats"]] == [SEED["threat_id"]]
    assert by_key["status"] == signed["status"] == "duplicate"
    assert "Connected to real-time threat stream" in (tmp_path / "stream.txt").read_text()


def test_the_example_threat_is_the_guides():
    assert json.loads((ROOT / "docs/threat.json").read_text()) == SEED


def test_the_table_of_limits_is_the_detectors():
    scopes = {"LIMIT_PAIR": "source and target", "LIMIT_SOURCE": "source", "LIMIT_TARGET": "target", "LIMIT_NETWORK": "all"}
    built = []
    for entry in re.findall(r"\[COUNT_\w+\]\s*=\s*\{(.*?)\}", (ROOT / "detector/limits.c").read_text(), re.S):
        name, kind, scope, _, window, limit, greatest, rest = (part.strip().strip('"') for part in entry.split(",", 7))
        text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', entry.split(",", 7)[7]))
        share = re.search(r'",\s*(\d+)\s*$', rest)
        built.append([f"`{name}`", kind, scopes[scope], f"{window} s", limit, greatest, text + (f" ({share[1]})" if share else "")])
    told = [[cell.strip() for cell in line[1:-1].split("|")] for line in (ROOT / "docs/limits.md").read_text().splitlines() if line.startswith("| `")]
    assert len(built) > 50
    assert sorted(told) == sorted(built)
