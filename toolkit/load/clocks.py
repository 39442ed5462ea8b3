"""What one machine's monotonic clock says when another's says something: from questions and answers. Pure.

A question leaves at one moment, is answered with the other's clock, and the answer arrives at a later one: the other
clock was read somewhere between. Of several, the quickest says it most exactly (as in NTP, RFC 5905 section 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: our clock before and after it, and theirs between. Nanoseconds."""

    before_ns: int
    theirs_ns: int
    after_ns: int


@dataclass(frozen=True, slots=True)
class Offset:
    """What theirs is ahead of ours, and by how much that may be wrong at most. Nanoseconds."""

    ns: int = 0
    error_ns: int = 0

    def ours(self, theirs_ns: int) -> int:
        return theirs_ns - self.ns

    def theirs(self, ours_ns: int) -> int:
        return ours_ns + self.ns


def offset(asked: Sequence[Asked], *, same_kernel: bool) -> Offset:
    """Of one kernel there is one clock, and nothing to guess, unless it is seen to be another (a time namespace)."""
    best = min(asked, key=lambda each: each.after_ns - each.before_ns)
    found = Offset(best.theirs_ns - (best.before_ns + best.after_ns) // 2, (best.after_ns - best.before_ns + 1) // 2)
    return Offset() if same_kernel and abs(found.ns) <= found.error_ns else found


def drifted(first: Offset, last: Offset) -> Offset:
    """The first one, with what the two clocks went apart until the last as a part of its error."""
    return Offset(first.ns, max(first.error_ns, last.error_ns) + abs(last.ns - first.ns)) if last != first else first
