"""What is not finished: each accepted event until every Trigger has it, or has lost it for good.

May live here: keeping count, and knowing what would be lost if everything stopped now. Nothing that waits or sends.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.engines.local.broker.delivery import Leg


class UnderWay:
    """The events of all brokers that are not finished; `open` is how many. A reply that has come in is one of them."""

    def __init__(self) -> None:
        self.open = 0
        self.cutting = False  # from now on, whatever ends unfinished ends because we stop
        self._legs: dict[Leg, None] = {}  # in the order of their events

    def begin(self, legs: Sequence[Leg]) -> None:
        """An event is accepted. Not for the task to say that carries it: it may be cancelled before its first step."""
        self.open += 1
        self._legs.update(dict.fromkeys(legs))

    def end(self, legs: Sequence[Leg]) -> None:
        """The event is through, or its producer has left. What is cut off stays, to be told."""
        if self.cutting:
            return
        self.open -= 1
        for leg in legs:
            del self._legs[leg]

    def take_lost(self) -> list[Leg]:
        """The legs that were cut off with something at stake; nothing is under way afterwards."""
        found = [leg for leg in self._legs if leg.at_stake is not None]
        self.open = 0
        self._legs.clear()
        return found
