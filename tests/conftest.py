"""What all Python tests share: the programs of programs.py, and stores to run them on."""
import os
import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from programs import Backend, Detector  # noqa: E402


def mongodb_uri():
    """A database of its own on the server that MONGODB_URI names."""
    uri = os.environ.get("MONGODB_URI")
    assert uri, "MONGODB_URI is not set: run by `make behaviour`, which starts a server"
    head, _, options = uri.partition("?")
    scheme, rest = head.split("://", 1)
    host = rest.split("/", 1)[0]
    return f"{scheme}://{host}/t{uuid.uuid4().hex[:12]}" + (f"?{options}" if options else "")


@pytest.fixture
def start_backend(tmp_path):
    """start_backend(store="sqlite", ...) → a running Backend; all are stopped at the end."""
    running = []

    def go(store="sqlite", name="backend", **kwargs):
        program = Backend(tmp_path / name, mongodb_uri() if store == "mongodb" else store, **kwargs).start()
        running.append(program)
        return program

    yield go
    for program in running:
        program.stop()


@pytest.fixture(params=["sqlite", "mongodb"])
def backend(request, start_backend):
    """A running backend, once on each store."""
    return start_backend(request.param)


@pytest.fixture
def start_detector(tmp_path):
    running = []

    def go(backend=None, name="detector", **kwargs):
        program = Detector(tmp_path / name, backend, **kwargs).start()
        running.append(program)
        return program

    yield go
    for program in running:
        program.stop()


@pytest.fixture
def captures():
    """The folder of labelled captures; without one, tests that need it fail in CI and are skipped elsewhere."""
    folder = os.environ.get("THREATLINE_CAPTURES")
    if folder and pathlib.Path(folder).is_dir():
        return pathlib.Path(folder)
    if os.environ.get("CI"):
        pytest.fail("THREATLINE_CAPTURES does not name a folder")
    pytest.skip("THREATLINE_CAPTURES is not set")
