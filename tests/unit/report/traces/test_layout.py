"""Where nodes of a graph stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traces.made import calm
from toolkit.report.traces.layout import place

_NAMES = st.integers(0, 12).map(lambda number: f"n{number}")
_EDGES = st.lists(st.tuples(_NAMES, _NAMES), max_size=40)


def columns(nodes: str, *edges: str) -> dict[str, int]:
    placed = place(nodes.split(), [(each[0], each[1]) for each in edges])
    return {node: column for node, (column, _) in placed.items()}


def test_a_node_stands_behind_the_longest_way_to_it() -> None:
    assert columns("a b c d", "ab", "bc", "cd", "ad") == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_a_cycle_is_cut_where_it_leads_back() -> None:
    assert columns("a b c", "ab", "bc", "cb") == {"a": 0, "b": 1, "c": 2}


def test_a_graph_that_is_a_cycle_begins_somewhere() -> None:
    assert sorted(columns("a b c", "ab", "bc", "ca").values()) == [0, 1, 2]


def test_a_node_that_leads_to_itself_stands_at_the_beginning() -> None:
    assert columns("a", "aa") == {"a": 0}


def test_rows_are_ordered_so_that_parallel_lines_do_not_cross() -> None:
    placed = place(["a", "b", "y", "x"], [("a", "x"), ("b", "y")])
    assert (placed["a"][1] < placed["b"][1]) == (placed["x"][1] < placed["y"][1])


def test_no_nodes_have_no_places() -> None:
    assert place([], [("a", "b")]) == {}


@calm
@given(_EDGES)
def test_every_node_has_a_place_of_its_own_and_always_the_same(edges: list[tuple[str, str]]) -> None:
    nodes = [f"n{number}" for number in range(13)]
    placed = place(nodes, edges)
    assert set(placed) == set(nodes)
    assert len(set(placed.values())) == len(nodes)
    assert placed == place(nodes, edges)


@calm
@given(_EDGES)
def test_without_cycles_every_line_leads_to_the_right(edges: list[tuple[str, str]]) -> None:
    forward = [(a, b) for a, b in edges if int(a[1:]) < int(b[1:])]
    placed = place([f"n{number}" for number in range(13)], forward)
    assert all(placed[a][0] < placed[b][0] for a, b in forward)


def test_a_hundred_nodes_that_all_know_each_other_are_placed() -> None:
    nodes = [str(number) for number in range(100)]
    placed = place(nodes, [(a, b) for a in nodes for b in nodes])
    assert len(set(placed.values())) == 100
