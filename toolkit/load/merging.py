"""What several generators sent becomes one load again, and nothing gets lost in silence. Pure.

Every time is moved to the one clock of whoever asked for the load. What a generator that ended too early did not tell
of is put on the record all the same: the schedule and the ids say which calls those were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from toolkit.load import pacing
from toolkit.load.clocks import Offset
from toolkit.load.identity import Identity, identities
from toolkit.load.share import Share
from toolkit.results import CallRecord, Load


@dataclass(frozen=True, slots=True)
class Part:
    """What came of one share: its calls on the generator's clock, which is `offset` ahead of ours.

    `sent` is how many it is known to have sent. `ended_ns` (our clock) is when a generator was gone that had not told
    of everything, None of one that had.
    """

    share: Share
    calls: Sequence[CallRecord]
    offset: Offset = field(default_factory=Offset)
    sent: int = 0
    ended_ns: int | None = None
    why: str = ""


def merged(parts: Sequence[Part], load: Load, run: str, start_ns: int, stopped_ns: int | None) -> list[CallRecord]:
    """One record a call in the order of their places, on our clock. The load began at `start_ns`.

    A call whose record never came was lost; one that was due after its generator had ended was never sent, which makes
    a run no measurement. What was due after `stopped_ns` is not missed. In a closed loop a place says in which order
    the calls left: only then is it known.
    """
    known = [_ours(call, part.offset) for part in parts for call in part.calls]
    missing = [call for part in parts for call in _missing(part, load, run, start_ns, stopped_ns)]
    if load.model == "open":
        return sorted([*known, *missing], key=lambda call: call.seq)
    in_order = sorted([*known, *missing], key=lambda call: (call.sent_ns, call.seq))
    return [replace(call, seq=place) for place, call in enumerate(in_order)]


def _ours(call: CallRecord, offset: Offset) -> CallRecord:
    if offset.ns == 0:
        return call
    return replace(
        call,
        due_ns=offset.ours(call.due_ns),
        sent_ns=offset.ours(call.sent_ns),
        first_ns=None if call.first_ns is None else offset.ours(call.first_ns),
        done_ns=None if call.done_ns is None else offset.ours(call.done_ns),
    )


def _missing(part: Part, load: Load, run: str, start_ns: int, stopped_ns: int | None) -> Iterator[CallRecord]:
    if part.ended_ns is None:
        return
    told = {call.seq for call in part.calls}
    for who, due_ns in _asked(part, load, run, start_ns):
        if who.seq in told or (stopped_ns is not None and due_ns > stopped_ns):
            continue
        if due_ns <= part.ended_ns:
            yield CallRecord(who.seq, who.call, who.trace, who.sampled, due_ns, due_ns, None, None, error=part.why)
        else:
            yield _never_sent(who, due_ns, part.why)


def _asked(part: Part, load: Load, run: str, start_ns: int) -> Iterator[tuple[Identity, int]]:
    """The calls of a share and their moments; of a closed loop those that are known to have left, at its end."""
    schedule = pacing.schedule(load)
    if schedule is not None:
        times = (start_ns + offset for offset in part.share.times(schedule))
    else:
        times = (part.ended_ns or start_ns for _ in range(part.sent))
    yield from zip(identities(run, load, part.share), times, strict=False)


def _never_sent(who: Identity, due_ns: int, why: str) -> CallRecord:
    """As the generator itself records what it does not send: nobody knows of this call, and it has no trace."""
    return CallRecord(
        *(who.seq, who.call, who.trace, False),
        *(due_ns, due_ns, due_ns, "RESOURCE_EXHAUSTED"),
        error=why,
        refused=True,
    )
