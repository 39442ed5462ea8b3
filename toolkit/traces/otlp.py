"""OTLP trace requests to spans in Zipkin's normal form, and the answers that OTLP has for who sent them.

May live here: reading a request (protobuf or JSON), what of it is taken, and the bytes of an answer. How one span is
mapped is in `traces.otel`; HTTP is the trace store's. The messages come from `opentelemetry-proto`, which is loaded
when the first request is read, so that a store that gets none starts without it.
Source: OTLP specification 1.10, "OTLP/HTTP".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from toolkit.traces import otel, otlptext, protowire, wire

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MOST_SPANS = 50_000  # in one request; exporters send 512 at a time
MOST_PARTS = 500_000  # attributes, events and links of a request's spans
MOST_COPIED = 64 << 20  # characters of resources and scopes, once for each of their spans
_COUNTED = 128 << 10  # bytes, from which on a request is counted before it is read: less cannot become much

_IDS = ("traceId", "spanId", "parentSpanId")
_HEX = re.compile("(?:[0-9a-fA-F]{2})*").fullmatch
_INVALID_ARGUMENT = 3  # google.rpc.Code


class OtlpError(ValueError):
    """A request that cannot be read; the text says why."""


class TooMuch(OtlpError):
    """A request that would make more of itself than a store can hold."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A span that is not taken, and why; the others of its request are."""

    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a request brought: spans in Zipkin's normal form, and how many were not taken (`reason`: why the first)."""

    fields: tuple[dict[str, Any], ...]
    rejected: int = 0
    reason: str = ""


def decode(body: bytes, *, as_json: bool = False) -> Decoded:
    """A whole request at once. Raises OtlpError when nothing of it can be taken."""
    return gathered(spans(read_json(body) if as_json else read_protobuf(body)))


def gathered(found: Iterator[dict[str, Any] | Rejection]) -> Decoded:
    taken: list[dict[str, Any]] = []
    reasons: list[str] = []
    for each in found:
        if isinstance(each, Rejection):
            reasons.append(each.reason)
        else:
            taken.append(each)
    return Decoded(tuple(taken), len(reasons), reasons[0] if reasons else "")


def read_protobuf(body: bytes) -> ExportTraceServiceRequest:
    """The request in `body`; text that is not UTF-8 is repaired. Raises OtlpError: torn, nested too deeply, TooMuch."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    if len(body) > _COUNTED:
        _count(body)
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        if len(body) > otlptext.MOST_REPAIRED:
            raise OtlpError("not an ExportTraceServiceRequest in protobuf") from None
    try:
        return ExportTraceServiceRequest.FromString(otlptext.repaired(body))
    except DecodeError:
        raise OtlpError("not an ExportTraceServiceRequest in protobuf") from None


def _count(body: bytes) -> None:
    """Raises TooMuch and OtlpError before anything has been made of the body."""
    try:
        protowire.spans(body, protowire.OTLP, most=MOST_SPANS)
    except protowire.TooMuch as error:
        raise TooMuch(str(error)) from None
    except protowire.Torn:
        raise OtlpError("not an ExportTraceServiceRequest in protobuf") from None


def read_json(body: bytes) -> ExportTraceServiceRequest:
    """The request in OTLP's JSON: ids in hex, names in lowerCamelCase, unknown fields passed over. Raises OtlpError."""
    from google.protobuf.json_format import ParseDict, ParseError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = _parse(body)
    for span in _spans_in(found):
        _ids_to_base64(span)
        for link in _objects(span, "links"):
            _ids_to_base64(link)
    try:
        return ParseDict(found, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (ParseError, RecursionError, UnicodeError, TypeError) as error:
        text = ascii(str(error).splitlines()[0][:200])[1:-1] if str(error) else "nested too deeply"
        raise OtlpError(f"not an ExportTraceServiceRequest in JSON: {text}") from None


def spans(request: ExportTraceServiceRequest) -> Iterator[dict[str, Any] | Rejection]:
    """Each span in Zipkin's normal form, or why it is none. Raises TooMuch before the first."""
    groups = [
        (otel.origin(of.resource, scoped.scope), scoped.spans)
        for of in request.resource_spans
        for scoped in of.scope_spans
    ]
    if (count := sum(len(found) for _, found in groups)) > MOST_SPANS:
        raise TooMuch(f"{count} spans in one request; {MOST_SPANS} are the most that are taken")
    parts = sum(len(span.attributes) + len(span.events) + len(span.links) for _, found in groups for span in found)
    if parts > MOST_PARTS:
        raise TooMuch(f"{parts} attributes, events and links in one request; {MOST_PARTS} are the most that are taken")
    if sum(of.size * len(found) for of, found in groups) > MOST_COPIED:
        raise TooMuch(f"resources would be repeated to more than {MOST_COPIED >> 20} MiB; send fewer spans at once")
    return (_span(span, of) for of, found in groups for span in found)


def _span(span: Any, of: otel.Origin) -> dict[str, Any] | Rejection:
    try:
        return otel.fields(span, of)
    except wire.Refused as refused:
        return Rejection(str(refused))


def _parse(body: bytes) -> dict[str, Any]:
    try:
        found = _decoder.decode(body.decode())
    except UnicodeDecodeError as error:
        raise OtlpError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise OtlpError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise OtlpError("not JSON that can be read: nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits, NaN, Infinity
        raise OtlpError(f"not JSON that can be read: {str(error)[:80]}") from None
    if not isinstance(found, dict):
        raise OtlpError("not a JSON object with resourceSpans")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def _spans_in(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in _objects(found, "resourceSpans"):
        for scope in _objects(resource, "scopeSpans"):
            yield from _objects(scope, "spans")


def _objects(of: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """What is no list of objects is left for the parser to refuse."""
    listed = of.get(key)
    return (each for each in listed if isinstance(each, dict)) if isinstance(listed, list) else iter(())


def _ids_to_base64(of: dict[str, Any]) -> None:
    """OTLP's JSON has ids in hex; protobuf's own has every byte string in base64. What is no hex is an id of 1 byte,
    so that this span alone is rejected."""
    for key in _IDS:
        if isinstance(text := of.get(key), str):
            of[key] = base64.b64encode(bytes.fromhex(text) if _HEX(text) else b"\0").decode()


def success(decoded: Decoded, *, as_json: bool) -> bytes:
    """An ExportTraceServiceResponse; with `partial_success` when spans were rejected."""
    from google.protobuf.json_format import MessageToJson
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    response = ExportTraceServiceResponse()
    if decoded.rejected:
        response.partial_success.rejected_spans = decoded.rejected
        response.partial_success.error_message = f"{decoded.rejected} rejected, the first because {decoded.reason}"
    return MessageToJson(response, indent=None).encode() if as_json else response.SerializeToString()


def failure(text: str, *, as_json: bool, code: int = _INVALID_ARGUMENT) -> bytes:
    """A google.rpc.Status, whose message and code are all that OTLP asks for."""
    if as_json:
        return json.dumps({"code": code, "message": text}).encode()
    told = text.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(told)) + told


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
