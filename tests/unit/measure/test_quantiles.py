"""Quantiles are samples, and those that few samples stand behind are not told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.measure.quantiles import PER_MILLE, at_rank, histogram, quantiles
from toolkit.results import Quantiles

samples = st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=400)


def test_no_data_is_none() -> None:
    assert quantiles([]) is None


def test_one_sample_has_bounds_and_a_mean_but_no_quantile() -> None:
    assert quantiles([7.0]) == Quantiles(n=1, min=7.0, max=7.0, mean=7.0)


def test_the_median_needs_ten_samples_beyond_it() -> None:
    assert quantiles(range(19)).p50 is None  # type: ignore[union-attr]
    assert quantiles(range(20)).p50 == 9  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "n", "value"), [("p90", 100, 89), ("p95", 200, 189), ("p99", 1000, 989), ("p999", 10_000, 9989)]
)
def test_each_quantile_appears_with_the_sample_that_stands_behind_it(name: str, n: int, value: int) -> None:
    assert getattr(quantiles(range(n - 1)), name) is None
    assert getattr(quantiles(range(n)), name) == value


def test_the_order_of_the_samples_does_not_matter() -> None:
    assert quantiles(range(1000)) == quantiles(reversed(range(1000)))


@given(samples)
def test_a_quantile_is_the_smallest_sample_that_its_share_does_not_exceed(values: list[float]) -> None:
    found = quantiles(values)
    assert found is not None
    for name, per_mille in PER_MILLE.items():
        definition = min(x for x in values if sum(y <= x for y in values) * 1000 >= per_mille * len(values))
        beyond = len(values) - math.ceil(per_mille * len(values) / 1000)
        assert getattr(found, name) == (definition if beyond >= 10 else None)


@given(samples)
def test_bounds_and_mean_are_those_of_the_samples(values: list[float]) -> None:
    found = quantiles(values)
    assert found is not None
    assert (found.n, found.min, found.max) == (len(values), min(values), max(values))
    assert found.mean == math.fsum(values) / len(values)


def test_an_order_statistic_can_be_asked_of_few_samples() -> None:
    assert at_rank([1.0, 2.0, 3.0], 990) == 3.0


def test_a_histogram_of_nothing_has_no_bars() -> None:
    assert histogram([]) == ()


def test_equal_samples_share_one_bar() -> None:
    assert histogram([5.0] * 7) == ((5.0, 7),)


def test_bars_grow_by_a_ratio_and_end_with_the_largest_sample() -> None:
    assert histogram([1.0, 2.0, 3.0, 16.0], bars=4) == ((2.0, 2), (4.0, 1), (8.0, 0), (16.0, 1))


@given(samples)
def test_a_histogram_counts_every_sample_once(values: list[float]) -> None:
    found = histogram(values)
    assert sum(count for _, count in found) == len(values)
    bounds = [bound for bound, _ in found]
    assert bounds == sorted(bounds)
    assert bounds[-1] >= max(values)
