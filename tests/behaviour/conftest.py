"""What the tests of the real backend share: a MongoDB server, and backends on each store."""

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
    """Starts a backend with these options and a store of its own; who starts it closes it."""
    mongo = request.getfixturevalue("mongo") if request.param == "mongodb" else None
    return lambda *options: Backend(*options, mongodb_uri=mongo.uri() if mongo else None).start()
