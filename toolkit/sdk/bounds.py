"""How often the way to a message led over edges that loop: read off the wire, counted on, and held to.

May live here: that text and its arithmetic. May not: which edge is taken (`edges`), sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from toolkit.contract import Outgoing, Wiring
from toolkit.sdk.failures import LoopBound

MOST = 4096  # characters of what came; a chain's loops take a few dozen
UNREADABLE = "?"  # what is passed on in place of what cannot be read, so that nobody further on begins at 0
_LOOP = re.compile(r"([^=,>\s]{1,100}>[^=,>\s]{1,900})=([0-9]{1,9})")

Loops = Mapping[str, int]  # by edge: `from>to`, or `from>to/type` where several lead there and loop


def read(text: object) -> Loops | None:
    """What the wire says: `a>b=3,b>a=2`, and nothing where there was no loop yet. None when it cannot be read."""
    if text is None or text == "":
        return {}
    if not isinstance(text, str) or len(text) > MOST:
        return None
    found: dict[str, int] = {}
    for each in text.split(","):
        said = _LOOP.fullmatch(each)
        if said is None or said[1] in found:
            return None
        found[said[1]] = int(said[2])
    return found


def longest(ways: Iterable[Loops | None]) -> Loops | None:
    """Of messages that are handled together: of each edge the way that led over it most often."""
    found: dict[str, int] = {}
    for way in ways:
        if way is None:
            return None
        found.update({edge: max(times, found.get(edge, 0)) for edge, times in way.items()})
    return found


def beyond(loops: Loops | None, wiring: Wiring, edges: Iterable[Outgoing]) -> str:
    """What a message over these edges says, "" where there is nothing to say. Raises LoopBound."""
    looping = [edge for edge in edges if edge.loop is not None]
    if not looping:
        return written(loops)
    if loops is None:
        raise LoopBound(
            f"{wiring.function} cannot go on to {looping[0].to}: how often the way here led over it cannot be read"
        )
    counted = dict(loops)
    for edge in looping:
        name = _name(wiring, edge)
        counted[name] = times = counted.get(name, 0) + 1
        if times > (edge.loop or 0):
            way = f"{wiring.function} -> {edge.to}" + (f" ({edge.type})" if "/" in name else "")
            raise LoopBound(f"the way here led {times - 1} times over {way}, which is its bound")
    return written(counted)


def _name(wiring: Wiring, edge: Outgoing) -> str:
    """The edge as the wire names it: events of different types to one function are different ways."""
    same = sum(each.loop is not None and each.to == edge.to for each in wiring.outgoing)
    name = f"{wiring.function}>{edge.to}"
    return name if same == 1 else f"{name}/{quote(edge.type or '', safe='/')}"


def written(loops: Loops | None) -> str:
    if not loops:
        return UNREADABLE if loops is None else ""
    return ",".join(f"{edge}={times}" for edge, times in loops.items())
