"""What the ledger remembers of joins."""

from __future__ import annotations

import pytest

from tests.ledger.running import ledger
from toolkit.sdk.ledger import LedgerClient, LedgerFailed, Part, Seat
from toolkit.sdk.ledger.words import MOST_HEAD, MOST_PARTS, MOST_PARTS_BYTES


async def join(client: LedgerClient, message: str, wanted: int = 2, *, source: str = "s", index: int | None = None,
               data: bytes = b"", function: str = "f", call: str = "c",
               seat: Seat | None = None) -> list[str] | None:  # fmt: skip
    parts = await client.join(call, function, seat or Seat(wanted, room=wanted), Part(message, source, index, data))
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
        assert await client.join("c", "f", Seat(1), part) == [part]


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


def part_of(scatter: str, index: int, wanted: int = 2) -> Seat:
    return Seat(wanted, scatter, f"part {index}", once=True)


async def test_parts_of_different_scatters_never_meet() -> None:
    async with ledger() as client:
        assert await join(client, "a0", seat=part_of("A", 0)) is None
        assert await join(client, "b1", seat=part_of("B", 1)) is None
        assert await join(client, "b0", seat=part_of("B", 0)) == ["b0", "b1"]
        assert await join(client, "a1", seat=part_of("A", 1)) == ["a0", "a1"]


async def test_a_part_that_two_messages_say_to_be_is_refused_and_never_a_whole() -> None:
    async with ledger() as client:
        assert await join(client, "a", seat=part_of("A", 0)) is None
        with pytest.raises(LedgerFailed, match="part 0 came twice"):
            await join(client, "b", seat=part_of("A", 0), source="other")
        assert await join(client, "c", seat=part_of("A", 1)) == ["a", "c"]
        with pytest.raises(LedgerFailed, match="part 1 came twice"):
            await join(client, "d", seat=part_of("A", 1))


async def test_parts_that_do_not_agree_on_their_number_are_refused() -> None:
    async with ledger() as client:
        await join(client, "a", seat=part_of("A", 0))
        with pytest.raises(LedgerFailed, match="3 are joined, and others said 2"):
            await join(client, "b", seat=part_of("A", 1, 3))


async def test_two_of_one_edge_never_stand_for_one_of_another() -> None:
    stock, pay = Seat(2, slot="stock t"), Seat(2, slot="pay t")
    async with ledger() as client:
        assert await join(client, "s1", seat=stock) is None
        assert await join(client, "s2", seat=stock) is None
        assert await join(client, "p1", seat=pay) == ["p1", "s1"]
        assert await join(client, "p2", seat=pay) == ["p2", "s2"]


async def test_attributes_of_parts_are_bounded_and_counted_with_their_data() -> None:
    async with ledger() as client:
        with pytest.raises(LedgerFailed, match="attributes have"):
            await client.join("c", "f", Seat(2, room=2), Part("m", "s", extensions={"x": "x" * MOST_HEAD}))
        seat = Seat(2000, room=2000)
        large = {"x": "x" * (MOST_HEAD - 1000)}
        for at in range(MOST_PARTS_BYTES // MOST_HEAD):
            await client.join("c", "g", seat, Part(f"{at}", "s", extensions=large))
        with pytest.raises(LedgerFailed, match="bytes together"):
            await client.join("c", "g", seat, Part("last", "s", data=bytes(MOST_HEAD * 20), extensions=large))
