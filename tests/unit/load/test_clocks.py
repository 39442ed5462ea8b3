"""Two clocks are held against each other by questions and answers."""

from __future__ import annotations

from toolkit.load.clocks import Asked, Offset, drifted, offset


def test_the_quickest_answer_says_it_most_exactly() -> None:
    asked = [Asked(1_000, 9_900, 2_000), Asked(3_000, 11_050, 3_100), Asked(5_000, 13_900, 7_000)]
    assert offset(asked, same_kernel=False) == Offset(8_000, 50)


def test_processes_of_one_kernel_share_its_clock_and_nothing_is_guessed() -> None:
    assert offset([Asked(1_000, 1_070, 1_100)], same_kernel=True) == Offset(0, 0)


def test_a_clock_of_the_same_kernel_that_is_seen_to_be_another_is_another() -> None:
    assert offset([Asked(1_000, 90_050, 1_100)], same_kernel=True) == Offset(89_000, 50)


def test_a_moment_goes_there_and_back() -> None:
    ahead = Offset(-500, 1)
    assert ahead.theirs(1_000) == 500
    assert ahead.ours(ahead.theirs(1_000)) == 1_000


def test_what_clocks_went_apart_meanwhile_is_a_part_of_the_error() -> None:
    assert drifted(Offset(8_000, 50), Offset(8_300, 40)) == Offset(8_000, 350)
    assert drifted(Offset(), Offset()) == Offset()
