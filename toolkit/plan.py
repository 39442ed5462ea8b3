"""A plan: a chain bound to names, wiring and triggers. Pure: an engine makes it run, `manifests` will print it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from toolkit.contract import ENTRY_METHOD, GENERIC_METHOD, GENERIC_STREAM, Outgoing, Scalar, Tracing, Wiring
from toolkit.spec import folders, names
from toolkit.spec.model import Broker, ChainSpec, Edge, Function


@dataclass(frozen=True, slots=True)
class Trigger:
    """Delivers the events of one type and source to one function."""

    name: str
    broker: str
    type: str
    source: str
    subscriber: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an engine must bring up. `wirings` hold no addresses yet: `bind` puts them in."""

    run: str
    namespace: str
    chain: ChainSpec
    wirings: Mapping[str, Wiring]
    triggers: tuple[Trigger, ...]

    @property
    def entry(self) -> str:
        return self.chain.entry

    @property
    def broker(self) -> Broker | None:
        return self.chain.broker


def make(chain: ChainSpec, run: str, *, seed: int = 1, tracing: Tracing | None = None) -> Plan:
    """The plan of `chain` for one run."""
    tracing = tracing or Tracing()
    wirings = {each.name: _wiring(chain, each, run, seed, tracing) for each in chain.functions}
    return Plan(run, chain.name, chain, wirings, _triggers(chain))


def spans(chain: ChainSpec) -> int:
    """How many spans one sampled call leaves, at least: the caller's, one a handling, one a message sent."""
    handled, runs = _counts(chain)
    return 1 + sum(count + runs[name] * _messages(chain.out_of(name)) for name, count in handled.items())


def _messages(edges: Iterable[Edge]) -> int:
    """How many one handling sends: those of its call edges, and of event edges of one type the broker makes copies."""
    sent: dict[tuple[str, str | None, str | None], int] = {}
    for edge in filter(_certain, edges):
        key = (edge.via, edge.to, edge.method) if edge.via == "call" else (edge.via, edge.type, None)
        sent[key] = max(sent.get(key, 0), edge.least)
    return sum(sent.values())


def bind(
    wiring: Wiring,
    addresses: Mapping[str, str],
    *,
    receipts: str | None,
    endpoint: str | None,
    ledger: str | None = None,
) -> Wiring:
    """The whole wiring of one function, once the engine knows the addresses (gRPC targets by function name)."""
    outgoing = tuple(
        dataclasses.replace(each, address=addresses[each.to]) if each.via == "call" else each
        for each in wiring.outgoing
    )
    tracing = dataclasses.replace(wiring.tracing, endpoint=endpoint)
    return dataclasses.replace(wiring, outgoing=outgoing, receipts=receipts, tracing=tracing, ledger=ledger)


def handlings(chain: ChainSpec) -> dict[str, int]:
    """How many messages each function handles for one call, at least: if each handling sends what every handling must.

    The entry handles 1 (the call), the join of a diamond 2, of which one brings its handler to run. An event that
    several functions get is one for each of them. What depends on a choice, on data, on failures or on tasks
    counts as 0; so does a dead-letter function, and what lies behind it alone: every event is meant to be delivered.
    """
    return _counts(chain)[0]


def optional(chain: ChainSpec) -> frozenset[tuple[str, str, str]]:
    """The edges (from, to, via) that a call need not go over, or may go over in vain, as another stands in then."""
    runs = _counts(chain)[1]
    replaced = {(edge.source, edge.fallback) for edge in chain.edges}
    needed = {
        (edge.source, edge.to, edge.via)
        for edge in chain.edges
        if _certain(edge) and runs[edge.source] and not edge.retry and (edge.source, edge.to) not in replaced
    }
    return frozenset((edge.source, edge.to, edge.via) for edge in chain.edges) - needed


def slots(chain: ChainSpec, function: Function) -> dict[str, int]:
    """What a join of all of a call waits for, by `SOURCE TYPE`; nothing where it takes the first that come."""
    if not function.join:
        return {}
    runs, events = _counts(chain)[1], [edge for edge in chain.into(function.name) if edge.via == "event"]
    found = {f"{edge.source} {edge.type}": runs[edge.source] * edge.least for edge in events}
    exact = all(_certain(edge) and edge.least == edge.most for edge in events)
    return found if exact and sum(found.values()) == function.join else {}


def _counts(chain: ChainSpec) -> tuple[dict[str, int], dict[str, int]]:
    """By function: messages handled for one call at least, and how often its handler runs for them."""
    into: dict[str, list[Edge]] = {each.name: [] for each in chain.functions}
    for edge in filter(_certain, chain.edges):
        into[edge.to].append(edge)
    joins = {each.name: each.join for each in chain.functions}
    order = TopologicalSorter({name: [edge.source for edge in edges] for name, edges in into.items()}).static_order()
    counts, runs = dict.fromkeys(into, 0), dict.fromkeys(into, 0)
    for name in order:
        counts[name] = (name == chain.entry) + sum(runs[edge.source] * edge.least for edge in into[name])
        join = joins[name]
        runs[name] = counts[name] if join is None else counts[name] // join if join else min(1, counts[name])
    return counts, runs


def _certain(edge: Edge) -> bool:
    """Whether every handling sends over it. The others may lead in circles: a loop, and tasks that spawn tasks."""
    depends = edge.choice or edge.fallback or edge.done or edge.least == 0
    return not depends and edge.loop is None and edge.tasks is None


def _wiring(chain: ChainSpec, function: Function, run: str, seed: int, tracing: Tracing) -> Wiring:
    into = chain.into(function.name)
    methods = {_method(edge) for edge in into if edge.via == "call"}
    if function.name == chain.entry:
        methods.add(ENTRY_METHOD)
        if any(each.gateway for each in chain.functions):
            methods.add(GENERIC_METHOD)  # which answers with a status and a content type
    outgoing = [_outgoing(chain, edge) for edge in chain.out_of(function.name)]
    if function.gateway:
        outgoing.append(Outgoing(chain.entry, "call", method=GENERIC_METHOD, least=0, most=None))
    return Wiring(
        chain=chain.name,
        function=function.name,
        run=run,
        handler=folders.handler(chain, function),
        serves=tuple(sorted(methods)),
        consumes=any(edge.via == "event" for edge in into)
        or function.name == _dead_letter(chain)
        or function.gateway is not None,
        outgoing=tuple(outgoing),
        parameters=_parameters(chain) if function.parameters is None else function.parameters,
        seed=seed,
        tracing=tracing,
        join=function.join,
        slots=slots(chain, function),
        gateway=function.gateway,
        patience_s=(function.timeout_s or None) if function.gateway else None,
        command=function.command,
        takes=_takes(chain, function),
        store=_store(chain, function),
        answers=chain.expect is not None,
        attempts=_attempts(chain, into),
    )


def _method(edge: Edge) -> str:
    method = edge.method or GENERIC_METHOD
    return GENERIC_STREAM if method == GENERIC_METHOD and edge.transfer == "stream" else method


def _attempts(chain: ChainSpec, into: Iterable[Edge]) -> int | None:
    """How often the broker tries to deliver a task, so that the last one to fail is known for it."""
    if chain.broker is None or not any(edge.tasks is not None for edge in into):
        return None
    return chain.broker.delivery.retry + 1


def _takes(chain: ChainSpec, function: Function) -> tuple[str, ...]:
    """How data may come to a function: as over its edges, or over those whose events it gets with them, or for them."""
    into = chain.into(function.name)
    events = {(edge.source, edge.type) for edge in into if edge.via == "event"}
    last = function.name == _dead_letter(chain)
    over = (edge for edge in chain.edges if edge in into or (edge.source, edge.type) in events)
    every = (edge for edge in chain.edges if edge.via == "event") if last else ()
    return tuple(sorted({edge.transfer for edge in (*over, *every)} - {"inline"}))


def _store(chain: ChainSpec, function: Function) -> dict[str, str]:
    """What of the chain's `store:` a function has to know, by the transfers of data that comes to it or leaves it."""
    used = {*_takes(chain, function), *(edge.transfer for edge in chain.out_of(function.name))}
    keys = {key for transfer in used for key in _STORE_KEYS.get(transfer, ())}
    return {key: value for key, value in chain.store.items() if key in keys}


_STORE_KEYS = {"redis": ("redis",), "s3": ("s3", "bucket", "region")}  # by transfer


def _parameters(chain: ChainSpec) -> dict[str, Scalar]:
    return {each.name: each.value for each in chain.parameters}


def _dead_letter(chain: ChainSpec) -> str | None:
    return chain.broker.delivery.dead_letter if chain.broker else None


def _outgoing(chain: ChainSpec, edge: Edge) -> Outgoing:
    more = {each.name: getattr(edge, each.name) for each in dataclasses.fields(Outgoing) if each.name in _SHARED}
    if edge.via == "call":
        return Outgoing(edge.to, "call", method=_method(edge), **more)
    answers = chain.function(edge.to).gateway is not None
    return Outgoing(edge.to, "event", type=edge.type, answers=answers, **more)


_SHARED = (  # of Edge and Outgoing
    *("least", "most", "choice", "loop", "retry", "fallback", "transfer", "tasks", "done", "alias"),
)


def _triggers(chain: ChainSpec) -> tuple[Trigger, ...]:
    broker = chain.broker.name if chain.broker else ""
    events = [edge for edge in chain.edges if edge.via == "event"]
    named = zip(names.trigger_names((edge.source, edge.to) for edge in events), events, strict=True)
    return tuple(Trigger(name, broker, edge.type or "", edge.source, edge.to) for name, edge in named)
