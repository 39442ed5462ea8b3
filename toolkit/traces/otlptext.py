"""OTLP requests whose text is not UTF-8: read as they are, with what is no character replaced.

Envoy puts the headers of a request into its spans as they came, so one client with a strange User-Agent would cost the
spans of everybody in the same batch. Protobuf has one form for text and for bytes; here the messages are read with
bytes for text, and only what is not UTF-8 is changed. May live here: that one repair.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto

MOST_REPAIRED = 1 << 20  # bytes of a request; a batch of Envoy's has a few thousand


def repaired(body: bytes) -> bytes:
    """The same request with `�` for what is not UTF-8. Raises google.protobuf.message.DecodeError."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = _with_bytes_for_text().FromString(body)
    _repair(message, ExportTraceServiceRequest.DESCRIPTOR)
    again: bytes = message.SerializeToString()
    return again


@cache
def _with_bytes_for_text() -> Any:
    """The class of ExportTraceServiceRequest, in a pool where every string is bytes."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
    from opentelemetry.proto.common.v1 import common_pb2
    from opentelemetry.proto.resource.v1 import resource_pb2
    from opentelemetry.proto.trace.v1 import trace_pb2

    pool = DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, trace_service_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in _all(file.message_type):
            for field in message.field:
                if field.type == field.TYPE_STRING:
                    field.type = field.TYPE_BYTES
        pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(trace_service_pb2.ExportTraceServiceRequest.DESCRIPTOR.full_name))


def _all(messages: Any) -> Iterator[DescriptorProto]:
    for message in messages:
        yield message
        yield from _all(message.nested_type)


def _repair(message: Any, like: Any) -> None:
    """`like` is the descriptor that knows text from bytes. No deeper than protobuf reads, which is 100 levels."""
    for field, value in message.ListFields():
        known = like.fields_by_name[field.name]
        if known.type == known.TYPE_MESSAGE:
            for each in (value,) if hasattr(value, "ListFields") else value:
                _repair(each, known.message_type)
        elif known.type == known.TYPE_STRING and isinstance(value, bytes):
            setattr(message, field.name, _utf8(value))
        elif known.type == known.TYPE_STRING:
            value[:] = [_utf8(each) for each in value]


def _utf8(text: bytes) -> bytes:
    return text.decode(errors="replace").encode()
