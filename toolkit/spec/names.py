"""The names that edges get on a cluster: one Trigger for every event edge, each with a name of its own."""

from __future__ import annotations

from collections.abc import Iterable


def trigger_names(edges: Iterable[tuple[str, str]]) -> list[str]:
    """The Trigger's name for each event edge (source, to): `source-to-to`; then `-2`, `-3` for more between the two."""
    seen: dict[tuple[str, str], int] = {}
    names = []
    for source, to in edges:
        count = seen[source, to] = seen.get((source, to), 0) + 1
        names.append(f"{source}-to-{to}" + (f"-{count}" if count > 1 else ""))
    return names


def copies(name: str, count: int) -> list[str]:
    """The functions that `name`, repeated `count` times, becomes: `relay` alone, or `relay-1`, `relay-2`, …"""
    return [name] * count if count < 2 else [f"{name}-{number}" for number in range(1, count + 1)]
