"""The chain in one or a few lines: `caller ─▶ producer ─call─▶ consumer`, `~event~▶` for events."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.contract import CALLER
from toolkit.report.characters import printable
from toolkit.results import Report

INDENT = "  "


def chain_lines(report: Report, width: int) -> Iterator[str]:
    """Every edge once. A path runs on as far as it can; each branch gets a line of its own, from where it leaves."""
    entry = report.entry or (report.edges[0][0] if report.edges else None)
    if entry is None:
        return
    open_edges: dict[str, list[tuple[str, str]]] = {}
    for source, to, via in report.edges:
        open_edges.setdefault(source, []).append((to, via))
    yield from _folded([CALLER, *_path(entry, "", open_edges)], width)
    for source in list(open_edges):
        while open_edges[source]:
            to, via = open_edges[source].pop(0)
            yield from _folded([printable(source), *_path(to, via, open_edges)], width)


def arrow(via: str) -> str:
    return {"": "─▶", "event": "~event~▶"}.get(via, f"─{via}─▶")


def _path(to: str, via: str, open_edges: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """`─via─▶ to`, and on over the first edge that is still open."""
    while True:
        yield printable(f"{arrow(via)} {to}")
        if not open_edges.get(to):
            return
        to, via = open_edges[to].pop(0)


def _folded(steps: list[str], width: int) -> Iterator[str]:
    line = INDENT + steps[0]
    for step in steps[1:]:
        if len(line) + 1 + len(step) > width:
            yield line
            line = INDENT * 2
        line = f"{line} {step}" if line.strip() else line + step
    yield line
