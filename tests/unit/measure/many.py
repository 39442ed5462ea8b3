"""Traces with known truth: a call, and an event that it sends, whose every part lasts as long as it is told to."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.traces.model import Edge, Kind, Span

START = 1_790_000_000_000_000
EDGES: tuple[Edge, ...] = (("caller", "a", "call"), ("a", "b", "event"))


@dataclass(frozen=True)
class Lasting:
    """Microseconds: to `a`, what `a` does before it sends, the event's way to `b`, what `b` does. The caller has its
    answer before `b` begins."""

    there: int = 10
    before: int = 20
    way: int = 30
    work: int = 40

    @property
    def whole(self) -> int:
        return self.there + self.before + self.way + self.work


def trace(number: int, times: Lasting | None = None, *, failed: bool = False) -> list[Span]:
    """The trace whose id is `number`."""
    times = times or Lasting()
    sent = START + times.there + times.before
    return [
        _span(number, 1, None, "caller", "CLIENT", START, times.there + times.before + 1, "call"),
        _span(number, 2, 1, "a", "SERVER", START + times.there, times.before + 1, "call", failed=failed),
        _span(number, 3, 2, "a", "PRODUCER", sent, 1, "event"),
        _span(number, 4, 3, "b", "CONSUMER", sent + times.way, times.work, "event"),
    ]


def _span(
    trace: int,
    number: int,
    parent: int | None,
    service: str,
    kind: Kind,
    start: int,
    duration: int,
    message: str,
    *,
    failed: bool = False,
) -> Span:
    tags = {"toolkit.message": message, **({"error": "made up"} if failed else {})}
    above = None if parent is None else f"{parent:016x}"
    return Span(f"{trace:016x}", f"{number:016x}", "work", service, above, kind, start, duration, None, tags)
