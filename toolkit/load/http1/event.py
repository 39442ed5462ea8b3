"""CloudEvents 1.0 as a load sends them: HTTP's binary mode, each with an id, a time and a trace context of its own.

May live here: what an event says, checked by the specification's rules (`toolkit.sdk.cloudevents`). May not: sockets.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.errors import UsageError
from toolkit.load.http1.client import Client
from toolkit.load.http1.request import Header, HttpRequest, before_the_context
from toolkit.load.sendable import Heads
from toolkit.load.target import Url
from toolkit.results import Load
from toolkit.sdk.cloudevents import Event, EventError, encode_binary

SOURCE = "/kn-bench/load"
SECOND = 1_000_000_000
_ATTRIBUTES = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time", "data")
_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")  # RFC 3986


@dataclass(frozen=True, slots=True)
class EventRequest:
    """`attributes` are the event's own, without those that differ from event to event; `data` None: it has none.

    `traced`: the trace context is an attribute too (the distributed tracing extension), not only HTTP's header.
    """

    target: Url
    attributes: Mapping[str, str]
    data: bytes | None = None
    headers: Sequence[Header] = ()
    authority: str | None = None
    traced: bool = False

    @property
    def body(self) -> bytes:
        return self.data or b""

    def lines(self, load: Load, connections: int | None) -> Client:
        return self._http().lines(load, connections)

    def heads(self, load: Load, now_ns: Callable[[], int] = time.time_ns) -> Heads:
        headers, _ = encode_binary(Event({**self.attributes, "specversion": "1.0", "id": "1"}, self.data))
        fixed = [*self.headers, *(each for each in headers if each[0] != b"ce-id")]
        before = before_the_context(self._http(), fixed) + b"ce-id: %b-" % os.urandom(8).hex().encode()
        ends = b"\r\nce-traceparent: %b\r\ntraceparent: %b\r\n\r\n" if self.traced else b"\r\ntraceparent: %b\r\n\r\n"
        numbers, clock = itertools.count(), Rfc3339()

        def head(context: bytes) -> bytes:
            last = ends % ((context, context) if self.traced else context)
            return b"%b%d\r\nce-time: %b%b" % (before, next(numbers), clock.text(now_ns()), last)

        return head

    def _http(self) -> HttpRequest:
        return HttpRequest(self.target, "POST", self.body, self.headers, self.authority)


def attributes(
    kind: str, source: str, subject: str | None, extensions: Mapping[str, str], content_type: str | None
) -> Mapping[str, str]:
    """Raises UsageError, naming the option, for what the specification does not allow."""
    for name in extensions:
        if name in _ATTRIBUTES:
            raise UsageError(f"--event-extension {name}: an attribute of CloudEvents itself, no extension")
    if not _REFERENCE.fullmatch(source):
        raise UsageError(
            f"--event-source {source!a}: no URI reference (RFC 3986)", next_step=f"write a path or URL, like {SOURCE}"
        )
    found = {"type": kind, "source": source, **extensions}
    if subject is not None:
        found["subject"] = subject
    if content_type is not None:
        found["datacontenttype"] = content_type
    for name, value in found.items():
        if not _is_a_string(value):
            raise UsageError(f"the event's {name} {value[:60]!a}: control characters are not allowed in an attribute")
    try:
        encode_binary(Event({**found, "specversion": "1.0", "id": "1"}))
    except EventError as error:
        raise UsageError(f"not a CloudEvent: {error}") from error
    return found


class Rfc3339:
    """Moments as text, in UTC, to the microsecond; the part that is the same for a second is made once."""

    def __init__(self) -> None:
        self._second, self._text = -1, b""

    def text(self, wall_ns: int) -> bytes:
        second, rest = divmod(wall_ns, SECOND)
        if second != self._second:
            self._second, self._text = second, b"%04d-%02d-%02dT%02d:%02d:%02d" % time.gmtime(second)[:6]
        return b"%b.%06dZ" % (self._text, rest // 1000)


def _is_a_string(value: str) -> bool:
    """CloudEvents 1.0, section 3.1: no control characters, nothing that is not a character."""
    return not any(
        each < " " or "\x7f" <= each <= "\x9f" or "\ud800" <= each <= "\udfff" or ord(each) & 0xFFFE == 0xFFFE
        for each in value
    )
