"""Which outgoing edge a handler means. Pure: from the wiring and the handler's words to an edge, or to a clear refusal.

May live here: the choice. May not: sending.
"""

from __future__ import annotations

from toolkit.contract import Outgoing, Wiring
from toolkit.sdk.failures import NoSuchEdge


def to(wiring: Wiring, name: str | None) -> Outgoing:
    """The call edge to the function `name`, or the only one there is; raises NoSuchEdge."""
    calls = [edge for edge in wiring.outgoing if edge.via == "call"]
    found = [edge for edge in calls if name in (None, edge.to, edge.alias)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(edge.alias or edge.to for edge in calls) or "none"
    if name is None:
        wrong = "say which with to=" if calls else "there is nothing to call"
        raise NoSuchEdge(f"{wiring.function} has call edges to: {known}; {wrong}")
    raise NoSuchEdge(f"{wiring.function} has no call edge to {name!r}; it has: {known}")


def event_types(wiring: Wiring) -> list[str]:
    """The types of the outgoing event edges, each once: consumers of one type share one event.

    Not those of tasks and of their end: what leaves over these the scaffold sends (`task`, `done_types`).
    """
    plain = (edge for edge in wiring.outgoing if edge.via == "event" and edge.tasks is None and not edge.done)
    return list(dict.fromkeys(edge.type or "" for edge in plain))


def task(wiring: Wiring, name: str | None) -> Outgoing:
    """The edge of tasks to the function `name`, or the only one there is; raises NoSuchEdge."""
    tasks = [edge for edge in wiring.outgoing if edge.tasks is not None]
    found = [edge for edge in tasks if name in (None, edge.to)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(edge.to for edge in tasks) or "none"
    wrong = "say which with to=" if name is None and tasks else f"not to {name!r}" if name else "write `tasks:`"
    raise NoSuchEdge(f"{wiring.function} has edges of tasks to: {known}; {wrong}")


def done_types(wiring: Wiring) -> list[str]:
    """The types of the events that say that all tasks of a call are done, each once."""
    return list(dict.fromkeys(edge.type or "" for edge in wiring.outgoing if edge.done))


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
