"""Cycles of a graph, found without recursion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def cycles(successors: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Cycles that share no function at their ends, as the names along each, the first one repeated at the end.

    Empty if and only if the graph has none. Linear, but for the length of what is returned.
    """
    done: set[str] = set()
    told: set[str] = set()
    found = []
    for start in successors:
        if start not in done:
            found.extend(_walk(start, successors, done, told))
    return found


def _walk(start: str, successors: Mapping[str, Sequence[str]], done: set[str], told: set[str]) -> list[list[str]]:
    path, on_path, ahead = [start], {start: 0}, [iter(successors[start])]
    found = []
    while path:
        name = next(ahead[-1], None)
        if name is None:
            ahead.pop()
            del on_path[path[-1]]
            done.add(path.pop())
        elif name in on_path:
            if name not in told and path[-1] not in told:
                found.append([*path[on_path[name] :], name])
                told.update(found[-1])
        elif name not in done:
            on_path[name] = len(path)
            path.append(name)
            ahead.append(iter(successors[name]))
    return found


def told(cycle: Sequence[str]) -> str:
    """`a → b → a`, cut in the middle when it is long."""
    return " → ".join(cycle if len(cycle) <= 20 else [*cycle[:10], "…", *cycle[-9:]])


def components(successors: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """A number for each function: the same for two that paths lead to from each other. Linear (Kosaraju)."""
    before: dict[str, list[str]] = {name: [] for name in successors}
    for name, others in successors.items():
        for other in others:
            before[other].append(name)
    part: dict[str, int] = {}
    for number, start in enumerate(reversed(_by_end(successors))):
        ahead = [start]
        while ahead:
            if (name := ahead.pop()) not in part:
                part[name] = number
                ahead.extend(before[name])
    return part


def _by_end(successors: Mapping[str, Sequence[str]]) -> list[str]:
    """The functions in the order in which a depth-first walk is done with them."""
    seen: set[str] = set()
    order = []
    for start in successors:
        path = [] if start in seen else [(start, iter(successors[start]))]
        seen.add(start)
        while path:
            name, ahead = path[-1]
            following = next((each for each in ahead if each not in seen), None)
            if following is None:
                order.append(name)
                path.pop()
            else:
                seen.add(following)
                path.append((following, iter(successors[following])))
    return order
