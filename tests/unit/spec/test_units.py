"""Sizes and durations, as text and as numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.contract import units


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0B", 0),
        ("1B", 1),
        ("4KiB", 4096),
        ("4 KiB", 4096),
        ("1MB", 1_000_000),
        ("1KB", 1000),
        ("1kB", 1000),
        ("1.5KiB", 1536),
        ("0.5MB", 500_000),
        ("2GiB", 2 << 30),
        ("3GB", 3 * 10**9),
        ("4096", 4096),
        ("007B", 7),
    ],
)
def test_a_size_is_its_bytes(text: str, count: int) -> None:
    assert units.size(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "KiB",
        "-1B",
        "1kib",
        "1K",
        "1 B ",
        " 1B",
        "1\nB",
        "1TiB",
        "0x10",
        "1e3",
        "1,5KiB",
        "٣B",
        "1s",
        "1B\n",
        "1  B",
    ],
)
def test_what_is_no_size_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write 0B, 4KiB or 1MB"):
        units.size(text)


def test_a_size_is_whole_bytes() -> None:
    with pytest.raises(ValueError, match="not a whole number of bytes"):
        units.size("1.5B")


def test_a_size_has_an_end() -> None:
    with pytest.raises(ValueError, match="larger than any size can be"):
        units.size("999999999999999GiB")
    with pytest.raises(ValueError, match="is not a size"):
        units.size("9" * 10_000 + "B")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("200ms", 0.2),
        ("10s", 10.0),
        ("0.5s", 0.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("20us", 2e-5),
        ("20µs", 2e-5),
        ("300ms", 0.3),
        ("0s", 0.0),
        ("0", 0.0),
    ],
)
def test_a_duration_is_its_seconds(text: str, seconds: float) -> None:
    assert units.seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "10", "10 sec", "-1s", "1.s", "1d", "1m30s", "PT1S", "1e3s", "nan", "inf", "1S"]
)
def test_what_is_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 250ms, 10s or 2m"):
        units.seconds(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (1, "1B"), (4096, "4KiB"), (1_000_000, "1MB"), (1001, "1001B"), (3 << 30, "3GiB"), (1536, "1536B")],
)
def test_bytes_are_shown_as_short_as_they_can_be_exactly(count: int, text: str) -> None:
    assert units.show_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250ms"),
        (10.0, "10s"),
        (120.0, "2m"),
        (90.0, "90s"),
        (1.5, "1.5s"),
        (3600.0, "1h"),
        (0.0, "0s"),
        (2e-5, "20us"),
        (0.1 + 0.2, "300ms"),
    ],
)
def test_seconds_are_shown_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert units.show_seconds(seconds) == text


@given(st.integers(0, 10**18))
def test_a_shown_size_is_read_back(count: int) -> None:
    assert units.size(units.show_size(count)) == count


@given(st.integers(0, 10**15))
def test_a_shown_duration_is_read_back_to_the_nanosecond(nanoseconds: int) -> None:
    seconds = nanoseconds / 1e9
    assert units.seconds(units.show_seconds(seconds)) == pytest.approx(seconds, abs=1e-9)


def test_a_text_in_a_message_stays_on_its_line_and_short() -> None:
    assert units.shown("a\nb\x1b") == r"'a\nb\x1b'"
    assert len(units.shown("x" * 10_000)) == 62
