"""What right patterns mean, once they are expanded: copies, counts, joins, fallbacks, types of events."""

from __future__ import annotations

import pytest

from toolkit.errors import SpecError
from toolkit.spec import parse
from toolkit.spec.model import ChainSpec


def chain(functions: str, edges: str, **overrides: str) -> ChainSpec:
    """`functions` and `edges` are separated by semicolons: `a; b: join: all`, and `a call b count: 3`."""
    lines = ["name: sample", "parameters: {n: {default: 2, min: 1, max: 50}}", "functions:"]
    for each in functions.split(";"):
        name, _, more = each.strip().partition(": ")
        lines.append(f"  {name}: {{handler: 'm:f'{', ' + more if more else ''}}}")
    lines.append("edges:")
    for each in edges.split(";"):
        source, via, to, *rest = each.split(maxsplit=3)
        lines.append(f"  - {{from: {source}, to: {to}, via: {via}{', ' + rest[0] if rest else ''}}}")
    return parse("\n".join(lines).encode(), origin="chain.yaml", folder=".", overrides=overrides)


def pairs(found: ChainSpec) -> list[tuple[str, str]]:
    return [(edge.source, edge.to) for edge in found.edges]


def test_copies_side_by_side_get_every_edge_and_send_over_every_edge() -> None:
    found = chain('a; w: parallel: "${n}"; z', "a call w; w call z", n="3")
    assert pairs(found) == [*(("a", f"w-{n}") for n in (1, 2, 3)), *((f"w-{n}", "z") for n in (1, 2, 3))]
    assert [each.parallel for each in found.functions] == [1, 3, 3, 3, 1]


def test_copies_side_by_side_meet_each_other() -> None:
    found = chain("a; v: parallel: 2; w: parallel: 2", "a call v; v call w")
    assert pairs(found)[2:] == [("v-1", "w-1"), ("v-1", "w-2"), ("v-2", "w-1"), ("v-2", "w-2")]


def test_an_edge_to_itself_stays_with_each_copy() -> None:
    found = chain("a; w: parallel: 2", "a call w; w call w loop: 3")
    assert pairs(found)[2:] == [("w-1", "w-1"), ("w-2", "w-2")]


def test_a_row_and_copies_side_by_side_go_together() -> None:
    found = chain("a; r: repeat: 2; w: parallel: 2", "a call r; r call w")
    assert pairs(found) == [("a", "r-1"), ("r-1", "r-2"), ("r-2", "w-1"), ("r-2", "w-2")]
    assert [edge.alias for edge in found.edges] == ["r", None, None, None]


def test_a_row_keeps_how_its_messages_travel_and_none_of_what_is_decided_before_it() -> None:
    found = chain(
        "a; b; r: repeat: 2", "a call b choice: way; a call r choice: way, retry: 2, transfer: file, count: 4"
    )
    first, second = found.edges[1], found.edges[2]
    assert (first.choice, first.most, first.retry, first.transfer) == ("way", 4, 2, "file")
    assert (second.choice, second.most, second.retry, second.transfer) == (None, 1, 2, "file")


def test_a_choice_of_copies_is_between_all_of_them() -> None:
    found = chain("a; b; w: parallel: 2", "a event b choice: way; a event w choice: way")
    assert [(edge.choice, edge.type) for edge in found.edges] == [
        *(("way", "sample.a.b"), ("way", "sample.a.w-1"), ("way", "sample.a.w-2"))
    ]


@pytest.mark.parametrize(
    ("said", "bounds"),
    [
        ("", (1, 1)),
        ("count: 16", (16, 16)),
        ("count: 0..1", (0, 1)),
        ("count: 3..", (3, None)),
        ('count: "${n - 1}"', (4, 4)),
        ('count: "1..${n}"', (1, 5)),
        ('count: "${n}.."', (5, None)),
        ('count: "0 .. ${n + 2}"', (0, 7)),
    ],
)
def test_a_count_bounds_the_messages_of_one_handling(said: str, bounds: tuple[int, int | None]) -> None:
    edge = chain("a; b", f"a call b {said}", n="5").edges[0]
    assert (edge.least, edge.most) == bounds


def test_what_a_count_leaves_out_follows_from_the_pattern() -> None:
    found = chain(
        "a; b; c; t; d", "a call b; a call c fallback: b; b call b loop: 3; a event t tasks: 9; t event d when: done"
    )
    assert [(edge.least, edge.most) for edge in found.edges] == [(1, 1), (0, 1), (0, 1), (0, None), (1, 1)]


def test_what_stands_in_carries_what_it_stands_in_for() -> None:
    found = chain("a; b; c; d", "a call b count: 4..8; a call c fallback: b; a call d fallback: c")
    assert [(edge.least, edge.most) for edge in found.edges] == [(4, 8), (0, 8), (0, 8)]


@pytest.mark.parametrize(
    ("functions", "edges", "waits"),
    [
        ("a; b; c; z: join: all", "a event b; a event c; b event z; c event z", 2),
        ("a; b; z: join: all", "a event b count: 5; b event z", 5),
        ("a; b; z: join: all", "a event b count: 5; b event z count: 2", 10),
        ("a; w: parallel: 3; z: join: all", "a event w; w event z", 3),
        ("a; b: join: all; z: join: all", "a event b count: 6; b event z", 1),
        ("a; b: join: 3; z: join: all", "a event b count: 6; b event z", 2),
        ("a; b; z: join: all", "a call b retry: 3; b event z", 1),
        ('a; z: join: "${n}"', 'a event z count: "${n}"', 2),
        ("a; b; z: join: parts", "a event b count: 1..; b event z", 0),
        ("a; z: join: parts", 'a event z count: "${n}"', 0),
        ("a; b; c; z: join: 1", "a call b choice: x; a call c choice: x; b event z; c event z", 1),
    ],
)
def test_a_join_waits_for_what_a_call_brings(functions: str, edges: str, waits: int) -> None:
    found = chain(functions, edges)
    assert found.function("z").join == waits
    assert found.has_ledger


REFUSED = (
    ("a; w: parallel: 2; z: join: parts", "a event w count: 0..; w event z", "one of 2 copies side by side"),
    ("a; w: parallel: 2; r; z: join: parts", "a event w count: 0..; w event r; r event z", "one of 2 copies"),
    ("a; b; w; f", "a event b count: 0..; b event w tasks: 9; w event f when: done", "'b' handles 0 or more messages"),
    ("a; b; w; f", "a event w tasks: 1; a event b; b event w tasks: 9; w event f when: done", "spawns some already"),
)


@pytest.mark.parametrize(("functions", "edges", "why"), REFUSED)
def test_what_could_only_be_mixed_or_ended_too_early_is_refused(functions: str, edges: str, why: str) -> None:
    with pytest.raises(SpecError, match=why):
        chain(functions, edges)


def test_copies_that_scatter_each_for_themselves_may_be_joined() -> None:
    found = chain("a; w: parallel: 2; m; z: join: parts", "a event w; w event m count: 0..; m event z")
    assert found.function("z").join == 0


@pytest.mark.parametrize("edge", ["choice: way", "loop: 3", "tasks: 9"])
def test_an_event_that_not_all_receivers_get_has_a_type_of_its_own(edge: str) -> None:
    found = chain(
        "a; b; c",
        f"a call b; b event c; c event c {edge}" if edge != "choice: way" else f"a event b {edge}; a event c {edge}",
    )
    assert found.edges[-1].type == f"sample.{found.edges[-1].source}.c"


def test_an_entry_that_calls_itself_is_still_the_entry() -> None:
    assert chain("a; b", "a call a loop: 3; a call b; b call a loop: 2").entry == "a"


def test_a_function_that_is_not_there_hands_its_counts_to_its_neighbours() -> None:
    found = chain("a; r: repeat: 0; b; c", "a call r count: 3; r call b; r call c")
    assert [(edge.source, edge.to, edge.most) for edge in found.edges] == [("a", "b", 3), ("a", "c", 3)]
