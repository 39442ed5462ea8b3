"""What handlers say and see: messages, protobuf conversions, handlers by name, log lines."""

from __future__ import annotations

import dataclasses
import logging
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.contract import Metadata
from toolkit.sdk import Message
from toolkit.sdk.arrival import identity
from toolkit.sdk.failures import WiringError
from toolkit.sdk.loading import load
from toolkit.sdk.logs import Formatter, handled_call, rfc3339
from toolkit.sdk.methods import find
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.stubs.link_pb2 import Message as LinkMessage
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest

# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "data", "content_type"),
    [
        (b"\x00\xff", b"\x00\xff", "application/octet-stream"),
        (bytearray(b"ab"), b"ab", "application/octet-stream"),
        (memoryview(b"ab"), b"ab", "application/octet-stream"),
        ("grüße", "grüße".encode(), "text/plain; charset=utf-8"),
        ({"a": [1, None]}, b'{"a": [1, null]}', "application/json"),
        ([], b"[]", "application/json"),
        (1.5, b"1.5", "application/json"),
        (False, b"false", "application/json"),
        (HelloRequest(name="x"), b"\x0a\x01x", "application/protobuf"),
        (Message(b"m", "a/b"), b"m", "a/b"),
    ],
)
def test_plain_values_become_messages(value: Any, data: bytes, content_type: str) -> None:
    message = Message.of(value)
    assert (message.data, message.content_type) == (data, content_type)


@pytest.mark.parametrize("value", [{1, 2}, object(), {"a": object()}, math.nan, Message])
def test_what_cannot_be_sent_is_named(value: Any) -> None:
    with pytest.raises(TypeError, match=f"a {type(value).__name__} cannot be sent"):
        Message.of(value)


def test_what_is_said_besides_goes_before_what_is_known() -> None:
    message = Message.of(Message(b"m", "a/b", type="t", extensions={"x": "y"}), content_type="c/d", type="u")
    assert (message.content_type, message.type, message.extensions) == ("c/d", "u", {"x": "y"})


def test_a_message_is_read_as_text_or_json_or_says_why_not() -> None:
    assert Message(b'{"a":1}').json() == {"a": 1}
    assert Message("é".encode()).text == "é"
    with pytest.raises(ValueError, match="Expecting value"):
        Message(b"nope").json()
    with pytest.raises(ValueError, match="utf-8"):
        _ = Message(b"\xff").text


def test_a_message_cannot_be_changed_behind_ones_back() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Message(b"").data = b"x"  # type: ignore[misc]  # that is what is tested


# --- identities -------------------------------------------------------------------------------------------------------


@given(st.text(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256), st.text())
def test_an_id_is_read_as_it_was_written(workflow: str, invocation: str, invoked_on: str) -> None:
    raw = Metadata(workflow, invocation, invoked_on).encode()
    assert identity(raw) == ((invocation, raw) if len(raw) <= 4096 else None)


@given(st.binary())
def test_no_bytes_are_an_error_as_metadata(raw: bytes) -> None:
    found = identity(raw)
    assert found is None or found[1] == raw


@pytest.mark.parametrize("invocation", ["", "x" * 257, "\ud800"])
def test_an_id_that_cannot_be_carried_on_is_none(invocation: str) -> None:
    assert identity(Metadata("w", invocation, "t").encode()) is None


# --- protobuf ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "value", "made"),
    [
        ("prodcon.ProducerConsumer/ConsumeByte", ConsumeByteRequest(value=b"v"), ConsumeByteRequest(value=b"v")),
        ("prodcon.ProducerConsumer/ConsumeByte", b"v", ConsumeByteRequest(value=b"v")),
        ("prodcon.ProducerConsumer/ConsumeByte", "v", ConsumeByteRequest(value=b"v")),
        ("prodcon.ProducerConsumer/ConsumeByte", Message(b"v"), ConsumeByteRequest(value=b"v")),
        ("prodcon.ProducerConsumer/ConsumeByte", None, ConsumeByteRequest()),
        ("helloworld.Greeter/SayHello", "ann", HelloRequest(name="ann")),
        ("link.Link/Send", "v", LinkMessage(data=b"v", content_type="text/plain; charset=utf-8")),
        ("link.Link/Send", Message(b"v"), LinkMessage(data=b"v")),
        ("link.Link/Send", LinkMessage(data=b"v"), LinkMessage(data=b"v")),
        ("link.Link/Send", {"a": 1}, LinkMessage(data=b'{"a": 1}', content_type="application/json")),
    ],
)
def test_what_has_one_place_for_content_takes_plain_content(method: str, value: Any, made: Any) -> None:
    assert find(method).request.serialize(value) == made.SerializeToString()


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("prodcon.ProducerConsumer/ConsumeByte", 7),
        ("prodcon.ProducerConsumer/ConsumeByte", {"a": 1}),
        ("prodcon.ProducerConsumer/ConsumeByte", HelloRequest()),
        ("helloworld.Greeter/SayHello", b"\xff"),
        ("helloworld.Greeter/SayHello", ConsumeByteRequest()),
    ],
)
def test_what_does_not_fit_is_refused_with_both_names(method: str, value: Any) -> None:
    with pytest.raises(TypeError, match=r"prodcon\.ConsumeByteRequest|helloworld\.HelloRequest"):
        find(method).request.serialize(value)


def test_a_reply_of_one_flag_takes_a_bool_and_nothing_else() -> None:
    reply = find("prodcon.ProducerConsumer/ConsumeByte").reply
    assert reply.serialize(True) == ConsumeByteReply(value=True).SerializeToString()
    with pytest.raises(TypeError):
        reply.serialize("yes")


def test_a_generic_message_is_read_as_a_message() -> None:
    assert find("link.Link/Send").request.parse(LinkMessage(data=b"x").SerializeToString()) == Message(b"x")


@pytest.mark.parametrize(
    "path", ["", "/", "no.Such/Method", "helloworld.Greeter/SayBye", "helloworld.Greeter", "../x/y"]
)
def test_a_method_that_does_not_exist_is_refused_with_a_way_out(path: str) -> None:
    with pytest.raises(WiringError, match="import its generated"):
        find(path)


# --- handlers ---------------------------------------------------------------------------------------------------------


def test_a_handler_may_live_in_a_file_or_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside.py").write_text("NAME = 'beside'\n")
    (tmp_path / "in_a_file.py").write_text("import beside\ndef f(ctx, message):\n    return beside.NAME\n")
    assert load(f"{tmp_path}/in_a_file.py:f")(None, None) == "beside"
    assert load("operator:add")(1, 2) == 3
    for name in ("beside", "in_a_file"):
        sys.modules.pop(name)


def test_a_file_named_like_a_module_does_not_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "json.py").write_text("def f(ctx, message):\n    return 'mine'\n")
    assert load(f"{tmp_path}/json.py:f")(None, None) == "mine"
    assert sys.modules["json"] is json


# --- log lines --------------------------------------------------------------------------------------------------------


def line(message: str, *arguments: Any, level: int = logging.INFO, function: str = "f") -> str:
    return Formatter(function).format(logging.LogRecord("x", level, "", 0, message, arguments, None))


@pytest.mark.parametrize(
    ("level", "word"),
    [(10, "debug"), (20, "info"), (30, "warning"), (40, "error"), (50, "fatal")],
)
def test_levels_are_called_as_logrus_calls_them(level: int, word: str) -> None:
    assert f" level={word} " in line("x", level=level)


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", 'a"b', "a\x1b[31mb", "a\u2028b", "é", "\ud800"])
def test_a_record_is_one_line_whatever_it_says(text: str) -> None:
    said = line("%s", text)
    assert len(said.splitlines()) == 1
    assert said.endswith(" function=f")


def test_a_traceback_stays_on_its_line() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.LogRecord("x", 40, "", 0, "failed", (), sys.exc_info())
    said = Formatter("f").format(record)
    assert "\\nValueError: no" in said
    assert len(said.splitlines()) == 1


def test_a_line_carries_the_call_under_way() -> None:
    token = handled_call.set("call 7")
    try:
        assert line("x").endswith('function=f call="call 7"')
    finally:
        handled_call.reset(token)


def test_time_has_nine_digits() -> None:
    assert rfc3339(1_700_000_000_000_000_008) == "2023-11-14T22:13:20.000000008Z"
