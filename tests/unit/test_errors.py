"""Errors say what, where and what next, and do not flood whoever reads them."""

from __future__ import annotations

from toolkit.errors import MOST_PRINTED, NotReady, Problem, SpecError


def test_a_problem_is_told_with_its_place_and_path() -> None:
    error = SpecError("chain.yaml", [Problem(3, 5, "edges[0].to", "no function named 'b'")])
    assert str(error) == "chain.yaml:3:5: edges[0].to: no function named 'b'"


def test_a_flood_of_problems_is_cut_and_counted_and_none_is_lost() -> None:
    error = SpecError("chain.yaml", [Problem(line, 1, "", "wrong") for line in range(1, MOST_PRINTED + 1_001)])
    lines = str(error).splitlines()
    assert len(lines) == MOST_PRINTED + 1
    assert lines[-1] == "… and 1,000 more"
    assert len(error.problems) == MOST_PRINTED + 1_000


def test_not_ready_ends_with_the_last_log_lines() -> None:
    assert str(NotReady("consumer", after_s=1.25, why="it left", log_tail=["boom"])) == (
        "consumer was not ready after 1.2 s: it left; its last log lines:\n    boom"
    )
    assert str(NotReady("consumer", after_s=30.0)).endswith("(it logged nothing)")
