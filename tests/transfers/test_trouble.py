"""Servers that are not there, die, or refuse: what is said of it, and what is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.transfers import servers
from tests.transfers.servers import Server
from toolkit.sdk.transfers import Settings, TransferFailed, opened

pytestmark = pytest.mark.stores
KEY = "chain/run/call/message"


@pytest.mark.parametrize("kind", ["redis", "s3"])
async def test_a_server_that_dies_under_a_transfer_is_unavailable_by_its_name(tmp_path: Path, kind: str) -> None:
    try:
        with getattr(servers, kind)(tmp_path) as server:
            store = opened(kind, Settings.of({"bucket": servers.BUCKET}, server.environment))
            await store.put(KEY, b"abc")
            under_way = asyncio.gather(*(store.put(f"{KEY}-{each}", bytes(16 << 20)) for each in range(4)))
            server.end()
            with pytest.raises(TransferFailed) as failed:
                await under_way
            assert failed.value.code == "UNAVAILABLE"
            with pytest.raises(TransferFailed, match=str(server.port)) as failed:
                await store.get(KEY, 3)
            assert failed.value.code == "UNAVAILABLE"
            await store.close()
    except servers.MissingError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
async def test_wrong_credentials_are_told_without_telling_them(s3_server: Server, variable: str) -> None:
    wrong = {**s3_server.environment, variable: "not-this-one"}
    store = opened("s3", Settings.of({"bucket": servers.BUCKET}, wrong))
    for attempt in (store.put(KEY, b"abc"), store.get(KEY, 3), store.delete(KEY), store.delete_prefix("chain/run")):
        with pytest.raises(TransferFailed) as failed:
            await attempt
        assert failed.value.code == "UNAUTHENTICATED"
        assert "not-this-one" not in str(failed.value)
        assert servers.SECRET not in str(failed.value)


async def test_a_bucket_that_is_not_there_is_named(s3_server: Server) -> None:
    store = opened("s3", Settings.of({"bucket": "nobody-made-it"}, s3_server.environment))
    with pytest.raises(TransferFailed, match=r"bucket nobody-made-it: NoSuchBucket") as failed:
        await store.put(KEY, b"abc")
    assert failed.value.code == "FAILED_PRECONDITION"


@pytest.mark.parametrize("password", ["", ":wrong@"])
async def test_redis_with_another_password_refuses(tmp_path: Path, password: str) -> None:
    try:
        with servers.redis(tmp_path, "--requirepass", "the-password") as server:
            url = f"redis://{password}127.0.0.1:{server.port}"
            store = opened("redis", Settings.of({}, {"REDIS_URL": url}))
            with pytest.raises(TransferFailed) as failed:
                await store.put(KEY, b"abc")
            await store.close()
    except servers.MissingError as missing:
        pytest.skip(str(missing))
    assert failed.value.code == "UNAUTHENTICATED"
    assert "wrong" not in failed.value.why.partition(": ")[0]


async def test_redis_without_room_says_so(tmp_path: Path) -> None:
    try:
        with servers.redis(tmp_path, "--maxmemory", "3mb") as server:
            store = opened("redis", Settings.of({}, server.environment))
            many = (store.put(f"{KEY}-{number}", bytes(1 << 20)) for number in range(8))
            with pytest.raises(TransferFailed) as failed:
                await asyncio.gather(*many)
            await store.close()
    except servers.MissingError as missing:
        pytest.skip(str(missing))
    assert failed.value.code == "RESOURCE_EXHAUSTED"
