"""What the tests of the real backend share: a MongoDB server, and a backend on each store."""

import os

import pytest

from backend_fixture import Backend, MongoServer


@pytest.fixture(scope="session")
def mongo():
    if not MongoServer.available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no MongoDB server at hand")
    server = MongoServer().start()
    yield server
    server.close()


@pytest.fixture(scope="module", params=["sqlite", "mongodb"])
def on_each_store(request):
    """Makes a backend with these options, and with a store of its own."""
    mongo = request.getfixturevalue("mongo") if request.param == "mongodb" else None
    return lambda *options: Backend(*options, mongodb_uri=mongo.uri() if mongo else None).start()


@pytest.fixture(scope="module")
def backend(on_each_store):
    """For a whole file; one that wants another makes its own."""
    b = on_each_store()
    yield b
    b.close()
