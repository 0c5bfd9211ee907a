"""What the tests of the real backend share: a MongoDB server."""

import os

import pytest

from backend_fixture import MongoServer


@pytest.fixture(scope="session")
def mongo():
    if not MongoServer.available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no MongoDB server at hand")
    server = MongoServer().start()
    yield server
    server.close()
