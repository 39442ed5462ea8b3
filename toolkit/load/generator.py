"""Drives calls into an entry, in a thread that does nothing else until the load is over.

May live here: one load's way from its connections to what became of it. May not: the loop (`driving`), what a call
says (`caller`), whoever asked for the load (`worker`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.load import addresses, pacing
from toolkit.load.addresses import Addresses
from toolkit.load.caller import Caller, Whom
from toolkit.load.client import Client
from toolkit.load.driving import Driver, Pace
from toolkit.load.identity import Known
from toolkit.load.lines import Lines
from toolkit.load.share import WHOLE, Share
from toolkit.load.telling import record
from toolkit.results import CallRecord, Load, Progress

DRAIN_S = 10.0  # how long unanswered calls are waited for after the last one was sent
GRACE_S = 0.5  # a call whose deadline ends meanwhile gets to say so


@dataclass(frozen=True, slots=True)
class Way:
    """Where a load goes: a gRPC target and the authority to ask for. `connections` None: as many as it takes."""

    target: str
    authority: str | None = None
    connections: int | None = None


def drive(
    way: Way,
    load: Load,
    *,
    run: str,
    chain: str,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[CallRecord]:
    """Sends the load and returns one record a call, in the order they were due; soon, once `stopped` says so.

    Raises UsageError for a load that makes no sense, or a target that is none; a call that fails is a record.
    """
    pacing.validate(load)
    whole, known = addresses.of(way.target, way.authority), Known(run, load)
    caller = Caller(Whom(run, chain, whole.authority), load, WHOLE)
    with dialled(whole, way.connections) as lines:
        driver(lines, caller, load, WHOLE, None, stopped=stopped, on_progress=on_progress).run()
    told = [each for _ in iter(lambda: caller.waiting, 0) for each in caller.take(caller.waiting)]
    return sorted((record(each, known[each.seq]) for each in told), key=lambda each: each.seq)


@contextmanager
def dialled(whole: Addresses, connections: int | None) -> Iterator[Lines]:
    """Connections that were dialled before the first call is due: setting one up is nobody's latency.

    Who does not answer now fails call by call, on the record.
    """
    lines = Client(whole.all, connections or len(whole.all))
    try:
        lines.dial()
        yield lines
    finally:
        lines.close()


def driver(
    lines: Lines,
    caller: Caller,
    load: Load,
    share: Share,
    start_ns: int | None,
    *,
    stopped: Callable[[], bool],
    on_progress: Callable[[Progress], None] | None,
) -> Driver:
    """The share's way, which began at `start_ns` of the monotonic clock; None: soon."""
    times = None if load.model == "closed" else share.times(pacing.times(load))
    planned = share.count(pacing.count(load))
    drain_s = min(DRAIN_S, load.timeout_s + GRACE_S)
    pace = Pace(times, planned, start_ns, drain_s, share.index)
    return Driver(lines, caller, share.load(load), pace, stopped=stopped, on_progress=on_progress)
