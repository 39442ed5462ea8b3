"""The collector: receipts come in, stamped, whatever else comes with them."""

from __future__ import annotations

import asyncio
import socket

from toolkit.contract import Receipt
from toolkit.engines.collector import Collector
from toolkit.engines.waiting import until


def receipt(number: int) -> Receipt:
    return Receipt(
        call=f"call-{number}",
        function="consumer",
        replica="r",
        seq=number,
        message=f"message-{number}",
        via="call",
        sender="producer",
        digest="00",
        size=1,
        started_ns=1,
        ended_ns=2,
    )


def endpoint(collector: Collector) -> tuple[str, int]:
    host, _, port = collector.address.removeprefix("tcp://").rpartition(":")
    return host, int(port)


async def sent(collector: Collector, data: bytes, lines: int) -> None:
    _, writer = await asyncio.open_connection(*endpoint(collector))
    writer.write(data)
    await writer.drain()

    async def arrived() -> bool:
        return collector.count >= lines

    assert await until(arrived, within_s=5)
    writer.close()


async def test_receipts_come_back_in_the_order_they_came_in() -> None:
    async with Collector() as collector:
        await sent(collector, b"".join(receipt(number).encode() for number in range(3)), 3)
        assert [each.receipt for each in collector.receipts()] == [receipt(0), receipt(1), receipt(2)]


async def test_stamps_never_go_back() -> None:
    async with Collector() as collector:
        for number in range(3):
            await sent(collector, receipt(number).encode(), number + 1)
        stamps = [each.at_ns for each in collector.receipts()]
    assert stamps == sorted(stamps)


async def test_asking_twice_gives_the_same_receipts() -> None:
    async with Collector() as collector:
        await sent(collector, receipt(0).encode(), 1)
        assert collector.receipts() == collector.receipts()
        assert collector.count == 1


async def test_a_line_that_is_no_receipt_is_counted_and_harms_no_other() -> None:
    async with Collector() as collector:
        await sent(collector, b'{"no": "receipt"}\n\xff\xfe\n[]\n' + receipt(7).encode(), 4)
        assert [each.receipt for each in collector.receipts()] == [receipt(7)]
        assert collector.unreadable == 3


async def test_a_receipt_cut_into_pieces_is_one_receipt() -> None:
    line = receipt(1).encode()
    async with Collector() as collector:
        _, writer = await asyncio.open_connection(*endpoint(collector))
        for index in range(0, len(line), 7):
            writer.write(line[index : index + 7])
            await writer.drain()

        async def arrived() -> bool:
            return collector.count == 1

        assert await until(arrived, within_s=5)
        assert collector.receipts()[0].receipt == receipt(1)
        writer.close()


async def test_the_collector_listens_on_loopback_and_not_any_more_when_it_is_closed() -> None:
    async with Collector() as collector:
        host, port = endpoint(collector)
        assert host == "127.0.0.1"
    with socket.socket() as probe:
        assert probe.connect_ex((host, port)) != 0
