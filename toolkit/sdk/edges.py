"""Which outgoing edge a handler means, and whether it may. Pure: from the wiring and the handler's words to an edge.

May live here: the choice, what was taken in one handling, and clear refusals. May not: sending.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from toolkit.contract import Outgoing, Wiring
from toolkit.sdk.failures import EdgeTaken, NoSuchEdge


def to(wiring: Wiring, name: str | None) -> Outgoing:
    """The call edge to the function `name`, or the only one there is; raises NoSuchEdge."""
    calls = _calls(wiring)
    found = [edge for edge in calls if name in (None, edge.to, edge.alias)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(edge.alias or edge.to for edge in calls) or "none"
    if name is None:
        wrong = "say which with to=" if calls else "there is nothing to call"
        raise NoSuchEdge(f"{wiring.function} has call edges to: {known}; {wrong}")
    why = f" ({name} stands in for another, which the scaffold sees to)" if _stands_in(wiring, name) else ""
    raise NoSuchEdge(f"{wiring.function} has no call edge to {name!r}{why}; it has: {known}")


def event_types(wiring: Wiring) -> list[str]:
    """The types of the outgoing event edges, each once: consumers of one type share one event.

    Not those of tasks and of their end: what leaves over these the scaffold sends (`task`, `done_types`).
    """
    return list(dict.fromkeys(edge.type or "" for edge in _events(wiring)))


def event_type(wiring: Wiring, wanted: str | None, own: str | None) -> str:
    """What an emitted event is of: `wanted` by the handler, else the only type there is, else the message's `own`."""
    types = event_types(wiring)
    known = f"{wiring.function} has event edges of type: {', '.join(types) or 'none'}"
    if wanted is not None:
        if wanted not in types:
            raise NoSuchEdge(f"{known}; not {wanted!r}")
        return wanted
    if len(types) == 1:
        return types[0]
    if own is not None and own in types:
        return own
    raise NoSuchEdge(f"{known}; " + ("say which with type=" if types else "there is nothing to emit"))


def reply_type(wiring: Wiring, own: str | None) -> str:
    """What a reply event is of. Never what came in, unless an edge says so: the broker would bring it straight back."""
    types = event_types(wiring)
    if len(types) == 1:
        return types[0]
    return own if own is not None and own in types else f"{wiring.chain}.{wiring.function}"


def fallback(wiring: Wiring, edge: Outgoing) -> Outgoing | None:
    """The edge that stands in for this one."""
    return next((each for each in wiring.outgoing if each.via == "call" and each.fallback == edge.to), None)


def steady(wiring: Wiring) -> tuple[list[Outgoing], list[str]]:
    """The call edges, and the types of the event edges, that every handling sends one message over.

    Raises NoSuchEdge where the function has edges, but none of them is for every handling.
    """
    calls = [edge for edge in _calls(wiring) if _steady(edge)]
    types = list(dict.fromkeys(edge.type or "" for edge in _events(wiring) if _steady(edge)))
    if wiring.outgoing and not calls and not types:
        raise NoSuchEdge(f"forward takes the edges that every handling takes, and {wiring.function} has none of them")
    return calls, types


def scattered(wiring: Wiring, name: str | None, kind: str | None) -> Outgoing:
    """The edge that many messages go over: to the function `name`, of the type `kind`, or the only one for many."""
    ways = [*_calls(wiring), *_events(wiring)]
    found = [edge for edge in ways if name in (None, edge.to, edge.alias) and kind in (None, edge.type)]
    if name is None and kind is None and len(found) > 1:
        found = [edge for edge in found if edge.most is None or edge.most > 1]
    if len(found) == 1 or _one_event(found):
        return found[0]
    if not ways:
        raise NoSuchEdge(f"{wiring.function} has no edge to scatter over")
    asked = [f"to {name!r}"] * (name is not None) + [f"of type {kind!r}"] * (kind is not None)
    wrong = f"none {' '.join(asked)}" if asked and not found else "say which with to= or type="
    raise NoSuchEdge(f"{wiring.function} has edges to: {_named(ways)}; {wrong}")


def invoked(wiring: Wiring, name: str) -> Outgoing:
    """The edge over which an `Invoke` continues at the function `name`: a call, or else an event. Raises NoSuchEdge."""
    ways = [*_calls(wiring), *_events(wiring)]
    found = [edge for edge in ways if name in (edge.to, edge.alias)]
    if not found:
        raise NoSuchEdge(f"{wiring.function} cannot go on to {name!r}: it has edges to: {_named(ways)}")
    if found[0].via == "event" and len(found) > 1:
        raise NoSuchEdge(f"{wiring.function} has several event edges to {name}: {_named(found)}; emit with type=")
    return found[0]


def answer_type(wiring: Wiring) -> str | None:
    """The type of the event that is the chain's answer: of the edge to the gateway, or the only one there is.

    None where no event leaves this function at all: then nobody waits for one. Raises NoSuchEdge.
    """
    types = event_types(wiring)
    answers = [edge.type or "" for edge in _events(wiring) if edge.answers]
    if answers or len(types) == 1:
        return (answers or types)[0]
    if types:
        raise NoSuchEdge(f"{wiring.function} has event edges of type: {', '.join(types)}; none leads to a gateway")
    return None


def _calls(wiring: Wiring) -> list[Outgoing]:
    return [edge for edge in wiring.outgoing if edge.via == "call" and edge.fallback is None]


def _stands_in(wiring: Wiring, name: str) -> bool:
    return any(edge.to == name and edge.fallback is not None for edge in wiring.outgoing)


def _steady(edge: Outgoing) -> bool:
    return (edge.least, edge.most, edge.choice) == (1, 1, None)


def _events(wiring: Wiring) -> list[Outgoing]:
    return [edge for edge in wiring.outgoing if edge.via == "event" and edge.tasks is None and not edge.done]


def _of_type(wiring: Wiring, kind: str) -> list[Outgoing]:
    return [edge for edge in _events(wiring) if edge.type == kind]


def _one_event(found: Sequence[Outgoing]) -> bool:
    """Whether one event goes over all of these."""
    return bool(found) and all((edge.via, edge.type) == ("event", found[0].type) for edge in found)


def _named(found: Iterable[Outgoing]) -> str:
    names = ((edge, edge.alias or edge.to) for edge in found)
    return ", ".join(name if edge.via == "call" else f"{name} ({edge.type})" for edge, name in names) or "none"


class Taken:
    """What one handling has sent over its edges, as far as its chain bounds it."""

    __slots__ = ("_choices", "_counts", "_wiring")

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._counts: dict[tuple[str, str], int] = {}
        self._choices: dict[str, tuple[str, str]] = {}

    def call(self, edge: Outgoing, times: int = 1) -> None:
        """`times` messages more over a call edge. Raises EdgeTaken, and then nothing counts."""
        self._take(("call", edge.to), (edge,), times)

    def event(self, kind: str, times: int = 1) -> None:
        """`times` events more of a type. Raises EdgeTaken, and then nothing counts."""
        self._take(("event", kind), _of_type(self._wiring, kind), times)

    def _take(self, way: tuple[str, str], edges: Sequence[Outgoing], times: int) -> None:
        before = self._counts.get(way, 0)
        for edge in edges:
            if edge.most is not None and before + times > edge.most:
                raise EdgeTaken(
                    f"{self._wiring.function} sends at most {_messages(edge.most)} to {_named((edge,))} in a handling; "
                    f"this would be {before + times:,}"
                )
            if edge.choice is not None and times:
                self._choose(edge, way)
        self._counts[way] = before + times

    def _choose(self, edge: Outgoing, way: tuple[str, str]) -> None:
        taken = self._choices.setdefault(edge.choice or "", way)
        if taken != way:
            raise EdgeTaken(
                f"{self._wiring.function} takes one edge of its choice {edge.choice!r} in a handling: it has taken "
                f"that of {taken[1]}, and not also that to {_named((edge,))}"
            )


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
