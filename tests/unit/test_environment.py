"""What a number was measured on, and when."""

from __future__ import annotations

import time

import pytest

from toolkit import environment


def test_a_moment_of_the_monotonic_clock_is_told_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_714_564_800_000_000_000)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5_000_000_000)
    told = [environment.wall_clock(at_ns) for at_ns in (5_000_000_000, 4_000_250_999, 0)]
    assert told == ["2024-05-01T12:00:00.000000Z", "2024-05-01T11:59:59.000250Z", "2024-05-01T11:59:55.000000Z"]
