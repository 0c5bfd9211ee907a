"""What the tests of the real backend share: a MongoDB server."""

import os

import pytest

from backend_fixture import MongoServer


def pytest_collection_modifyitems(items):
    """Two run at a time, but one on the MongoDB server; the tests of a file stay together."""
    on_the_server = {item.path for item in items if "mongodb" in item.name or "mongo" in item.fixturenames}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("server" if item.path in on_the_server else item.path.name))


@pytest.fixture(scope="session")
def mongo():
    if not MongoServer.available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no MongoDB server at hand")
    server = MongoServer().start()
    yield server
    server.close()
