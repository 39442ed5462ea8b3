"""A trace as text: one line a span, indented as a tree, with a bar that shows when it ran.

May live here: laying out spans for a terminal, as a pure function. Names and tags come from whoever sent the spans, so
nothing of them that a terminal would obey (escape sequences, line breaks, bidirectional marks) gets through.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from toolkit.traces import tree
from toolkit.traces.model import Span
from toolkit.traces.tree import Tree

WIDTH = 100  # columns
MOST = 500  # spans that are shown
_LEAST_WIDTH = 60
_TIMES = 2 * 9 + 2  # columns of offset and duration
_RED, _DIM, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every line needs to know: the columns of both sides, and the time that the bars' whole width stands for.

    `deepest` levels are indented; what is deeper stands at that one, and says its level.
    """

    label: int
    bar: int
    deepest: int
    start: int
    total: int
    colour: bool


def render(spans: Iterable[Span], *, width: int = WIDTH, colour: bool = False, most: int = MOST) -> str:
    """The waterfall of one trace's spans, `width` columns wide (60 at least), with a line break at its end.

    Offsets count from the start of the earliest span. `?` stands for a time that no span told. Spans that failed carry
    `✗` and their error below; spans whose parent is not in the trace carry `⚠`.
    """
    arranged = tree.build(spans)
    if not arranged.spans:
        return "no spans\n"
    start, end = tree.started(arranged.spans) or 0, tree.ended(arranged.spans) or 0
    label = max(_LEAST_WIDTH, width) * 11 // 20
    frame = _Frame(label, max(_LEAST_WIDTH, width) - label - _TIMES - 2, label // 6, start, max(1, end - start), colour)
    lines = [_head(arranged), *_body(arranged, frame, most)]
    return "\n".join(lines) + "\n"


def _head(arranged: Tree) -> str:
    start, end = tree.started(arranged.spans), tree.ended(arranged.spans)
    services = len({span.service for span in arranged.spans if span.service})
    failed = sum("error" in span.tags for span in arranged.spans)
    parts = [
        f"trace {_clean(arranged.spans[0].trace)}",
        _some(len(arranged.spans), "span"),
        _some(services, "service"),
        short_time(None if start is None or end is None else end - start).strip(),
        *([f"{failed} failed"] if failed else []),
        *([_some(len(arranged.orphans), "orphan")] if arranged.orphans else []),
    ]
    return " · ".join(parts)


def _body(arranged: Tree, frame: _Frame, most: int) -> Iterator[str]:
    indents: list[str] = []
    for row, (at, depth) in enumerate(arranged.walk()):
        if row == most:
            yield f"… {_some(len(arranged.spans) - most, 'span')} more"
            return
        last = _is_last(arranged, at)
        del indents[depth:]
        yield _line(arranged, at, depth, _indent(indents, depth, last, frame.deepest), frame)
        if (error := arranged.spans[at].tags.get("error")) is not None:
            yield _error(error, _under(indents, depth, last, frame.deepest), frame)
        indents.append("   " if last or not depth else "│  ")


def _is_last(arranged: Tree, at: int) -> bool:
    parent = arranged.parents[at]
    return parent is None or arranged.children[parent][-1] == at


def _indent(indents: Sequence[str], depth: int, last: bool, deepest: int) -> str:
    if not depth:
        return ""
    if depth > deepest:
        return "".join(indents[1:deepest]) + f"{'└' if last else '├'}…{depth} "
    return "".join(indents[1:depth]) + ("└─ " if last else "├─ ")


def _under(indents: Sequence[str], depth: int, last: bool, deepest: int) -> str:
    above = "".join(indents[1 : min(depth, deepest)])
    return above + ("   " if last or not depth else "│  ")


def _line(arranged: Tree, at: int, depth: int, indent: str, frame: _Frame) -> str:
    span = arranged.spans[at]
    failed = "error" in span.tags
    mark = ("✗ " if failed else "") + ("⚠ " if at in arranged.orphans or at in arranged.looped else "")
    kind = f" [{span.kind.lower()}]" if span.kind else ""
    label = _fit(f"{indent}{mark}{_clean(span.service or '?')}: {_clean(span.name or '?')}{kind}", frame.label)
    offset = None if span.timestamp is None else span.timestamp - frame.start
    line = f"{label} {short_time(offset)} {short_time(span.duration)}  {_bar(span, frame)}".rstrip()
    return f"{_RED}{line}{_PLAIN}" if failed and frame.colour else line


def _error(error: str, indent: str, frame: _Frame) -> str:
    text = _fit(f"{indent}  error: {_clean(error) or '(no text)'}", frame.label + _TIMES + frame.bar).rstrip()
    return f"{_DIM}{text}{_PLAIN}" if frame.colour else text


def _bar(span: Span, frame: _Frame) -> str:
    """The span's place in the whole time; an instant is a thin stroke, and what has no time has no bar."""
    if span.timestamp is None:
        return ""
    begin = min((span.timestamp - frame.start) * frame.bar // frame.total, frame.bar - 1)
    length = (span.duration or 0) * frame.bar / frame.total
    return " " * begin + ("█" * max(1, min(round(length), frame.bar - begin)) if length >= 0.5 else "▏")


def short_time(microseconds: int | None) -> str:
    """Nine columns, three digits: `412 µs`, `3.41 ms`, `12.7 s`, `?`."""
    if microseconds is None:
        return "?".rjust(9)
    if abs(microseconds) < 1000:
        return f"{microseconds} µs".rjust(9)
    unit, number = ("ms", microseconds / 1e3) if abs(microseconds) < 999_500 else ("s", microseconds / 1e6)
    if abs(number) >= 99_999.5:
        return f"{number:.0e} s".rjust(9)
    digits = 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
    return f"{number:.{digits}f} {unit}".rjust(9)


def _clean(text: str) -> str:
    """Every character a terminal could obey, replaced by `·`."""
    return "".join(each if each.isprintable() else "·" for each in text[:400])


def _fit(text: str, width: int) -> str:
    """`text` in exactly `width` columns: filled up, or cut with `…`."""
    if text.isascii() and len(text) <= width:
        return text.ljust(width)
    kept, used = [], 0
    for each in text:
        columns = _columns(each)
        if used + columns > width:
            break
        kept.append(each)
        used += columns
    if len(kept) < len(text):
        while kept and used > width - 1:
            used -= _columns(kept.pop())
        return "".join(kept) + "…" + " " * (width - 1 - used)
    return "".join(kept) + " " * (width - used)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
