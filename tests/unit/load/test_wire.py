"""What generators and whoever gave them their shares say to each other."""

from __future__ import annotations

import pytest

from toolkit.load import wire
from toolkit.load.share import Share
from toolkit.load.wire import Done, Hello, Order
from toolkit.results import Elapsed, Load, Progress

ORDER = Order("h:80", "run-1", "pair", "producer", Load(requests=3, rate=0.5, arrivals="poisson"), Share(1, 2), "x.y")


def test_an_order_arrives_as_it_was_given() -> None:
    assert wire.order_of(wire.message(wire.order_line(ORDER))["order"]) == ORDER


def test_the_smaller_messages_arrive_too() -> None:
    progress, done, hello = Progress(None, 3, 2, 1, 0, 0.5), Done(5, 4, 3), Hello("t", 1, 1, "")
    said = wire.message(wire.line(progress=wire.fields(progress), done=wire.fields(done), hello=wire.fields(hello)))
    assert wire.progress_of(said["progress"]) == progress
    assert wire.done_of(said["done"]) == done
    assert done.elapsed == Elapsed(5, 4)
    assert wire.hello_of(said["hello"]) == hello


@pytest.mark.parametrize("line", [b"", b"\n", b"x", b"[]", b"1", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="is no message"):
        wire.message(line)


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        {"token": "t"},
        {"token": 1, "index": 1, "version": 1, "kernel": ""},
        {"token": "t", "index": True, "version": 1, "kernel": ""},
        {"token": "t", "index": 1, "version": 1, "kernel": "", "more": 1},
    ],
)
def test_a_hello_of_another_shape_is_refused(said: object) -> None:
    with pytest.raises(ValueError, match=r"Hello|no object"):
        wire.hello_of(said)
