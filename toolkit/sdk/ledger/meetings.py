"""Joins: the parts that wait for each other, in the ledger's database. One method is one transaction.

The first parts of a call that come to a function make a round, so many as are wanted; the next ones make the next.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Sequence

from toolkit.sdk.ledger.database import Database
from toolkit.sdk.ledger.words import MOST_PARTS, MOST_PARTS_BYTES, Part, Refusal


def join(database: Database, call: str, function: str, wanted: int, part: Part) -> Sequence[Part] | None:
    """All parts, by source, index and message, if this is the one that completes them, and again if it comes again
    before that was handled (`joined`). None while others are missing, and for a part that was there before.

    Raises Refusal beyond `MOST_PARTS` parts and `MOST_PARTS_BYTES` bytes of a round.
    """
    with database.transaction() as db:
        known = db.execute(
            "SELECT round FROM parts WHERE call = ? AND function = ? AND message = ?", (call, function, part.message)
        ).fetchone()
        at = known[0] if known else _add(db, call, function, wanted, part)
        last, handled = db.execute(
            "SELECT last, handled FROM joins WHERE call = ? AND function = ? AND round = ?", (call, function, at)
        ).fetchone()
        if handled or last != part.message:
            return None
        rows = db.execute(
            "SELECT message, head, data FROM parts WHERE call = ? AND function = ? AND round = ?", (call, function, at)
        ).fetchall()
    return sorted((_part(*row) for row in rows), key=_order)


def joined(database: Database, call: str, function: str, message: str) -> None:
    """The parts that `message` completed were handled: their data is not needed any more."""
    with database.transaction() as db:
        found = db.execute(
            "SELECT round FROM parts WHERE call = ? AND function = ? AND message = ?", (call, function, message)
        ).fetchone()
        if found is None:
            return
        key = (call, function, found[0])
        db.execute(
            "UPDATE joins SET handled = 1 WHERE call = ? AND function = ? AND round = ? AND last = ?", (*key, message)
        )
        db.execute("UPDATE parts SET data = NULL, head = '' WHERE call = ? AND function = ? AND round = ?", key)


def _add(db: sqlite3.Connection, call: str, function: str, wanted: int, part: Part) -> int:
    """The round that it belongs to."""
    if not 1 <= wanted <= MOST_PARTS:
        raise Refusal(f"{wanted:,} parts cannot be joined: from 1 to {MOST_PARTS:,}")
    found = db.execute(
        "SELECT round, wanted, parts, bytes FROM joins WHERE call = ? AND function = ? ORDER BY round DESC LIMIT 1",
        (call, function),
    ).fetchone()
    at, goal, parts, size = found or (-1, wanted, wanted, 0)
    if parts >= goal:
        at, goal, parts, size = at + 1, wanted, 0, 0
        db.execute("INSERT INTO joins (call, function, round, wanted) VALUES (?, ?, ?, ?)", (call, function, at, goal))
    if size + len(part.data) > MOST_PARTS_BYTES:
        raise Refusal(f"the parts that wait to be joined may have {MOST_PARTS_BYTES:,} bytes together, and no more")
    head = dataclasses.asdict(dataclasses.replace(part, data=b""))
    del head["data"], head["message"]
    db.execute(
        "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)", (call, function, part.message, at, json.dumps(head), part.data)
    )
    db.execute(
        "UPDATE joins SET parts = parts + 1, bytes = bytes + ?, last = ? WHERE call = ? AND function = ? AND round = ?",
        (len(part.data), part.message if parts + 1 == goal else None, call, function, at),
    )
    return int(at)


def _part(message: str, head: str, data: bytes) -> Part:
    return Part(message=message, data=data, **json.loads(head))


def _order(part: Part) -> tuple[str, int, str]:
    return part.source, -1 if part.index is None else part.index, part.message
