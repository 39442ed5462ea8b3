"""HTTP/2 frames (RFC 9113, section 6): their names, and how those that a client sends are built."""

from __future__ import annotations

import struct
from collections.abc import Iterable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER = 9  # bytes before a frame's payload

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, WITH_PRIORITY = 0x4, 0x8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR = range(
    7
)
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY = range(7, 13)
ERRORS = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)  # section 7, by code

WINDOW = 65_535  # of a stream and of a connection, until somebody says otherwise
LARGEST_WINDOW = (1 << 31) - 1
FRAME_SIZE = 16_384  # the largest payload, until somebody says otherwise
LARGEST_FRAME_SIZE = (1 << 24) - 1
LAST_STREAM = (1 << 31) - 1
_SETTING = struct.Struct(">HI")


class Broken(Exception):
    """The connection can't go on: a code of section 7, and what happened."""

    def __init__(self, error: int, what: str) -> None:
        self.error, self.what = error, what
        super().__init__(what)


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    return b"".join((len(payload).to_bytes(3, "big"), bytes((kind, flags)), stream.to_bytes(4, "big"), payload))


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values)
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream: int, by: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, by.to_bytes(4, "big"))


def rst_stream(stream: int, error: int) -> bytes:
    return frame(RST_STREAM, 0, stream, error.to_bytes(4, "big"))


def goaway(error: int, said: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, (0).to_bytes(4, "big") + error.to_bytes(4, "big") + said)


def error_name(code: int) -> str:
    return ERRORS[code] if code < len(ERRORS) else f"error {code}"


def read_settings(flags: int, stream: int, payload: bytes) -> list[tuple[int, int]] | None:
    """What is set to what; None for an acknowledgement. Raises Broken."""
    if stream or len(payload) % 6 or (flags & ACK and payload):
        raise Broken(FRAME_SIZE_ERROR, "malformed SETTINGS")
    return None if flags & ACK else list(_SETTING.iter_unpack(payload))


def read_goaway(stream: int, payload: bytes) -> tuple[int, str]:
    """The last stream that is still answered, and why no other. Raises Broken."""
    if stream or len(payload) < 8:
        raise Broken(FRAME_SIZE_ERROR, "malformed GOAWAY")
    words = f": {payload[8:200].decode('utf-8', 'replace')}" if len(payload) > 8 else ""
    return int.from_bytes(payload[:4], "big") & LAST_STREAM, error_name(int.from_bytes(payload[4:8], "big")) + words


def read_number(kind: str, payload: bytes) -> int:
    """Of a frame that holds nothing else. Raises Broken."""
    if len(payload) != 4:
        raise Broken(FRAME_SIZE_ERROR, f"malformed {kind}")
    return int.from_bytes(payload, "big")


def unpadded(flags: int, payload: bytes) -> bytes:
    """Without padding, and without the priority that may stand before a header block. Raises Broken."""
    pad, start = 0, 0
    if flags & PADDED:
        if not payload:
            raise Broken(FRAME_SIZE_ERROR, "a padded frame without a length")
        pad, start = payload[0], 1
    if flags & WITH_PRIORITY:
        start += 5
    if start + pad > len(payload):
        raise Broken(PROTOCOL_ERROR, "more padding than frame")
    return payload[start : len(payload) - pad]
