"""What `toolkit load` sends, and where: the arguments of it, and the request they mean."""

from __future__ import annotations

import argparse
import base64
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from toolkit.cli import load_endpoints, load_room
from toolkit.cli import options as arguments
from toolkit.errors import UsageError
from toolkit.load.share import MOST_CONNECTIONS

if TYPE_CHECKING:
    from toolkit.load.messages import Kind
    from toolkit.load.sendable import Sendable
    from toolkit.load.target import Target, Url

OCTETS, JSON = "application/octet-stream", "application/json"
MOST_MESSAGES = 100_000
_KINDS = {"unary": "a unary method", "server": "a server's stream", "client": "a client's stream", "bidi": "both's"}
_OF_STREAMS = ("stream", "messages")
_OF_HTTP = ("method", "content_type")
_OF_EVENTS = ("event_source", "event_subject", "event_extension", "event_traceparent")


def configure(parser: argparse.ArgumentParser, *, endpoints: bool = False) -> None:
    """With `endpoints` a list of targets may be given instead, and one of the two has to be."""
    to = parser.add_mutually_exclusive_group(required=endpoints)
    to.add_argument("--target", metavar="URL", help="h2c://HOST:PORT/package.Service/Method, or http://HOST:PORT/PATH")
    if endpoints:
        load_endpoints.configure(parser, to)
    else:
        parser.set_defaults(endpoints=None, port=None)
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="@FILE",
        help="what is sent: protobuf bytes for a method (default: empty), a body for a URL; again for a stream",
    )
    parser.add_argument(
        "--data-json",
        action="append",
        default=[],
        metavar="JSON",
        help="what is sent, as JSON; for a method the server's reflection tells the type",
    )
    parser.add_argument("--authority", metavar="HOST", help="ask for this host (default: that of the target)")
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME=VALUE", help="metadata, or a header, of every call"
    )
    parser.add_argument(
        "--connections",
        type=arguments.count,
        metavar="N",
        help="connections (default: 1 for gRPC; for HTTP/1.1 as many as calls are open)",
    )
    _of_streams(parser.add_argument_group("gRPC streams"))
    _of_http(parser.add_argument_group("HTTP targets"))
    _of_events(parser.add_argument_group("CloudEvents", "posted to an HTTP target in binary mode, a new id each time"))


def _of_streams(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--stream",
        choices=("server", "client", "bidi"),
        help="who streams, where --data-json does not make reflection tell",
    )
    group.add_argument(
        "--messages",
        type=arguments.count,
        metavar="N",
        help="how many a call sends, of those given, in turn (default: each once)",
    )


def _of_http(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--method", metavar="NAME", help="default: GET, or POST where there is something to send")
    group.add_argument(
        "--content-type", metavar="TYPE", help=f"of what is sent (default: {JSON} for --data-json, {OCTETS} for --data)"
    )


def _of_events(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--event", metavar="TYPE", help="send events of this type")
    group.add_argument("--event-source", metavar="URI", help="their source (default: /kn-bench/load)")
    group.add_argument("--event-subject", metavar="TEXT", help="their subject (default: none)")
    group.add_argument(
        "--event-extension", action="append", default=[], metavar="NAME=VALUE", help="an attribute beside these"
    )
    group.add_argument(
        "--event-traceparent", action="store_true", help="the trace context as an attribute too, not only as a header"
    )


def request(options: argparse.Namespace) -> Sendable:
    """Raises UsageError; EngineError when the server has to be asked for a type, and does not say."""
    from toolkit.load import target

    if options.data and options.data_json:
        raise UsageError("--data and --data-json exclude each other", next_step="give one of them")
    if (options.connections or 0) > MOST_CONNECTIONS:
        raise UsageError(f"--connections {options.connections}: at most {MOST_CONNECTIONS}")
    if options.authority is not None:
        _see_that_it_is_a_host(options.authority)
    if options.endpoints is not None:
        _refuse(options, (*load_endpoints.NOT_FOR, *_OF_STREAMS, *_OF_HTTP, *_OF_EVENTS), "not for --endpoints")
        message = _file(options.data[0]) if options.data else None
        return load_endpoints.request(options, message, tuple(_metadata(each) for each in options.header))
    _refuse(options, ("port",), "for --endpoints only; a target names its own")
    found = target.parse(options.target)
    if isinstance(found, target.Target):
        return _call(found, options)
    load_room.see_that_workers_have_connections(options)
    load_room.open_files(options.connections or getattr(options, "concurrency", None) or MOST_CONNECTIONS)
    return _http(found, options) if options.event is None else _event(found, options)


def _call(to: Target, options: argparse.Namespace) -> Sendable:
    from toolkit.load.direct import Request
    from toolkit.load.streaming import StreamRequest

    _refuse(options, ("event", *_OF_HTTP, *_OF_EVENTS), "for an http:// target only")
    headers = tuple(_metadata(each) for each in options.header)
    kind, given = _asked(to, options)
    if kind in ("unary", "server") and (len(given) > 1 or options.messages is not None):
        what = "a unary method" if kind == "unary" else "a server's stream"
        raise UsageError(
            f"{to}: {what} takes one message", next_step="leave --messages away, or say --stream client|bidi"
        )
    messages = tuple(itertools.islice(itertools.cycle(given), options.messages or len(given)))
    if kind == "unary":
        return Request(to, messages[0], headers, options.authority)
    if len(messages) > MOST_MESSAGES:
        raise UsageError(f"--messages {options.messages}: at most {MOST_MESSAGES:,}")
    return StreamRequest(to, kind, messages, tuple(_of_aio(*each) for each in headers), options.authority)


def _asked(to: Target, options: argparse.Namespace) -> tuple[Kind, Sequence[bytes]]:
    """Who streams, and the messages that were given: an empty one where none was."""
    if not options.data_json:
        return options.stream or "unary", [_file(each) for each in options.data] or [b""]
    from toolkit.load import messages

    found = messages.asked(to, options.data_json, options.authority)
    if options.stream not in (None, found.kind):
        raise UsageError(f"--stream {options.stream}: {to} is {_KINDS[found.kind]}", next_step="leave --stream away")
    return found.kind, found.messages


def _of_aio(name: bytes, value: bytes) -> tuple[str, str | bytes]:
    """grpc.aio writes base64 itself."""
    if not name.endswith(b"-bin"):
        return name.decode(), value.decode()
    try:
        return name.decode(), base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except ValueError as error:
        raise UsageError(f"--header {name.decode()}: no base64: {error}") from error


def _http(to: Url, options: argparse.Namespace) -> Sendable:
    from toolkit.load.http1.request import HttpRequest, see_that_it_is_a_method

    _refuse(options, _OF_STREAMS, "for a h2c:// target only")
    _refuse(options, _OF_EVENTS, "for events: add --event TYPE")
    body, kind = _body(options)
    headers = _headers(options.header)
    if kind is not None:
        headers = (*headers, (b"content-type", kind.encode()))
    method = options.method if options.method is not None else "GET" if body is None else "POST"
    see_that_it_is_a_method(method)
    return HttpRequest(to, method, body or b"", headers, options.authority)


def _event(to: Url, options: argparse.Namespace) -> Sendable:
    from toolkit.load.http1 import event

    _refuse(options, _OF_STREAMS, "for a h2c:// target only")
    _refuse(options, ("method",), "not for events, which are posted")
    data, kind = _body(options)
    source = options.event_source if options.event_source is not None else event.SOURCE
    extensions = dict(_pair("--event-extension", each) for each in options.event_extension)
    if len(extensions) < len(options.event_extension):
        raise UsageError("--event-extension: the same name twice")
    if options.event_traceparent and "traceparent" in extensions:
        raise UsageError("--event-traceparent and --event-extension traceparent exclude each other")
    attributes = event.attributes(options.event, source, options.event_subject, extensions, kind)
    headers = _headers(options.header)
    if taken := [name.decode() for name, _ in headers if name.startswith(b"ce-")]:
        raise UsageError(
            f"--header {taken[0]}: an attribute of the event", next_step=f"write --event-extension {taken[0][3:]}=…"
        )
    return event.EventRequest(to, attributes, data, headers, options.authority, options.event_traceparent)


def _body(options: argparse.Namespace) -> tuple[bytes | None, str | None]:
    """What is sent, and its type; None where nothing is."""
    kind = options.content_type
    if kind is not None and (not kind.isascii() or not kind.isprintable() or not kind.strip()):
        raise UsageError(f"--content-type {kind!a}: no media type", next_step=f"write {JSON} or the like")
    if any(each.lower().startswith("content-type=") for each in options.header):
        raise UsageError("--header content-type: not to be set", next_step="write --content-type")
    if len(options.data) + len(options.data_json) > 1:
        raise UsageError("a request has one body", next_step="give --data or --data-json once")
    for data in options.data:
        return _file(data), kind or OCTETS
    for text in options.data_json:
        return _json(text), kind or JSON
    if kind is not None:
        raise UsageError("--content-type: nothing is sent", next_step="add --data @FILE or --data-json JSON")
    return None, None


def _json(text: str) -> bytes:
    try:
        json.loads(text, parse_constant=_no_constant)
        return text.encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--data-json is no JSON: {str(error) or type(error).__name__}") from error


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _file(data: str) -> bytes:
    if not data.startswith("@"):
        raise UsageError(f"--data {data[:60]}: not a file", next_step="write --data @FILE, or --data-json JSON")
    try:
        return Path(data[1:]).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"--data {data[:200]!a}: {getattr(error, 'strerror', None) or error}") from error


def _headers(texts: list[str]) -> tuple[tuple[bytes, bytes], ...]:
    from toolkit.load.http1.request import see_that_it_is_a_header

    found = []
    for text in texts:
        name, value = _pair("--header", text)
        see_that_it_is_a_header(name, value)
        found.append((name.lower().encode(), value.strip().encode()))
    return tuple(found)


def _metadata(text: str) -> tuple[bytes, bytes]:
    name, separator, value = text.partition("=")
    good = separator and name and name.isascii() and all(each.isalnum() or each in "-_." for each in name)
    if not good or not value.isascii() or not value.isprintable() or name.lower().startswith("grpc-"):
        raise UsageError(f"--header {text!a}: no metadata", next_step="write --header name=value, in ASCII")
    if name.lower() in ("content-type", "te", "traceparent"):
        raise UsageError(f"--header {name}: not to be set: each call says that itself")
    return name.lower().encode(), value.encode()


def _pair(flag: str, text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UsageError(f"{flag} {text[:60]!a}: not NAME=VALUE", next_step=f"write {flag} name=value")
    return name, value


def _see_that_it_is_a_host(authority: str) -> None:
    if not authority.isascii() or not authority.isprintable() or not authority or set(authority) & set(' /?#@\\"'):
        raise UsageError(f"--authority {authority!a}: no HOST or HOST:PORT", next_step="write --authority HOST")


def _refuse(options: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(options, name) not in (None, [], False):
            raise UsageError(f"--{name.replace('_', '-')}: {why}")
