"""gRPC methods by name, and how handlers' plain values become their messages and back.

May live here: looking up generated messages and pure conversions. May not: channels or servers.
"""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Proto

from toolkit.sdk import generic
from toolkit.sdk.failures import WiringError
from toolkit.sdk.message import Message

GENERIC = "link.Message"
METADATA_FIELD = "vHiveMetadata"  # vSwarm's field 15: about the call, not its content

_PYTHON_TYPES: dict[int, type | tuple[type, ...]] = {
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_FLOAT: (int, float),
    FieldDescriptor.CPPTYPE_DOUBLE: (int, float),
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
}


@dataclass(frozen=True, slots=True)
class Raw:
    """A message as it is on the wire, from somebody who wrote it himself."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Kind:
    """One message type of a method. A generic one shows itself to handlers as `sdk.Message`."""

    name: str
    make: type[Proto]
    carrier: FieldDescriptor | None  # the only field that holds content, if there is just one
    metadata: bool  # whether it has vSwarm's field for metadata

    @staticmethod
    def of(descriptor: Descriptor) -> Kind:
        content = [each for each in descriptor.fields if each.name != METADATA_FIELD]
        carrier = content[0] if len(content) == 1 and not content[0].is_repeated else None
        return Kind(
            descriptor.full_name,
            message_factory.GetMessageClass(descriptor),
            carrier,
            METADATA_FIELD in descriptor.fields_by_name,
        )

    def parse(self, raw: bytes) -> Any:
        """What a handler sees of `raw`. Raises ValueError when it is not such a message."""
        if self.name == GENERIC and len(raw) >= generic.LARGE:
            return generic.read(raw, self.make)
        try:
            found: Any = self.make.FromString(raw)
        except DecodeError as error:
            raise ValueError(f"not a {self.name}: {error}") from error
        if self.name != GENERIC:
            return found
        return Message(found.data, found.content_type or None, status=found.status or None)

    def content(self, raw: bytes) -> Any:
        """What `raw` says: the only field that holds content, if there is just one."""
        found = self.parse(raw)
        return getattr(found, self.carrier.name) if self.carrier is not None and isinstance(found, Proto) else found

    def serialize(self, value: Any) -> bytes:
        """`value` on the wire. Raises TypeError, naming both types, when it cannot be such a message."""
        if isinstance(value, Raw):
            return value.data
        if self.name == GENERIC and isinstance(value, Message) and len(value.data) >= generic.LARGE:
            return generic.written(value, self.make)
        return self.proto(value).SerializeToString()

    def proto(self, value: Any) -> Proto:
        """The message that says `value`. Raises TypeError, naming both types, when it cannot be such a message."""
        if isinstance(value, self.make):
            return value
        if value is None:
            return self.make()
        if self.name == GENERIC:
            message = Message.of(value)
            return self.make(data=message.data, content_type=message.content_type or "", status=message.status or 0)
        if self.carrier is not None and not isinstance(value, Proto):
            return self.make(**{self.carrier.name: _content(value, self.carrier, self.name)})
        raise TypeError(f"{self.name} cannot be made of {_name(value)}")


@dataclass(frozen=True, slots=True)
class Method:
    """`path` is `package.Service/Method`."""

    path: str
    service: str
    request: Kind
    reply: Kind
    streams: bool  # the client streams


@cache
def find(path: str) -> Method:
    """The method of that name, among the toolkit's stubs and whatever the handler imported.

    Raises WiringError when there is none, or when it streams replies, which no edge does.
    """
    service, _, name = path.partition("/")
    found = _descriptor(service, name)
    if found is None:
        raise WiringError(
            f"no gRPC method {path!r}: neither the toolkit's stubs nor the handler's imports define it; "
            "import its generated *_pb2 module in the handler's file"
        )
    if found.server_streaming:
        raise WiringError(f"{path} streams its replies; an edge answers with one message")
    return Method(path, service, Kind.of(found.input_type), Kind.of(found.output_type), found.client_streaming)


def _descriptor(service: str, name: str) -> MethodDescriptor | None:
    package = service.rpartition(".")[0]
    if package.isidentifier():  # our stubs are named after their packages
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"toolkit.stubs.{package}_pb2")
    try:
        found = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return None
    return found.methods_by_name.get(name)


def _content(value: Any, field: FieldDescriptor, kind: str) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and isinstance(value, (Message, bytes, bytearray, str)):
        data = Message.of(value).data
        if field.type == FieldDescriptor.TYPE_BYTES:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise TypeError(f"{kind}.{field.name} is text, and {_name(value)} is not UTF-8") from None
    wanted = _PYTHON_TYPES.get(field.cpp_type)
    if wanted is None or not isinstance(value, wanted):
        raise TypeError(f"{kind} cannot be made of {_name(value)}")
    return value


def _name(value: Any) -> str:
    return value.DESCRIPTOR.full_name if isinstance(value, Proto) else f"a {type(value).__name__}"
