"""The bytes of one call into an entry, and of its answer: `helloworld.Greeter/SayHello`, as vSwarm speaks it.

May live here: encoding. May not: sending.
"""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from toolkit.contract import Metadata
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest


def request(chain: str, call: str, name: str, wall_ns: int) -> bytes:
    """The request as it goes over the wire; `wall_ns` (since the epoch) becomes `InvokedOn`."""
    metadata = Metadata(chain, call, rfc3339(wall_ns))
    return HelloRequest(name=name, vHiveMetadata=metadata.encode()).SerializeToString()


def reply(data: bytes) -> str | None:
    """The text of the answer; None when the bytes are no HelloReply (an entry that is not ours may say anything)."""
    try:
        return HelloReply.FromString(data).message
    except DecodeError:
        return None


def rfc3339(wall_ns: int) -> str:
    """UTC with nine digits of a second, always as wide: `2024-05-01T12:00:00.000000001Z`."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
