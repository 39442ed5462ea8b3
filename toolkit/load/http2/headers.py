"""Header blocks (HPACK, RFC 7541) without a dynamic table: what is sent is the same bytes each time, and what comes
back can be remembered by its bytes.

We tell the other side that our table holds nothing, so a block means the same whatever came before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import hpack

Header = tuple[bytes, bytes]
MOST_BYTES = 65_536  # of a decoded header list
_STATIC = {
    (b":method", b"POST"): 3,
    (b":scheme", b"http"): 6,
}  # whole fields of the static table (appendix A)
_STATIC_NAMES = {b":authority": 1, b":path": 4, b"content-type": 31, b"user-agent": 58}


class HeadersError(Exception):
    """What came is no header block: the connection cannot be trusted any more."""


def encode(fields: Sequence[Header]) -> bytes:
    """A block that neither reads nor writes a table, and has every value in plain sight at a place of its own."""
    return b"".join(_field(name, value) for name, value in fields)


def decode(block: bytes) -> tuple[Header, ...]:
    """The fields of a block, in their order. Raises HeadersError."""
    decoder = hpack.Decoder(MOST_BYTES)
    decoder.header_table_size = decoder.max_allowed_table_size = 0  # as we told the other side
    try:
        return tuple((bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True))
    except (hpack.InvalidTableIndex, hpack.InvalidTableSizeError) as error:
        why = "the server uses a dynamic table of headers, though it was told that there is none"
        raise HeadersError(f"{why} ({error})") from error
    except hpack.HPACKError as error:
        raise HeadersError(str(error) or type(error).__name__) from error


def _field(name: bytes, value: bytes) -> bytes:
    if (index := _STATIC.get((name, value))) is not None:
        return bytes((0x80 | index,))
    if (index := _STATIC_NAMES.get(name)) is not None:
        return _integer(index, 4, 0x00) + _string(value)
    return b"\x00" + _string(name) + _string(value)


def _string(data: bytes) -> bytes:
    return _integer(len(data), 7, 0x00) + data


def _integer(value: int, bits: int, first: int) -> bytes:
    """RFC 7541, section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out, rest = bytearray((first | most,)), value - most
    while rest >= 128:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)
