"""Trace context on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.sdk.propagation import Position, extract, new_span, new_trace, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", 1),
        (f"00-{TRACE}-{SPAN}-00", 0),
        (f"00-{TRACE}-{SPAN}-03", 3),
        (f"00-{TRACE}-{SPAN}-ff", 3),
        (f" 00-{TRACE}-{SPAN}-01 ", 1),
        (f"01-{TRACE}-{SPAN}-01", 1),
        (f"fe-{TRACE}-{SPAN}-01-more", 1),
    ],
)
def test_a_traceparent_is_a_position(header: str, flags: int) -> None:
    assert parse(header) == Position(TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n00",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_what_is_no_traceparent_is_none(header: str) -> None:
    assert parse(header) is None


@pytest.mark.parametrize(
    ("headers", "position"),
    [
        ({"b3": f"{TRACE}-{SPAN}-1"}, Position(TRACE, SPAN, 1)),
        ({"b3": f"{TRACE}-{SPAN}-d-{SPAN}"}, Position(TRACE, SPAN, 1)),
        ({"b3": f"{TRACE}-{SPAN}-0"}, Position(TRACE, SPAN, 0)),
        ({"b3": f"{TRACE}-{SPAN}"}, Position(TRACE, SPAN, 1)),
        ({"b3": f"{SPAN}-{SPAN}-1"}, Position("0" * 16 + SPAN, SPAN, 1)),
        ({"b3": "1"}, Position("", "", 1)),
        ({"b3": "d"}, Position("", "", 1)),
        ({"b3": "0"}, Position("", "", 0)),
        ({"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "0"}, Position(TRACE, SPAN, 0)),
        ({"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "false"}, Position(TRACE, SPAN, 0)),
        ({"x-b3-traceid": TRACE, "x-b3-spanid": SPAN}, Position(TRACE, SPAN, 1)),
        ({"x-b3-traceid": SPAN, "x-b3-spanid": SPAN, "x-b3-flags": "1"}, Position("0" * 16 + SPAN, SPAN, 1)),
        ({"x-b3-sampled": "0"}, Position("", "", 0)),
        ({"traceparent": f"00-{TRACE}-{SPAN}-00", "b3": f"{TRACE}-{SPAN}-1"}, Position(TRACE, SPAN, 0)),
        ({"traceparent": "nonsense", "b3": f"{TRACE}-{SPAN}-1"}, Position(TRACE, SPAN, 1)),
        ({"b3": "nonsense", "x-b3-traceid": TRACE, "x-b3-spanid": SPAN}, Position(TRACE, SPAN, 1)),
        ({"b3": f"{'0' * 32}-{SPAN}-1"}, None),
        ({"x-b3-traceid": TRACE, "x-b3-spanid": TRACE}, None),
        ({}, None),
    ],
)
def test_w3c_comes_first_then_b3(headers: dict[str, str], position: Position | None) -> None:
    assert extract(headers) == position


def test_tracestate_is_carried_while_it_is_short_enough() -> None:
    parent = f"00-{TRACE}-{SPAN}-01"
    assert extract({"traceparent": parent, "tracestate": "a=b,c=d"}) == Position(TRACE, SPAN, 1, "a=b,c=d")
    assert extract({"traceparent": parent, "tracestate": "a=" + "b" * 600}) == Position(TRACE, SPAN, 1, "")


def test_a_position_writes_what_it_reads() -> None:
    position = Position(new_trace(), new_span(), 3)
    assert parse(position.traceparent) == position
    assert extract({"b3": position.b3}) == position._replace(flags=1)


@given(st.text(max_size=80))
def test_no_header_is_an_error(text: str) -> None:
    headers = dict.fromkeys(("traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"), text)
    found = extract(headers)
    assert found is None or len(found.trace) in (0, 32)
