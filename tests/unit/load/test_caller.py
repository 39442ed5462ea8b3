"""What a call of a load says, and what is kept of it."""

from __future__ import annotations

import itertools

import pytest

from toolkit.contract import digest
from toolkit.load import caller
from toolkit.load.caller import Caller, Whom
from toolkit.load.driving import LOST
from toolkit.load.http2 import grpc, headers
from toolkit.load.http2.stream import Ended
from toolkit.load.identity import identities
from toolkit.load.share import WHOLE, Share
from toolkit.load.telling import Told
from toolkit.results import Load
from toolkit.stubs.helloworld_pb2 import HelloRequest

LOAD = Load(requests=9, rate=10.0, sample=0.5)
WHOM = Whom("run-1", "pair", "producer.example.com")


def the_caller(share: Share = WHOLE) -> Caller:
    return Caller(WHOM, LOAD, share, clock=lambda: 1_714_564_800_000_000_001)


def test_each_call_has_its_own_ids_in_the_same_head() -> None:
    found = the_caller()
    for who in itertools.islice(identities("run-1", LOAD), 5):
        token, block, _message = found.next(0, 0)
        assert token == who.seq
        assert headers.decode(block) == (
            *grpc.request_headers("/helloworld.Greeter/SayHello", "producer.example.com"),
            (b"grpc-timeout", b"30000m"),
            (b"toolkit-sender", b"caller"),
            (b"toolkit-message", who.call.encode()),
            (b"traceparent", f"00-{who.trace}-{who.span}-{'01' if who.sampled else '00'}".encode()),
        )


def test_the_message_says_when_the_call_was_due() -> None:
    _, _, message = the_caller().next(due_ns=5, now_ns=3)
    said = HelloRequest.FromString(message[grpc.PREFIX :])
    assert b'"InvokedOn":"2024-05-01T12:00:00.000000003Z"' in said.vHiveMetadata
    assert message[: grpc.PREFIX] == grpc.message(message[grpc.PREFIX :])[: grpc.PREFIX]


def test_a_share_has_the_calls_of_its_places() -> None:
    found = the_caller(Share(1, 3))
    assert [found.next(0, 0)[0] for _ in range(3)] == [1, 4, 7]


def test_what_has_ended_can_be_taken_a_few_at_a_time() -> None:
    found = the_caller()
    messages = [found.next(seq, seq + 1)[2][grpc.PREFIX :] for seq in range(3)]
    found.refused(9, 10, "too many")
    found.ended(Ended(1, "OK", "", b"yes", 20, 21))
    found.ended(Ended(0, "ABORTED", "no", None, None, 22))
    found.ended(Ended(2, LOST, "nobody waits any more", None, None, 23))
    assert found.waiting == 4
    first, rest = found.take(1), found.take(100)
    wall = 1_714_564_800_000_000_001
    sizes = [(len(each), digest(each)) for each in messages]
    assert first == [Told(1, 1, 2, 20, 21, wall, "OK", *sizes[1], b"yes", digest(b"yes"))]
    assert rest == [
        Told(0, 0, 1, None, 22, wall, "ABORTED", *sizes[0], error="no"),
        Told(2, 2, 3, None, 23, wall, LOST, *sizes[2]),
        Told(
            3, 9, 10, None, 10, 0, "RESOURCE_EXHAUSTED", error="the generator did not send it: too many", refused=True
        ),
    ]
    assert found.waiting == 0


def test_long_answers_are_not_taken_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "MOST_WORDS", 10)
    found = the_caller()
    for seq, reply in enumerate((b"123456", b"123456", b"1" * 100, b"1")):
        found.next(0, 0)
        found.ended(Ended(seq, "OK", "", reply, 1, 2))
    assert [[each.seq for each in found.take(9)] for _ in range(3)] == [[0, 1], [2], [3]]


@pytest.mark.parametrize(
    ("seconds", "said"), [(30.0, b"30000m"), (0.0001, b"1m"), (1e6, b"1000000S"), (1e9, b"99999999S")]
)
def test_a_timeout_has_at_most_eight_digits(seconds: float, said: bytes) -> None:
    assert grpc.timeout(seconds) == said
