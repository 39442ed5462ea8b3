"""What every store promises, asked of each: a folder, a real Redis, a real S3 server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.transfers.servers import Server
from toolkit.sdk.transfers import Settings, Store, TransferFailed, opened
from toolkit.sdk.transfers.store import LIFETIME_S

LARGE = (9 << 20) + 1  # more than one part of an upload in parts


@pytest.mark.parametrize("size", [0, 1, 4096, LARGE])
async def test_what_is_put_comes_back_as_it_was(store: Store, run: str, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    await store.put(f"{run}/call/message", data)
    assert await store.get(f"{run}/call/message", size) == data


async def test_what_never_came_is_not_found_by_its_name(store: Store, run: str, transfer: str) -> None:
    with pytest.raises(TransferFailed, match=f"transfer {transfer}: nothing is there") as failed:
        await store.get(f"{run}/call/nothing", 1)
    assert (failed.value.code, failed.value.key) == ("NOT_FOUND", f"{run}/call/nothing")


@pytest.mark.parametrize("promised", [0, 2, 4, 1 << 40])
async def test_another_size_than_was_promised_is_a_loss_of_data(store: Store, run: str, promised: int) -> None:
    await store.put(f"{run}/call/message", b"abc")
    with pytest.raises(TransferFailed, match="3 bytes are there") as failed:
        await store.get(f"{run}/call/message", promised)
    assert failed.value.code == "DATA_LOSS"


async def test_what_is_put_again_takes_the_place_of_what_was_there(store: Store, run: str) -> None:
    await store.put(f"{run}/call/message", b"first")
    await store.put(f"{run}/call/message", b"2nd")
    assert await store.get(f"{run}/call/message", 3) == b"2nd"


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: Store, run: str) -> None:
    await store.put(f"{run}/call/message", b"abc")
    await store.delete(f"{run}/call/message")
    await store.delete(f"{run}/call/message")
    with pytest.raises(TransferFailed, match="nothing is there"):
        await store.get(f"{run}/call/message", 3)


async def test_a_run_is_taken_away_and_no_other_one(store: Store, run: str) -> None:
    kept = (f"{run}0/call/message", "chain/other/call/message", f"{run.partition('/')[0]}x/r/call/message")
    gone = [f"{run}/call-{number}/message" for number in range(3)]
    for key in (*kept, *gone):
        await store.put(key, b"abc")
    assert await store.delete_prefix(run) == 3
    assert await store.delete_prefix(run) == 0
    assert [await store.get(key, 3) for key in kept] == [b"abc"] * 3
    for key in kept:
        await store.delete(key)


@pytest.mark.parametrize("prefix", ["", "*", "chain/*", "..", "chain/..", "/", "/etc", "chain//run", "a\x00b", "[a-z]"])
async def test_a_prefix_that_could_mean_more_is_refused(store: Store, prefix: str) -> None:
    with pytest.raises(TransferFailed) as failed:
        await store.delete_prefix(prefix)
    assert failed.value.code == "INVALID_ARGUMENT"


async def test_messages_that_travel_at_once_do_not_meet(store: Store, run: str) -> None:
    data = {f"{run}/call-{number % 4}/message-{number}": bytes([number]) * (1 + number * 999) for number in range(64)}
    await asyncio.gather(*(store.put(key, value) for key, value in data.items()))
    found = await asyncio.gather(*(store.get(key, len(value)) for key, value in data.items()))
    assert found == list(data.values())


async def test_who_reads_while_the_same_is_written_again_gets_one_or_the_other(store: Store, run: str) -> None:
    key, one, other = f"{run}/call/message", b"1" * LARGE, b"2" * LARGE
    await store.put(key, one)
    read, *_ = await asyncio.gather(store.get(key, LARGE), store.put(key, other), store.get(key, LARGE))
    assert read in (one, other)


@pytest.mark.stores
async def test_redis_forgets_what_nobody_took_away(redis_server: Server, run: str) -> None:
    import redis.asyncio

    url = redis_server.environment["REDIS_URL"]
    store = opened("redis", Settings.of({"redis": url}, {}))
    await store.put(f"{run}/call/message", b"abc")
    async with redis.asyncio.Redis.from_url(url) as client:
        assert 0 < await client.ttl(f"{run}/call/message") <= LIFETIME_S
    await store.close()


class TestOfAFolder:
    async def test_only_their_owner_reads_the_files(self, tmp_path: Path) -> None:
        store = opened("file", Settings.of({"folder": str(tmp_path / "f")}, {}))
        await store.put("c/r/call/message", b"abc")
        assert (tmp_path / "f" / "c" / "r" / "call" / "message").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "f").stat().st_mode & 0o777 == 0o700

    async def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        store = opened("file", Settings.of({"folder": str(tmp_path)}, {}))
        (tmp_path / "secret").write_bytes(b"abc")
        (tmp_path / "c" / "r" / "call").mkdir(parents=True)
        (tmp_path / "c" / "r" / "call" / "message").symlink_to(tmp_path / "secret")
        with pytest.raises(TransferFailed, match="UNAVAILABLE"):
            await store.get("c/r/call/message", 3)

    @pytest.mark.parametrize("key", ["../secret", "c/../../secret", "/etc/passwd", "c//x", ".", "c/.hidden", "c/\x00"])
    async def test_no_key_leads_out_of_it(self, tmp_path: Path, key: str) -> None:
        (tmp_path / "secret").write_bytes(b"abc")
        store = opened("file", Settings.of({"folder": str(tmp_path / "f")}, {}))
        for attempt in (store.get(key, 3), store.put(key, b"x"), store.delete(key)):
            with pytest.raises(TransferFailed, match="this is no key"):
                await attempt

    async def test_a_write_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        store = opened("file", Settings.of({"folder": str(tmp_path)}, {}))
        (tmp_path / "c" / "r" / "call" / "message").mkdir(parents=True)  # where a file cannot take its name
        with pytest.raises(TransferFailed, match="UNAVAILABLE"):
            await store.put("c/r/call/message", b"abc")
        assert [each.name for each in (tmp_path / "c" / "r" / "call").iterdir()] == ["message"]
