"""A call that is tried again when it failed for now, and the edge that stands in for one that failed for good.

May live here: which failures pass, how long to wait, and when to give up. May not: one attempt itself (`sending`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from toolkit import contract
from toolkit.contract import Outgoing
from toolkit.sdk import edges, methods, sending
from toolkit.sdk.failures import CallFailed

if TYPE_CHECKING:
    from toolkit.sdk.handling import Handling

FOR_NOW = ("UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED")  # failures that may pass: a call is tried again
REPLACEABLE = (*FOR_NOW, "DEADLINE_EXCEEDED")  # failures that the fallback stands in for
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0


async def persistently(handling: Handling, edge: Outgoing, request: Any, timeout_s: float | None, message: str) -> Any:
    """The reply to `request`: of `edge`, or of the one that stands in for it. Raises CallFailed, and TypeError.

    `message` is the id of the first attempt; the others have ids of their own that follow from it. `timeout_s` bounds
    all attempts over one edge together.
    """
    tried = [edge.to]
    while True:
        try:
            if edge.retry:
                return await _retried(handling, edge, request, timeout_s, message)
            return await sending.call(handling, edge, request, handling.timeout(timeout_s), message)
        except CallFailed as failed:
            other = edges.fallback(handling.wiring, edge)
            if other is None or other.to in tried or failed.code not in REPLACEABLE or not _again(edge, request):
                raise
        edge, message = other, _derived(message, handling, f"fallback/{other.to}", 0)
        tried.append(edge.to)


async def _retried(handling: Handling, edge: Outgoing, request: Any, timeout_s: float | None, message: str) -> Any:
    clock = asyncio.get_running_loop().time
    ends, attempt, identity = clock() + handling.timeout(timeout_s), 0, message
    while True:
        try:
            return await sending.call(handling, edge, request, max(0.0, ends - clock()), identity)
        except CallFailed as failed:
            attempt += 1
            failing, identity = identity, _derived(message, handling, "retry", attempt)
            wait_s = pause_s(attempt, identity)
            if attempt > edge.retry:
                raise
            left_s = max(0.0, ends - clock())
            # With no more time than that, none would be left for an answer.
            if failed.code not in FOR_NOW or not _again(edge, request) or wait_s >= left_s:
                handling.gave_up(failing, left_s)
                raise
        await asyncio.sleep(wait_s)


def pause_s(attempt: int, identity: str) -> float:
    """Seconds before the `attempt`-th attempt after the first: doubling, and half of it as the message's id decides.

    So that many that failed together do not come again together, and one message always waits as long.
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 30))
    return longest * (0.5 + int(identity[:8], 16) / 2**33)


def _derived(message: str, handling: Handling, what: str, index: int) -> str:
    # No function is called `f/retry`: such an id is never one of the messages that a handling of this message sends.
    return contract.child_id(message, f"{handling.wiring.function}/{what}", index)


def _again(edge: Outgoing, request: Any) -> bool:
    """Whether the same request can be sent once more: a stream that is its own iterator is gone."""
    if isinstance(request, (Iterator, AsyncIterator)):
        return False
    streams = methods.find(edge.method or contract.GENERIC_METHOD).streams
    return not streams or isinstance(request, (Iterable, AsyncIterable)) or edge.transfer == "stream"
