"""The lines that tell of branches beside each other."""

from __future__ import annotations

from toolkit.report.fans import MOST, lines
from toolkit.traces.overlap import Fan, Overlap

SIXTEEN = Overlap(n=16, at_once=16, share=0.968, wall_us=103_000, slowest_us=101_000)


def test_a_line_tells_how_many_ran_at_once_and_how_long_that_took() -> None:
    assert list(lines([Fan("map", ("map", "worker", "call"), SIXTEEN)])) == [
        "map ─call─▶ worker: 16 branches, 16 at once, overlap 97 %; 103 ms in all, the slowest 101 ms"
    ]


def test_branches_one_after_the_other_are_told_as_such() -> None:
    one_by_one = Overlap(n=2, at_once=1, share=0.0, wall_us=200, slowest_us=120)
    assert list(lines([Fan("map", None, one_by_one)])) == [
        "all that map sent: 2 branches, none at once, overlap 0 %; 200 µs in all, the slowest 120 µs"
    ]


def test_what_names_say_cannot_move_a_terminal() -> None:
    (line,) = lines([Fan("m\x1b[2J", ("m\x1b[2J", "w\n", "event"), SIXTEEN)])
    assert line.isprintable()


def test_of_many_the_first_few_are_told() -> None:
    assert list(lines([Fan("map", None, SIXTEEN)] * (MOST + 5)))[-1] == "and 5 more"
