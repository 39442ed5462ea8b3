from __future__ import annotations

import os

import pytest

from toolkit.load import priority


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The policies that the kernel is asked for, on a machine of two processors; nobody is really given one."""
    found: list[int] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, policy, parameter: found.append(policy))
    return found


def test_a_generator_goes_before_others_where_it_leaves_them_a_processor(asked: list[int]) -> None:
    assert priority.before_others(1) == "realtime"
    assert asked == [os.SCHED_RR]


@pytest.mark.parametrize("generators", [2, 3])
def test_generators_that_could_fill_the_machine_queue_like_everybody(asked: list[int], generators: int) -> None:
    assert priority.before_others(generators) == "normal"
    assert asked == []


def test_who_may_not_ask_queues_like_everybody(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int, policy: int, parameter: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    assert priority.before_others(1) == "normal"


def test_where_there_is_no_such_thing_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert priority.before_others(1) == "normal"
