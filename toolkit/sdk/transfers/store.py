"""What a store is, what can go wrong with one, and how its keys look.

May live here: the protocol, the failure, and pure functions on keys. May not: any store.

A key is `<chain>/<run>/<call>/<message>-<digest>`: whose data it is, and which. So messages never share one, what a
redelivered message sends again lies where it lay, and one prefix holds all that a run may have left.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from toolkit.contract import Wiring
from toolkit.sdk.failures import Refused

LIFETIME_S = 3600  # of what nobody took away, where the store can forget by itself
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST_BYTES = 32


class TransferFailed(Refused):
    """Data could not be put into a store, or be had from it. Uncaught, its status becomes that of the handling."""

    def __init__(self, code: str, transfer: str, key: str, why: str) -> None:
        super().__init__(code, f"transfer {transfer}: {why}" + (f" ({key})" if key else ""))
        self.transfer, self.key, self.why = transfer, key, why


class Store(Protocol):
    """Bytes by key. Every method raises TransferFailed, and nothing else; what is put is there whole, or not at all."""

    async def put(self, key: str, data: bytes) -> None: ...

    async def get(self, key: str, size: int) -> bytes:
        """What lies there: NOT_FOUND where nothing does, DATA_LOSS, unread, where it is not of this size."""
        ...

    async def delete(self, key: str) -> None:
        """Nothing to take away is no failure."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Takes away every key below `prefix` (`<chain>/<run>`), and says how many there were."""
        ...

    async def close(self) -> None: ...


def digest(data: bytes) -> str:
    """The checksum of data in a store: BLAKE2b, 64 hex digits."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


def prefix(chain: str, run: str, call: str | None = None) -> str:
    """Where the data of a run lies, or of one call in it."""
    return "/".join(_segment(each) for each in (chain, run, call) if each is not None)


def key(wiring: Wiring, call: str, message: str, checksum: str) -> str:
    return f"{prefix(wiring.chain, wiring.run, call)}/{_segment(message)}-{checksum[:16]}"


def parts(text: str) -> tuple[str, ...] | None:
    """The segments of a key or a prefix; None when it could lead anywhere else than down."""
    found = tuple(text.split("/"))
    return found if all(map(_SEGMENT.fullmatch, found)) else None


def missing(transfer: str, at: str) -> TransferFailed:
    return TransferFailed("NOT_FOUND", transfer, at, "nothing is there: it was taken away already, or never came")


def resized(transfer: str, at: str, found: int, promised: int) -> TransferFailed:
    return TransferFailed("DATA_LOSS", transfer, at, f"{found:,} bytes are there, and {promised:,} were sent")


def _segment(text: str) -> str:
    """`text` itself, or its hash: ids come from strangers, and may be anything."""
    if len(text) <= 64 and _SEGMENT.fullmatch(text):
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
