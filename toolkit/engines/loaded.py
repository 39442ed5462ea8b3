"""What the generators of a load sent, as one load again; and what has to be said of those that were lost.

May live here: what comes after the load. May not: the conversation (`generators`), how generators come to run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolkit.engines.base import Driven
from toolkit.engines.generators import Generator, Generators
from toolkit.load import merging, wire
from toolkit.measure import audit
from toolkit.results import Elapsed, Incident
from toolkit.traces.model import Span


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a generator is gone, whose end it was, and its last words."""

    cause: str
    subject: str
    last: tuple[str, ...] = ()


async def driven(
    generators: Generators,
    order: wire.Order,
    moments: tuple[int, int | None],
    losses: Mapping[int, Loss],
    origin: Mapping[str, Any],
) -> Driven:
    """One load. `moments`: when it began, and when it was stopped; `losses`: by the index of those that are gone.

    Origin's `clock_error_us` is what times of calls and times of receipts may be apart, besides the way of the receipt;
    `cpu` the share of a core that each generator used, None of one that was lost; `scheduling` is `realtime` where the
    kernel let all of them run before others.
    """
    await generators.ask_for_clocks_again()
    told = {index: _told(index, loss, generators.count) for index, loss in losses.items()}
    parts, roots = await asyncio.to_thread(_parts, generators, order, told)
    done = [each.done for each in generators.all if each.done is not None]
    conditions = {
        **origin,
        "generators": generators.count,
        "to": order.target,
        "clock_error_us": max((each.offset.error_ns for each in generators.all), default=0) / 1e3,
        "cpu": [_share(each) for each in generators.all],
        "scheduling": "realtime" if all(each.scheduling == "realtime" for each in generators.all) else "normal",
    }
    return Driven(
        merging.merged(parts, order.load, order.run, *moments),
        roots,
        max((each.elapsed for each in done), key=_moved, default=Elapsed(0, 0)),
        conditions,
        invalid=(*told.values(), *_busy(order, generators.all)),
        incidents=tuple(
            Incident("warning", loss.subject, told[index], loss.last) for index, loss in sorted(losses.items())
        ),
    )


def _parts(generators: Generators, order: wire.Order, told: Mapping[int, str]) -> tuple[list[merging.Part], list[Span]]:
    found = [generators.part(each, order, told.get(each.index, "")) for each in generators.all]
    return [part for part, _ in found], [root for _, roots in found for root in roots]


def _told(index: int, loss: Loss, of: int) -> str:
    return f"generator {index + 1} of {of} was gone during the load: {loss.cause}"


def _moved(elapsed: Elapsed) -> int:
    return abs(elapsed.wall_ns - elapsed.monotonic_ns)


def _share(each: Generator) -> float | None:
    if each.done is None or each.done.monotonic_ns <= 0:
        return None
    return round(each.done.cpu_ns / each.done.monotonic_ns, 3)


def _busy(order: wire.Order, generators: Sequence[Generator]) -> list[str]:
    """In an open loop lateness tells; a closed loop is never late, only slow."""
    if order.load.model == "open":
        return []
    return list(audit.filled(_share(each) or 0.0 for each in generators))


def noted(found: Driven, note: str) -> Driven:
    return replace(found, notes=(note, *found.notes))
