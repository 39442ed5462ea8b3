"""Where a graph's nodes stand: columns by the longest way from a beginning, rows so that few lines cross.

May live here: the layered drawing of any directed graph (Sugiyama's: cut cycles, layer, order by barycentre), as a pure
and deterministic function of nodes and edges in their order. May not: what nodes and edges mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

SWEEPS = 8  # to the right and back; more change nothing in graphs that anybody looks at

Ways = Mapping[str, Sequence[str]]


def place(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """(column, row) of every node, both from 0; edges of unknown nodes, and from a node to itself, count nothing."""
    known = set(nodes)
    pairs = [(a, b) for a, b in dict.fromkeys(edges) if a != b and a in known and b in known]
    forward = _acyclic(nodes, pairs)
    columns = _columns(nodes, forward)
    layers: list[list[str]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    for node in nodes:
        layers[columns[node]].append(node)
    rows = _ordered(layers, _ways((b, a) for a, b in pairs), _ways(pairs))
    return {node: (columns[node], rows[node]) for node in nodes}


def _ways(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for a, b in pairs:
        found.setdefault(a, []).append(b)
    return found


def _acyclic(nodes: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges without those that lead back to where a walk came from; walks begin where nothing leads to."""
    after, led_to = _ways(pairs), {b for _, b in pairs}
    state: dict[str, int] = {}  # 1 on the walk, 2 behind it
    back: set[tuple[str, str]] = set()
    for start in sorted(nodes, key=lambda node: node in led_to):
        walk = [(start, iter(after.get(start, ())))] if start not in state else []
        state.setdefault(start, 1)
        while walk:
            at, ahead = walk[-1]
            to = next(ahead, None)
            if to is None:
                state[at] = 2
                walk.pop()
            elif state.get(to) == 1:
                back.add((at, to))
            elif to not in state:
                state[to] = 1
                walk.append((to, iter(after.get(to, ()))))
    return [pair for pair in pairs if pair not in back]


def _columns(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest way to each node; `edges` have no cycle."""
    after, waiting_for = _ways(edges), dict.fromkeys(nodes, 0)
    for _, to in edges:
        waiting_for[to] += 1
    column = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not waiting_for[node]]
    while ready:
        at = ready.pop()
        for to in after.get(at, ()):
            column[to] = max(column[to], column[at] + 1)
            waiting_for[to] -= 1
            if not waiting_for[to]:
                ready.append(to)
    return column


def _ordered(layers: list[list[str]], before: Ways, after: Ways) -> dict[str, int]:
    rows = {node: row for layer in layers for row, node in enumerate(layer)}
    for sweep in range(SWEEPS):
        neighbours, order = (before, layers) if sweep % 2 == 0 else (after, layers[::-1])
        for layer in order:
            centres = {node: _centre(node, neighbours, rows) for node in layer}
            layer.sort(key=lambda node: (centres[node], rows[node]))
            rows.update((node, row) for row, node in enumerate(layer))
    return rows


def _centre(node: str, neighbours: Ways, rows: Mapping[str, int]) -> float:
    beside = neighbours.get(node)
    return sum(rows[each] for each in beside) / len(beside) if beside else float(rows[node])
