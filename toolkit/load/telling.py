"""What a generator tells of each call: what does not follow from its order. And back, into records and root spans.

May live here: that, and its way into a message and back. May not: sockets, clocks, what is done with records.

A call is a row of fixed width; of many calls the rows are one text (base64), and what is said in words stands beside
it. Ids are not told: both sides draw the same.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from toolkit import contract
from toolkit.load import greeting
from toolkit.load.http2.grpc import CODES
from toolkit.load.identity import Identity
from toolkit.results import CallRecord
from toolkit.traces.model import Span

ROW = struct.Struct("<6q2I8s8s2B")
LOST = "LOST"  # the status of a call that nobody answered
MOST_REPLY = 4 << 20  # bytes of an answer that are told; of a longer one its digest is all that is kept
MOST_SEQ = 1 << 32
_LOST = 255
_REFUSED, _ANSWERED, _LONG = 1, 2, 4  # flags
_NONE = bytes(8)
_CODE = {**{status: place for place, status in enumerate(CODES)}, LOST: _LOST}


class Told(NamedTuple):
    """One call. `ended_ns` of a lost one is when nobody waited any more; nanoseconds of the generator's clocks.

    `digest` and `reply_digest` are of the request's and of the answer's bytes, None where there was no such thing.
    """

    seq: int
    due_ns: int
    sent_ns: int
    first_ns: int | None
    ended_ns: int
    wall_ns: int
    status: str
    size: int = 0
    digest: str | None = None
    reply: bytes | None = None
    reply_digest: str | None = None
    error: str = ""
    refused: bool = False


def packed(calls: Iterable[Told]) -> dict[str, Any]:
    """The fields of a message that tells of these calls."""
    rows, replies, errors = bytearray(), [], {}
    for place, each in enumerate(calls):
        reply, flags = each.reply, _REFUSED if each.refused else 0
        if reply is not None:
            flags |= _ANSWERED
            if len(reply) > MOST_REPLY:
                reply, flags = None, flags | _LONG
            else:
                replies.append(reply)
        if each.error:
            errors[str(place)] = each.error
        rows += ROW.pack(
            *(each.seq, each.due_ns, each.sent_ns, each.first_ns or 0, each.ended_ns, each.wall_ns),
            *(each.size, len(reply or b"")),
            *(bytes.fromhex(each.digest) if each.digest else _NONE,),
            *(bytes.fromhex(each.reply_digest) if each.reply_digest else _NONE,),
            *(_CODE.get(each.status, _CODE["UNKNOWN"]), flags),
        )
    return {"calls": _text(rows), "replies": _text(b"".join(replies)), "errors": errors}


def unpacked(said: Mapping[str, Any]) -> Iterator[Told]:
    """The calls that a message tells of. Raises ValueError for what is no such message."""
    rows, replies, errors = _bytes(said.get("calls")), _bytes(said.get("replies")), said.get("errors")
    if len(rows) % ROW.size or not isinstance(errors, dict):
        raise ValueError("rows of calls were cut, or have no errors beside them")
    at = 0
    for place, row in enumerate(ROW.iter_unpack(rows)):
        seq, due, sent, first, ended, wall, size, reply_size, digest, reply_digest, code, flags = row
        if not 0 <= seq < MOST_SEQ or (code >= len(CODES) and code != _LOST) or at + reply_size > len(replies):
            raise ValueError(f"row {place} is of no call")
        answered = bool(flags & _ANSWERED)
        yield Told(
            *(seq, due, sent, first or None, ended, wall),
            LOST if code == _LOST else CODES[code],
            size,
            digest.hex() if size else None,
            replies[at : at + reply_size] if answered and not flags & _LONG else None,
            reply_digest.hex() if answered else None,
            _words(errors.get(str(place), "")),
            bool(flags & _REFUSED),
        )
        at += reply_size


def record(told: Told, who: Identity) -> CallRecord:
    """The call's record. A refused one has no trace: nobody but its generator knows of it."""
    lost = told.status == LOST
    return CallRecord(
        *(who.seq, who.call, who.trace, who.sampled and not told.refused, told.due_ns, told.sent_ns),
        *(None if lost else told.ended_ns, None if lost else told.status),
        error=None if lost or told.status == "OK" else told.error,
        reply=None if told.reply is None else greeting.reply(told.reply),
        size=told.size,
        digest=told.digest or "",
        reply_digest=told.reply_digest,
        refused=told.refused,
        first_ns=told.first_ns,
    )


def root(told: Told, who: Identity, entry: str) -> Span | None:
    """The root of the call's trace, what the caller saw of it; None of a call that is not traced."""
    if told.refused or not who.sampled:
        return None
    tags = {"toolkit.call": who.call, "toolkit.message": who.call}
    if told.status != "OK":
        tags["error"] = "never answered" if told.status == LOST else told.error or told.status
        tags["grpc.status"] = told.status
    return Span(
        trace=who.trace,
        id=who.span,
        name=contract.ENTRY_METHOD.lower(),  # as Zipkin stores it
        service=contract.CALLER,
        kind="CLIENT",
        timestamp=told.wall_ns // 1000,
        duration=max(1, (told.ended_ns - told.sent_ns) // 1000),
        remote=entry.lower(),
        tags=tags,
    )


def _text(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(said: object) -> bytes:
    if not isinstance(said, str):
        raise ValueError(f"{said!r:.60} is no text")
    try:
        return base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{said[:60]!r} is not base64") from error


def _words(said: object) -> str:
    if not isinstance(said, str):
        raise ValueError(f"{said!r:.60} is no text")
    return said
