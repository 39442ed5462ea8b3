"""The fast way of a generic message is protobuf's own, byte for byte, whoever wrote it and however broken it is."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.sdk import generic
from toolkit.sdk.message import Message
from toolkit.stubs.link_pb2 import Message as Link

SIZES = (0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152)
MESSAGES = st.builds(
    Message,
    st.binary(max_size=300),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    status=st.none() | st.integers(1, 599),
)
FIELDS = st.one_of(
    st.builds(lambda data: Link(data=data).SerializeToString(), st.binary(max_size=5)),
    st.sampled_from((b"\x0a\x00", b"\x12\x00", b"\x12\x01x", b"\x18\x00", b"\x18\x05", b"\x0a\x81\x00x", b"\x7a\x01y")),
    st.binary(max_size=4),
)


@given(MESSAGES)
@example(Message(b"", None))
def test_what_is_written_is_what_protobuf_writes_and_is_read_again(message: Message) -> None:
    raw = generic.written(message, Link)
    theirs = Link(data=message.data, content_type=message.content_type or "", status=message.status or 0)
    assert raw == theirs.SerializeToString()
    assert generic.read(raw, Link) == message


@pytest.mark.parametrize("size", SIZES)
def test_every_length_of_a_length_is_written_and_read(size: int) -> None:
    message = Message(b"x" * size, "text/plain", status=200)
    raw = generic.written(message, Link)
    assert raw == Link(data=message.data, content_type="text/plain", status=200).SerializeToString()
    assert generic.read(raw, Link) == message


@given(st.lists(FIELDS, max_size=4).map(b"".join))
@example(b"\x0a\x01a\x0a\x00")  # of one field twice the last counts, and it is empty
@example(b"\x0a\x01a\x0a\x01b")
@example(b"\x0a\x05a")
@example(b"\x0a" + b"\xff" * 10)
@example(b"\x12\x01\xff")
def test_whatever_comes_is_read_as_protobuf_reads_it(raw: bytes) -> None:
    try:
        theirs = Link.FromString(raw)
    except DecodeError:
        with pytest.raises(ValueError, match=r"not a link\.Message"):
            generic.read(raw, Link)
        return
    found = generic.read(raw, Link)
    assert (found.data, found.content_type or "", found.status or 0) == (
        theirs.data,
        theirs.content_type,
        theirs.status,
    )
