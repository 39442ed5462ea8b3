"""Messages for a method that is known by its name only: the server says how they look (gRPC server reflection).

May live here: asking, once, before a load. May not: anything in the way of a load.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from toolkit.errors import EngineError, UsageError
from toolkit.load.target import Target

WITHIN_S = 5.0
MOST_NAMES = 8
Kind = Literal["unary", "server", "client", "bidi"]
KINDS: dict[tuple[bool, bool], Kind] = {
    (False, False): "unary",
    (False, True): "server",
    (True, False): "client",
    (True, True): "bidi",
}  # who streams: the client, the server


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is called, and what with: messages as protobuf bytes."""

    kind: Kind
    messages: Sequence[bytes]


def asked(target: Target, texts: Sequence[str], authority: str | None = None) -> Method:
    """The target's method, and its requests that these JSON texts mean. Raises UsageError, EngineError."""
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if authority is not None:
        options.append(("grpc.default_authority", authority))
    with grpc.insecure_channel(f"{target.authority}", options) as channel:
        try:
            grpc.channel_ready_future(channel).result(WITHIN_S)
        except grpc.FutureTimeoutError as error:
            raise EngineError(f"{target.authority} does not answer", next_step="see that it listens there") from error
        try:
            found = _method(target, ProtoReflectionDescriptorDatabase(channel))
        except grpc.RpcError as error:
            raise _untold(target, error) from error
        messages = tuple(_encoded(text, found.input_type) for text in texts)
        return Method(KINDS[found.client_streaming, found.server_streaming], messages)


def _encoded(text: str, of: Descriptor) -> bytes:
    request = message_factory.GetMessageClass(of)()
    try:
        found: bytes = json_format.Parse(text, request).SerializeToString()
    except (json_format.Error, ValueError, RecursionError) as error:
        fields = ", ".join(f"{each.json_name}" for each in of.fields) or "none"
        raise UsageError(
            f"--data-json is no {of.full_name}: {str(error).partition(chr(10))[0] or type(error).__name__}",
            next_step=f"see the fields of that message: {fields}",
        ) from error
    return found


def _method(target: Target, database: ProtoReflectionDescriptorDatabase) -> MethodDescriptor:
    service, _, name = target.method.removeprefix("/").partition("/")
    try:
        found = DescriptorPool(database).FindServiceByName(service)
    except KeyError:
        raise UsageError(
            f"{target.authority} serves no {service}", next_step=_near(service, database.get_services())
        ) from None
    method = found.methods_by_name.get(name)
    if method is None:
        near = _near(name, (each.name for each in found.methods))
        raise UsageError(f"{service} of {target.authority} has no method {name}", next_step=near)
    return method


def _near(wanted: str, names: Iterable[str]) -> str:
    known = sorted(names)
    if near := difflib.get_close_matches(wanted, known, 1, 0.5):
        return f"did you mean {near[0]}?"
    more = f", and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f"there are: {', '.join(known[:MOST_NAMES])}{more}" if known else "it serves nothing that it tells of"


def _untold(target: Target, error: grpc.RpcError) -> EngineError:
    code, words = getattr(error, "code", lambda: None)(), getattr(error, "details", lambda: "")()
    instead = "give the message's bytes, --data @FILE, and --stream server|client|bidi where it is a stream"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return EngineError(
            f"{target.authority} does not say what its messages look like: it serves no reflection", next_step=instead
        )
    told = f"{code.name if code is not None else 'error'}: {words}"
    return EngineError(
        f"{target.authority} does not say what its messages look like: its reflection answers {told}",
        next_step=instead,
    )
