"""`Message`: what generic call edges and events carry, and how plain Python values become one.

May live here: the data type and pure conversions, protobuf messages included by duck typing. May not: any import of
grpc or protobuf: a handler's module loads this.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OCTETS = "application/octet-stream"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
PROTOBUF = "application/protobuf"


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes and what is known of them. `type`, `source`, `id` and `extensions` are an event's attributes.

    `status` is that of an answer, as HTTP counts them: 200 is fine, 202 not an answer yet. None: it says none.
    """

    data: bytes = b""
    content_type: str | None = None
    type: str | None = None
    source: str | None = None
    id: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None

    @property
    def text(self) -> str:
        """The data as UTF-8. Raises UnicodeDecodeError (a ValueError) when it is not."""
        return self.data.decode()

    def json(self) -> Any:
        """The data as JSON. Raises ValueError when it is not."""
        return json.loads(self.data)

    @staticmethod
    def of(value: Any, *, content_type: str | None = None, type: str | None = None) -> Message:  # noqa: A002 - the event's word
        """The message that says `value`: a Message, bytes, text, a protobuf message, or anything JSON can say.

        Raises TypeError, naming the type, when it is none of these.
        """
        if isinstance(value, Message):
            return dataclasses.replace(value, content_type=content_type or value.content_type, type=type or value.type)
        data, natural = _encoded(value)
        return Message(data, content_type or natural, type)


def _encoded(value: Any) -> tuple[bytes, str]:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), OCTETS
    if isinstance(value, str):
        return value.encode(), TEXT
    if serialize := getattr(value, "SerializeToString", None):
        return serialize(deterministic=True), PROTOBUF
    try:
        return json.dumps(value, allow_nan=False).encode(), JSON
    except (TypeError, ValueError) as refused:
        raise TypeError(f"a {type(value).__name__} cannot be sent: {refused}") from refused
