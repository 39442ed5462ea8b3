"""A chain that has been read but not judged: functions and edges with their places in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from toolkit.contract import Scalar, Transfer, Via
from toolkit.spec.demands import Demands
from toolkit.spec.findings import At, Place
from toolkit.spec.model import ChainSpec, Protocol


@dataclass(frozen=True, slots=True)
class Node:
    """A function. `repeat` is its number of copies in a row, `parallel` that of copies side by side.

    `place` is where its name stands, `said` where each of its keys has its value. Where `is_chain`, it stands for a
    sub-chain, which is `inner` (None when it could not be read).
    """

    name: str
    place: Place
    handler: str
    replicas: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    repeat: int = 1
    parallel: int = 1
    beside: int = 1  # of so many copies side by side it is one, once they have been made
    protocol: Protocol | None = None
    said: Mapping[str, Place] = field(default_factory=dict)
    demands: Demands = field(default_factory=Demands)
    join: str | int | None = None  # `all`, or so many; 0: parts
    gateway: str | None = None
    image: str | None = None
    command: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    folder: str | None = None
    parameters: Mapping[str, Scalar] | None = None
    chain: str | None = None
    is_chain: bool = False
    inner: ChainSpec | None = None

    @property
    def is_gateway(self) -> bool:
        """Also where its path could not be read."""
        return self.gateway is not None or "gateway" in self.said

    def at(self, key: str) -> Place:
        """Where the value of `key` stands; the function's name where it has none."""
        return self.said.get(key, self.place)


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between known functions. `why` says how a repetition made it, when one did.

    `said` tells where each of its keys has its value.
    """

    source: str
    to: str
    via: Via
    place: Place
    method: str | None = None
    type: str | None = None
    said: Mapping[str, Place] = field(default_factory=dict)
    why: str = ""
    least: int = 1
    most: int | None = 1
    choice: str | None = None
    loop: int | None = None
    retry: int = 0
    fallback: str | None = None
    transfer: Transfer = "inline"
    tasks: int | None = None
    done: bool = False
    alias: str | None = None

    @property
    def plain(self) -> bool:
        """Whether every handling sends over it, whatever it does."""
        return not (self.own or self.fallback)

    @property
    def own(self) -> bool:
        """Whether what it sends is told from what the function's other edges send."""
        return self.bounded or self.done or self.choice is not None

    def at(self, key: str) -> Place:
        """Where the value of `key` stands; the edge itself where it has none."""
        return self.said.get(key, self.place)

    @property
    def bounded(self) -> bool:
        """Whether something ends a circle that it closes: so many rounds, or so many tasks, also where unreadable."""
        return self.loop is not None or self.tasks is not None or not {"loop", "tasks"}.isdisjoint(self.said)


@dataclass(frozen=True, slots=True)
class Graph:
    """Functions and edges in the order of the file; of edges, those that can be followed."""

    chain: str
    nodes: Mapping[str, Node]
    links: tuple[Link, ...]
    entry: At | None = None  # as the file names it
    dead_letter: At | None = None
    broker: str | None = None  # its name
    inner: tuple[tuple[Node, ChainSpec], ...] = ()  # its sub-chains, and the functions that stood for them

    def type_of(self, link: Link) -> str:
        """The CloudEvents type of an event edge: its own, or the chain's name and the sender's.

        The receiver's besides, where not every receiver is to get it: the broker compares type and sender alone.
        """
        return link.type or f"{self.chain}.{link.source}" + (f".{link.to}" if link.own else "")

    def into(self) -> dict[str, list[Link]]:
        return _by(self.nodes, ((link.to, link) for link in self.links))

    def out_of(self) -> dict[str, list[Link]]:
        return _by(self.nodes, ((link.source, link) for link in self.links))

    def reach(self, starts: Iterable[str]) -> set[str]:
        """Every function that a path from one of `starts` leads to, these included."""
        out_of, reached, ahead = self.out_of(), set(), list(starts)
        while ahead:
            if (name := ahead.pop()) not in reached:
                reached.add(name)
                ahead.extend(link.to for link in out_of[name])
        return reached


def _by(nodes: Mapping[str, Node], pairs: Iterable[tuple[str, Link]]) -> dict[str, list[Link]]:
    links: dict[str, list[Link]] = {name: [] for name in nodes}
    for name, link in pairs:
        links[name].append(link)
    return links
