"""What arrived: one message, as it stands when the transport is done with it and the handler has not begun.

May live here: the data and the reading of ids out of headers, for both transports. May not: sockets.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit.contract import Metadata
from toolkit.sdk.failures import Refused
from toolkit.sdk.logs import rfc3339
from toolkit.sdk.propagation import Position

MAX_METADATA = 4096  # bytes of vHive metadata we carry on; more would not fit into the next hop's headers
MAX_ID = 256  # characters
OVERDUE_S = 0.01  # left of a deadline that either side may already take for passed
# What vSwarm and we write; anything else is parsed as the JSON it is.
_USUAL = re.compile(
    rb'\{"WorkflowId":"[ !#-\[\]-~]*","InvocationId":"([ !#-\[\]-~]{1,256})","InvokedOn":"[ !#-\[\]-~]*"\}'
)


class Received:
    """Hash and size of what came, raw; a stream is hashed as it is read."""

    __slots__ = ("_hash", "size")

    def __init__(self, raw: bytes | None = None) -> None:
        self._hash = hashlib.blake2b(raw or b"", digest_size=8)
        self.size = len(raw or b"")

    def add(self, raw: bytes) -> None:
        self._hash.update(raw)
        self.size += len(raw)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


class Incoming:
    """A client's stream, for the handler to iterate (`async for`, or `for` in a plain `def` handler)."""

    def __init__(self, requests: AsyncIterator[bytes], parse: Callable[[bytes], Any], received: Received) -> None:
        self._requests, self._parse, self._received = requests, parse, received
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            raw = await anext(self._requests)
        except StopAsyncIteration:
            await _settled()
            raise
        self._received.add(raw)
        try:
            return self._parse(raw)
        except ValueError as error:
            raise Refused("INVALID_ARGUMENT", str(error)) from error

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                yield asyncio.run_coroutine_threadsafe(self.__anext__(), self._loop).result()
            except StopAsyncIteration:
                return

    async def raw(self) -> AsyncIterator[bytes]:
        """The messages as they came."""
        async for each in self._requests:
            self._received.add(each)
            yield each
        await _settled()

    async def drain(self) -> None:
        """Read what the handler left, so that the receipt says what was sent."""
        async for raw in self._requests:
            self._received.add(raw)
        await _settled()


async def _settled() -> None:
    # To grpc.aio a stream that breaks has ended first, and the cancellation comes one turn of the loop behind.
    await asyncio.sleep(0)


def unlimited() -> None:
    """The sender did not say how long it waits."""


@dataclass(slots=True)
class Arrival:
    """`metadata` is vHive's JSON as it came, or as we made it; `remaining_s` tells how long the sender still waits.

    `method` (`package.Service/Method`) of calls, `type` of events. `origin` is an event's own traceparent where the
    hop's differs. `raw` is a unary message as it came, `headers` what came with it: metadata, or an event's attributes.
    """

    via: Literal["entry", "call", "event"]
    call: str
    message: str
    sender: str
    metadata: bytes
    request: Any
    received: Received
    position: Position | None = None
    remaining_s: Callable[[], float | None] = unlimited
    method: str | None = None
    type: str | None = None
    origin: str | None = None
    raw: bytes = b""
    headers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def overdue(self) -> bool:
        """Whether the sender waits no longer, so that a cancellation now is its deadline's."""
        left_s = self.remaining_s()
        return left_s is not None and left_s < OVERDUE_S


def fresh_id() -> str:
    return os.urandom(16).hex()


def identity(raw: bytes | None) -> tuple[str, bytes] | None:
    """The call's id and the metadata to carry on, or None when `raw` holds none that can be used."""
    if not raw or len(raw) > MAX_METADATA:
        return None
    if usual := _USUAL.fullmatch(raw):
        return usual[1].decode("ascii"), raw
    found = Metadata.decode(raw)
    if found is None or len(found.invocation) > MAX_ID or not _is_unicode(found.invocation):
        return None
    return found.invocation, raw


def _is_unicode(text: str) -> bool:
    """JSON may say half a surrogate pair; nothing that hashes or sends it could."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fresh_identity(chain: str, call: str | None = None) -> tuple[str, bytes]:
    """An id, and metadata that says it, for a call that came without."""
    call = call or fresh_id()
    return call, Metadata(chain, call, rfc3339(time.time_ns())).encode()


def of_event(extension: str | None) -> tuple[str, bytes] | None:
    """As `identity`, out of the extension `vhivemetadata`."""
    try:
        return identity(base64.b64decode(extension or "", validate=True))
    except (binascii.Error, ValueError):
        return None


def usable_id(text: str | bytes | None) -> str | None:
    """A message id out of a header, None when it is none that can be carried on."""
    return text if isinstance(text, str) and 0 < len(text) <= MAX_ID else None
