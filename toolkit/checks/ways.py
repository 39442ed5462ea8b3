"""The way that led to each message, as far as it loops: how often it went over each edge that leads back.

May live here: counting, without recursion, since a loop may be long. May not: what else an edge allows (`followed`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.checks.ledger import Ledger, short
from toolkit.spec.model import Edge

Handled = tuple[str, str]  # message, function
Place = tuple[str, str, str, str | None]  # an edge: from, to, via, and an event's type
Way = Mapping[Place, int]


def beyond(ledger: Ledger) -> Iterator[str]:
    """Messages whose way leads over an edge more often than its `loop` allows, in words."""
    bounds = {_place(edge): edge.loop for edge in ledger.chain.edges if edge.loop is not None}
    if not bounds:
        return
    ways = _Ways(ledger, frozenset(bounds))
    for sends in ledger.sends.values():
        receipt, sent = sends[0]
        above = ways.to_handling((receipt.message, receipt.function))
        for to in ledger.receivers(receipt.function, sent):
            place = (receipt.function, to, sent.via, sent.type)
            if place in bounds and (times := above.get(place, 0) + 1) > bounds[place]:
                yield (
                    f"the way to a message of {receipt.function} led {times} times over {receipt.function} → {to}, "
                    f"which may loop {bounds[place]} times (call {short(receipt.call)})"
                )


def _place(edge: Edge) -> Place:
    return edge.source, edge.to, edge.via, edge.type if edge.via == "event" else None


class _Ways:
    """The way to each handling, found once."""

    def __init__(self, ledger: Ledger, loops: frozenset[Place]) -> None:
        self._ledger, self._loops = ledger, loops
        self._known: dict[Handled, Way] = {}

    def to_handling(self, key: Handled) -> Way:
        """Handled together with others, it came the longest of their ways."""
        path, begun = [key], set[Handled]()
        while path:
            at = path[-1]
            if at in self._known:
                path.pop()
            elif at not in begun:
                begun.add(at)  # what is its own ancestor, as only nonsense is, is not asked again
                path.extend(parent for parent, _ in self._above(at) if parent not in begun)
            else:
                self._known[path.pop()] = self._longest(at)
        return self._known[key]

    def _longest(self, key: Handled) -> Way:
        found: dict[Place, int] = {}
        for parent, place in self._above(key):
            for each, times in self._with(self._known.get(parent, {}), place).items():
                found[each] = max(times, found.get(each, 0))
        return found

    def _above(self, key: Handled) -> Iterator[tuple[Handled, Place]]:
        """The handlings that sent what this one handled, and over which edge."""
        message, function = key
        own = self._ledger.handlings.get(key, ())
        for each in dict.fromkeys((message, *(other for receipt in own for other in receipt.joined))):
            if sends := self._ledger.sends.get(each, ()):
                receipt, sent = sends[0]
                yield (receipt.message, receipt.function), (receipt.function, function, sent.via, sent.type)

    def _with(self, way: Way, place: Place) -> Way:
        return {**way, place: way.get(place, 0) + 1} if place in self._loops else way
