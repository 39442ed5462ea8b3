"""The stores of transfers, as an engine sees them: whether they can be used at all, and what a run leaves in them.

May live here: questions before anything is started, what functions are given, and the end. May not: what functions do
with a store (`toolkit.sdk.transfers`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from toolkit.errors import EngineError, UsageError
from toolkit.plan import Plan
from toolkit.sdk.transfers import STORES, Settings, Store, TransferFailed, opened
from toolkit.sdk.transfers.settings import FOLDER, VARIABLES, lack, library_lack, secrets_told, used
from toolkit.sdk.transfers.store import prefix

ANSWERS_WITHIN_S = 15.0
_NEXT_STEPS = {
    "UNAUTHENTICATED": "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the password in REDIS_URL",
    "PERMISSION_DENIED": "see that the credentials are right, and that they may write, read and delete there",
    "FAILED_PRECONDITION": "create it, or name another",
}
_log = logging.getLogger(__name__)


def needed(plan: Plan) -> tuple[str, ...]:
    """The transfers of a plan that need a store."""
    named = {each for wiring in plan.wirings.values() for each in used(wiring)}
    return tuple(each for each in STORES if each in named)


def in_folder(plan: Plan, folder: Path) -> Plan:
    """The plan whose functions know the folder of the transfer `file`, where they use it."""
    wirings = {
        name: dataclasses.replace(wiring, store={**wiring.store, FOLDER: str(folder)})
        if "file" in used(wiring)
        else wiring
        for name, wiring in plan.wirings.items()
    }
    return dataclasses.replace(plan, wirings=wirings)


def given(plan: Plan, function: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a function gets for its transfers, and no other function does."""
    names = [name for transfer in used(plan.wirings[function]) for name in VARIABLES[transfer]]
    return {name: environment[name] for name in names if name in environment}


async def see_that_they_serve(plan: Plan, environment: Mapping[str, str]) -> None:
    """Writes to each store, reads and takes it away again, as functions will. Raises UsageError, and EngineError."""
    see_that_they_can_be_used(plan, environment)
    await asyncio.gather(*(_tried(plan, each, environment) for each in needed(plan) if each != "file"))


def see_that_they_can_be_used(plan: Plan, environment: Mapping[str, str]) -> None:
    """Raises UsageError for a library that is not here, a setting that is missing or wrong, a secret in a file."""
    settings = Settings.of({FOLDER: "/", **plan.chain.store}, environment)
    for transfer in needed(plan):
        problem = secrets_told(plan.chain.store) or library_lack(transfer) or lack(transfer, settings)
        if problem is not None:
            raise UsageError(f"{plan.chain.name}: {problem.why}", next_step=problem.next_step)


async def clear(plan: Plan, environment: Mapping[str, str]) -> None:
    """Takes away whatever the run has left in its stores. What cannot be is told, and forgotten in time."""
    for each in await left_behind(plan, environment):
        _log.warning(each)


async def left_behind(plan: Plan, environment: Mapping[str, str]) -> list[str]:
    """As `clear`: what could not be taken away, and why. Stores that this process has no settings for are passed over.

    The folder of `file` goes with the deployment's.
    """
    settings = Settings.of(plan.chain.store, environment)
    found = [await _left(plan, each, settings) for each in needed(plan) if each != "file" and not lack(each, settings)]
    return [each for each in found if each is not None]


async def _left(plan: Plan, transfer: str, settings: Settings) -> str | None:
    place = prefix(plan.chain.name, plan.run)
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), _store(transfer, settings) as store:
            await store.delete_prefix(place)
    except (TransferFailed, TimeoutError) as failed:
        return f"what lies under {place} may be left behind: {str(failed) or f'{transfer} does not answer'}"
    return None


@contextlib.asynccontextmanager
async def _store(transfer: str, settings: Settings) -> AsyncIterator[Store]:
    store = opened(transfer, settings)
    try:
        yield store
    finally:
        await store.close()


async def _tried(plan: Plan, transfer: str, environment: Mapping[str, str]) -> None:
    key = f"{prefix(plan.chain.name, plan.run)}/engine/probe"
    settings = Settings.of(plan.chain.store, environment)
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), _store(transfer, settings) as store:
            await store.put(key, b"?")
            await store.get(key, 1)
            await store.delete(key)
    except TransferFailed as failed:
        step = _NEXT_STEPS.get(failed.code, "start it, or name another one")
        raise EngineError(f"transfer {transfer}: {failed.why}", next_step=step) from failed
    except TimeoutError as late:
        why = f"the store does not answer within {ANSWERS_WITHIN_S:g} s"
        raise EngineError(f"transfer {transfer}: {why}", next_step="start it, or name another one") from late
