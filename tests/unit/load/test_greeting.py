"""The bytes of a call, as vSwarm's invoker makes and reads them."""

from __future__ import annotations

import json

from toolkit.load.greeting import reply, request, rfc3339
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest


def test_the_metadata_is_in_field_fifteen() -> None:
    data = request("pair", "c" * 32, "7", 1_714_564_800_000_000_001)
    assert data.startswith(b"\x0a\x017\x7a")  # field 1: "7"; then field 15, length-delimited
    said = json.loads(HelloRequest.FromString(data).vHiveMetadata)
    assert said == {"WorkflowId": "pair", "InvocationId": "c" * 32, "InvokedOn": "2024-05-01T12:00:00.000000001Z"}


def test_a_reply_says_its_message() -> None:
    assert reply(HelloReply(message="hé").SerializeToString()) == "hé"
    assert reply(b"") == ""


def test_what_is_no_reply_says_nothing() -> None:
    assert reply(b"\xff\xff\xff\xff") is None


def test_times_are_utc_and_always_as_wide() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000000000Z"
    assert rfc3339(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"
