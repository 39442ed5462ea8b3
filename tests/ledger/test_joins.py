"""What the ledger remembers of joins."""

from __future__ import annotations

import pytest

from tests.ledger.running import ledger
from toolkit.sdk.ledger import LedgerClient, LedgerFailed, Part
from toolkit.sdk.ledger.words import MOST_PARTS, MOST_PARTS_BYTES


async def join(client: LedgerClient, message: str, wanted: int = 2, *, source: str = "s", index: int | None = None,
               data: bytes = b"", function: str = "f", call: str = "c") -> list[str] | None:  # fmt: skip
    parts = await client.join(call, function, wanted, Part(message, source, index, data))
    return None if parts is None else [each.message for each in parts]


async def test_the_part_that_completes_gets_all_by_source_index_and_message() -> None:
    async with ledger() as client:
        assert await join(client, "z", 4, source="b") is None
        assert await join(client, "y", 4, source="a", index=10) is None
        assert await join(client, "x", 4, source="a", index=9) is None
        assert await join(client, "a", 4, source="b") == ["x", "y", "a", "z"]


async def test_all_of_a_part_comes_back() -> None:
    part = Part("m", "s", 3, b"\0\n\xff", "text/plain", "a.type", {"x": "ü"})
    async with ledger() as client:
        assert await client.join("c", "f", 1, part) == [part]


async def test_a_part_that_comes_twice_is_one() -> None:
    async with ledger() as client:
        assert await join(client, "a") is None
        assert await join(client, "a") is None
        assert await join(client, "b") == ["a", "b"]


async def test_the_last_part_gets_all_again_until_they_were_handled() -> None:
    async with ledger() as client:
        await join(client, "a")
        assert await join(client, "b") == await join(client, "b") == ["a", "b"]
        assert await join(client, "a") is None
        await client.joined("c", "f", "b")
        assert await join(client, "b") is None
        assert await join(client, "a") is None


async def test_the_parts_after_a_round_make_the_next() -> None:
    async with ledger() as client:
        for first, last in (("a", "b"), ("c", "d")):
            assert await join(client, first) is None
            assert await join(client, last) == [first, last]


async def test_functions_and_calls_join_for_themselves() -> None:
    async with ledger() as client:
        assert await join(client, "a") is None
        assert await join(client, "a", function="g") is None
        assert await join(client, "a", call="d") is None
        assert await join(client, "b", function="g") == ["a", "b"]


@pytest.mark.parametrize("wanted", [0, MOST_PARTS + 1])
async def test_a_number_of_parts_that_nobody_can_join_is_refused(wanted: int) -> None:
    async with ledger() as client:
        with pytest.raises(LedgerFailed, match="cannot be joined"):
            await join(client, "a", wanted)


async def test_parts_that_are_too_large_together_are_refused() -> None:
    async with ledger() as client:
        await join(client, "a", data=bytes(MOST_PARTS_BYTES // 2))
        with pytest.raises(LedgerFailed, match="bytes together"):
            await join(client, "b", data=bytes(MOST_PARTS_BYTES // 2 + 1))
