"""What looking at a machine or a cluster brings to light: said the same way wherever one looks.

May live here: the shape of a finding. May not: looking (each engine does that), printing (`toolkit.cli`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`missing`: no chain runs without it. `remark`: somebody should know. `unseen`: we have no right to look."""

    OK = "ok"
    REMARK = "remark"
    MISSING = "missing"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` is what to do about it, a command where there is one."""

    topic: str
    state: State
    text: str
    mend: str | None = None


def ok(topic: str, text: str) -> Finding:
    return Finding(topic, State.OK, text)


def remark(topic: str, text: str, mend: str | None = None) -> Finding:
    return Finding(topic, State.REMARK, text, mend)


def missing(topic: str, text: str, mend: str | None) -> Finding:
    return Finding(topic, State.MISSING, text, mend)


def unseen(topic: str, text: str, mend: str | None = None) -> Finding:
    return Finding(topic, State.UNSEEN, text, mend)
