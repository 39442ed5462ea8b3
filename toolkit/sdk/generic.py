"""Large `link.Message`s on the wire and back, with one copy of its data instead of protobuf's several.

May live here: this one encoding (protobuf.dev/programming-guides/encoding), byte for byte what the generated class
writes. Whatever is not written just so is read by that class itself, which the caller brings: a function without
generic edges does not load it.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from toolkit.sdk.message import Message

LARGE = 64 << 10  # bytes from which on this is worth it: at 1 MiB a tenth of the time, below the calls cost more
_DATA = 0x0A  # field 1, of a length that follows
_MOST = 10  # bytes of a varint


def written(message: Message, kind: Any) -> bytes:
    """On the wire, as `kind` writes it, the class of `link.Message`."""
    rest: bytes = kind(content_type=message.content_type or "", status=message.status or 0).SerializeToString()
    if not message.data:
        return rest
    return b"".join((_head(len(message.data)), message.data, rest))


def read(raw: bytes, kind: Any) -> Message:
    """What `kind` reads, the class of `link.Message`. Raises ValueError when it is no such message."""
    begin, end = _data(raw)
    rest = raw[end:]
    try:
        found = kind.FromString(rest)
        if end and not found.data and found.SerializeToString() == rest:  # else it may say the data once more
            data = raw[begin:end]
        else:
            found = kind.FromString(raw)
            data = found.data
    except DecodeError as error:
        raise ValueError(f"not a {kind.DESCRIPTOR.full_name}: {error}") from error
    return Message(data, found.content_type or None, status=found.status or None)


def _head(size: int) -> bytes:
    found = bytearray((_DATA,))
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)


def _data(raw: bytes) -> tuple[int, int]:
    """From where to where the data goes that stands first; (0, 0) where none does, or not whole."""
    if raw[:1] != b"\n":
        return 0, 0
    size = 0
    for at, byte in enumerate(raw[1 : 1 + _MOST]):
        size |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            begin = at + 2
            return (begin, begin + size) if begin + size <= len(raw) else (0, 0)
    return 0, 0
