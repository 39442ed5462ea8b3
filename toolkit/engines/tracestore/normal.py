"""One span as the store keeps it: Zipkin's normal form as a typed record, and the one text that stands for it.

May live here: reading the JSON of Zipkin v2 fast, and writing it. The rules are `toolkit.traces.wire`'s: what is read
here without it is what it would have made, which `tests/tracestore/test_store_normal.py` holds together, and everything
that is odd is left to it. msgspec reads and checks a span in a tenth of the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from toolkit.traces import zipkin
from toolkit.traces.model import Annotation, Kind, Span

_LONG = (1 << 63) - 1
_Long = Annotated[int, msgspec.Meta(ge=0, le=_LONG)]
_Time = Annotated[int, msgspec.Meta(ge=-_LONG, le=_LONG)]
_Port = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
_ZERO = "0" * 16
_TRACE_ID = re.compile(r"(?!0{16})(?:[0-9a-f]{32}|[0-9a-f]{16})").fullmatch
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}").fullmatch
_PARENT_ID = re.compile(r"[0-9a-f]{16}").fullmatch


class Endpoint(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    service_name: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    port: _Port | None = None


class Note(msgspec.Struct, gc=False):
    timestamp: _Time
    value: str


class Stored(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """A span in Zipkin's normal form, its fields in Zipkin's order."""

    trace_id: str
    parent_id: str | None = None
    id: str
    kind: Literal["CLIENT", "SERVER", "PRODUCER", "CONSUMER"] | None = None
    name: str | None = None
    timestamp: _Long | None = None
    duration: _Long | None = None
    local_endpoint: Endpoint | None = None
    remote_endpoint: Endpoint | None = None
    annotations: list[Note] | None = None
    tags: dict[str, str] | None = None
    debug: bool | None = None
    shared: bool | None = None
    binary_annotations: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # of Zipkin v1, which is refused

    @property
    def service(self) -> str | None:
        return None if self.local_endpoint is None else self.local_endpoint.service_name

    @property
    def remote(self) -> str | None:
        return None if self.remote_endpoint is None else self.remote_endpoint.service_name


_decoder = msgspec.json.Decoder(list[Stored])
text: Callable[[Stored], bytes] = msgspec.json.Encoder(order="deterministic").encode  # tags by their names


def read(body: bytes) -> list[Stored]:
    """The spans of a Zipkin v2 JSON list, normalised as a Zipkin server does. Raises `zipkin.ZipkinError`."""
    try:
        if not body.isascii():
            body.decode()
        spans = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return of_fields(zipkin.normalised(body))
    if len(spans) <= zipkin.MOST_SPANS and all(map(_tidy, spans)):
        return spans
    return of_fields(zipkin.normalised(body))


def of_fields(spans: Iterable[Mapping[str, Any]]) -> list[Stored]:
    """The same of spans that are in Zipkin's normal form already."""
    return [msgspec.convert(each, Stored) for each in spans]


def stored(joined: bytes) -> list[Stored]:
    """The spans whose texts these are, with commas between them."""
    return _decoder.decode(b"[%b]" % joined)


def texts(joined: bytes) -> list[bytes]:
    """The texts themselves."""
    return [bytes(each) for each in _raw.decode(b"[%b]" % joined)]


_raw = msgspec.json.Decoder(list[msgspec.Raw])


def span(kept: Stored) -> Span:
    """The record as the rest of the toolkit knows a span."""
    kind: Kind | None = kept.kind
    return Span(
        kept.trace_id,
        kept.id,
        kept.name or "",
        kept.service,
        kept.parent_id,
        kind,
        kept.timestamp,
        kept.duration,
        kept.remote,
        kept.tags or {},
        tuple(Annotation(each.timestamp, each.value) for each in kept.annotations or ()),
        bool(kept.shared),
        bool(kept.debug),
    )


def _tidy(kept: Stored) -> bool:
    """Puts what was read into normal form; False when that is not as easy as leaving something out."""
    if not (_TRACE_ID(kept.trace_id) and _SPAN_ID(kept.id)) or kept.binary_annotations is not msgspec.UNSET:
        return False
    if (parent := kept.parent_id) is not None:
        if not _PARENT_ID(parent):
            return False
        if parent == kept.id or parent == _ZERO:
            kept.parent_id = None
    if kept.name is not None:
        kept.name = _lower(kept.name)
    if (local := kept.local_endpoint) is not None and not _tidy_endpoint(local):
        if local != _NOWHERE:
            return False
        kept.local_endpoint = None
    if (remote := kept.remote_endpoint) is not None and not _tidy_endpoint(remote):
        if remote != _NOWHERE:
            return False
        kept.remote_endpoint = None
    return _tidy_rest(kept)


def _tidy_rest(kept: Stored) -> bool:
    if not kept.timestamp:
        kept.timestamp = None
    if not kept.duration:
        kept.duration = None
    if not kept.tags:
        kept.tags = None
    if kept.debug is False:
        kept.debug = None
    if kept.shared is not None and (kept.kind == "CLIENT" or not kept.shared):
        kept.shared = None
    if kept.annotations is not None:
        if not kept.annotations:
            kept.annotations = None
        elif not _in_order(kept.annotations):
            return False
    return True


_NOWHERE = Endpoint()


def _tidy_endpoint(endpoint: Endpoint) -> bool:
    """False when it is odd, or nowhere."""
    service, ipv4, ipv6 = endpoint.service_name, endpoint.ipv4, endpoint.ipv6
    if service is not None:
        endpoint.service_name = service = _lower(service)
    if (ipv4 is not None and not _is_ipv4(ipv4)) or (ipv6 is not None and not _is_ipv6(ipv6)):
        return False
    if endpoint.port == 0:
        endpoint.port = None
    return service is not None or ipv4 is not None or ipv6 is not None or endpoint.port is not None


@lru_cache(maxsize=4096)
def _lower(given: str) -> str | None:
    return given.lower() or None


@lru_cache(maxsize=4096)
def _is_ipv4(given: str) -> bool:
    try:
        address = ip_address(given)
    except ValueError:
        return False
    return isinstance(address, IPv4Address) and str(address) == given


@lru_cache(maxsize=4096)
def _is_ipv6(given: str) -> bool:
    try:
        address = ip_address(given)
    except ValueError:
        return False
    return isinstance(address, IPv6Address) and address.ipv4_mapped is None and str(address) == given


def _in_order(notes: list[Note]) -> bool:
    pairs = [(each.timestamp, each.value) for each in notes]
    return all(one < other for one, other in pairwise(pairs))
