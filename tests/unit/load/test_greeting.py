"""The bytes of a call, as vSwarm's invoker makes and reads them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as some

from toolkit.contract import Metadata
from toolkit.load.greeting import Greetings, reply, rfc3339
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest


def test_the_metadata_is_in_field_fifteen() -> None:
    data = Greetings("pair").request("c" * 32, 7, 1_714_564_800_000_000_001)
    assert data.startswith(b"\x0a\x017\x7a")  # field 1: "7"; then field 15, length-delimited
    said = json.loads(HelloRequest.FromString(data).vHiveMetadata)
    assert said == {"WorkflowId": "pair", "InvocationId": "c" * 32, "InvokedOn": "2024-05-01T12:00:00.000000001Z"}


YEAR_9999 = 253_402_300_799_999_999_999
NAMES = some.text(max_size=300).filter(lambda name: "\0" not in name and "\\" not in name)


@given(
    NAMES, some.lists(some.tuples(some.integers(0, 2**128 - 1), some.integers(0, 2**40), some.integers(0, YEAR_9999)))
)
def test_what_is_patched_together_is_what_protobuf_encodes(chain: str, calls: list[tuple[int, int, int]]) -> None:
    greetings = Greetings(chain)
    for number, seq, wall_ns in calls:
        call = f"{number:032x}"
        metadata = Metadata(chain, call, rfc3339(wall_ns)).encode()
        whole = HelloRequest(name=str(seq), vHiveMetadata=metadata)
        assert greetings.request(call, seq, wall_ns) == whole.SerializeToString(deterministic=True)


def test_a_reply_says_its_message() -> None:
    assert reply(HelloReply(message="hé").SerializeToString()) == "hé"
    assert reply(b"") == ""


def test_what_is_no_reply_says_nothing() -> None:
    assert reply(b"\xff\xff\xff\xff") is None


def test_times_are_utc_and_always_as_wide() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000000000Z"
    assert rfc3339(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"
