"""The connection to the collector: what the kernel holds when `write` returns, and what happens when nobody reads."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys

import pytest

from tests.unit.sdk.scaffold import ReceiptLines, free_port, until_async
from toolkit.contract import Receipt
from toolkit.sdk.failures import WiringError
from toolkit.sdk.receipts import Receipts


def receipt(seq: int, error: str | None = None) -> Receipt:
    return Receipt("c", "f", "r", seq, f"m{seq}", "entry", "caller", "d", 0, 1, 2, error=error)


async def test_receipts_arrive_whole_and_in_order() -> None:
    collector = ReceiptLines()
    receipts = Receipts.open(collector.address)
    for seq in range(100):
        await receipts.write(receipt(seq))
    await until_async(lambda: len(collector.lines) == 100)
    await receipts.close()
    collector.close()
    assert [each.seq for each in collector.receipts] == list(range(100))


async def test_one_receipt_does_not_wait_for_the_next() -> None:
    collector = ReceiptLines()
    receipts = Receipts.open(collector.address)
    for seq in range(3):
        await receipts.write(receipt(seq))
        await until_async(lambda: len(collector.lines) > seq, within=5)  # noqa: B023 - it is waited for right here
    await receipts.close()
    collector.close()


async def test_a_collector_that_reads_slowly_gets_every_line_unbroken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receipts = Receipts.open(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        reading, _ = listener.accept()
        # Far more than the kernel's buffers hold: writers have to wait, all of them at once.
        writers = [asyncio.create_task(receipts.write(receipt(seq, "x" * 100_000))) for seq in range(200)]
        await asyncio.sleep(0)
        writers[150].cancel()  # a cancelled handler must not break its line off
        await asyncio.sleep(0.05)
        assert not all(writer.done() for writer in writers)

        def read() -> list[Receipt]:
            with reading, reading.makefile("rb") as stream:
                return [Receipt.decode(line) for line in stream]

        found = asyncio.create_task(asyncio.to_thread(read))
        done = await asyncio.gather(*writers, return_exceptions=True)
        await receipts.close()
        assert [each.seq for each in await found] == list(range(200))
    assert [type(each) for each in done if each is not None] == [asyncio.CancelledError]


async def test_a_collector_that_left_costs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    collector = ReceiptLines()
    receipts = Receipts.open(collector.address)
    await receipts.write(receipt(0))
    await until_async(lambda: collector.lines)
    collector.close()
    for seq in range(1, 50):
        await receipts.write(receipt(seq))
        await asyncio.sleep(0.001)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["no more receipts"]
    assert receipts.lost >= 1
    await receipts.close()


async def test_a_collector_that_was_never_there_costs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    receipts = Receipts.open(f"tcp://127.0.0.1:{free_port()}")
    await receipts.write(receipt(0))
    await receipts.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:1", "http://127.0.0.1:1", "tcp://127.0.0.1", "tcp://:1", "tcp://h:99999"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(WiringError, match=r"wiring\.receipts"):
        Receipts.open(address)


def test_a_receipt_outlives_a_process_that_is_killed_in_the_next_instruction() -> None:
    code = (
        "import asyncio, os, sys\n"
        "from toolkit.contract import Receipt\n"
        "from toolkit.sdk.receipts import Receipts\n"
        "async def main():\n"
        "    receipts = Receipts.open(sys.argv[1])\n"
        "    await receipts.write(Receipt('c', 'f', 'r', 0, 'm', 'entry', 'caller', 'd', 0, 1, 2))\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        for _ in range(3):
            with subprocess.Popen([sys.executable, "-c", code, address]):
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as stream:
                    assert Receipt.decode(stream.read()).message == "m"
