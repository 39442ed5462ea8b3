"""What a load is called."""

from __future__ import annotations

import pytest

from toolkit.report.asked import asked
from toolkit.results import Load


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (Load(requests=200, rate=50.0), "open loop at 50/s, 200 calls, seed 1"),
        (Load(duration_s=90.0, rate=0.5, arrivals="poisson"), "Poisson arrivals at 0.5/s, 90 s, seed 1"),
        (Load(requests=9, rate=5.0, arrivals="uniform"), "uniform arrivals at 5/s, 9 calls, seed 1"),
        (
            Load(requests=9, rate=5.0, arrivals="ramp:to=200"),
            "open loop, ramp:to=200 at 5/s, 9 calls, seed 1",
        ),
        (
            Load(requests=9, arrivals="recorded:a\x1b[2J.csv,row=1", recorded="counts/1 9"),
            "open loop, recorded:a\N{REPLACEMENT CHARACTER}[2J.csv,row=1, 9 calls, seed 1",
        ),
        (Load(requests=9, concurrency=3, seed=4), "closed loop, 3 at a time, 9 calls, seed 4"),
        (
            Load(duration_s=5.0, concurrency=3, think="exponential:100ms"),
            "closed loop, 3 at a time, thinking exponential:100ms, 5 s, seed 1",
        ),
    ],
)
def test_a_load_is_told_in_a_few_words(load: Load, told: str) -> None:
    assert asked(load) == told
