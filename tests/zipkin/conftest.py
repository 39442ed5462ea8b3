"""A real Zipkin server on loopback, beside a store of ours. Asked for with KNBENCH_ZIPKIN=1; needs java (17 or later)
and, the first time, mvn (`tests.zipkin.real`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.zipkin import real


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "zipkin: compares with a real Zipkin server (KNBENCH_ZIPKIN=1, java, mvn)")


@pytest.fixture(scope="session")
def _asked_for() -> None:
    if os.environ.get("KNBENCH_ZIPKIN") != "1":
        pytest.skip("a comparison with a real Zipkin server was not asked for (KNBENCH_ZIPKIN=1)")


@pytest.fixture(scope="session")
def zipkin_url(_asked_for: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real server that has just been started; who uses it waits with `zipkin_client.ready`."""
    try:
        with real.running(tmp_path_factory.mktemp("zipkin")) as server:
            yield server.url
    except real.MissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def mortal(_asked_for: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Real]:
    """A real server of the test's own, which it may end."""
    try:
        with real.running(tmp_path_factory.mktemp("mortal")) as server:
            yield server
    except real.MissingError as missing:
        pytest.skip(str(missing))
