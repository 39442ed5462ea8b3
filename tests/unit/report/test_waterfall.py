from __future__ import annotations

import dataclasses
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traces.made import any_span, calm, span, tangled
from toolkit.report.waterfall import render
from toolkit.traces.model import Span

CHAIN = [
    span(1, "caller", "CLIENT", start=1000, duration=5000, name="say"),
    span(2, "producer", "SERVER", 1, start=1400, duration=4200, name="say"),
    span(3, "producer", "CLIENT", 2, start=2000, duration=1500, name="send"),
    span(4, "consumer", "SERVER", 3, start=2300, duration=900, name="send", tags={"error": "out of luck"}),
    span(5, "producer", "PRODUCER", 2, start=4000, duration=1000, name="greet"),
    span(6, "sink", "CONSUMER", 5, start=9000, duration=1_900_000, name="greet"),
]


def columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(bool(unicodedata.combining(each)) for each in text)


def test_a_trace_is_a_tree_with_times_and_bars() -> None:
    text = render(CHAIN[:4], width=90)
    assert text == (
        "trace 04799b8b27ad65ea9abf4b7f937eb4a9 · 4 spans · 3 services · 5.00 ms · 1 failed\n"
        "caller: say [client]                                   0 µs   5.00 ms  ███████████████████\n"
        "└─ producer: say [server]                            400 µs   4.20 ms   ████████████████\n"
        "   └─ producer: send [client]                       1.00 ms   1.50 ms     ██████\n"
        "      └─ ✗ consumer: send [server]                  1.30 ms    900 µs      ███\n"
        "           error: out of luck\n"
    )


def test_siblings_are_joined_by_a_line_as_long_as_they_go_on() -> None:
    rows = render(CHAIN).splitlines()[1:]
    assert [re.split(r"[a-z✗]", row)[0] for row in rows] == [
        "",
        "└─ ",
        "   ├─ ",
        "   │  └─ ",
        "   │       ",
        "   └─ ",
        "      └─ ",
    ]


def test_long_times_are_said_in_seconds() -> None:
    assert "1.90 s" in render(CHAIN).splitlines()[-1]


def test_no_spans_are_said() -> None:
    assert render([]) == "no spans\n"


def test_what_has_no_time_has_no_bar_and_what_has_no_parent_is_marked() -> None:
    head, *rows = render([*CHAIN[:1], span(9, "lost", None, 8, start=None, duration=None)]).splitlines()
    assert head.endswith("1 orphan")
    assert rows[-1].startswith("⚠ lost: work")
    assert rows[-1].split()[-2:] == ["?", "?"]


def test_an_instant_is_a_thin_stroke() -> None:
    assert render([*CHAIN[:1], span(2, "a", None, 1, start=1000, duration=None)]).splitlines()[-1].endswith("▏")


def test_there_is_no_colour_unless_it_is_asked_for() -> None:
    assert "\x1b" not in render(CHAIN)
    assert "\x1b[31m" in render(CHAIN, colour=True)


def test_nothing_of_a_span_reaches_the_terminal_as_a_command() -> None:
    evil = "\x1b]0;owned\x07\n\u202edrow\x9b2J\ud800\r"
    shown = render([dataclasses.replace(CHAIN[0], name=evil, service=evil, tags={"error": evil})])
    assert len(shown.splitlines()) == 3
    assert all(each.isprintable() or each == "\n" for each in shown)


def test_a_trace_of_many_spans_is_cut_and_says_so() -> None:
    many = [span(1), *(span(number, parent=1) for number in range(2, 1002))]
    lines = render(many, most=10).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "… 991 spans more"


def test_a_deep_trace_stays_within_the_width() -> None:
    deep = [span(number, "service", parent=number - 1 or None) for number in range(1, 300)]
    text = render(deep, width=80)
    assert "…298 service" in text
    assert max(map(columns, text.splitlines())) <= 80


@calm
@given(st.integers(-5, 200), st.lists(any_span(), max_size=5))
def test_lines_are_never_wider_than_asked(width: int, spans: list[Span]) -> None:
    same = [dataclasses.replace(each, trace="1" * 32) for each in spans]
    assert all(columns(line) <= max(60, width) for line in render(same, width=width).splitlines()[1:])


@calm
@given(tangled())
def test_every_span_has_its_line(spans: list[Span]) -> None:
    lines = render(spans).splitlines()
    rows = [line for line in lines[1:] if ": work" in line]
    assert len(rows) == int(lines[0].split(" · ")[1].split()[0]) if spans else lines == ["no spans"]


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (999, "999 µs"),
        (9_994, "9.99 ms"),
        (9_995, "10.0 ms"),
        (999_499, "999 ms"),
        (999_500, "1.00 s"),
        (123_456_789, "123 s"),
        (10**12, "1e+06 s"),
    ],
)
def test_three_digits_are_enough(duration: int, text: str) -> None:
    assert text in render([span(1, "a", duration=duration)])
