from __future__ import annotations

import random

from hypothesis import given

from tests.unit.traces.made import calm, span, tangled
from toolkit.traces import tree
from toolkit.traces.model import Span


def shape(spans: list[Span]) -> list[tuple[int, int]]:
    """(number, depth) of every span, in the order of the walk."""
    built = tree.build(spans)
    return [(int(built.spans[at].id, 16), depth) for at, depth in built.walk()]


def test_children_stand_below_their_parents_in_the_order_of_their_start() -> None:
    spans = [span(3, parent=1, start=30), span(2, parent=1, start=20), span(1, start=10), span(4, parent=2, start=40)]
    assert shape(spans) == [(1, 0), (2, 1), (4, 2), (3, 1)]


def test_a_span_without_a_time_stands_last() -> None:
    assert shape([span(1), span(2, parent=1, start=None), span(3, parent=1, start=30)]) == [(1, 0), (3, 1), (2, 1)]


def test_no_spans_are_an_empty_tree() -> None:
    assert tree.build([]) == tree.Tree((), (), (), (), frozenset(), frozenset())


def test_a_repeated_span_is_there_once() -> None:
    assert len(tree.build([span(1, "a"), span(1, "a"), span(1, "a")]).spans) == 1


def test_the_parts_of_one_span_become_one() -> None:
    early = span(1, "a", "SERVER", 7, start=5, duration=None, tags={"x": "1"})
    late = span(1, None, None, 7, start=None, duration=9, tags={"y": "2"}, name="")
    (merged,) = tree.merge([late, early])
    assert (merged.service, merged.kind, merged.timestamp, merged.duration) == ("a", "SERVER", 5, 9)
    assert merged.tags == {"x": "1", "y": "2"}


def test_client_and_server_may_share_an_id_and_stay_two() -> None:
    client, server = span(1, "a", "CLIENT"), span(1, "b", "SERVER", shared=True)
    built = tree.build([server, client])
    assert [each.kind for each in built.spans] == ["CLIENT", "SERVER"]
    assert built.parents == (None, 0)


def test_a_server_that_forgot_to_say_it_shares_is_recognised_and_gets_the_parent() -> None:
    client, server = span(1, "a", "CLIENT", 9), span(1, "b", "SERVER")
    assert tree.merge([server, client])[1].shared
    assert tree.merge([server, client])[1].parent == f"{9:016x}"


def test_work_of_a_server_that_shares_its_id_hangs_below_the_server() -> None:
    spans = [
        span(1, "a", "CLIENT"),
        span(1, "b", "SERVER", shared=True),
        span(2, "b", parent=1),
        span(3, "a", parent=1),
    ]
    built = tree.build(spans)
    by_number = {(int(each.id, 16), each.service): at for at, each in enumerate(built.spans)}
    assert built.parents[by_number[2, "b"]] == by_number[1, "b"]
    assert built.parents[by_number[3, "a"]] == by_number[1, "a"]


def test_a_span_with_an_unknown_parent_is_an_orphan_and_still_a_root() -> None:
    built = tree.build([span(1), span(2, parent=9)])
    assert built.roots == (0, 1)
    assert built.orphans == {1}


def test_a_shared_span_without_its_client_half_is_an_orphan() -> None:
    assert tree.build([span(1, "b", "SERVER", shared=True)]).orphans == {0}


def test_a_span_that_is_its_own_parent_is_a_root() -> None:
    built = tree.build([span(1, parent=1)])
    assert (built.roots, built.orphans, built.looped) == ((0,), frozenset(), frozenset())


def test_a_cycle_is_cut_once_and_all_of_it_is_shown() -> None:
    built = tree.build([span(1, parent=3), span(2, parent=1), span(3, parent=2), span(4, parent=3)])
    assert len(built.looped) == 1
    assert {at for at, _ in built.walk()} == {0, 1, 2, 3}


def test_a_hundred_thousand_levels_are_no_deeper_than_two() -> None:
    spans = [span(number, parent=number - 1 or None) for number in range(1, 100_001)]
    random.Random(1).shuffle(spans)
    depths = [depth for _, depth in tree.build(spans).walk()]
    assert depths == list(range(100_000))
    deepest = tree.build(spans)
    assert sum(1 for _ in deepest.ancestors(deepest.spans.index(span(100_000, parent=99_999)))) == 99_999


@calm
@given(tangled())
def test_every_span_is_walked_once_below_its_parent_whatever_came(spans: list[Span]) -> None:
    built = tree.build(spans)
    depths = dict(built.walk())
    assert sorted(depths) == list(range(len(built.spans)))
    assert all(depths[at] == depths[above] + 1 for at, above in enumerate(built.parents) if above is not None)
    assert {each.id for each in built.spans} == {each.id for each in spans}


@calm
@given(tangled())
def test_merging_what_is_merged_changes_nothing(spans: list[Span]) -> None:
    once = tree.merge(spans)
    assert len(tree.merge(once)) <= len(once) <= len(spans)


def test_spans_are_told_apart_by_trace_and_times_by_who_has_one() -> None:
    one, other = span(1, start=None), span(2, start=7, duration=None)
    assert tree.by_trace([one, other]) == {one.trace: [one, other]}
    assert (tree.started([one, other]), tree.ended([one, other])) == (7, 7)
    assert (tree.started([one]), tree.ended([])) == (None, None)
