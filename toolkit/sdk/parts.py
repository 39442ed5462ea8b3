"""Which part of what was scattered a message is: read off the wire, handed on, and given back by joins. Pure.

May live here: that text and its arithmetic. May not: sending, and which parts wait for which (`ledger.meetings`).

A part that is scattered again is a part of a part: the innermost scatter is told by three extensions of its own, those
around it by one more. Beyond `MOST` of them the outermost are forgotten; a join of theirs refuses what comes then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from toolkit import contract

MOST = 8  # scatters, one inside the other
_OUTER = re.compile(r"([0-9a-f]{32}):([0-9]{1,9}):([0-9]{1,9})")
_SCATTER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Place:
    """The `index`-th (from 0 on) of `total` parts of one scatter; `scatter` is empty where nobody said which."""

    scatter: str
    index: int
    total: int

    def __str__(self) -> str:
        return f"{self.scatter}:{self.index}:{self.total}"


Stack = tuple[Place, ...]  # the innermost scatter first


def read(said: Mapping[str, str]) -> Stack:
    """What a message's extensions say; nothing where it is no part, or cannot be read."""
    index, total = (said.get(name, "") for name in (contract.PART_EXTENSION, contract.PARTS_EXTENSION))
    if not (_number(index) and _number(total)):
        return ()
    scatter = said.get(contract.SCATTER_EXTENSION, "")
    inner = Place(scatter if _SCATTER.fullmatch(scatter) else "", int(index), int(total))
    texts = said.get(contract.OUTER_EXTENSION, "").split(",", MOST)[: MOST - 1]
    outer = [_OUTER.fullmatch(each) for each in texts]
    return inner, *(Place(each[1], int(each[2]), int(each[3])) for each in outer if each)


def written(stack: Stack) -> dict[str, str]:
    if not stack:
        return {}
    inner, *outer = stack[:MOST]
    said = {contract.PART_EXTENSION: str(inner.index), contract.PARTS_EXTENSION: str(inner.total)}
    if inner.scatter:
        said[contract.SCATTER_EXTENSION] = inner.scatter
    if outer:
        said[contract.OUTER_EXTENSION] = ",".join(map(str, outer))
    return said


def shared(stacks: Iterable[Stack]) -> Stack:
    """What messages that are handled together are parts of, all of them: the outermost scatters they agree in."""
    found: Stack | None = None
    for stack in stacks:
        found = stack if found is None else _common(found, stack)
    return found or ()


def _common(one: Stack, other: Stack) -> Stack:
    same = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        same += 1
    return one[len(one) - same :]


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9
