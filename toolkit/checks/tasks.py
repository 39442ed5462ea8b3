"""`tasks`: every task was spawned once and done once, and the end of all of them was told once; of chains with tasks.

What the ledger remembers and what the receipts prove are two witnesses: they have to agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.contract import Receipt
from toolkit.results import CallRecord, Check, TaskRecord
from toolkit.spec.model import ChainSpec

Edge = tuple[str, str | None]  # who sends, and the type


@dataclass(slots=True)
class _Seen:
    """What the receipts of one call tell: the senders of each task, and the events that say that all are done."""

    parents: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    ends: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)  # messages whose handlings spawned
    failed: set[str] = field(default_factory=set)  # events of functions that spawn, as long as no handling was right


def has_tasks(chain: ChainSpec) -> bool:
    return any(edge.tasks is not None for edge in chain.edges)


def tasks(ledger: Ledger) -> Check:
    """Of calls that were answered OK. What a killed process did and could not tell is the ledger's word alone."""
    wanted = "every task spawned once, done once, and the end of all told once"
    if ledger.tasks is None:
        return Check("tasks", False, wanted, "nobody knows: the ledger could not be asked")
    by_call: dict[str, list[TaskRecord]] = defaultdict(list)
    for record in ledger.tasks:
        by_call[record.call].append(record)
    answered = [call for call in ledger.calls if call.ok]
    offences = [text for call in answered for text in _of_call(ledger, call, by_call.get(call.call, ()))]
    done = sum(record.state == "done" for call in answered for record in by_call.get(call.call, ()))
    again = sum(record.attempts > 1 for call in answered for record in by_call.get(call.call, ()))
    return verdict(
        "tasks",
        wanted,
        f"{some(done, 'task')} done once" if done else "there were no tasks",
        offences,
        f"{some(again, 'task')} begun more than once" if again else "",
    )


def _of_call(ledger: Ledger, call: CallRecord, records: Sequence[TaskRecord]) -> Iterator[str]:
    seen, known = _seen(ledger, call), {record.task: record for record in records}
    name = f"(call {short(call.call)})"
    yield from (f"{each} {name}" for each in _unfinished(records))
    yield from (f"{each} {name}" for each in _beyond(ledger.chain, records))
    if len(known) < len(records):
        yield f"{len(records) - len(known)} tasks are in the ledger twice {name}"
    for task in seen.parents.keys() - known.keys():
        yield f"the ledger knows nothing of task {short(task)} {name}"
    for record in known.values():
        yield from (f"{each} {name}" for each in _disagreements(ledger, record, seen.parents.get(record.task, set())))
    if any(edge.done for edge in ledger.chain.edges):
        yield from (f"{each} {name}" for each in _beginnings(seen, known))
    wanted = len({(edge.source, edge.type) for edge in ledger.chain.edges if edge.done}) if records else 0
    if len(seen.ends) != wanted:
        yield f"the end of all tasks was told {_times(len(seen.ends))}, not {_times(wanted)} {name}"


def _beginnings(seen: _Seen, known: Mapping[str, TaskRecord]) -> Iterator[str]:
    """The tasks of a call begin in one handling, or the end of the first may be told before others are spawned."""
    begun = seen.begun - known.keys()
    if len(begun) > 1:
        yield f"tasks began in {len(begun):,} handlings, so that the end may be told before all were spawned"
    if failed := seen.failed - known.keys():
        yield f"{some(len(failed), 'handling')} that may have tasks to spawn failed for good"


def _unfinished(records: Sequence[TaskRecord]) -> Iterator[str]:
    counts = Counter[str](record.state for record in records)
    for state, words in (("failed", "failed"), ("cancelled", "were cancelled"), ("waiting", "never began"),
                         ("running", "never ended")):  # fmt: skip
        if counts[state]:
            yield f"{counts[state]:,} of {some(len(records), 'task')} {words}"


def _beyond(chain: ChainSpec, records: Sequence[TaskRecord]) -> Iterator[str]:
    counts = Counter((record.function, record.to) for record in records)
    bounds: Mapping[tuple[str, str], int] = {
        (edge.source, edge.to): edge.tasks for edge in chain.edges if edge.tasks is not None
    }
    for (function, to), count in counts.items():
        bound = bounds.get((function, to))
        if bound is None:
            yield f"{some(count, 'task')} from {function} to {to}, where no edge has tasks"
        elif count > bound:
            yield f"{some(count, 'task')} from {function} to {to}, which may be {bound:,}"


def _disagreements(ledger: Ledger, record: TaskRecord, parents: set[str]) -> Iterator[str]:
    """Between the ledger and the receipts, about one task."""
    task, told = short(record.task), record.function not in ledger.restarted
    if not parents and record.state != "cancelled" and told:
        yield f"task {task} is in the ledger, and no receipt tells of its event"
    if parents and parents != {record.parent}:
        yield f"task {task} was spawned by {short(min(parents))}, and the ledger says {short(record.parent)}"
    if record.state == "done" and record.to not in ledger.restarted:
        ran = [each for each in ledger.ran((record.task, record.to)) if each.error is None]
        if not ran:
            yield f"task {task} is done, says the ledger, and no receipt of {record.to} does"


def _seen(ledger: Ledger, call: CallRecord) -> _Seen:
    seen = _Seen()
    spawning: set[Edge] = {(edge.source, edge.type) for edge in ledger.chain.edges if edge.tasks is not None}
    ending: set[Edge] = {(edge.source, edge.type) for edge in ledger.chain.edges if edge.done}
    right = {(each.message, each.function) for each in ledger.receipts_of(call) if each.error is None}
    sources = {source for source, _ in spawning}
    for receipt in ledger.receipts_of(call):
        if receipt.via == "event" and receipt.function in sources and (receipt.message, receipt.function) not in right:
            seen.failed.add(receipt.message)
        for sent in receipt.sent:
            if (receipt.function, sent.type) in spawning:
                seen.parents[sent.message].add(receipt.message)
                if receipt.error is None:
                    seen.begun.add(receipt.message)
            elif (receipt.function, sent.type) in ending:
                seen.ends.add(sent.message)
        if _is_end(receipt, ending):  # of which a killed sender may have left no receipt
            seen.ends.add(receipt.message)
    return seen


def _is_end(receipt: Receipt, ending: set[Edge]) -> bool:
    return receipt.via == "event" and (receipt.sender, receipt.type) in ending


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times" if count else "never"
