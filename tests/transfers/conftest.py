"""The servers, once for all tests; and each store, where every test has a run of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.transfers import servers
from tests.transfers.servers import Server
from toolkit.sdk.transfers import Settings, Store, opened

EVERY = ("file", pytest.param("redis", marks=pytest.mark.stores), pytest.param("s3", marks=pytest.mark.stores))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(servers.redis(tmp_path_factory.mktemp("redis")))
        except servers.MissingError as missing:
            pytest.skip(str(missing))
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(servers.s3(tmp_path_factory.mktemp("s3")))
        except servers.MissingError as missing:
            pytest.skip(str(missing))
        yield server


@pytest.fixture(params=EVERY)
def transfer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def environment(transfer: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the transfer's server is."""
    return {} if transfer == "file" else dict(request.getfixturevalue(f"{transfer}_server").environment)


@pytest.fixture
def settings(tmp_path: Path, environment: dict[str, str]) -> Settings:
    return Settings.of({"folder": str(tmp_path / "transfers"), "bucket": servers.BUCKET}, environment)


@pytest.fixture
async def store(transfer: str, settings: Settings) -> AsyncIterator[Store]:
    found = opened(transfer, settings)
    yield found
    await found.close()


@pytest.fixture
def run() -> str:
    """The prefix of a run that nobody else has."""
    return f"chain/run-{secrets.token_hex(4)}"
