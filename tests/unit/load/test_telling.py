"""What a generator tells of calls, and what becomes of it on the other side."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from toolkit.contract import digest
from toolkit.load import telling
from toolkit.load.identity import Identity
from toolkit.load.telling import LOST, Told
from toolkit.results import CallRecord
from toolkit.stubs.helloworld_pb2 import HelloReply

WHO = Identity(3, "c" * 32, "a" * 32, "b" * 16, True)
HELLO = HelloReply(message="hé").SerializeToString()
OK = Told(3, 10, 20, 30, 5_040, 7_000, "OK", 4, digest(b"asked"), HELLO, digest(HELLO))
FAILED = Told(4, 11, 21, None, 41, 71, "FAILED_PRECONDITION", 4, digest(b"asked"), error='ü"\n')
GONE = Told(5, 12, 22, None, 42, 72, LOST, 4, digest(b"asked"))
REFUSED = Told(6, 13, 23, None, 43, 0, "RESOURCE_EXHAUSTED", error="too many", refused=True)
ALL = [OK, FAILED, GONE, REFUSED, OK._replace(seq=7, reply=b"", reply_digest=digest(b""))]


def test_what_is_told_arrives_as_it_was() -> None:
    assert list(telling.unpacked(telling.packed(ALL))) == ALL
    assert list(telling.unpacked(telling.packed([]))) == []


def test_an_answer_too_long_to_be_told_keeps_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MOST_REPLY", 3)
    long = OK._replace(reply=b"four", reply_digest=digest(b"four"))
    assert list(telling.unpacked(telling.packed([long, OK._replace(reply=b"abc")]))) == [
        long._replace(reply=None),
        OK._replace(reply=b"abc"),
    ]


def test_a_record_says_what_became_of_the_call() -> None:
    ids = ("c" * 32, "a" * 32)
    assert telling.record(OK, WHO) == CallRecord(
        *(3, *ids, True, 10, 20, 5_040, "OK"),
        reply="hé",
        size=4,
        digest=digest(b"asked"),
        reply_digest=digest(HELLO),
        first_ns=30,
    )
    failed = telling.record(FAILED, WHO)
    assert (failed.status, failed.error, failed.done_ns, failed.first_ns) == (FAILED.status, FAILED.error, 41, None)
    lost = telling.record(GONE, WHO)
    assert (lost.status, lost.error, lost.done_ns) == (None, None, None)
    refused = telling.record(REFUSED, WHO)
    assert (refused.refused, refused.sampled, refused.error, refused.digest) == (True, False, "too many", "")


def test_the_root_span_is_the_callers_side_of_the_entry() -> None:
    root = telling.root(OK, WHO, "Producer")
    assert root is not None
    assert (root.trace, root.id, root.parent, root.service, root.remote) == (
        *("a" * 32, "b" * 16, None),
        *("caller", "producer"),
    )
    assert (root.kind, root.name) == ("CLIENT", "helloworld.greeter/sayhello")
    assert (root.timestamp, root.duration) == (7, 5)
    assert root.tags == {"toolkit.call": WHO.call, "toolkit.message": WHO.call}


def test_the_root_span_of_a_call_without_an_answer_says_why() -> None:
    failed, lost = telling.root(FAILED, WHO, "p"), telling.root(GONE, WHO, "p")
    assert failed is not None
    assert lost is not None
    assert (failed.tags["error"], failed.tags["grpc.status"]) == (FAILED.error, FAILED.status)
    assert (lost.tags["error"], lost.tags["grpc.status"]) == ("never answered", LOST)
    assert lost.duration == 1


def test_calls_that_are_not_traced_have_no_root_span() -> None:
    assert telling.root(OK, WHO._replace(sampled=False), "p") is None
    assert telling.root(REFUSED, WHO, "p") is None


CUT = base64.b64encode(b"x" * (telling.ROW.size - 1)).decode()
NOBODY = base64.b64encode(b"\xff" * telling.ROW.size).decode()
GOOD: dict[str, Any] = telling.packed([FAILED])


@pytest.mark.parametrize(
    "said",
    [
        {},
        {**GOOD, "calls": CUT},
        {**GOOD, "calls": "ü"},
        {**GOOD, "calls": [1]},
        {**GOOD, "calls": NOBODY},
        {**GOOD, "errors": []},
        {**GOOD, "errors": {"0": 1}},
        {**telling.packed([OK]), "replies": ""},
    ],
)
def test_what_tells_of_no_calls_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"row|text|base64"):
        list(telling.unpacked(said))
