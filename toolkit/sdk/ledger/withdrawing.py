"""Tasks that whoever spawned them takes back. May live here: forgetting them. May not: what becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.sdk.ledger.database import Database


def withdraw(database: Database, call: str, tasks: Sequence[str]) -> None:
    """Forget those of them that wait: their events never left. One transaction."""
    with database.transaction() as db:
        for task in tasks:
            found = db.execute(
                "DELETE FROM tasks WHERE call = ? AND task = ? AND state = 'waiting' RETURNING function, receiver",
                (call, task),
            ).fetchone()
            if found is not None:
                db.execute("UPDATE calls SET tasks = tasks - 1, open = open - 1 WHERE call = ?", (call,))
                db.execute(
                    "UPDATE edges SET tasks = tasks - 1 WHERE call = ? AND function = ? AND receiver = ?",
                    (call, *found),
                )
