"""The curve of percentiles and the histogram: exact at each point."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.measure import quantiles
from toolkit.measure.distribution import distribution

LATENCIES = st.lists(st.integers(min_value=1, max_value=10**11), min_size=1, max_size=300)


def test_without_samples_there_is_no_distribution() -> None:
    assert distribution(np.array([], dtype=np.int64)) is None


@settings(deadline=None)
@given(LATENCIES)
def test_the_curve_rises_from_the_least_sample_to_the_largest(samples: list[int]) -> None:
    found = distribution(np.sort(np.array(samples)))
    assert found is not None
    assert found.curve[0] == (1 / len(samples), min(samples) / 1e3)
    assert found.curve[-1] == (1.0, max(samples) / 1e3)
    assert all(before[0] < after[0] and before[1] <= after[1] for before, after in pairwise(found.curve))


@settings(deadline=None)
@given(LATENCIES)
def test_each_point_is_a_sample_that_at_least_its_share_does_not_exceed(samples: list[int]) -> None:
    found = distribution(np.sort(np.array(samples)))
    assert found is not None
    for share, upto in found.curve:
        assert sum(each / 1e3 <= upto for each in samples) >= round(share * len(samples))


@settings(deadline=None)
@given(LATENCIES)
def test_every_sample_is_in_one_bar(samples: list[int]) -> None:
    found = distribution(np.sort(np.array(samples)))
    assert found is not None
    assert sum(count for _, _, count in found.bars) == len(samples)


def test_the_curve_has_the_same_quantiles_as_the_table() -> None:
    samples = np.sort(np.random.default_rng(1).lognormal(14, 0.5, 20_000).astype(np.int64))
    found, table = distribution(samples), quantiles(samples / 1e3)
    assert found is not None
    assert table is not None
    assert table.p99 is not None
    upto = [value for share, value in found.curve if share <= 0.99][-1]
    assert 0.97 * table.p99 <= upto <= table.p99


def test_a_quantile_is_known_while_ten_samples_lie_beyond_it() -> None:
    found = distribution(np.arange(1, 1001))
    assert found is not None
    assert found.known == 0.99


def test_every_further_nine_has_the_same_number_of_points() -> None:
    found = distribution(np.arange(1, 1_000_001))
    assert found is not None
    of_decades = [sum(low < 1 - share <= 10 * low for share, _ in found.curve) for low in (1e-2, 1e-3, 1e-4)]
    assert max(of_decades) - min(of_decades) <= 2  # floating edges
    assert len(found.curve) < 200
