"""What a person sees while a load runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.report.live import Seen, lines, share, sparkline
from toolkit.results import Load, Progress

OPEN = Load(duration_s=60.0, rate=100.0)


def seen(*told: Progress) -> Seen:
    found = Seen()
    for each in told:
        found.add(each)
    return found


def steady(seconds: int, **more: float) -> Seen:
    """A hundred calls a second, told ten times a second."""
    steps = range(1, seconds * 10 + 1)
    return seen(*(Progress(6000, at * 10, at * 10 - 3, 0, 3, at / 10, **more) for at in steps))


def test_it_tells_how_far_how_fast_and_how_long_it_still_takes() -> None:
    first, second = lines("load", steady(15, p50_us=3_600.0, p99_us=9_100.0), OPEN, 120)
    assert first == "load: █████░░░░░░░░░░░░░░░  25% 1497/6000 answered · 3 open · 15.0 s, 45 s left"
    assert second == "  100/s sent · p50 3.60, p99 9.10 ms so far · answers a second ██████████████"


def test_what_failed_is_told_only_when_something_did() -> None:
    (line, *_) = lines("load", seen(Progress(10, 5, 3, 2, 0, 0.5)), None, 100)
    assert "2 failed" in line


def test_nothing_is_told_that_nobody_knows() -> None:
    assert lines("load", seen(Progress(None, 5, 3, 0, 2, 0.1)), None, 100) == ["load: 3 answered · 2 open · 0.1 s"]


def test_a_terminal_that_knows_only_ascii_gets_ascii() -> None:
    told = lines("naïve", steady(15), OPEN, 120, unicode=False)
    assert all(line.isascii() for line in told)
    assert "#####..............." in told[0]


def test_a_title_cannot_command_a_terminal() -> None:
    assert "\x1b" not in lines("\x1b[2J", steady(1), None, 100)[0]


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.booleans())
def test_no_line_is_folded_by_its_terminal(width: int, seconds: int, unicode: bool) -> None:
    told = lines("a-chain-with-a-name", steady(seconds, p50_us=1e6, p99_us=1e9), OPEN, width, unicode=unicode)
    assert all(len(line) < width or width == 1 for line in told)


def test_a_narrow_terminal_gets_one_line() -> None:
    assert len(lines("load", steady(10), OPEN, 50)) == 1


def test_only_the_last_seconds_are_kept() -> None:
    found = steady(300)
    assert len(found.told) < 330
    assert lines("load", found, OPEN, 200)[1].count("█") <= 30


def test_a_stall_is_seen_in_the_sparkline() -> None:
    before = [Progress(None, at * 10, at * 10, 0, 0, at / 10) for at in range(1, 51)]
    stalled = [Progress(None, at * 10, 500, 0, 0, at / 10) for at in range(51, 81)]
    assert lines("load", seen(*before, *stalled), None, 120)[1].endswith("▁▁")


def test_another_load_begins_anew() -> None:
    found = steady(10)
    found.add(Progress(6000, 1, 0, 0, 1, 0.1))
    assert len(found.told) == 1


@pytest.mark.parametrize(
    ("now", "load", "done"),
    [
        (Progress(None, 5, 5, 0, 0, 30.0), OPEN, 0.5),
        (Progress(10, 9, 4, 1, 4, 1.0), None, 0.5),
        (Progress(None, 9, 4, 1, 4, 1.0), None, None),
        (Progress(10, 10, 10, 0, 0, 90.0), OPEN, 1.0),
    ],
)
def test_how_much_is_done(now: Progress, load: Load | None, done: float | None) -> None:
    assert share(now, load) == done


def test_a_sparkline_is_as_high_as_its_values() -> None:
    assert sparkline([0.0, 1.0, None, 7.0]) == "▁▂ █"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""
    assert sparkline([1.0, 2.0], unicode=False) == "+#"
