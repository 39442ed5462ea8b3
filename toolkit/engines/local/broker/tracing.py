"""The headers besides the event that travel with it: trace context, baggage, and the few that are passed through.

May live here: pure rules (OpenTelemetry-Go's TraceContext and Baggage propagators, as otelhttp runs them on each hop
with tracing off; eventing `utils.PassThroughHeaders`). Names come in and go out in Go's canonical form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

Header = tuple[bytes, bytes]

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-(.*))?", re.DOTALL)
_KEY = re.compile(rb"[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}")
_VALUE = re.compile(rb"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAGGAGE_VALUE = re.compile(rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_BAGGAGE_ESCAPE = re.compile(rb"[^\x21\x23-\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]")


@dataclass(frozen=True, slots=True)
class Carried:
    """What one hop hands to the next. `passed` are the pass-through headers, `trace` the rest, canonical, unsorted."""

    passed: tuple[Header, ...] = ()
    trace: tuple[Header, ...] = ()

    def without_baggage(self) -> Carried:
        """As it leaves a channel that answers first: the context is copied, the baggage forgotten."""
        return Carried(self.passed, tuple(header for header in self.trace if header[0] != b"Baggage"))


NOTHING = Carried()


def canonical(name: bytes) -> bytes:
    """textproto.CanonicalMIMEHeaderKey, of a name that is a token."""
    return b"-".join([part.capitalize() for part in name.split(b"-")])


def passes(lower: bytes) -> bool:
    """Whether a header is handed through; `lower` is its name in lower case."""
    return lower in (b"x-request-id", b"retry-after") or lower.startswith((b"knative-", b"x-b3-"))


def passed_through(headers: Iterable[Header]) -> tuple[Header, ...]:
    return tuple((canonical(name), value) for name, value in headers if passes(name.lower()))


def trace_headers(parent: bytes | None, state: bytes | None, baggage: list[bytes]) -> tuple[Header, ...]:
    """What is injected after these were extracted: nothing that does not parse, the rest written anew."""
    found: list[Header] = []
    if baggage and (text := _baggage(baggage)):
        found.append((b"Baggage", text))
    written = _traceparent(parent) if parent else None
    if written is not None:
        found.append((b"Traceparent", written))
        if state and (text := _tracestate(state)):
            found.append((b"Tracestate", text))
    return tuple(found)


def _traceparent(value: bytes) -> bytes | None:
    parts = _TRACEPARENT.fullmatch(value)
    if parts is None or parts[1] == b"ff" or not parts[2].strip(b"0") or not parts[3].strip(b"0"):
        return None
    flags = int(parts[4], 16)
    if parts[1] == b"00" and (parts[5] or flags > 3):
        return None
    return b"00-%b-%b-%02x" % (parts[2], parts[3], flags & 3)


def _tracestate(value: bytes) -> bytes:
    """The list written anew, or nothing when a member is bad, twice there, or one too many (32)."""
    members: dict[bytes, bytes] = {}
    for part in value.split(b","):
        if not part:
            continue
        key, equals, text = part.partition(b"=")
        key, text = key.lstrip(b" \t"), text.rstrip(b" \t")
        if not equals or key in members or not _KEY.fullmatch(key) or not _VALUE.fullmatch(text):
            return b""
        members[key] = text
    return b",".join(b"%b=%b" % pair for pair in members.items()) if len(members) <= 32 else b""


def _baggage(values: list[bytes]) -> bytes:
    members: dict[bytes, bytes] = {}
    for value in values:
        members.update(_baggage_list(value))
    return b",".join(members.values())


def _baggage_list(value: bytes) -> dict[bytes, bytes]:
    members: dict[bytes, bytes] = {}
    for part in value.split(b","):
        pair, *properties = part.split(b";")
        key, equals, text = pair.partition(b"=")
        key, text = key.strip(b" \t"), text.strip(b" \t")
        written = [_property(each) for each in properties]
        if not equals or not _TOKEN.fullmatch(key) or not _BAGGAGE_VALUE.fullmatch(text) or None in written:
            return {}  # one bad member spoils its header
        members[key] = b";".join([key + b"=" + _escape(text), *(each for each in written if each)])
    return members


def _property(text: bytes) -> bytes | None:
    key, equals, value = text.partition(b"=")
    key, value = key.strip(b" \t"), value.strip(b" \t")
    if not _TOKEN.fullmatch(key) or not _BAGGAGE_VALUE.fullmatch(value):
        return None
    return key + b"=" + _escape(value) if equals else key


def _escape(value: bytes) -> bytes:
    return _BAGGAGE_ESCAPE.sub(lambda found: b"%%%02X" % found[0][0], unquote_to_bytes(value))
