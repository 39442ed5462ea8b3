"""Trace context and baggage: only what parses goes on, written anew."""

from __future__ import annotations

import pytest

from toolkit.engines.local.broker import tracing

TRACE = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


def carried(parent: str | None, state: str | None = None, *baggage: str) -> dict[str, str]:
    found = tracing.trace_headers(
        parent.encode() if parent else None, state.encode() if state else None, [each.encode() for each in baggage]
    )
    return {name.decode(): value.decode() for name, value in found}


@pytest.mark.parametrize(
    ("parent", "written"),
    [
        (f"00-{TRACE}-01", f"00-{TRACE}-01"),
        (f"00-{TRACE}-00", f"00-{TRACE}-00"),
        (f"00-{TRACE}-03", f"00-{TRACE}-03"),
        (f"01-{TRACE}-01-extra", f"00-{TRACE}-01"),
        (f"cc-{TRACE}-ff", f"00-{TRACE}-03"),
        (f"00-{TRACE}-01-extra", None),
        (f"00-{TRACE}-09", None),
        (f"ff-{TRACE}-01", None),
        (f"00-{TRACE.upper()}-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", None),
        ("garbage", None),
        ("", None),
    ],
)
def test_a_traceparent_goes_on_only_if_it_is_valid(parent: str, written: str | None) -> None:
    assert carried(parent).get("Traceparent") == written


@pytest.mark.parametrize(
    ("state", "written"),
    [
        ("a=b", "a=b"),
        ("a=b, c=d ,e@f=g", "a=b,c=d,e@f=g"),
        ("a=b,,c=d", "a=b,c=d"),
        ("a=b,a=c", None),
        ("A=b", None),
        ("a", None),
        ("a=", None),
        (",".join(f"k{n}=v" for n in range(33)), None),
    ],
)
def test_a_tracestate_goes_on_only_if_it_is_valid(state: str, written: str | None) -> None:
    assert carried(f"00-{TRACE}-01", state).get("Tracestate") == written


def test_a_tracestate_without_a_valid_traceparent_does_not_go_on() -> None:
    assert carried(None, "a=b") == {}
    assert carried("garbage", "a=b") == {}


@pytest.mark.parametrize(
    ("baggage", "written"),
    [
        (["k=v"], "k=v"),
        (["k=v,k2=v2;p=1"], "k=v,k2=v2;p=1"),
        ([" k = v ; p "], "k=v;p"),
        (["a=%41%20b"], "a=A%20b"),
        (["k=v", "k2=v2"], "k=v,k2=v2"),
        (["k=v", "k=w"], "k=w"),
        (["=;;,,"], None),
        (["k=v,bad"], None),
        (["k=é"], None),
        ([""], None),
    ],
)
def test_baggage_is_read_and_written_anew(baggage: list[str], written: str | None) -> None:
    assert carried(None, None, *baggage).get("Baggage") == written


def test_only_known_headers_are_passed_through() -> None:
    sent = [(b"x-request-ID", b"1"), (b"KNATIVE-foo", b"2"), (b"x-b3-traceid", b"3"), (b"retry-after", b"4")]
    lost = [(b"knative", b"x"), (b"b3", b"x"), (b"authorization", b"x"), (b"x-b3", b"x"), (b"kn-foo", b"x")]
    assert tracing.passed_through(sent + lost) == (
        (b"X-Request-Id", b"1"),
        (b"Knative-Foo", b"2"),
        (b"X-B3-Traceid", b"3"),
        (b"Retry-After", b"4"),
    )


def test_baggage_is_forgotten_when_the_channel_answers_first() -> None:
    found = tracing.Carried((), ((b"Baggage", b"k=v"), (b"Traceparent", b"x")))
    assert found.without_baggage().trace == ((b"Traceparent", b"x"),)
