"""The bytes of one call into an entry, and of its answer: `helloworld.Greeter/SayHello`, as vSwarm speaks it.

May live here: encoding. May not: sending.
"""

from __future__ import annotations

from datetime import UTC, datetime

from toolkit.contract import Metadata

SECOND = 1_000_000_000
NAME, METADATA = 0x0A, 0x7A  # tags of HelloRequest's fields 1 and 15, both length-delimited
_CALL, _MOMENT = "\x00call\x00", "\x00moment\x00"  # as JSON no id and no time looks
_WIDE_CALL, _WIDE_MOMENT = 32, len("2024-05-01T12:00:00.000000001Z")


class Greetings:
    """The requests of a chain's calls. What is the same in all of them is encoded once: protobuf's own encoder would
    take most of the time that sending a call takes.
    """

    def __init__(self, chain: str) -> None:
        whole = Metadata(chain, _CALL, _MOMENT).encode()
        before, _, rest = whole.partition(_escaped(_CALL))
        between, _, after = rest.partition(_escaped(_MOMENT))
        size = len(before) + _WIDE_CALL + len(between) + _WIDE_MOMENT + len(after)
        self._before = bytes((METADATA,)) + _varint(size) + before
        self._between, self._after = between, after
        self._second, self._moment = -1, b""

    def request(self, call: str, seq: int, wall_ns: int) -> bytes:
        """The call's message; `call` has 32 digits, `wall_ns` (since the epoch) becomes `InvokedOn`."""
        second, rest = divmod(wall_ns, SECOND)
        if second != self._second:
            self._second, self._moment = second, self._between + _moment(second).encode()
        name = b"%d" % seq
        return b"\x0a%c%b%b%b%b.%09dZ%b" % (
            *(len(name), name),
            *(self._before, call.encode(), self._moment, rest, self._after),
        )


def reply(data: bytes) -> str | None:
    """The text of the answer; None when the bytes are no HelloReply (an entry that is not ours may say anything)."""
    from google.protobuf.message import DecodeError  # whoever only sends does without protobuf

    from toolkit.stubs.helloworld_pb2 import HelloReply

    try:
        return HelloReply.FromString(data).message
    except DecodeError:
        return None


def rfc3339(wall_ns: int) -> str:
    """UTC with nine digits of a second, always as wide: `2024-05-01T12:00:00.000000001Z`."""
    seconds, rest = divmod(wall_ns, SECOND)
    return f"{_moment(seconds)}.{rest:09d}Z"


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _escaped(text: str) -> bytes:
    return text.replace("\x00", "\\u0000").encode()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))
