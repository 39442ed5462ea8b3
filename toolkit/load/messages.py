"""A message for a method that is known by its name only: the server says how it looks (gRPC server reflection).

May live here: asking, once, before a load. May not: anything in the way of a load.
"""

from __future__ import annotations

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from toolkit.errors import EngineError, UsageError
from toolkit.load.target import Target

WITHIN_S = 5.0


def encoded(target: Target, text: str) -> bytes:
    """The request of the target's method that this JSON means. Raises UsageError, EngineError."""
    with grpc.insecure_channel(target.authority, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(WITHIN_S)
        except grpc.FutureTimeoutError as error:
            raise EngineError(f"{target.authority} does not answer", next_step="see that it listens there") from error
        method = _method(target, DescriptorPool(ProtoReflectionDescriptorDatabase(channel)))
        request = message_factory.GetMessageClass(method.input_type)()
        try:
            found: bytes = json_format.Parse(text, request).SerializeToString()
        except json_format.ParseError as error:
            name = method.input_type.full_name
            raise UsageError(
                f"--data-json is no {name}: {error}", next_step="see the fields of that message"
            ) from error
        return found


def _method(target: Target, pool: DescriptorPool) -> MethodDescriptor:
    service, _, name = target.method.removeprefix("/").partition("/")
    try:
        found = pool.FindServiceByName(service).methods_by_name.get(name)
    except KeyError:
        raise UsageError(f"{target.authority} serves no {service}", next_step="grpcurl HOST:PORT list") from None
    except grpc.RpcError as error:
        raise EngineError(
            f"{target.authority} does not say what its messages look like: {error}",
            next_step="give the message's bytes: --data @FILE",
        ) from error
    if found is None:
        raise UsageError(f"{service} of {target.authority} has no method {name}")
    if found.client_streaming or found.server_streaming:
        raise UsageError(f"{service}/{name} is a stream: only unary methods can be driven so far")
    return found
