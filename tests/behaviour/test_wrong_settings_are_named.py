"""What is set wrong is said by name, before or at the start, by --check too; and a command never works on the wrong store."""
import os
import socket
import subprocess

import pytest

from programs import BIN, ROOT, SEED, Backend, free_port

CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("BACKEND_", "DETECTOR_", "MONGODB_"))}


def run(program, *arguments, cwd=ROOT, **env):
    return subprocess.run([BIN / f"threatline-{program}", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60,
                          env=CLEAN | env)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "file").write_text("abc\n")
    (tmp_path / "file").chmod(0o600)
    return tmp_path


BACKEND = [
    (["--mongodb-uri", "localhost:27017"], "MongoDB URI"),
    (["--mongodb-uri", "mongodb://"], "MongoDB URI"),
    (["--mongodb-uri-file", "{0}/none"], "mongodb-uri-file"),
    (["--bind", "localhost"], "bind: expected an IPv4 address"),
    (["--port", "5000", "--dashboard-port", "5000"], "dashboard-port"),
    (["--data-dir", "{0}/file"], "data-dir"),
    (["--data-dir", "{0}/file/inner"], "data-dir"),
    (["--static-dir", "{0}/none"], "static-dir"),
    (["--allowed-origins", "https://a.example/"], "allowed-origins"),
    (["--allowed-origins", "a.example"], "allowed-origins"),
    (["--allowed-origins", "*"], "allowed-origins"),
    (["--geo-file", "{0}/file"], "geo file"),
    (["--jwt-key-file", "{0}/none"], "jwt-key-file"),
    (["--jwt-key-file", "{0}/file"], "jwt-key-file"),
    (["--admin-password-file", "{0}/none"], "admin-password-file"),
    (["--webhook-secret-file", "{0}/file"], "webhook-secret-file"),
    (["user", "list"], "does not go with a command"),
]
DETECTOR = [
    (["--bind", "localhost"], "bind: expected an IPv4 address"),
    (["--bind", "0.0.0.0"], "control-key-file"),
    (["--webhook", "http://"], "names no host"),
    (["--webhook", "soc.example"], "webhook: expected a URL"),
    (["--source", "live:none0"], '"none0"'),
    (["--source", "live:lo,none0"], '"none0"'),
    (["--user", "nobody-of-that-name"], "nobody-of-that-name"),
    (["--data-dir", "{0}/file"], "data-dir"),
    (["--data-dir", "{0}/file/inner"], "data-dir"),
    (["--model", "{0}/none"], "model"),
    (["--model", "{0}/file"], "model"),
    (["--webhook-secret-file", "{0}/file"], "line 1"),
    (["--cic-names"], "cic-names"),
    (["--filter", "port ("], 'filter "port ("'),
]


@pytest.mark.parametrize(("program", "wrong", "said"), [("backend", *case) for case in BACKEND] + [("detector", *case) for case in DETECTOR])
def test_check_says_what_is_wrong_and_makes_nothing(files, program, wrong, said):
    done = run(program, "--data-dir", files / "new", "--check", *(word.format(files) for word in wrong))
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]  # what libraries say stands before it
    assert last.startswith(f"threatline-{program}: ") and said in last
    assert sorted(path.name for path in files.iterdir()) == ["file"]


@pytest.mark.parametrize("program", ["backend", "detector"])
def test_good_settings_pass_the_check_and_make_nothing(files, program):
    more = ["--source", "live:lo"] if program == "detector" else ["--allowed-origins", "https://a.example,http://b.example:8080",
                                                                 "--mongodb-uri", "mongodb://127.0.0.1:1/threatline"]
    done = run(program, "--data-dir", files / "new/inner", "--check", *more)
    assert done.returncode == 0, done.stderr
    assert not (files / "new").exists()


@pytest.mark.parametrize("command", [["user", "list"], ["user", "passwd", "admin"], ["user", "add", "anna", "admin"], ["backup", "copy.db"]])
def test_a_command_on_a_folder_without_a_store_fails_and_makes_none(tmp_path, command):
    done = run("backend", "--data-dir", tmp_path / "mistyped", *command, cwd=tmp_path)
    assert done.returncode == 1
    assert "mistyped/threatline.db" in done.stderr and "--data-dir" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_second_backend_on_the_same_folder_is_refused(tmp_path):
    """Both would give out the same numbers: every threat to one of them was answered with 503."""
    first = Backend(tmp_path).start()
    try:
        done = run("backend", "--data-dir", tmp_path / "data", "--port", "0", "--dashboard-port", "-1", "--detector", "none")
        assert done.returncode == 1 and "another backend serves it" in done.stderr
        assert first.post(SEED).status_code == 200
        assert run("backend", "--data-dir", tmp_path / "data", "user", "list").stdout.startswith("admin ")  # a command may
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir() if path.is_file()}
        assert set(modes.values()) == {0o600}, modes
    finally:
        first.kill()
    Backend(tmp_path).start().stop()  # a lock that was left by a crash is none


def test_a_command_needs_no_dashboard(tmp_path):
    done = run("backend", "--data-dir", tmp_path / "none", "user", "list", cwd=tmp_path)  # where no frontend-static is
    assert "static-dir" not in done.stderr


@pytest.mark.parametrize("program", ["backend", "detector"])
def test_a_port_in_use_is_said_to_be(tmp_path, program):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        more = ["--dashboard-port", free_port(), "--detector", "none"] if program == "backend" else ["--webhook", f"http://127.0.0.1:{free_port()}/"]
        done = run(program, "--data-dir", tmp_path, "--port", port, *more)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr and "Address already in use" in done.stderr


def test_a_store_that_may_not_be_written_is_said_to_be(tmp_path):
    (tmp_path / "spool.db").mkdir()
    done = run("detector", "--data-dir", tmp_path, "--port", free_port())
    assert done.returncode == 1 and "spool.db: cannot be opened: Is a directory" in done.stderr


def test_a_folder_without_captures_is_no_silent_success(tmp_path):
    (tmp_path / "notes.txt").write_text("no capture")
    done = run("detector", "--read", tmp_path)
    assert done.returncode == 1 and "no capture in this folder" in done.stderr
