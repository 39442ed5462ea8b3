"""What an engine asks a chain's ledger: the tasks as evidence, and how many are left.

May live here: questions to a ledger at a URL. May not: where it runs; that is each engine's own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from toolkit.engines.base import Deployment, Remembering
from toolkit.engines.zipkin_client import Carrier
from toolkit.errors import EngineError
from toolkit.results import Incident, TaskRecord
from toolkit.sdk.ledger import LedgerClient, LedgerFailed

PATIENCE_S = 5.0  # with a ledger that is just being started again


async def remembered(
    deployment: Deployment, calls: Collection[str], troubles: list[Incident]
) -> Sequence[TaskRecord] | None:
    """What a deployment can tell of these calls' tasks; that it cannot is added to `troubles`."""
    if not isinstance(deployment, Remembering):
        return None
    try:
        return await deployment.tasks(calls)
    except EngineError as error:
        troubles.append(Incident("warning", "tasks", str(error)))
        return None


async def records(url: str, calls: Collection[str], carrier: Carrier | None = None) -> list[TaskRecord]:
    """The tasks of these calls, as they are now. Raises EngineError when the ledger does not answer."""
    known = set(calls)
    found: dict[tuple[str, str], TaskRecord] = {}
    client = LedgerClient(url, patience_s=PATIENCE_S, carrier=carrier)
    try:
        since = 0
        while tasks := await client.changes(since):
            since = tasks[-1]["version"]
            found |= {(each["call"], each["task"]): record(each) for each in tasks if each["call"] in known}
    except LedgerFailed as failed:
        raise EngineError(f"the tasks could not be had: {failed.details}") from failed
    finally:
        await client.close()
    return list(found.values())


async def left(url: str, carrier: Carrier | None = None) -> int:
    """How many tasks wait or run. Raises EngineError when the ledger does not answer."""
    client = LedgerClient(url, patience_s=PATIENCE_S, carrier=carrier)
    try:
        return (await client.state())["open"]
    except LedgerFailed as failed:
        raise EngineError(f"nobody knows how many tasks are left: {failed.details}") from failed
    finally:
        await client.close()


def record(task: dict[str, Any]) -> TaskRecord:
    """One of the ledger's changes, as evidence."""
    return TaskRecord(
        call=task["call"],
        task=task["task"],
        parent=task["parent"],
        function=task["function"],
        to=task["receiver"],
        state=task["state"],
        depth=task["depth"],
        attempts=task["attempts"],
        spawned_ns=task["spawned_ns"],
        ended_ns=task["ended_ns"],
    )
