"""Branches beside each other: how much of their time they had in common."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checks.simulation import DIAMOND, PAIR, healthy
from tests.unit.checks.test_patterns import looped, scattered
from toolkit.traces.overlap import Overlap, fans, overlap

Spans = list[tuple[int, int]]


@pytest.mark.parametrize("spans", [[], [(5, 10)], [(5, 5), (5, 10)], [(0, 0)] * 4])
def test_less_than_two_branches_have_nothing_in_common(spans: Spans) -> None:
    assert overlap(spans) is None


@pytest.mark.parametrize(
    ("spans", "share", "at_once", "wall"),
    [
        ([(0, 10), (0, 10)], 1.0, 2, 10),
        ([(0, 10), (2, 4)], 1.0, 2, 10),
        ([(0, 10), (10, 20)], 0.0, 1, 20),
        ([(0, 10), (5, 15)], 0.5, 2, 15),
        ([(0, 10), (0, 10), (10, 20)], 1 / 3, 2, 20),
        ([(0, 100)] * 16, 1.0, 16, 100),
    ],
)
def test_the_share_is_of_what_pairs_could_have_had_in_common(
    spans: Spans, share: float, at_once: int, wall: int
) -> None:
    found = overlap(spans)
    assert found == Overlap(len(spans), at_once, share, wall, max(end - start for start, end in spans))


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 50)).map(lambda each: (each[0], sum(each))),
        min_size=2,
        max_size=12,
    )
)
def test_it_is_what_one_finds_pair_by_pair(spans: Spans) -> None:
    pairs = list(combinations(spans, 2))
    common = sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a, b in pairs)
    possible = sum(min(a[1] - a[0], b[1] - b[0]) for a, b in pairs)
    found = overlap(spans)
    assert found is not None
    assert found.share == common / possible
    assert found.at_once == max(sum(a <= at < b for a, b in spans) for at, _ in spans)


def test_ten_thousand_branches_are_no_fifty_million_pairs() -> None:
    found = overlap((at, at + 10_000) for at in range(10_000))
    assert found is not None
    assert (found.n, found.at_once) == (10_000, 10_000)


def test_a_scatter_is_a_fan_over_its_edge() -> None:
    (found,) = fans(scattered(16, 16, 16).spans)
    assert (found.source, found.edge, found.overlap.n) == ("a", ("a", "b", "call"), 16)


def test_two_functions_that_were_called_are_a_fan_over_several_edges() -> None:
    (found,) = fans(healthy(DIAMOND, 1).spans)
    assert (found.source, found.edge, found.overlap.n) == ("a", None, 2)


def test_a_chain_and_a_loop_have_no_fan() -> None:
    assert fans(healthy(PAIR, 1).spans) == []
    assert fans(looped(20, loop=20).spans) == []
