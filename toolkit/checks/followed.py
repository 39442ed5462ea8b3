"""`followed`: each handling that succeeded sent over each of its edges what the chain allows, and nothing else.

May live here: counting what a handling sent against its edges. May not: what became of it (`messages`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.checks.attempts import FOR_NOW, REPLACEABLE, Tried, failed_as, out_of_time, stand_in, tried
from toolkit.checks.ledger import Ledger, short, some, verdict
from toolkit.checks.ways import beyond
from toolkit.contract import Receipt, Sent
from toolkit.results import Check
from toolkit.spec.model import ChainSpec, Edge

Shape = tuple[str, str | None]  # ("call", function) or ("event", type): consumers of one event share it


def followed(ledger: Ledger) -> Check:
    rules = _rules(ledger.chain)
    judged = [receipt for own in ledger.by_call.values() for receipt in own if receipt.error is None]
    offences = [text for receipt in judged for text in _strays(ledger, receipt, rules.get(receipt.function, _NOTHING))]
    offences += beyond(ledger)
    return verdict(
        "followed",
        "one message over each outgoing edge of a handling, and no other"
        if all(edge.steady for edge in ledger.chain.edges)
        else "as many messages over each outgoing edge of a handling as the chain allows, and no other",
        f"{some(len(judged), 'handling')} sent what the chain says" if judged else "nothing was handled",
        offences,
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a function may send. `exactly` where it is always the same, which is quickly compared."""

    edges: Mapping[Shape, Edge]
    exactly: Mapping[Shape, int] | None
    gateway: Shape | None = None  # what a gateway asks the chain, once for each request that it takes


_NOTHING = _Rules({}, {})


def _rules(chain: ChainSpec) -> Mapping[str, _Rules]:
    edges: dict[str, dict[Shape, Edge]] = defaultdict(dict)
    for edge in chain.edges:
        edges[edge.source].setdefault(_shape(edge), edge)
    found = {}
    for function in chain.functions:
        own = edges[function.name]
        plain = all(edge.steady and not edge.retry for edge in own.values()) and not function.gateway
        asks: Shape | None = ("call", chain.entry) if function.gateway else None
        found[function.name] = _Rules(own, dict.fromkeys(own, 1) if plain else None, asks)
    return found


def _shape(edge: Edge) -> Shape:
    return (edge.via, edge.to) if edge.via == "call" else (edge.via, edge.type)


def _shape_of(sent: Sent) -> Shape:
    return (sent.via, sent.to) if sent.via == "call" else (sent.via, sent.type)


def _strays(ledger: Ledger, receipt: Receipt, rules: _Rules) -> Iterator[str]:
    sent = Counter(map(_shape_of, receipt.sent))
    if receipt.waits:
        yield from _while_it_waited(receipt, rules, sent)
        return
    if sent == rules.exactly:
        return
    for shape in sent:
        if shape not in rules.edges and shape != rules.gateway:
            yield f"{receipt.function} sent {_what(shape)} {_times(sent[shape])}, not 0 ({_of(receipt)})"
    messages = {shape: _messages(receipt, edge) for shape, edge in rules.edges.items()}
    counts = {shape: len(found) for shape, found in messages.items()}
    yield from _beside(receipt, rules, counts)
    yield from _chosen(receipt, rules, counts)
    yield from _standing_in(ledger, receipt, rules, messages)
    yield from _badly_tried(ledger, receipt, rules, messages)


def _while_it_waited(receipt: Receipt, rules: _Rules, sent: Mapping[Shape, int]) -> Iterator[str]:
    """Nothing, unless somebody has to say that all tasks are done, and the one that did the last of them is gone."""
    for shape, times in sent.items():
        edge = rules.edges.get(shape)
        if edge is None or not edge.done or times > 1:
            yield f"{receipt.function} sent {_what(shape)} {_times(times)}, not 0, while it waited ({_of(receipt)})"


def _messages(receipt: Receipt, edge: Edge) -> Sequence[Tried]:
    if edge.via == "call":
        return tried(receipt, edge)
    return [Tried((each,)) for each in receipt.sent if each.via == "event" and each.type == edge.type]


Messages = Mapping[Shape, Sequence[Tried]]


def _beside(receipt: Receipt, rules: _Rules, counts: Mapping[Shape, int]) -> Iterator[str]:
    """Edges that stand for themselves, and more over a chosen one than it allows."""
    for shape, edge in rules.edges.items():
        count = counts[shape]
        if edge.fallback or (edge.choice and not count):
            continue
        least = 0 if edge.done else edge.least
        if count < least or (edge.most is not None and count > edge.most):
            wanted = _wanted(least, edge.most)
            yield f"{receipt.function} sent {_what(shape)} {_times(count)}, not {wanted} ({_of(receipt)})"


def _chosen(receipt: Receipt, rules: _Rules, counts: Mapping[Shape, int]) -> Iterator[str]:
    choices: dict[str, list[Shape]] = defaultdict(list)
    for shape, edge in rules.edges.items():
        if edge.choice:
            choices[edge.choice].append(shape)
    for choice, shapes in choices.items():
        taken = [shape for shape in shapes if counts[shape]]
        if len(taken) > 1:
            both = " and ".join(map(_what, taken))
            yield f"{receipt.function} took {len(taken)} edges of the choice {choice}, not 1: {both} ({_of(receipt)})"
        elif not taken and all(rules.edges[shape].least for shape in shapes):
            yield f"{receipt.function} took no edge of the choice {choice} ({_of(receipt)})"


def _standing_in(ledger: Ledger, receipt: Receipt, rules: _Rules, messages: Messages) -> Iterator[str]:
    """Edges that are taken for each message that failed for good over another one, and for no other."""
    for shape, edge in rules.edges.items():
        if not edge.fallback:
            continue
        sent = Counter(each.message for each in messages[shape])
        for each in messages.get(("call", edge.fallback), ()):
            stands_in = sent.pop(stand_in(receipt.function, each.message, edge.to), 0)
            lost = not each.arrived and failed_as(ledger, each.last, REPLACEABLE)
            if stands_in and (each.arrived or lost is False):
                yield (
                    f"{receipt.function} sent {_what(shape)} in the place of {_what(('call', edge.fallback))} that "
                    f"{'arrived' if each.arrived else 'nothing stands in for'} ({_of(receipt)})"
                )
            elif lost and not stands_in:
                yield (
                    f"{receipt.function} sent nothing to {edge.to} in the place of "
                    f"{_what(('call', edge.fallback))} that failed for good ({_of(receipt)})"
                )
        for count in sent.values():
            yield f"{receipt.function} sent {_what(shape)} {_times(count)} in the place of nothing ({_of(receipt)})"


def _badly_tried(ledger: Ledger, receipt: Receipt, rules: _Rules, messages: Messages) -> Iterator[str]:
    replaced = {edge.fallback for edge in rules.edges.values() if edge.fallback}
    for shape, edge in rules.edges.items():
        for each in messages[shape]:
            if len(each.attempts) > 1 + edge.retry:
                made = f"{_times(len(each.attempts))}, not {_wanted(1, 1 + edge.retry)}"
                yield f"{receipt.function} tried {_what(shape)} {made} ({_of(receipt)})"
            for failed in each.attempts[:-1]:
                if failed.accepted or failed_as(ledger, failed, FOR_NOW) is False:
                    why = "it had arrived" if failed.accepted else "it failed for good"
                    yield f"{receipt.function} tried {_what(shape)} again though {why} ({_of(receipt)})"
            given_up = not each.arrived and edge.to in replaced and len(each.attempts) <= edge.retry
            if given_up and not out_of_time(each) and failed_as(ledger, each.last, FOR_NOW):
                made = f"{_times(len(each.attempts))}, not {1 + edge.retry:,}"
                yield f"{receipt.function} tried {_what(shape)} {made}, before it gave up ({_of(receipt)})"


def _what(shape: Sequence[str | None]) -> str:
    via, name = shape
    return f"a call to {name}" if via == "call" else f"an event {name}"


def _wanted(least: int, most: int | None) -> str:
    if most is None:
        return f"{least:,} or more"
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _times(count: int) -> str:
    return f"{count:,} times"


def _of(receipt: Receipt) -> str:
    return f"call {short(receipt.call)}"
