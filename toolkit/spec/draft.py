"""A chain that has been read but not judged: functions and edges with their places in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from toolkit.contract import Transfer, Via
from toolkit.spec.demands import Demands
from toolkit.spec.findings import At, Place
from toolkit.spec.model import Protocol


@dataclass(frozen=True, slots=True)
class Node:
    """A function. `repeat` is its number of copies; `place` is where its name stands."""

    name: str
    place: Place
    handler: str
    replicas: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    repeat: int = 1
    repeat_place: Place | None = None
    protocol: Protocol | None = None
    protocol_place: Place | None = None
    demands: Demands = field(default_factory=Demands)
    join: str | int | None = None  # `all`, or so many; 0: parts
    gateway: str | None = None
    image: str | None = None
    command: tuple[str, ...] = ()
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between known functions. `why` says how a repetition made it, when one did."""

    source: str
    to: str
    via: Via
    place: Place
    method: str | None = None
    method_place: Place | None = None
    type: str | None = None
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

    @property
    def bounded(self) -> bool:
        """Whether something ends a circle that it closes: so many rounds, or so many tasks."""
        return self.loop is not None or self.tasks is not None


@dataclass(frozen=True, slots=True)
class Graph:
    """Functions and edges in the order of the file; of edges, those that can be followed."""

    chain: str
    nodes: Mapping[str, Node]
    links: tuple[Link, ...]
    entry: At | None = None  # as the file names it
    dead_letter: At | None = None
    broker: str | None = None  # its name

    def type_of(self, link: Link) -> str:
        """The CloudEvents type of an event edge: its own, or the chain's name and the sender's."""
        return link.type or f"{self.chain}.{link.source}"

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
