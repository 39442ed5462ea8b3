"""Trace context on the wire: W3C Trace Context first, B3 (single and multi header) where it is missing.

May live here: parsing and writing of headers. May not: OpenTelemetry, so that a function that records no span loads
none of it. Sources: W3C Trace Context level 2 and openzipkin/b3-propagation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

SAMPLED = 1
RANDOM = 2  # level 2: the trace id is random; passed on as it came
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
B3 = "b3"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_B3 = re.compile(r"([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d]))?(?:-[0-9a-f]{16})?")
_HEX = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_MAX_STATE = 512  # characters of tracestate every participant has to carry


class Position(NamedTuple):
    """A place in a trace: what a child names as its parent. A root that only a decision is known of has no ids."""

    trace: str  # 32 hex digits; "" when only the sampling decision came
    span: str  # 16 hex digits
    flags: int
    state: str = ""  # tracestate, as it came

    @property
    def sampled(self) -> bool:
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace}-{self.span}-{self.flags:02x}"

    @property
    def b3(self) -> str:
        return f"{self.trace}-{self.span}-{self.flags & SAMPLED}"


def new_trace() -> str:
    # From the kernel, never from a generator: processes restored from one VM snapshot would repeat each other.
    return os.urandom(16).hex()


def new_span() -> str:
    return os.urandom(8).hex()


def extract(headers: Mapping[str, str]) -> Position | None:
    """Where the sender stands, out of lower-case headers; None when there is nothing valid."""
    traceparent = headers.get(TRACEPARENT)
    found = parse(traceparent, headers.get(TRACESTATE, "")) if traceparent else None
    return found or _b3_single(headers.get(B3)) or _b3_multi(headers)


def parse(traceparent: str, state: str = "") -> Position | None:
    """The position a `traceparent` names; None when it is not valid, and then `state` means nothing either."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return Position(trace, span, int(flags, 16) & (SAMPLED | RANDOM), state if len(state) <= _MAX_STATE else "")


def _b3_single(header: str | None) -> Position | None:
    if not header:
        return None
    if header in ("0", "1", "d"):
        return Position("", "", 0 if header == "0" else SAMPLED)
    found = _B3.fullmatch(header.lower())
    return _of_b3(found[1], found[2], found[3] in (None, "1", "d")) if found else None


def _b3_multi(headers: Mapping[str, str]) -> Position | None:
    trace, span = headers.get("x-b3-traceid", "").lower(), headers.get("x-b3-spanid", "").lower()
    decision = "1" if headers.get("x-b3-flags") == "1" else headers.get("x-b3-sampled", "").lower()
    sampled = decision not in ("0", "false")  # no decision: the receiver decides, and a known trace is worth having
    if _HEX.fullmatch(trace) and _HEX.fullmatch(span) and len(span) == 16:
        return _of_b3(trace, span, sampled)
    return Position("", "", SAMPLED if sampled else 0) if decision in ("0", "1", "true", "false") else None


def _of_b3(trace: str, span: str, sampled: bool) -> Position | None:
    trace = trace.rjust(32, "0")
    if trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return Position(trace, span, SAMPLED if sampled else 0)
