"""The pages of a ledger, as a reader takes them: a URL may lead anywhere, so what no ledger writes is refused.

May live here: the shape of pages. May not: asking for them (`client`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from toolkit.sdk.ledger.words import MOST_TEXT, PAGE_TASKS, State

MOST_NUMBER = 1 << 63
STATES: tuple[State, ...] = get_args(State)
_TEXTS = ("call", "task", "parent", "function", "receiver")
_NUMBERS = ("depth", "attempts", "spawned_ns", "version")


def state(body: bytes) -> dict[str, int]:
    """Counts by name, `open` among them. Raises ValueError."""
    found = _object(body)
    if "open" not in found or not all(map(_is_number, found.values())):
        raise ValueError("its state is no list of counts")
    return found


def tasks(body: bytes, since: int) -> list[dict[str, Any]]:
    """One page of tasks, their versions rising from above `since`. Raises ValueError."""
    found = _object(body).get("tasks")
    if not isinstance(found, list) or len(found) > PAGE_TASKS:
        raise ValueError(f"its page is no list of up to {PAGE_TASKS:,} tasks")
    for each in found:
        _see_that_it_is_a_task(each)
        if each["version"] <= since:
            raise ValueError("its versions do not rise")
        since = each["version"]
    return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("its page is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("its page is no JSON object")
    return found


def _see_that_it_is_a_task(task: Any) -> None:
    if not isinstance(task, Mapping):
        raise ValueError("a task of its page is no JSON object")
    for name in _TEXTS:
        if not isinstance(task.get(name), str) or len(task[name]) > MOST_TEXT:
            raise ValueError(f"a task's {name} is no text of up to {MOST_TEXT:,} characters")
    for name in _NUMBERS:
        if not _is_number(task.get(name)):
            raise ValueError(f"a task's {name} is no whole number")
    if task.get("ended_ns") is not None and not _is_number(task["ended_ns"]):
        raise ValueError("a task's ended_ns is no whole number")
    if task.get("state") not in STATES:
        raise ValueError("a task's state is none that a task can have")


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < MOST_NUMBER
