"""Joins: the parts that wait for each other, in the ledger's database. One method is one transaction.

Parts meet in a group of a call and function: one scatter's, where parts are joined. The first parts that come make a
round, so many as are wanted; the next ones make the next. Of one kind (`Seat.slot`) a round has room for so many: what
comes too many waits for the next round, so that two of one kind never stand for one of another.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from toolkit.sdk.ledger.database import Database
from toolkit.sdk.ledger.words import MOST_HEAD, MOST_PARTS, MOST_PARTS_BYTES, Part, Refusal, Seat

FRAME_BYTES = 64  # that a part takes besides, where all are given back


def join(database: Database, call: str, function: str, seat: Seat, part: Part) -> Sequence[Part] | None:
    """All parts, by source, index and message, if this is the one that completes them, and again if it comes again
    before that was handled (`joined`). None while others are missing, and for a part that was there before.

    Raises Refusal beyond `MOST_PARTS` parts and `MOST_PARTS_BYTES` bytes of a round, heads counted; for a part of a
    kind that can come only once and was there (as another message); and for one that says another number of parts.
    """
    with database.transaction() as db:
        known = db.execute(
            "SELECT grp, round FROM parts WHERE call = ? AND function = ? AND message = ?",
            (call, function, part.message),
        ).fetchone()
        group, at = known or (seat.group, _add(db, call, function, seat, part))
        key = (call, function, group, at)
        last, handled = db.execute(
            "SELECT last, handled FROM joins WHERE call = ? AND function = ? AND grp = ? AND round = ?", key
        ).fetchone()
        if handled or last != part.message:
            return None
        rows = db.execute(
            "SELECT head, data FROM parts WHERE call = ? AND function = ? AND grp = ? AND round = ?", key
        ).fetchall()
    return sorted((Part(data=data, **json.loads(text)) for text, data in rows), key=_order)


def joined(database: Database, call: str, function: str, message: str) -> None:
    """The parts that `message` completed were handled: their data is not needed any more."""
    with database.transaction() as db:
        found = db.execute(
            "SELECT j.grp, j.round FROM parts p JOIN joins j USING (call, function, grp, round)"
            " WHERE p.call = ? AND p.function = ? AND p.message = ? AND j.last = p.message",
            (call, function, message),
        ).fetchone()
        if found is None:
            return
        where, key = "call = ? AND function = ? AND grp = ? AND round = ?", (call, function, *found)
        db.execute(f"UPDATE joins SET handled = 1 WHERE {where}", key)  # noqa: S608 - words of ours
        db.execute(f"UPDATE parts SET data = NULL, head = '' WHERE {where}", key)  # noqa: S608


def _add(db: sqlite3.Connection, call: str, function: str, seat: Seat, part: Part) -> int:
    """The round that it belongs to."""
    if not (1 <= seat.wanted <= MOST_PARTS and seat.room):
        raise Refusal(f"{seat.wanted:,} parts cannot be joined: from 1 to {MOST_PARTS:,}")
    (before,) = db.execute(
        "SELECT COUNT(*) FROM parts WHERE call = ? AND function = ? AND grp = ? AND slot = ?",
        (call, function, seat.group, seat.slot),
    ).fetchone()
    at = before // seat.room
    if at and seat.once:
        raise Refusal(
            f"{seat.slot} came twice, as different messages: this one is of {part.source}. A part is joined once; let"
            " one function send one message for it"
        )
    key = (call, function, seat.group, at)
    db.execute("INSERT OR IGNORE INTO joins (call, function, grp, round, wanted) VALUES (?, ?, ?, ?, ?)",
               (*key, seat.wanted))  # fmt: skip
    goal, parts, size = db.execute(
        "SELECT wanted, parts, bytes FROM joins WHERE call = ? AND function = ? AND grp = ? AND round = ?", key
    ).fetchone()
    if goal != seat.wanted:
        raise Refusal(f"this part says that {seat.wanted:,} are joined, and others said {goal:,}")
    text = _text(part)
    taken = len(text) + len(part.data) + FRAME_BYTES
    if size + taken > MOST_PARTS_BYTES:
        raise Refusal(f"the parts that wait to be joined may have {MOST_PARTS_BYTES:,} bytes together, and no more")
    db.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
               (*key[:2], part.message, *key[2:], seat.slot, text, part.data))  # fmt: skip
    db.execute(
        "UPDATE joins SET parts = parts + 1, bytes = bytes + ?, last = ?"
        " WHERE call = ? AND function = ? AND grp = ? AND round = ?",
        (taken, part.message if parts + 1 == goal else None, *key),
    )
    return int(at)


def head(part: Part) -> dict[str, Any]:
    """All of it but its data; what it does not say is left out."""
    return {name: value for name in _HEAD if (value := getattr(part, name)) is not None}


_HEAD = ("message", "source", "index", "content_type", "type", "extensions")


def _text(part: Part) -> str:
    """Its head as it is kept. Raises Refusal where that is too long."""
    text = json.dumps(head(part))
    if len(text) > MOST_HEAD:
        raise Refusal(f"a part's attributes have {len(text):,} bytes; {MOST_HEAD:,} are allowed")
    return text


def _order(part: Part) -> tuple[str, int, str]:
    return part.source, -1 if part.index is None else part.index, part.message
