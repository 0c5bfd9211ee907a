"""Captures made to break readers: each is read to its end or refused by name; nothing crashes, leaks or hangs.

`make asan` runs this on the detector under AddressSanitizer, LeakSanitizer and UBSan."""
import concurrent.futures
import os
import re
import resource
import subprocess

from programs import BIN, ROOT

CPU_SECONDS = 20  # a hang; the slowest needs a hundredth of it
STATUSES = (0, 1, 3)  # read, refused, ends short: sanitizers and signals have others


def read(arguments, cpu=CPU_SECONDS):
    """(status, stderr). The leak checker traces the program, which the program's own filter of system calls forbids."""
    command = [str(BIN / "threatline-detector"), "--model", str(ROOT / "models"), "--no-seccomp", "--quiet", "--read", *arguments]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=600,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu)))
    return done.returncode, done.stderr.decode(errors="replace")


def told_why(said):
    """Whether a reader ended early and said so; frames that make no flow are no reason to."""
    return re.search(r"event=read\.(?!undecoded)", said) is not None


def test_every_malformed_capture_ends_in_order(captures):
    files = sorted(path for path in (captures / "malformed").iterdir() if path.is_file())
    assert files
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda path: read([str(path), "--inner-flows"]), files))
    bad = [f"{path.name}: {status}\n{said[-1500:]}" for path, (status, said) in zip(files, results)
           if status not in STATUSES or (status != 0) != told_why(said) or not said.splitlines()[-1].startswith("packets=")]
    assert not bad, f"{len(bad)} of {len(files)}:\n" + "\n".join(bad[:5])


def test_all_of_them_in_one_run_leave_nothing_behind(captures):
    status, said = read([str(captures / "malformed"), "--features", "--workers", "2"], cpu=10 * CPU_SECONDS)
    assert status in STATUSES, said[-3000:]
    assert said.splitlines()[-1].startswith("packets=")
