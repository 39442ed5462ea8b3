"""What `toolkit load` sends, and where: the arguments of it, and the request they mean."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from toolkit.cli import options as arguments
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from toolkit.load.sendable import Sendable
    from toolkit.load.target import Target, Url

MOST_CONNECTIONS = 1000
OCTETS, JSON = "application/octet-stream", "application/json"
_OF_HTTP = ("method", "content_type")
_OF_EVENTS = ("event_source", "event_subject", "event_extension", "event_traceparent")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target",
        required=True,
        metavar="URL",
        help="h2c://HOST:PORT/package.Service/Method, or http://HOST:PORT/PATH",
    )
    parser.add_argument(
        "--data", metavar="@FILE", help="what is sent: protobuf bytes for a method (default: empty), a body for a URL"
    )
    parser.add_argument(
        "--data-json", metavar="JSON", help="what is sent, as JSON; for a method the server's reflection tells the type"
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
    _of_http(parser.add_argument_group("HTTP targets"))
    _of_events(parser.add_argument_group("CloudEvents", "posted to an HTTP target in binary mode, a new id each time"))


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

    if options.data is not None and options.data_json is not None:
        raise UsageError("--data and --data-json exclude each other", next_step="give one of them")
    if (options.connections or 0) > MOST_CONNECTIONS:
        raise UsageError(f"--connections {options.connections}: at most {MOST_CONNECTIONS}")
    if options.authority is not None:
        _see_that_it_is_a_host(options.authority)
    found = target.parse(options.target)
    if isinstance(found, target.Target):
        return _call(found, options)
    return _http(found, options) if options.event is None else _event(found, options)


def _call(to: Target, options: argparse.Namespace) -> Sendable:
    from toolkit.load.direct import Request

    _refuse(options, ("event", *_OF_HTTP, *_OF_EVENTS), "for an http:// target only")
    headers = tuple(_metadata(each) for each in options.header)
    message = b""
    if options.data is not None:
        message = _file(options.data)
    elif options.data_json is not None:
        from toolkit.load import messages

        found = messages.asked(to, (options.data_json,), options.authority)
        if found.kind != "unary":
            raise UsageError(f"{to} is a stream: only unary methods can be driven so far")
        message = found.messages[0]
    return Request(to, message, headers, options.authority)


def _http(to: Url, options: argparse.Namespace) -> Sendable:
    from toolkit.load.http1.request import HttpRequest, see_that_it_is_a_method

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
    if options.data is not None:
        return _file(options.data), kind or OCTETS
    if options.data_json is not None:
        return _json(options.data_json), kind or JSON
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
