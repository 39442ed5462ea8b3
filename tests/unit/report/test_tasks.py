"""Tasks as text while they run."""

from __future__ import annotations

from dataclasses import replace

from toolkit.report.tasks import Board, tree
from toolkit.results import TaskRecord

TOP = TaskRecord("call-1", "a" * 32, "message", "start", "sort", "running", 0, 1, 1)
LEFT = TaskRecord("call-1", "b" * 32, TOP.task, "sort", "sort", "waiting", 1, 0, 2)
RIGHT = TaskRecord("call-1", "c" * 32, TOP.task, "sort", "sort", "done", 1, 2, 3, 2_000_003)


def test_a_board_counts_each_task_in_its_latest_state() -> None:
    board = Board()
    board.see([TOP, LEFT, RIGHT], 0.0)
    assert board.lines() == ["sort: waiting 1 · running 1 · done 1", "3 tasks of 1 call · depth 1"]
    board.see([replace(LEFT, state="done", ended_ns=9), replace(TOP, state="done", ended_ns=9)], 2.0)
    assert board.lines() == ["sort: done 3", "3 tasks of 1 call · depth 1 · 1 tasks/s"]
    assert (board.left, board.count("failed")) == (0, 0)


def test_an_empty_board_knows_neither_rate_nor_depth() -> None:
    board = Board()
    assert (board.rate, board.depth, board.lines()) == (None, None, ["0 tasks of 0 calls"])


def test_calls_are_found_by_how_they_begin() -> None:
    board = Board()
    board.see([TOP, replace(TOP, call="other")], 0.0)
    assert (board.calls("call"), board.calls("x"), board.calls("")) == (["call-1"], [], ["call-1", "other"])


def test_a_tree_shows_children_under_their_parent() -> None:
    assert list(tree([RIGHT, LEFT, TOP])) == [
        "call call-1",
        "  ▶ aaaaaaaaaaaa sort running",
        "    · bbbbbbbbbbbb sort waiting",
        "    ✓ cccccccccccc sort 2.0 ms, 2 attempts",
    ]


def test_a_deep_tree_is_cut_off_and_says_so() -> None:
    tasks = [replace(TOP, task=f"{n:032}", parent=f"{n - 1:032}", spawned_ns=n) for n in range(5000)]
    lines = list(tree(tasks, most=100))
    assert len(lines) == 102
    assert lines[-1] == "… and 4,900 tasks more (-o json tells all)"


def test_what_a_stranger_called_a_function_is_printed_harmlessly() -> None:
    board = Board()
    board.see([replace(TOP, to="\x1b[2J")], 0.0)
    assert "\x1b" not in "".join([*board.lines(), *tree([replace(TOP, to="\x1b[2J", call="\x1b")])])
