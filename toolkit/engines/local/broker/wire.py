"""The bytes a subscriber sees: header for header as Go's client writes them, in its order.

May live here: pure assembly. Order on the wire: Host, User-Agent, Content-Length, then the rest by name, then
Accept-Encoding (recorded). The event is binary unless the Trigger's `delivery.format` is json.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter

from toolkit.engines.local.broker.event import JSON, Message, encode_json
from toolkit.engines.local.broker.tracing import NOTHING, Carried, Header
from toolkit.sdk.http1 import Address, split_url

_NAMES: dict[bytes, bytes] = {}  # attribute -> `Ce-Name: `; bounded below, because producers choose the names
_END = b"Accept-Encoding: gzip\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and their first bytes."""

    url: str
    address: Address
    host: bytes
    path: bytes
    start: bytes  # up to and including `Content-Length: `


def target(url: str) -> Target:
    """Raises ValueError for what is no absolute http(s) URL."""
    address, host, path = split_url(url)
    start = b"POST %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: " % (path, host)
    return Target(url, address, host, path, start)


@dataclass(frozen=True, slots=True)
class Form:
    """How requests of one kind look: to subscribers with `Prefer: reply`, to dead letter sinks without."""

    namespace: str
    prefer: bool
    structured: bool
    plain_tail: bytes  # the headers behind the event's when nothing is carried


def form(namespace: str, *, prefer: bool, structured: bool) -> Form:
    return Form(namespace, prefer, structured, _lines(_others(namespace, prefer)) + _END)


def post(to: Target, message: Message, carried: Carried, looks: Form) -> bytes:
    """The request, whole. Raises event.Unsendable when `format: json` cannot express the event."""
    if looks.structured:
        body, lines, kind = encode_json(message), b"", b"Content-Type: %b\r\n" % JSON
    else:
        body, lines, content_type = message.body, event_lines(message), message.content_type
        kind = b"Content-Type: %b\r\n" % content_type if content_type is not None else b""
    if carried is NOTHING:
        return b"%b%d\r\n%b%b%b%b" % (to.start, len(body), lines, kind, looks.plain_tail, body)
    head, tail = _split(carried, looks)
    return b"%b%d\r\n%b%b%b%b%b%b" % (to.start, len(body), head, lines, kind, tail, _END, body)


def redirected(method: str, to: Target, message: Message, carried: Carried, looks: Form, referer: str) -> bytes:
    """The request after a redirect: the same with a Referer; a GET is without body and what describes it."""
    others = [*_others(looks.namespace, looks.prefer), *carried.passed, *carried.trace]
    others.append((b"Referer", referer.encode("latin-1", "replace")))
    body = b""
    if method == "POST":
        body = encode_json(message) if looks.structured else message.body
        content_type = JSON if looks.structured else message.content_type
        if content_type is not None:
            others.append((b"Content-Type", content_type))
    if not looks.structured:
        others += [(b"Ce-" + name.capitalize(), value) for name, value in message.attributes.items()]
    first = [(b"Host", to.host), (b"User-Agent", b"Go-http-client/1.1")]
    if method == "POST":
        first.append((b"Content-Length", b"%d" % len(body)))
    start = b"%b %b HTTP/1.1\r\n" % (method.encode(), to.path)
    return start + _lines(first) + _lines(_sorted(others)) + _END + body


def event_lines(message: Message) -> bytes:
    """The `Ce-` headers, sorted; made once per message."""
    if not message.lines:
        attributes = message.attributes
        parts = []
        for name in sorted(attributes):
            parts.append(_NAMES.get(name) or _name(name))
            parts.append(attributes[name])
            parts.append(b"\r\n")
        message.lines = b"".join(parts)
    return message.lines


def _name(name: bytes) -> bytes:
    text = b"Ce-%b: " % name.capitalize()
    if len(_NAMES) < 1024 and len(name) < 64:
        _NAMES[name] = text
    return text


def _others(namespace: str, prefer: bool) -> list[Header]:
    return [(b"Kn-Namespace", namespace.encode()), *([(b"Prefer", b"reply")] if prefer else [])]


def _split(carried: Carried, looks: Form) -> tuple[bytes, bytes]:
    """The carried headers before and behind the event's own: only Baggage sorts before `Ce-`."""
    before = [header for header in carried.trace if header[0] == b"Baggage"]
    behind = [header for header in carried.trace if header[0] != b"Baggage"]
    return _lines(before), _lines(_sorted([*_others(looks.namespace, looks.prefer), *carried.passed, *behind]))


def _sorted(headers: list[Header]) -> list[Header]:
    return sorted(headers, key=itemgetter(0))


def _lines(headers: list[Header]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
