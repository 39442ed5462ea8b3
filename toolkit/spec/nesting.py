"""Sub-chains: a function that says `chain:` stands for a whole chain, whose functions become `NAME-FUNCTION`.

A sub-chain is read and judged like any chain, then put in the function's place. Its file comes from a `Resolve`, so
that nothing is opened here. May not live here: where chains lie (`toolkit.catalog`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import chain as chained
from itertools import islice

from toolkit.contract.units import shown
from toolkit.errors import SpecError, UsageError
from toolkit.spec.copies import copied
from toolkit.spec.demands import Demands
from toolkit.spec.draft import Graph, Link, Node
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.model import Broker, ChainSpec, Edge
from toolkit.spec.names import copies
from toolkit.spec.parameters import OVERRIDE, Knobs
from toolkit.spec.patterns import one_for_one
from toolkit.spec.rules import MAX_EDGES, MAX_FUNCTIONS, lost
from toolkit.spec.shapes import Row

MAX_DEPTH = 8
MAX_READ = 4 << 20  # bytes of sub-chains that one chain has read, each once for its settings


@dataclass(frozen=True, slots=True)
class Source:
    """A chain.yaml that was read. `origin` names it in messages and is its own; `folder` is where it lies."""

    data: bytes
    origin: str
    folder: str


Resolve = Callable[[str, str], Source]  # of a chain's name, and the folder of who names it; raises UsageError
Parse = Callable[[Source, Mapping[str, str], "Nest"], ChainSpec]  # with settings of its parameters; raises SpecError


Key = tuple[str, int, tuple[tuple[str, str], ...]]  # origin, depth, settings: what a chain becomes depends on no more


@dataclass
class Known:
    """The sub-chains that were read so far, anywhere in a chain: what they are, or why they are none."""

    chains: dict[Key, ChainSpec | SpecError] = field(default_factory=dict)
    size: int = 0  # bytes that were read for them

    def admits(self, source: Source) -> bool:
        """Whether that much more may be read."""
        self.size += len(source.data)
        return self.size <= MAX_READ


@dataclass
class Nest:
    """Where sub-chains come from. `above` are the origins of the chains around, `known` is shared with them."""

    parse: Parse
    resolve: Resolve | None
    source: Source
    above: tuple[str, ...] = ()
    known: Known = field(default_factory=Known)
    functions: int = 0  # of the sub-chains of this very chain

    def inner(self, name: At, rows: Mapping[str, Row], knobs: Knobs, found: Findings) -> ChainSpec | None:
        """The sub-chain of that name, set as `rows` say; None after a problem."""
        if self.functions > MAX_FUNCTIONS:  # which was told, and is no better with more
            return None
        self.functions += 1  # at least, also of one that cannot be read
        said = {key: knobs.written(row.value, found) for key, row in rows.items() if row.value.value is not None}
        settings = {key: text for key, text in said.items() if text is not None}
        source = None if name.value is None else self._source(name, found)
        if source is None:
            return None
        around = (*self.above, self.source.origin)
        if source.origin in around:
            found.add(name.place, f"the chains hold each other in a circle: {' → '.join([*around, source.origin])}")
        elif len(around) >= MAX_DEPTH:
            found.add(name.place, f"chains are nested deeper than {MAX_DEPTH} levels")
        else:
            chain = self._read(name, source, settings, {key: row.name for key, row in rows.items()}, found)
            return self._fitting(name, chain, found) if chain else None
        return None

    def _fitting(self, name: At, chain: ChainSpec, found: Findings) -> ChainSpec | None:
        self.functions += len(chain.functions) - 1
        if self.functions > MAX_FUNCTIONS:
            found.add(name.place, f"the chain would have more than {MAX_FUNCTIONS:,} functions")
            return None
        gateway = next((each.name for each in chain.functions if each.gateway), None)
        if gateway is None:
            return chain
        why = f"its function '{gateway}' takes HTTP requests, which only the outermost chain does"
        found.add(name.place, f"{shown(name.value)} cannot be a sub-chain: {why}")
        return None

    def _source(self, name: At, found: Findings) -> Source | None:
        if self.resolve is None:
            found.add(name.place, "sub-chains are not looked for here; read the chain with `toolkit.catalog.load`")
            return None
        try:
            return self.resolve(name.value, self.source.folder)
        except UsageError as error:
            found.add(name.place, str(error))
            return None

    def _read(
        self, name: At, source: Source, settings: Mapping[str, str], places: Mapping[str, Place], found: Findings
    ) -> ChainSpec | None:
        key = source.origin, len(self.above), tuple(sorted(settings.items()))
        if key not in self.known.chains:
            if not self.known.admits(source):
                found.add(name.place, f"the sub-chains are more than {MAX_READ >> 20} MiB together")
                return None
            self.known.chains[key] = self._parsed(source, settings)
        chain = self.known.chains[key]
        if isinstance(chain, ChainSpec):
            return chain
        for problem in chain.problems:
            if problem.origin == OVERRIDE:  # what this chain has set, so it is told where that stands
                one = next((each for each in places if each == problem.path or repr(each) in problem.message), None)
                found.add(places[one] if one else Place(0, 0, ""), problem.message)
            else:
                place = Place(problem.line, problem.column, problem.path)
                found.add(place, problem.message, origin=problem.origin or source.origin)
        return None

    def _parsed(self, source: Source, settings: Mapping[str, str]) -> ChainSpec | SpecError:
        around = (*self.above, self.source.origin)
        try:
            return self.parse(source, settings, Nest(self.parse, self.resolve, source, around, self.known))
        except SpecError as error:
            return error


def inlined(graph: Graph, found: Findings) -> Graph | None:
    """The graph with the functions of its sub-chains in their places; None after a problem."""
    counts = {name: each.parallel if each.is_chain else 1 for name, each in graph.nodes.items()}
    inner = {name: each.inner for name, each in graph.nodes.items() if each.is_chain}
    if sum((len(each.functions) if each else 1) * counts[name] for name, each in inner.items()) > MAX_FUNCTIONS:
        if None not in inner.values():  # else there is a problem already
            largest = max(inner, key=lambda name: len(each.functions) if (each := inner[name]) else 0)
            found.add(graph.nodes[largest].place, f"the chain would have more than {MAX_FUNCTIONS:,} functions")
        return None
    entries = {name: f"{name}-{each.entry}" for name, each in inner.items() if each}
    before = len(found)
    for link in graph.links:
        for name in (link.fallback, link.to):
            if link.fallback and name and counts[name] > 1:
                found.add(link.at("fallback"), one_for_one(name, counts[name]))
    single = copied(graph.nodes, counts, found)
    nodes: dict[str, Node] = {}
    for node in single.values():
        for each in _nodes(node) if node.inner else [node]:
            if each.name in nodes or (each is not node and each.name in single):
                found.add(node.place, f"its function '{each.name}' has the name of another; rename one of them")
            nodes[each.name] = each
    if len(found) > before or None in inner.values():
        return None
    into = (each for link in graph.links for each in _to_entries(link, inner, counts))
    inside = (each for node in single.values() if node.inner for each in _links(node.name, node.place, node.inner))
    links = tuple(islice(chained(into, inside), MAX_EDGES + 1))
    if len(links) > MAX_EDGES:
        found.add(links[-1].place, f"the chain would have more than {MAX_EDGES:,} edges")
        return None
    entry = graph.entry
    if entry is not None and entry.value in entries:
        entry = At(entries[entry.value], entry.place)
    whole = tuple((node, node.inner) for node in single.values() if node.inner)
    return replace(graph, nodes=nodes, links=links, entry=entry, inner=whole)


def _to_entries(link: Link, inner: Mapping[str, ChainSpec | None], counts: Mapping[str, int]) -> Iterator[Link]:
    """An edge into a sub-chain leads to its entry; into one of several copies, to each of theirs."""
    backed = inner.get(link.fallback or "")
    stands_for = f"{link.fallback}-{backed.entry}" if backed else link.fallback
    chain = inner.get(link.to)
    for name in copies(link.to, counts[link.to]):
        if chain:
            yield replace(link, to=f"{name}-{chain.entry}", alias=name, fallback=stands_for)
        else:
            yield replace(link, fallback=stands_for)


def _nodes(node: Node) -> Iterator[Node]:
    assert node.inner is not None
    values = {each.name: each.value for each in node.inner.parameters}
    for each in node.inner.functions:
        asked = {name.name: getattr(each, name.name) for name in fields(Demands)}
        yield Node(
            name=f"{node.name}-{each.name}",
            place=node.place,
            handler=each.handler,
            replicas=each.replicas,
            env=each.env,
            about=each.about,
            protocol=each.protocol,
            demands=Demands(**asked),
            join=each.join,
            gateway=each.gateway,
            image=each.image,
            command=each.command,
            beside=each.parallel * node.parallel,
            folder=each.folder or node.inner.folder,
            chain=f"{node.name}-{each.chain}" if each.chain else node.name,
            parameters=values if each.parameters is None else each.parameters,
        )


def _links(name: str, place: Place, chain: ChainSpec) -> Iterator[Link]:
    """Its own edges. Its handlers call its functions by the names that its own file gives them."""
    same = [each.name for each in fields(Edge) if each.name not in ("source", "to", "fallback", "alias")]
    for edge in chain.edges:
        yield Link(
            source=f"{name}-{edge.source}",
            to=f"{name}-{edge.to}",
            place=place,
            alias=edge.alias or edge.to,
            fallback=f"{name}-{edge.fallback}" if edge.fallback else None,
            why=f", in the sub-chain '{name}'",
            **{each: getattr(edge, each) for each in same},
        )


def agreeing_brokers(graph: Graph, broker: Broker | None, found: Findings) -> None:
    """A chain has one broker. A sub-chain that asks nothing of its own takes that one; else they must be the same."""
    for node, chain in graph.inner:
        if chain.broker is None or broker is None or chain.broker == Broker():
            continue
        wanted = replace(chain.broker.delivery, dead_letter=lost(node, chain))
        for key, wish, given in _differences(replace(chain.broker, delivery=wanted), broker):
            one = f"the chain has one broker, which has {given}"
            found.add(node.at("chain"), f"its broker has {key}: {wish}, and {one}; write the same under `broker`")


def _differences(wanted: Broker, given: Broker) -> Iterator[tuple[str, object, object]]:
    for key in ("name", "acknowledge"):
        if getattr(wanted, key) != getattr(given, key):
            yield key, getattr(wanted, key), getattr(given, key)
    for each in fields(wanted.delivery):
        wish, there = getattr(wanted.delivery, each.name), getattr(given.delivery, each.name)
        if wish != there:
            yield f"delivery.{each.name.removesuffix('_s').replace('_', '-')}", wish, there


def agreed_store(graph: Graph, store: Mapping[str, str], found: Findings) -> dict[str, str]:
    """The store of the chain and of its sub-chains: one, so what they say of it must be the same."""
    agreed = dict(store)
    for node, chain in graph.inner:
        for key, wish in chain.store.items():
            if agreed.setdefault(key, wish) != wish:
                one = f"the chain's is {shown(agreed[key])}"
                found.add(node.at("chain"), f"its store has {key} {shown(wish)}, and {one}; give them the same store")
    return agreed
