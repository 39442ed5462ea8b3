"""The lines that tell of branches beside each other."""

from __future__ import annotations

from toolkit.analysis import Extent, FanSpread
from toolkit.report.fans import MOST, lines, table
from toolkit.traces.overlap import Fan, Overlap

SIXTEEN = Overlap(n=16, at_once=16, share=0.968, wall_us=103_000, slowest_us=101_000)


def test_a_line_tells_how_many_ran_at_once_and_how_long_that_took() -> None:
    assert list(lines([Fan("1", "map", ("map", "worker", "call"), SIXTEEN)])) == [
        "map ─call─▶ worker: 16 branches, 16 at once, overlap 97 %; 103 ms in all, the slowest 101 ms"
    ]


def test_branches_one_after_the_other_are_told_as_such() -> None:
    one_by_one = Overlap(n=2, at_once=1, share=0.0, wall_us=200, slowest_us=120)
    assert list(lines([Fan("1", "map", None, one_by_one)])) == [
        "all that map sent: 2 branches, none at once, overlap 0 %; 200 µs in all, the slowest 120 µs"
    ]


def test_what_names_say_cannot_move_a_terminal() -> None:
    (line,) = lines([Fan("1", "m\x1b[2J", ("m\x1b[2J", "w\n", "event"), SIXTEEN)])
    assert line.isprintable()


def test_of_many_the_first_few_are_told() -> None:
    assert list(lines([Fan("1", "map", None, SIXTEEN)] * (MOST + 5)))[-1] == "and 5 more"


def spread(source: str, to: str | None = "worker") -> FanSpread:
    one, share, us = Extent(16, 16.0, 16), Extent(0.905, 0.968, 0.99), Extent(101_000, 103_000.0, 104_000)
    via = None if to is None else "call"
    return FanSpread(source, to, via, 8, one, one, share, us, us, Extent(1.0, 1.02, 1.3), "1")


def test_of_many_traces_the_median_and_the_worst_are_told() -> None:
    head, line = table([spread("map")], 120)
    assert head.split()[-7:] == ["overlap", "least", "wall", "ms", "slowest", "ratio", "most"]
    assert line.split() == ["map", "─call─▶", "worker", "8", "16", "16", "97%", "90%", "103", "103", "1.02", "1.30"]


def test_a_table_of_nothing_is_nothing_and_one_of_many_is_bounded_and_harmless() -> None:
    assert list(table([], 120)) == []
    told = list(table([spread("m\x1b[2J\n" * 20, None)] * (MOST + 5), 60))
    assert (len(told), told[-1]) == (MOST + 2, "and 5 more, of fewer handlings")
    assert all(line.isprintable() for line in told)
