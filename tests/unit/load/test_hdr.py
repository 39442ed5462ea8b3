from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.load import hdr
from toolkit.load.hdr import HOUR_NS, Histogram


def of(*values: int) -> Histogram:
    found = Histogram()
    for each in values:
        found.record(each)
    return found


def test_small_values_are_known_exactly_and_large_ones_to_a_thousandth() -> None:
    found = of(1, 2047, 5_000_001)
    assert [(low, high) for low, high, _ in found.places()][:2] == [(1, 1), (2047, 2047)]
    low, high = list(found.places())[2][:2]
    assert low <= 5_000_001 <= high
    assert (high - low) / low < 1e-3


def test_the_layout_is_that_of_hdrhistogram() -> None:
    assert hdr.length(3_600_000_000_000) == 33 * 1024  # as HdrHistogram(1, 3_600_000_000_000, 3) allocates
    assert [hdr.place(each) for each in (0, 1, 2047, 2048, 2049, 4095, 4096)] == [0, 1, 2047, 2048, 2048, 3071, 3072]


@given(st.integers(0, HOUR_NS))
def test_every_value_lies_within_its_place(value: int) -> None:
    found = of(value)
    ((low, high, count),) = found.places()
    assert low <= value <= high
    assert count == 1
    assert hdr.bounds(hdr.place(value)) == (low, high)
    assert found.quantile(0.5) == value, "never more than the largest that was seen"


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_the_nearest_rank_to_a_thousandth(values: list[int], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(round(share * len(values), 9))) - 1]
    found = of(*values).quantile(share)
    assert found is not None
    assert exact <= found <= exact * 1.001


def test_histograms_that_were_kept_apart_add_up_to_one() -> None:
    draw = random.Random(3)
    values = [round(draw.lognormvariate(13, 2)) for _ in range(3_000)]
    whole, left, right = of(*values), of(*values[:1000]), of(*values[1000:])
    left.merge(right)
    assert left.counts == whole.counts
    assert (left.total, left.min, left.max) == (3_000, min(values), max(values))
    assert left.mean == pytest.approx(sum(values) / 3_000)


def test_those_of_another_size_are_not_added() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        of(1).merge(Histogram(1000))


def test_what_is_too_large_is_counted_at_the_end_and_told() -> None:
    found = Histogram(10_000)
    found.record(20_000)
    assert (found.total, found.over, found.max, found.quantile(1.0)) == (1, 1, 10_000, 10_000)


def test_nothing_has_no_quantile_and_no_mean() -> None:
    assert (Histogram().quantile(0.5), Histogram().mean) == (None, None)


def test_negative_values_and_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        of(-1)
    with pytest.raises(ValueError, match="share"):
        of(1).quantile(1.5)
    with pytest.raises(ValueError, match="apart"):
        Histogram(1)


def test_it_becomes_bytes_and_comes_back() -> None:
    found = of(*range(0, 3_000_000, 7919))
    again = Histogram.from_bytes(found.to_bytes())
    assert again.counts == found.counts
    for name in ("highest", "total", "over", "min", "max", "sum"):
        assert getattr(again, name) == getattr(found, name)
    assert len(found.to_bytes()) < 20_000


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:50], lambda data: b"x" + data[1:]])
def test_bytes_that_are_no_histogram_are_refused(spoil) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="histogram"):
        Histogram.from_bytes(spoil(of(1, 2, 3).to_bytes()))


def test_one_that_counts_less_than_nothing_is_refused() -> None:
    found = of(1)
    found.counts = array("q", [-1, *found.counts[1:]])
    with pytest.raises(ValueError, match="less than nothing"):
        Histogram.from_bytes(found.to_bytes())
