"""What a function does with transfers: packs data on its way out, and makes what arrives whole again.

May live here: the way between a message and a store. May not: a store's own (`file`, `redis`, `s3`), ids, spans.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from toolkit.contract import Wiring
from toolkit.sdk import tags
from toolkit.sdk.failures import Refused
from toolkit.sdk.message import Message
from toolkit.sdk.tracing import AnySpan
from toolkit.sdk.transfers import store as keys
from toolkit.sdk.transfers.reference import CONTENT_TYPE, Reference
from toolkit.sdk.transfers.settings import STORES, Settings
from toolkit.sdk.transfers.store import Store, TransferFailed
from toolkit.sdk.transfers.stores import opened

PIECE = 1 << 20  # bytes of a streamed message: larger ones bring nothing, smaller ones cost turns of the loop
AT_ONCE = 1 << 18  # bytes that are hashed where we are; more of them in a thread, which the interpreter lets run
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Data that goes into a store. `key` is known once the message that refers to it has an id."""

    transfer: str
    message: Message
    digest: str
    key: str = ""

    def addressed(self, wiring: Wiring, call: str, message: str) -> Parcel:
        return dataclasses.replace(self, key=keys.key(wiring, call, message, self.digest))

    @property
    def size(self) -> int:
        return len(self.message.data)

    @property
    def reference(self) -> Message:
        """What travels in place of the data, with everything else that the message said."""
        found = Reference(self.transfer, self.key, self.size, self.digest, self.message.content_type)
        return dataclasses.replace(self.message, data=found.encode(), content_type=CONTENT_TYPE)


class Transfers:
    """The stores of one function, opened when they are wanted, and what is still to be taken away from them."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._stores: dict[str, Store] = {}
        self._removals: set[asyncio.Task[None]] = set()

    async def put(self, parcel: Parcel, within_s: float) -> None:
        """Raises TransferFailed."""
        async with _within(within_s, parcel.transfer, parcel.key):
            await self._store(parcel.transfer).put(parcel.key, parcel.message.data)

    async def get(self, reference: Reference, within_s: float) -> bytes:
        """The data itself. Raises TransferFailed: DATA_LOSS where it is not what was sent."""
        async with _within(within_s, reference.transfer, reference.key):
            data = await self._store(reference.transfer).get(reference.key, reference.size)
            if await checksum(data) != reference.digest:
                why = "what is there is not what was sent: its checksum is another"
                raise TransferFailed("DATA_LOSS", reference.transfer, reference.key, why)
        return data

    def discard(self, parcel: Parcel) -> None:
        """Takes the data away, behind the back of whoever waits for an answer."""
        task = asyncio.get_running_loop().create_task(self._delete(parcel))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._removals)
        for each in self._stores.values():
            await each.close()

    async def _delete(self, parcel: Parcel) -> None:
        try:
            await self._store(parcel.transfer).delete(parcel.key)
        except TransferFailed as failed:  # the run's end takes it away, or its lifetime
            _log.warning("left behind: %s", failed)

    def _store(self, transfer: str) -> Store:
        found = self._stores.get(transfer)
        if found is None:
            found = self._stores[transfer] = opened(transfer, self._settings)
        return found


async def pack(transfer: str, message: Message) -> Parcel | None:
    """The parcel of a message whose data goes into a store; None where it travels with the message."""
    return Parcel(transfer, message, await checksum(message.data)) if transfer in STORES else None


def of_event(wiring: Wiring, kind: str) -> str:
    """The transfer of an event of this type: that of the edges which share it."""
    named = (edge.transfer for edge in wiring.outgoing if edge.via == "event" and edge.type == kind)
    return next((each for each in named if each in STORES), "inline")


def pieces(message: Message) -> Iterator[Message]:
    """A message as a stream of them, of at least one; the first says what the data is."""
    data = memoryview(message.data)
    yield Message(bytes(data[:PIECE]), message.content_type)
    for begin in range(PIECE, len(data), PIECE):
        yield Message(bytes(data[begin : begin + PIECE]))


async def joined(stream: AsyncIterator[Message]) -> Message:
    """The message whose `pieces` these are."""
    found, content_type = list[bytes](), None
    async for each in stream:
        content_type = content_type if found else each.content_type
        found.append(each.data)
    return Message(b"".join(found), content_type)


def referred(wiring: Wiring, call: str, message: object) -> Reference | None:
    """The reference that `message` is, None when it is data itself.

    Raises Refused (INVALID_ARGUMENT) for one that leads elsewhere than the messages of this call, or into a store that
    no edge to this function uses: whoever can reach the function could have it read anything.
    """
    if not isinstance(message, Message) or message.content_type != CONTENT_TYPE or not set(STORES) & set(wiring.takes):
        return None
    found = Reference.decode(message.data)
    if found.transfer not in STORES or found.transfer not in wiring.takes:
        raise Refused("INVALID_ARGUMENT", f"no edge to {wiring.function} has the transfer {found.transfer!r:.40}")
    below = keys.prefix(wiring.chain, wiring.run, call)
    segments = keys.parts(found.key)
    if segments is None or "/".join(segments[:-1]) != below:
        raise Refused("INVALID_ARGUMENT", f"{found.key!r:.200} is not where the data of this call lies")
    return found


async def checksum(data: bytes) -> str:
    return keys.digest(data) if len(data) <= AT_ONCE else await asyncio.to_thread(keys.digest, data)


def told(span: AnySpan, transfer: str, size: int) -> None:
    """What the span of a message says of data (bytes) that is not with it."""
    span.annotate(tags.TRANSFER, transfer)
    span.annotate(tags.TRANSFERRED, size)


async def noted(span: AnySpan, transfer: str, size: int, work: Awaitable[T]) -> T:
    """`work` with a span of its own, which ends with it. `size` is that of the data (bytes)."""
    if not span.recorded:
        return await work
    span.tags = {tags.TRANSFER: transfer, tags.SIZE: size}
    try:
        return await work
    except Refused as failed:
        span.fail(str(failed), failed.code)
        raise
    finally:
        span.end()


@contextlib.asynccontextmanager
async def _within(seconds: float, transfer: str, key: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TransferFailed("DEADLINE_EXCEEDED", transfer, key, f"not done within {seconds:.3g} s") from None
